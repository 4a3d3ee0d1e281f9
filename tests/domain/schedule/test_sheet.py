"""A schedule in a spreadsheet becomes a document; what is wrong is told by line; numbers stay."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.domain.field import FieldType
from clarion.domain.schedule.clocktime import Weekday
from clarion.domain.schedule.plan import Plan
from clarion.domain.schedule.sheet import document
from clarion.domain.schedule.sheet.choices import Choices
from clarion.domain.schedule.sheet.reading import Imported, read
from clarion.domain.schedule.subject import Subject
from clarion.errors import Invalid
from tests.domain.schedule.computed import NAIROBI, NEW_YORK

EXAMPLE = Path(__file__).parents[3] / "examples" / "schedule.csv"
REGISTERED = "field:registration_date"


def table(text: str, **choices: Any) -> Imported:
    """The rows of a CSV file as they are written here, without any care for quotes."""
    heading, *rows = [line.split(",") for line in text.strip().splitlines()]
    lines = [(number, dict(zip(heading, row, strict=True))) for number, row in enumerate(rows, 2)]
    return read(heading, lines, Choices(**choices))


def wrong(text: str, **choices: Any) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as told:
        table(text, **choices)
    return [(one.where, one.what) for one in told.value.problems]


def steps(found: Imported) -> dict[int, tuple[int, str | None]]:
    """Day and content by number."""
    return {step.number: (step.days, step.content) for step in found.document.schedule.steps}


# --- what it becomes


def test_the_example_becomes_this_document() -> None:
    with EXAMPLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = read(rows[0], list(enumerate(rows, 2)), Choices(start=REGISTERED))
    stored = found.document.stored()
    window = {"from": "09:00", "to": "21:00"}
    assert stored["schedule"] == {
        "start": {"from": "field", "key": "registration_date"},
        "steps": [
            {"number": 1, "time": "09:00", "content": "message-1"},
            {"number": 2, "days": 1, "time": window, "content": "message-2"},
            {"number": 3, "days": 3, "time": "09:00", "content": "message-3"},
            {"number": 4, "days": 3, "time": "17:30", "content": "message-4"},
            {"number": 5, "days": 7, "time": "08:00", "content": "message-5"},
            {"number": 6, "days": 10, "time": window, "content": "message-2"},
            {"number": 7, "days": 14, "time": "08:00", "content": "message-7"},
        ],
    }
    assert stored["contents"]["message-2"]["variants"] == [
        {"language": "en", "content": {"kind": "text", "text": "Drink clean water: boil it or treat it."}},
        {"language": "sw", "content": {"kind": "text", "text": "Kunywa maji safi: yachemshe au yatibu."}},
    ]
    assert stored["sheet"]["rows"]["2"] == {"track": "tips"}
    assert (found.counts()["contents"], found.tracks, found.notes) == (6, ("visits", "tips"), ())
    assert document.read(stored) == found.document


def test_one_track_may_be_taken_and_the_rows_of_others_are_not_looked_at() -> None:
    text = "day,time,track,text\n0,9:00,A,a\nnever,9:00,B,b\n2,9:00, a ,c"
    assert steps(table(text, track="a")) == {1: (0, "message-1"), 2: (2, "message-2")}
    assert wrong(text, track="C") == [("track", "no row is of the track C")]
    assert wrong("day,time,text\n0,9:00,a", track="A")[0] == (
        "the heading",
        "no column says which track a row is of",
    )


def test_tracks_are_interleaved_by_day_and_time() -> None:
    found = table("day,time,track,text\n5,9:00,A,a\n1,9:00,A,b\n5,8:00,B,c\n1,10:00,B,d")
    assert list(steps(found)) == [2, 4, 3, 1]


def test_the_same_content_is_one_and_a_name_is_its_own() -> None:
    found = table("day,time,name,en,sw\n0,9:00,hello,Hi,Hujambo\n1,9:00,,Hi,Hujambo\n2,9:00,,Hi,Habari")
    assert steps(found) == {1: (0, "hello"), 2: (1, "hello"), 3: (2, "message-3")}
    assert wrong("day,time,name,text\n0,9:00,x,a\n1,9:00,x,b") == [
        ("line 3", "'x' says something else on line 2")
    ]


def test_rows_without_a_time_have_the_default() -> None:
    found = table("day,time,text\n0,,a\n1,10:00,b", time="9 am")
    assert found.document.schedule.stored()["time"] == "09:00"
    assert found.document.schedule.stored()["steps"][0] == {"number": 1, "content": "message-1"}
    alone = table("day,text\n0,a\n1,b", time="09:00-21:00").document.schedule.stored()
    assert alone["time"] == {"from": "09:00", "to": "21:00"}


def test_dates_begin_at_the_first_of_them_or_count_from_it() -> None:
    text = "date,time,text\n2026-03-04,9:00,b\n2026-03-01,9:00,a"
    everybody = table(text).document
    assert everybody.schedule.stored()["start"] == {"from": "moment", "moment": "2026-03-01"}
    assert [step.days for step in everybody.schedule.steps] == [0, 3]
    each = table(text, start=REGISTERED).document
    assert each.schedule.stored()["start"] == {"from": "field", "key": "registration_date"}
    assert [step.days for step in each.schedule.steps] == [0, 3]
    later = table(text, start="2026-03-02").document
    assert [step.days for step in later.schedule.steps] == [-1, 2]
    assert each.sheet.first_date == date(2026, 3, 1)


def test_a_cell_may_hold_the_date_and_the_time() -> None:
    found = table("when,text\n2026-03-01T09:30:00,a\n2026-03-01T18:00:00,b")
    assert [one["time"] for one in found.document.schedule.stored()["steps"]] == ["09:30", "18:00"]


@pytest.mark.parametrize(("week", "days"), [(Weekday.MON, [2, 7, 13]), (Weekday.SUN, [3, 7, 8])])
def test_weeks_begin_on_their_day_after_the_start(week: Weekday, days: list[int]) -> None:
    found = table("week,weekday,time,text\n1,Wed,9:00,a\n2,Mon,9:00,b\n2,Sun,9:00,c", week=week)
    assert found.document.schedule.start.weekday == week
    assert [step.days for step in found.document.schedule.steps] == days


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (None, {"from": "enrollment"}), ("enrollment", {"from": "enrollment"}),
        ("field:registration_date", {"from": "field", "key": "registration_date"}),
        ("property:next_visit", {"from": "property", "key": "next_visit"}),
        ("1 March 2026", {"from": "moment", "moment": "2026-03-01"}),
        ("2026-03-01T09:30", {"from": "moment", "moment": "2026-03-01T09:30"}),
    ],
)  # fmt: skip
def test_where_day_0_is(start: str | None, said: dict[str, str]) -> None:
    found = table("day,time,text\n1,9:00,a", start=start).document.schedule
    assert found.start.model_dump(by_alias=True, include={"at", "key", "moment"}) == said


def test_texts_may_read_what_is_known_of_people() -> None:
    text = "day,time,text\n1,9:00,Hi {{ contact.name }} of {{ contact.village }}"
    assert table(text).fields == ("village",)
    assert table(text, fields={"village": FieldType.TEXT}).fields == ()
    (told,) = wrong(text, fields={"villages": FieldType.TEXT})
    assert told == ("line 2, text, line 1 column 29", "unknown variable contact.village")


# --- what is wrong


@pytest.mark.parametrize(
    ("row", "where", "what"),
    [
        ("soon,9:00,,a", "line 2, day", "not a day"),
        (",9:00,,a", "line 2, day", "it has no day"),
        ("03/04/2026,9:00,,a", "line 2, day", "a date that may be day-month or month-day"),
        ("36601,9:00,,a", "line 2, day", "further away than 36,600 days"),
        ("-1,9:00,,a", "line 2", "before the enrollment, so that nobody would hear it"),
        ("1,never,,a", "line 2, time", "not a time of day"),
        ("1,9:00:01,,a", "line 2, time", "a time of day with seconds"),
        ("1,,,a", "line 2, time", "it has no time"),
        ("2026-03-01T09:00,9:00,,a", "line 2, time", "the day has a time already"),
        ("2026-03-01T09:00:30,,,a", "line 2, day", "a time of day with seconds"),
        ("1,9:00,0,a", "line 2, id", "0 cannot be the number of a step"),
        ("1,9:00,32768,a", "line 2, id", "32768 cannot be the number of a step"),
        ("1,9:00," + "x" * 101 + ",a", "line 2, id", "101 characters; at most 100 are kept"),
        ("1,9:00,,", "line 2", "it says nothing"),
        ("1,9:00,,{{ contact.name", "line 2, text, line 1 column 1", "broken template: {{ is never closed"),
        ("1,9:00,,{{ person.name }}", "line 2, text, line 1 column 4", "unknown variable person.name"),
        ("1,9:00,,{{ contact.name | loud }}", "line 2, text, line 1 column 19", "unknown filter loud"),
        ("1,9:00,," + "x" * 4097, "line 2, text", "4,097 characters; at most 4,096 can be sent"),
        ("1,9:00,," + "x" * 10001, "line 2, text", "10,001 characters; at most 10,000 are taken"),
    ],
)  # fmt: skip
def test_each_kind_of_bad_row_is_told_with_its_line_and_column(row: str, where: str, what: str) -> None:
    assert wrong(f"day,time,id,text\n{row}") == [(where, what)]


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_lines() -> None:
    text = "day,time,text\nsoon,9:00,a\n1,never,b\n2,9:00,\n3,9:00,ok\n3,9:00,other\n-4,9:00,x"
    assert [where for where, _ in wrong(text, start="some day", time="late")] == [
        "start", "time", "line 2, day", "line 3, time", "line 4", "line 6", "line 7",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("day,text\n1,a\n2,b", "the heading", "no column says at what time"),
        ("day,time,text\n1,9:00,a\n2,9:00,b\n2026-03-01,9:00,c", "line 4", "a date, where most rows have"),
        ("day,time,text\n1,9:00,a\n1,9:00,a", "line 3", "says the same as line 2 at the same time"),
        ("day,time,text\n1,9:00,a\n1,9 am,b", "line 3", "the same track, day and time as line 2"),
        ("day,time,id,text\n1,9:00,4,a\n2,9:00,4,b", "line 3", "4 is that of line 2 too"),
        ("day,time,id,text\n1,9:00,X,a\n2,9:00,X,b", "line 3", "X is that of line 2 too"),
        ("day,time,text\n1,9-12,a\n1,11-14,b", "line 3", "its random window overlaps that of line 2"),
        ("day,time,text\n" + "\n".join(f"{n},9:00,a" for n in range(501)), "", "501 rows; a schedule has"),
        ("day,time,text\n2026-01-01,9:00,a\n2190-01-01,9:00,b", "line 3", "59,900 days from day 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_several_rows_together(text: str, where: str, what: str) -> None:
    ((place, said),) = wrong(text)
    assert place == where
    assert said.startswith(what)


def test_a_row_that_cannot_be_read_is_told_with_the_others() -> None:
    with pytest.raises(Invalid) as told:
        read(
            ("day", "text"),
            [(2, "a quotation mark is never closed"), (3, {"day": "x", "text": "a"})],
            Choices(),
        )
    assert [one.where for one in told.value.problems] == ["line 2", "line 3, day"]


def test_what_may_be_a_slip_is_noted() -> None:
    found = table("day,time,en,sw,owner\n0,9:00,Hi,,me\n1,9:00,Bye,Kwaheri,me")
    assert found.notes[:2] == ("the column 'owner' is not read", "line 2 says nothing in sw")
    assert "what has passed by the time" in found.notes[2]


# --- numbers stay

BEFORE = "day,time,track,text\n0,9:00,A,one\n1,9:00,A,two\n1,9:00,B,three\n2,9-12,A,four"


def test_rows_that_are_the_same_keep_their_numbers_and_others_get_new_ones() -> None:
    before = table(BEFORE)
    after = "day,time,track,text\n4,9:00,A,new\n1,9:00,b,three\n0,9 am,A,changed\n2,09:00-12:00,A,four"
    found = table(after, before=before.document)
    assert {number: days for number, (days, _) in steps(found).items()} == {5: 4, 3: 1, 1: 0, 4: 2}
    assert found.document.schedule.retired == (2,)
    assert (found.kept, found.retired, found.counts()["new"]) == (3, 1, 1)
    again = table(BEFORE, before=found.document)
    assert {number: days for number, (days, _) in steps(again).items()} == {1: 0, 6: 1, 3: 1, 4: 2}
    assert again.document.schedule.retired == (2, 5)


def test_a_message_whose_time_changed_is_the_same_message() -> None:
    found = table(BEFORE.replace("1,9:00,A", "1,17:00,A"), before=table(BEFORE).document)
    assert (list(steps(found)), found.kept) == ([1, 3, 2, 4], 4)


def test_a_row_with_an_id_keeps_its_number_wherever_it_goes() -> None:
    before = table("id,day,time,text\nM-1,0,9:00,one\nM-2,1,9:00,two")
    assert steps(before) == {1: (0, "message-1"), 2: (1, "message-2")}
    found = table("id,day,time,text\nM-3,1,9:00,two\nM-2,5,9:00,other", before=before.document)
    assert {number: days for number, (days, _) in steps(found).items()} == {3: 1, 2: 5}
    assert found.document.schedule.retired == (1,)


def test_a_number_column_says_the_number_itself() -> None:
    before = table("no,day,time,text\n20,0,9:00,one\n10,1,9:00,two\n,2,9:00,three")
    assert {number: days for number, (days, _) in steps(before).items()} == {20: 0, 10: 1, 21: 2}
    found = table("no,day,time,text\n20,7,9:00,one\n,2,9:00,three", before=before.document)
    assert {number: days for number, (days, _) in steps(found).items()} == {21: 2, 20: 7}
    assert wrong("no,day,time,text\n20,7,9:00,one\n10,1,9:00,two", before=found.document) == [
        ("line 3", "10 was the number of a row that is no more")
    ]


def test_a_content_keeps_its_name_when_its_words_or_its_first_row_change() -> None:
    before = table("day,time,text\n0,9:00,one\n1,9:00,one\n2,9:00,two")
    found = table("day,time,text\n0,9:00,new\n1,9:00,one\n2,9:00,TWO", before=before.document)
    assert [content for _, content in steps(found).values()] == ["message-1-2", "message-1", "message-3"]
    fewer = table("day,time,text\n1,9:00,one", before=before.document)
    assert steps(fewer) == {2: (1, "message-1")}


def test_what_is_not_said_again_stays_as_it_was() -> None:
    first = table("day,text\n0,a\n3,b", start=REGISTERED, time="9:00").document.stored()
    first["schedule"] |= {"repeat": {"every": 12, "count": 2}, "zone": "workspace"}
    found = table("day,text\n0,a\n4,b", before=document.read(first)).document.schedule.stored()
    assert found == {
        **first["schedule"], "retired": [2],
        "steps": [{"number": 1, "content": "message-1"}, {"number": 3, "days": 4, "content": "message-2"}],
    }  # fmt: skip


def test_an_earlier_date_moves_nobodys_number_and_no_start() -> None:
    before = table("date,time,text\n2026-03-03,9:00,a\n2026-03-05,9:00,b")
    found = table(
        "date,time,text\n2026-03-01,9:00,c\n2026-03-03,9:00,a\n2026-03-05,9:00,b", before=before.document
    )
    assert {number: days for number, (days, _) in steps(found).items()} == {3: -2, 1: 0, 2: 2}
    assert found.document.schedule.start == before.document.schedule.start


@pytest.mark.parametrize(
    "step", [{"weekday": "mon"}, {"hours": 2}, {"month_day": 3}], ids=["weekday", "hours", "month_day"]
)
def test_what_a_table_cannot_say_is_not_lost(step: dict[str, Any]) -> None:
    before = document.read({"schedule": {"steps": [{"number": 1, **step}]}, "contents": {}})
    ((where, what),) = wrong("day,time,text\n0,9:00,a", before=before)
    assert (where, what) == ("update", "its step 1 is at a time that no table can say")


def test_what_is_no_document_is_told() -> None:
    with pytest.raises(Invalid, match="not the document of an imported schedule"):
        document.read({"steps": []}, "old.json")
    with pytest.raises(Invalid) as told:
        document.read({"schedule": {"steps": []}, "contents": {}}, "old.json")
    assert told.value.problems[0].where == "old.json.schedule.steps"


# --- what it does


@pytest.mark.parametrize("zone", [NAIROBI, NEW_YORK])
def test_the_occurrences_are_the_rows_of_the_table_by_each_persons_clock(zone: str) -> None:
    rows = [(-2, "07:00"), (0, "9:00"), (3, "21:45"), (7, "00:00"), (7, "08:15"), (30, "02:30")]
    text = "day,time,text\n" + "\n".join(f"{day},{time},text {day} {time}" for day, time in rows)
    found = table(text, start=REGISTERED).document
    enrolled = datetime(2026, 1, 1, tzinfo=UTC)
    somebody = Subject("Amina", enrolled, zone=zone, fields={"registration_date": "2026-03-01"})
    local = [one.due_at.astimezone(ZoneInfo(zone)) for one in Plan(found.schedule).occurrences(somebody)]
    day0 = date(2026, 3, 1)
    assert [f"{one:%Y-%m-%d %H:%M}" for one in local] == [
        f"{day0 + timedelta(days=day)} {time:>05}" for day, time in rows
    ]


MOMENTS = st.tuples(st.integers(-400, 4_000), st.integers(0, 1_439))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(MOMENTS, min_size=1, max_size=25, unique=True), st.sampled_from(["UTC", NAIROBI]), st.booleans()
)
def test_any_table_gives_exactly_its_days_and_times_in_order(
    moments: list[tuple[int, int]], zone: str, dated: bool
) -> None:
    day0 = date(2026, 3, 1)
    days = [str(day0 + timedelta(days=day)) if dated else f"day {day}" for day, _ in moments]
    rows = [
        f"{day},{at // 60}:{at % 60:02},{n % 3}"
        for n, (day, (_, at)) in enumerate(zip(days, moments, strict=True))
    ]
    start = "2026-03-01" if dated else REGISTERED
    found = table("day,time,text\n" + "\n".join(rows), start=start)
    somebody = Subject(
        "Amina", datetime(2020, 1, 1, tzinfo=UTC), zone=zone, fields={"registration_date": "2026-03-01"}
    )
    said = []
    for one in Plan(found.document.schedule).occurrences(somebody):
        local = one.due_at.astimezone(ZoneInfo(zone))
        said.append(((local.date() - day0).days, local.hour * 60 + local.minute, one.step))
    assert said == [(*moments[n], n + 1) for n in sorted(range(len(moments)), key=lambda n: moments[n])]
    assert len(found.document.contents) == min(3, len(moments))
    assert table("day,time,text\n" + "\n".join(rows), before=found.document).document == found.document
