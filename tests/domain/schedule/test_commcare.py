"""What the reference for timed schedules does, case by case: day lists, rolls, months, stops, starts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.domain.schedule.computed import due, occurrences, subject

DAILY = {"start": {"from": "moment", "moment": "2017-03-16"}, "steps": [{"number": 1, "time": "12:00"}]}
TWICE = {"every": 1, "count": 2}


def started(on: str, repeat: Any = TWICE, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    numbered = [{"number": n, "time": "12:00", **step} for n, step in enumerate(steps or ({},), 1)]
    return {"start": {"from": "moment", "moment": on}, "steps": numbered, "repeat": repeat, **more}


def test_daily_at_noon_twice_and_then_no_more() -> None:
    assert due(started("2017-03-16")) == ["2017-03-16 16:00", "2017-03-17 16:00"]


def test_a_start_that_moves_back_goes_on_where_it_is_by_then() -> None:
    moved = occurrences(started("2017-03-15"), since="2017-03-16 06:00")
    assert [(one.iteration, f"{one.due_at:%d %H:%M}") for one in moved] == [(2, "16 16:00")]
    assert due(started("2017-03-14"), since="2017-03-16 06:00") == []


def test_what_was_paused_goes_on_with_what_is_still_to_come() -> None:
    assert due(started("2017-03-16"), since="2017-03-16 07:00")[0] == "2017-03-16 16:00"
    assert due(started("2017-03-16"), since="2017-03-16 17:00") == ["2017-03-17 16:00"]
    assert due(started("2017-03-16"), since="2017-04-01 00:00") == []


def test_several_a_day() -> None:
    steps: list[dict[str, Any]] = [{"time": "12:00"}, {"time": "13:00"}]
    assert due(started("2017-03-16", TWICE, *steps)) == [
        "2017-03-16 16:00", "2017-03-16 17:00", "2017-03-17 16:00", "2017-03-17 17:00",
    ]  # fmt: skip


@pytest.mark.parametrize("person", [f"person {n}" for n in range(50)])
def test_a_random_time_within_a_window(person: str) -> None:
    within = started("2017-03-16", TWICE, {"time": {"from": "12:00", "to": "14:00"}})
    first, second = due(within, subject(key=person))
    assert "2017-03-16 16:00" <= first <= "2017-03-16 17:59"
    assert "2017-03-17 16:00" <= second <= "2017-03-17 17:59"
    over_midnight = started("2017-03-16", None, {"time": {"from": "23:00", "to": "01:00"}})
    (only,) = due(over_midnight, subject(key=person))
    assert "2017-03-17 03:00" <= only <= "2017-03-17 04:59"


def test_the_first_monday_from_today_on() -> None:
    monday = {"start": {"from": "enrollment", "weekday": "mon"}, "steps": [{"number": 1, "time": "12:00"}]}
    assert due(monday, subject("2017-08-09 07:00")) == ["2017-08-14 16:00"]


def test_days_of_each_month() -> None:
    month = {"unit": "month", "count": 2}
    assert due(started("2017-04-01", month, {"month_day": 1}, {"month_day": 15})) == [
        "2017-04-01 16:00", "2017-04-15 16:00", "2017-05-01 16:00", "2017-05-15 16:00",
    ]  # fmt: skip
    assert due(started("2017-04-01", month, {"month_day": -1})) == ["2017-04-30 16:00", "2017-05-31 16:00"]


def test_every_two_weeks_on_two_days_while_the_clocks_change() -> None:
    week = {"every": 2, "unit": "week", "count": 3}
    assert due(started("2018-03-05", week, {"weekday": "mon"}, {"weekday": "fri"})) == [
        "2018-03-05 17:00", "2018-03-09 17:00", "2018-03-19 16:00", "2018-03-23 16:00",
        "2018-04-02 16:00", "2018-04-06 16:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stop", "at", "zone", "sent"),
    [
        ("2018-07-01", "23:59", "contact", True),
        ("2018-07-01", "00:00", "contact", False),
        ("2018-07-01", "23:59", "UTC", True),
        ("2018-07-01", "00:00", "UTC", False),
        ("", "23:59", "contact", True),
        ("when she says so", "23:59", "contact", True),
        (None, "23:59", "contact", True),
    ],
)
def test_nothing_is_sent_at_its_stop_date_or_later(stop: Any, at: str, zone: str, *, sent: bool) -> None:
    on = "2018-06-30" if at == "23:59" else "2018-07-01"
    document = started(on, None, {"time": at}, until={"property": "stop"}, zone=zone)
    assert bool(due(document, subject(properties={"stop": stop}))) is sent


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        (None, []),
        ("2017-06-01", ["2017-06-01 13:00"]),
        ("2017-07-01", ["2017-07-01 13:00"]),
        ("2017-04-01", []),
        ("xyz", []),
    ],
)
def test_a_start_that_a_property_says(value: Any, expected: list[str]) -> None:
    document = {"start": {"from": "property", "key": "visit"}, "steps": [{"number": 1, "time": "9:00"}]}
    assert due(document, subject("2017-05-01 00:00", properties={"visit": value})) == expected


def test_without_a_start_date_it_begins_today_or_tomorrow() -> None:
    document = {"past": "next", "steps": [{"number": 1, "time": "09:00"}]}
    assert due(document, subject("2018-03-01 12:00")) == ["2018-03-01 14:00"]
    assert due(document, subject("2018-03-01 15:00")) == ["2018-03-02 14:00"]


def test_an_alert_goes_at_once_and_then_after_its_waits() -> None:
    waits = {"steps": [{"number": 1}, {"number": 2, "minutes": 5}, {"number": 3, "minutes": 20}]}
    assert due(waits, subject("2017-03-16 06:42:21")) == [
        "2017-03-16 06:42:21", "2017-03-16 06:47:21", "2017-03-16 07:02:21",
    ]  # fmt: skip


def test_two_things_on_one_day_are_two_and_the_same_thing_on_days_that_fall_together_is_one() -> None:
    month = {"unit": "month", "count": 1}
    news, bill = {"month_day": 1, "content": "news"}, {"month_day": 1, "content": "bill"}
    assert due(started("2017-04-01", month, news, bill)) == ["2017-04-01 16:00"] * 2
    assert due(started("2017-02-01", month, {"month_day": 30}, {"month_day": 31})) == ["2017-02-28 17:00"]


def test_what_began_long_ago_goes_on_for_ever_from_now() -> None:
    assert due(started("1901-03-16", {"every": 7}), subject("2026-03-02 00:00"), most=1) == [
        "2026-03-07 17:00"
    ]


@pytest.mark.parametrize("value", ["0001-01-01", "9999-12-31", "20266-01-01", "1066-10-14T09:00"])
def test_a_year_that_is_a_slip_of_the_finger_is_no_start(value: str) -> None:
    document = {"start": {"from": "property", "key": "visit", "days": 9}, "steps": [{"number": 1}]}
    assert due(document, subject(properties={"visit": value})) == []
