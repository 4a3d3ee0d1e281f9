"""RapidPro's event moments, case by case, under its profile: nonzero seconds go up to the next minute."""

from __future__ import annotations

from typing import Any

import pytest

from tests.domain.schedule.computed import NEW_YORK, due, subject

EASTERN, LOS_ANGELES = "US/Eastern", "America/Los_Angeles"


def event(at: str, **step: Any) -> dict[str, Any]:
    return {
        "start": {"from": "moment", "moment": at}, "steps": [{"number": 1, **step}], "rounding": "minute_up",
        "zone": EASTERN,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("start", "step", "expected"),
    [
        ("2029-11-03T00:30", {"days": 2}, "2029-11-05 05:30"),  # 49 hours
        ("2029-03-10T02:30", {"days": 2}, "2029-03-12 06:30"),  # 47 hours
        ("2029-01-02T02:58:00", {"minutes": 2}, "2029-01-02 08:00"),
        ("2029-01-02T02:57:32", {"minutes": 2}, "2029-01-02 08:00"),
        ("2029-01-02T01:58", {"hours": -2}, "2029-01-02 04:58"),
        ("2029-01-20T01:58", {"days": 14}, "2029-02-03 06:58"),
        ("2029-01-20T01:58", {"days": 14, "time": "14:00"}, "2029-02-03 19:00"),
        ("2029-01-20T23:59:30", {"days": 0, "time": "09:00"}, "2029-01-21 14:00"),
    ],
)
def test_an_event_is_due_so_long_after_its_date(start: str, step: dict[str, Any], expected: str) -> None:
    assert due(event(start, **step)) == [expected]


def test_a_moment_that_has_passed_is_none_and_this_very_one_is() -> None:
    document = event("2029-01-02T02:58", minutes=2)
    assert due(document, subject("2029-01-02 08:00")) == ["2029-01-02 08:00"]
    assert due(document, subject("2029-01-02 08:00:01")) == []


def test_every_day_at_half_past_twelve_stays_there_over_both_clock_changes() -> None:
    def daily(start: str) -> dict[str, Any]:
        return {
            "start": {"from": "moment", "moment": start}, "zone": LOS_ANGELES,
            "steps": [{"number": 1, "time": "12:30"}], "repeat": {"every": 1, "count": 3},
        }  # fmt: skip

    assert due(daily("2026-03-07")) == ["2026-03-07 20:30", "2026-03-08 19:30", "2026-03-09 19:30"]
    assert due(daily("2026-10-31")) == ["2026-10-31 19:30", "2026-11-01 20:30", "2026-11-02 20:30"]


def test_the_thirty_first_of_each_month_is_the_last_day_of_a_short_one() -> None:
    document = {
        "start": {"from": "moment", "moment": "2026-08-31"}, "zone": NEW_YORK,
        "steps": [{"number": 1, "time": "12:00"}], "repeat": {"unit": "month", "count": 3},
    }  # fmt: skip
    assert [one[:10] for one in due(document)] == ["2026-08-31", "2026-09-30", "2026-10-31"]
