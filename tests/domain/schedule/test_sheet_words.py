"""How people write days, times and headings in a spreadsheet."""

from __future__ import annotations

from datetime import date

import pytest

from clarion.domain.refusal import Refusal
from clarion.domain.schedule.sheet.days import Day, read_day
from clarion.domain.schedule.sheet.headings import understood
from clarion.domain.schedule.sheet.times import read_time, written

FIRST = date(2026, 3, 1).toordinal()


def reason(found: object) -> str:
    return found.reason if isinstance(found, Refusal) else "none"


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0", 0), ("1", 1), ("-2", -2), ("−2", -2), ("+3", 3), ("3.0", 3), ("day 3", 3), ("Day 3", 3),
        ("DAY-2", -2), ("d3", 3), ("Day: 3", 3), ("Day #3", 3), ("3 days", 3),
        ("12 days after registration", 12),
        ("2 days before", -2), ("week 2", 7), ("Week 2, day 3", 9), ("wk 1 day 1", 0), ("week 12", 77),
    ],
)  # fmt: skip
def test_days_are_counted_from_day_0(text: str, days: int) -> None:
    assert read_day(text) == Day("number", days)


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (("mon", "2", ""), Day("weekday", 7)), (("", "1", "Wednesday"), Day("weekday", 2)),
        (("week 2 Monday", "", ""), Day("weekday", 7)), (("W3 sun", "", ""), Day("weekday", 20)),
        (("3", "Week 2", ""), Day("number", 9)), (("", "2.0", ""), Day("number", 7)),
        (("Thurs", "1", ""), Day("weekday", 3)), (("Week 1 - Tues.", "", ""), Day("weekday", 1)),
    ],
)  # fmt: skip
def test_weeks_have_days(cells: tuple[str, str, str], found: Day) -> None:
    assert read_day(*cells) == found


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-03-01", ""), ("1 March 2026", ""), ("Mar 1, 2026", ""), ("1.3.2026", ""), ("2026/3/1", ""),
        ("2026-03-01 00:00:00", ""), ("2026-03-01T09:30:00", "09:30:00"), ("2026-03-01 09:30", "09:30:00"),
    ],
)  # fmt: skip
def test_days_may_be_dates_with_or_without_a_time(text: str, time: str) -> None:
    assert read_day(text) == Day("date", FIRST, time)


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (("", "", ""), "no_day"), (("soon", "", ""), "not_a_day"), (("1.5", "", ""), "not_a_day"),
        (("Monday", "", ""), "no_week"), (("mon", "0", ""), "not_a_week"), (("mon", "x", ""), "not_a_week"),
        (("8", "2", ""), "not_in_a_week"), (("0", "2", ""), "not_in_a_week"), (("1", "2", "mon"), "two_days"),
        (("2026-03-01", "2", ""), "not_in_a_week"), (("46082", "", ""), "day_too_far"),
        (("03/04/2026", "", ""), "ambiguous_date"), (("30/02/2026", "", ""), "not_a_date"),
        (("2026-03-01T09:00+03:00", "", ""), "offset"), (("99999999999", "", ""), "not_a_day"),
    ],
)  # fmt: skip
def test_what_is_no_day_says_what_it_is(cells: tuple[str, str, str], why: str) -> None:
    assert reason(read_day(*cells)) == why


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("9:00", "09:00"), ("09:00", "09:00"), ("09:00:00", "09:00"), ("9 am", "09:00"), ("9AM", "09:00"),
        ("9:30 p.m.", "21:30"), ("12 am", "00:00"), ("12pm", "12:00"), ("0930", "09:30"), ("9.30", "09:30"),
        ("9h30", "09:30"), ("9h", "09:00"), ("09:00 hrs", "09:00"), ("0900hrs", "09:00"), ("9", "09:00"),
        ("at 9:00", "09:00"), ("9 o'clock", "09:00"), ("noon", "12:00"), ("0.375", "09:00"),
        ("0.354166666666667", "08:30"), ("1899-12-30T09:00:00", "09:00"), ("00:00:00", "00:00"),
        ("09:00-21:00", "09:00-21:00"), ("9-21", "09:00-21:00"), ("9 am – 5 pm", "09:00-17:00"),
        ("between 9:00 and 21:00", "09:00-21:00"), ("from 9am to 5pm", "09:00-17:00"),
        ("22:00—01:00", "22:00-01:00"), ("18:00-24:00", "18:00-00:00"), ("random 0900-1700", "09:00-17:00"),
    ],
)  # fmt: skip
def test_times_are_read_as_they_are_written(text: str, time: str) -> None:
    found = read_time(text)
    assert not isinstance(found, Refusal)
    assert written(found) == time
    assert read_time(time) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("soon", "not_a_time"), ("25:00", "not_a_time"), ("9:60", "not_a_time"), ("13 pm", "not_a_time"),
        ("0 am", "not_a_time"), ("24:00", "not_a_time"), ("9:00-", "not_a_time"), ("9-10-11", "not_a_time"),
        ("1 day, 1:00:00", "not_a_time"), ("2026-03-01T09:00:00", "not_a_time"), ("9:00:30", "seconds"),
        ("0.5", "time_as_number"), ("9.3", "time_as_number"), ("0.3751", "seconds"),
        ("9:00-9:00", "no_length"), ("9:00-99:00", "not_a_time"),
    ],
)  # fmt: skip
def test_what_is_no_time_says_what_it_is(text: str, why: str) -> None:
    assert reason(read_time(text)) == why


@pytest.mark.parametrize(
    ("heading", "columns", "texts"),
    [
        ("day,time,track,text:eng,text:swa", "day time track", "en sw"),
        ("Time;DAY;English;Swahili", "day time", "en sw"),
        ("day,time,text (sw),message in English,Text - French", "day time", "sw en fr"),
        ("Week,Weekday,Hour,message", "week weekday time", "any"),
        ("#,Send date,Time (local),content_pt-BR", "id day time", "pt-BR"),
        ("No.,Day (0 = start),SMS text,Text - Kiswahili", "id day", "any sw"),
        ("day of week,week no,send_time,sw,en,topic", "week weekday time track", "sw en"),
        ("Message ID,Study day,At,Message:amh,Message:default,Title", "id day time name", "am any"),
        ("when,body", "day", "any"),
    ],
)  # fmt: skip
def test_headings_are_understood_in_any_order_and_spelling(heading: str, columns: str, texts: str) -> None:
    found, problems = understood(heading.replace(";", ",").split(","))
    assert problems == []
    assert set(found.columns) == set(columns.split())
    assert [language or "any" for language in found.texts] == texts.split()
    assert found.unread == ()


def test_columns_that_mean_nothing_are_named() -> None:
    found, problems = understood(["day", "time", "text", "owner", "", "Sent by whom"])
    assert (problems, found.unread) == ([], ("owner", "Sent by whom"))


@pytest.mark.parametrize(
    ("heading", "what"),
    [
        ("time,text", ["no column says on which day"]),
        ("weekday,time,text", ["no column says on which day"]),
        ("day,time", ["no column says what is said"]),
        ("day,date,text", ["'day' and 'date' both are the day of a row"]),
        ("day,English,text:eng", ["'English' and 'text:eng' both are the text in en"]),
        ("owner", ["no column says on which day", "no column says what is said"]),
    ],
)
def test_headings_that_lack_something_or_say_it_twice(heading: str, what: list[str]) -> None:
    assert [problem.what for problem in understood(heading.split(","))[1]] == what
