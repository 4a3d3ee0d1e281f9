"""A schedule foreseen on the command line."""

from __future__ import annotations

import json
from pathlib import Path

from icalendar import Calendar

from tests.acceptance.command import Terminal

EXAMPLE = Path(__file__).parents[2] / "examples" / "schedule.csv"
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


def test_a_spreadsheet_becomes_a_document(selam: Terminal) -> None:
    said = selam.ok(
        "schedule", "import", str(EXAMPLE), "--start", "field:registration_date", "--out", "plan.json",
        "--zone", "Africa/Nairobi", "--now", "2026-03-01",
    )  # fmt: skip
    assert said.err.startswith("It begins on the contact's registration_date. Once: message-1 on the first")
    assert "7 rows, 6 contents, 2 languages, 2 tracks, 7 new." in said.err
    assert "For somebody whose registration_date is 2026-03-01:" in said.err
    lines = said.out.splitlines()
    assert len(lines) == 8
    assert "Sun 2026-03-01 09:00" in lines[1]
    stored = json.loads((selam.folder / "plan.json").read_text())
    assert len(stored["schedule"]["steps"]) == 7
    selam.write("schedule.json", json.dumps(stored["schedule"]))
    selam.ok("schedule", "preview", "schedule.json", *REGISTERED)


def test_without_a_file_the_document_is_printed_alone(selam: Terminal) -> None:
    said = selam.ok("schedule", "import", str(EXAMPLE), "--track", "tips")
    assert [step["days"] for step in said.json["schedule"]["steps"]] == [1, 3, 10]
    assert "For somebody who is enrolled on" in said.err
    assert "iteration" in said.err
    told = selam.ok("schedule", "import", str(EXAMPLE), "--json").json
    assert (told["counts"]["rows"], len(told["occurrences"]), told["fields"]) == (7, 7, [])


def test_a_table_that_changed_keeps_its_numbers(selam: Terminal) -> None:
    selam.write("changing.csv", "day,text\n0,one\n1,two\n")
    selam.ok("schedule", "import", "changing.csv", "--time", "9:00", "--out", "changing.json")
    again = selam.run("schedule", "import", "changing.csv", "--time", "9:00", "--out", "changing.json")
    assert (again.code, "--update changing.json keeps the numbers" in again.err) == (75, True)
    selam.write("changing.csv", "day,text\n1,two\n5,three\n")
    said = selam.ok(
        "schedule", "import", "changing.csv", "--update", "changing.json", "--out", "changing.json"
    )
    assert "2 rows, 2 contents, 1 language, 1 kept, 1 new, 1 retired." in said.err
    stored = json.loads((selam.folder / "changing.json").read_text())["schedule"]
    assert [step["number"] for step in stored["steps"]] == [2, 3]
    assert stored["retired"] == [1]


def test_what_is_wrong_with_a_table_is_told_by_line_and_nothing_is_written(selam: Terminal) -> None:
    selam.write("plan.csv", "day,time,text\nsoon,9:00,a\n1,never,b\n2,9:00,{{ contact.name\n")
    said = selam.run("schedule", "import", "plan.csv", "--out", "wrong.json")
    assert said.code == 65
    assert [line.partition(": ")[0].strip() for line in said.err.splitlines()[1:]] == [
        "line 2, day", "line 3, time", "line 4, text, line 1 column 1",
    ]  # fmt: skip
    assert not (selam.folder / "wrong.json").exists()
    assert selam.run("schedule", "import", "nowhere.csv").code == 66


def test_a_workspace_knows_which_fields_there_are(selam: Terminal) -> None:
    selam.write("plan.csv", "day,time,text\n1,9:00,Hello from {{ contact.village }}\n")
    said = selam.ok("schedule", "import", "plan.csv")
    assert "The texts read the fields village; --workspace checks them." in said.err
    (name,) = [one["name"] for one in selam.ok("workspace", "list", "--json").json]
    checked = selam.run("schedule", "import", "plan.csv", "--workspace", name)
    assert (checked.code, "unknown variable contact.village" in checked.err) == (65, True)
