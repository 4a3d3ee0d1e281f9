"""Schedules that would not do what they say: refused with the place, the reason and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.domain.schedule.check import check, read
from clarion.domain.schedule.model import Schedule
from clarion.errors import Invalid

COVER = {"from": "09:00", "to": "21:00", "strategy": "cover"}
ONE = [{"number": 1, "time": "09:00"}]

NEVER = {"allowed": [{"from": "09:00", "to": "17:00"}], "quiet": [{"from": "08:00", "to": "18:00"}]}


def _random(**more: Any) -> dict[str, Any]:
    return {"random_days": {"days": 7, "tracks": [{"numbers": [1, 2]}], **more}, "time": "09:00"}


@pytest.mark.parametrize(
    ("document", "where", "what"),
    [
        ({}, "steps", "it says nothing"),
        ({"steps": [*ONE, *ONE]}, "steps[1].number", "another step's number"),
        ({"steps": ONE, "retired": [3, 1]}, "steps[0].number", "was the number of a step that is no more"),
        ({"steps": [{"number": 1, "days": 2, "weekday": "mon"}]}, "steps[0]", "say one"),
        ({"steps": [{"number": 1, "month_day": 0}]}, "steps[0].month_day", "no day 0"),
        (
            {"steps": [{"number": 1, "month_day": 3}], "repeat": {"every": 30}},
            "steps[0].month_day", "no months",
        ),
        (
            {"steps": [{"number": 1, "month_day": 3}, {"number": 2}], "repeat": {"unit": "month"}},
            "steps[1]", "other steps name a day of the month",
        ),
        ({"start": {"from": "moment", "moment": "soon"}, "steps": ONE}, "start.moment", "not a date"),
        ({"steps": ONE, "until": {}}, "until", "say one"),
        ({"steps": ONE, "until": {"moment": "1 March"}}, "until.moment", "not a date"),
        ({"steps": [{"number": 1, "time": {"kind": "chosen"}}]}, "steps[0].time", "where the chosen time"),
        ({"steps": ONE, "time": {**COVER, "valued": {"08:00": 1}}}, "time.valued", "none of its hours"),
        ({"steps": ONE, "time": {**COVER, "valued": {"09:30": 1}}}, "time.valued", "none of its hours"),
        ({"steps": ONE, "time": {**COVER, "valued": {"nine": 1}}}, "time.valued", "none of its hours"),
        ({"steps": ONE, "time": {**COVER, "strategy": "spread", "again": True}}, "time", "only cover"),
        (
            {"steps": [{"number": 1}], "time": COVER, "repeat": {"every": 1, "count": 16}},
            "time", "it speaks 16 times, and the window has 13 hours, 13 with",
        ),
        ({"steps": [{"number": 1}], "time": COVER, "repeat": {"every": 1}}, "time", "speaks for ever"),
        (
            {"steps": [{"number": 1}, {"number": 2}], "time": {"from": "09:00", "to": "12:00"}},
            "steps[1].time", "overlaps that of steps[0]",
        ),
        (_random(gap=5), "random_days", "2 days do not always fit into 7; 1 do"),
        (_random(weekdays=["mon"]), "random_days", "2 days do not always fit"),
        (
            {"steps": [{"number": 1}, {"number": 2, "days": 7}], "repeat": {"every": 7}},
            "repeat.every", "an iteration takes 8 days, and the next would begin after 7",
        ),
        ({**_random(), "repeat": {"every": 5}}, "repeat.every", "an iteration takes 7 days"),
        ({"steps": ONE, "repeat": {"every": [5, 2]}}, "repeat.every", "a random interval"),
        ({"steps": ONE, "repeat": {"rrule": "FREQ=DAILY;INTERVAL=0"}}, "repeat.rrule", "INTERVAL is 1"),
        ({"steps": ONE, "repeat": {"every": [1, 2], "unit": "week"}}, "repeat.every", "a random interval"),
        ({"steps": ONE, "repeat": {"rrule": "FREQ=SOMETIMES"}}, "repeat.rrule", "not a rule of RFC 5545"),
        ({"steps": ONE, "repeat": {"rrule": "FREQ=HOURLY"}}, "repeat.rrule", "rules go by days"),
        ({"steps": ONE, "repeat": {"rrule": "FREQ=DAILY;BYHOUR=9"}}, "repeat.rrule", "each step's own"),
        ({"steps": ONE, "repeat": {"rrule": "FREQ=WEEKLY;BYDAY=2MO"}}, "repeat.rrule", "the nth weekday"),
        (
            {"steps": ONE, "repeat": {"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}},
            "repeat.rrule", "no day at all in 30 years",
        ),
        ({"steps": ONE, "zone": "Africa/Nairoby"}, "zone", "not a time zone"),
        ({"steps": ONE, "zone": "africa/nairobi"}, "zone", "not a time zone"),
        ({"steps": ONE, "holidays": {"country": "XX"}}, "holidays", "nobody knows"),
    ],
)  # fmt: skip
def test_what_would_not_do_what_it_says_is_told(document: dict[str, Any], where: str, what: str) -> None:
    (problem, *others) = check(Schedule.model_validate(document))
    assert problem.where == where
    assert what in problem.what
    assert not others


@pytest.mark.parametrize(
    ("document", "where", "what"),
    [
        ({"steps": ONE, "time": "25:00"}, "schedule.time", "write a time of day"),
        ({"steps": ONE, "stepz": 1}, "schedule.stepz", "Extra inputs"),
        ({"steps": [{"number": 0}]}, "schedule.steps[0].number", "greater than or equal to 1"),
        ({"start": {"from": "somewhere"}, "steps": ONE}, "schedule.start", "somewhere"),
        ({"steps": ONE, "hours": NEVER}, "schedule.hours", "nothing is allowed at any time"),
        (
            {"steps": ONE, "time": {**COVER, "valued": {"12:00": 10**9}}},
            "schedule.time.valued.12:00",
            "less than or equal to 100",
        ),
        ({"steps": ONE, "repeat": {"count": 0}}, "schedule.repeat.count", "greater than or equal to 1"),
        ({"steps": ONE, "start": {"from": "field"}}, "schedule.start.key", "Field required"),
        ("every day", "schedule", "valid dictionary"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_path(document: object, where: str, what: str) -> None:
    with pytest.raises(Invalid) as told:
        read(document, "schedule")
    assert [(one.where, what in one.what) for one in told.value.problems] == [(where, True)]


def test_a_schedule_that_is_right_is_read_and_stored_as_it_was() -> None:
    document = {
        "start": {"from": "field", "key": "registration_date", "days": -1},
        "steps": [{"number": 1, "time": {"from": "09:00", "to": "21:00"}}, {"number": 2, "days": 3}],
        "repeat": {"every": 12, "count": 4},
    }
    schedule = read(document)
    assert read(schedule.stored()) == schedule
    assert schedule.stored()["steps"][0]["time"]["from"] == "09:00"


@pytest.mark.parametrize("document", [
    {"steps": ONE, "time": "10:00"},
    {"steps": ONE, "start": {"from": "enrollment", "weekday": "mon"}},
    {"steps": [{"number": 2, "time": {"field": "hour", "otherwise": "08:00"}}], "retired": [1, 3]},
    _random(),
])  # fmt: skip
def test_what_is_stored_is_read_back(document: dict[str, Any]) -> None:
    schedule = read(document)
    assert read(schedule.stored()) == schedule


def test_a_time_is_stored_as_it_is_written() -> None:
    assert read({"steps": ONE}).stored() == {"steps": ONE}
