"""A schedule foreseen on the command line."""

from __future__ import annotations

from pathlib import Path

from icalendar import Calendar

from tests.acceptance.command import Terminal

KARMA = Path(__file__).parents[2] / "examples" / "karma.json"
REGISTERED = ("--fields", '{"registration_date": "2026-03-01"}', "--now", "2026-02-20 10:00")


def test_a_schedule_is_told_in_words_and_line_by_line(selam: Terminal) -> None:
    said = selam.ok("schedule", "preview", str(KARMA), *REGISTERED, "--zone", "Asia/Kolkata")
    assert said.err.startswith("It begins on the contact's registration_date. Every 12 days, 4 times")
    lines = said.out.splitlines()
    assert len(lines) == 17
    assert "Asia/Kolkata" in lines[0]
    assert "Sun 2026-03-01" in lines[1]
    assert lines[-1].endswith("bot 2")


def test_programs_read_it_and_calendars_show_it(selam: Terminal) -> None:
    said = selam.ok(
        "schedule", "preview", str(KARMA), *REGISTERED, "--json", "--ical", "karma.ics", "--count", "4"
    )
    assert [one["step"] for one in said.json["occurrences"]] == [1, 2, 3, 4]
    events = Calendar.from_ical((selam.folder / "karma.ics").read_bytes()).walk("VEVENT")
    assert [str(event["summary"]) for event in events] == ["bot 1"] * 3 + ["bot 2"]


def test_a_person_who_is_known_has_their_own_date(selam: Terminal) -> None:
    selam.write("visit.json", '{"start": {"from": "field", "key": "created_at"}, "steps": [{"number": 1}]}')
    selam.write("rosa.csv", "id,name,phone\nE-77,Rosa,+353850004077\n")
    selam.ok("import", "contacts", "rosa.csv")
    said = selam.ok("schedule", "preview", "visit.json", "--contact", "E-77", "--now", "2020-01-01", "--json")
    assert len(said.json["occurrences"]) == 1


def test_what_is_wrong_is_told_with_the_place(selam: Terminal) -> None:
    selam.write("never.json", '{"steps": [{"number": 1}], "repeat": {"rrule": "FREQ=DAILY;BYHOUR=9"}}')
    never = selam.run("schedule", "preview", "never.json")
    assert (never.code, "repeat.rrule: the time of day is each step's own" in never.err) == (65, True)
    selam.write("broken.json", '{"steps": ')
    broken = selam.run("schedule", "preview", "broken.json")
    assert (broken.code, "broken.json: not JSON" in broken.err) == (65, True)
    nothing = selam.run("schedule", "preview", str(KARMA))
    assert (nothing.code, "its start is not known" in nothing.err) == (0, True)
    assert selam.run("schedule", "preview", "nowhere.json").code == 66
