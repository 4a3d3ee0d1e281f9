"""When somebody may be told next: by the hours of their campaign and their own clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from clarion.domain.schedule.allowed import Allowed, allowed
from clarion.domain.schedule.holds import Closed
from clarion.domain.schedule.hours import Hours
from tests.domain.schedule.computed import KOLKATA, NAIROBI, NEW_YORK, moment

DAY = {"allowed": [{"from": "08:00", "to": "20:00"}]}


def span(hours: Mapping[str, Any], now: str, zone: str = NAIROBI) -> tuple[str, str]:
    opens, closes = Allowed(Hours.model_validate(hours)).span(moment(now), zone)
    return f"{opens:%m-%d %H:%M:%S}".removesuffix(":00"), f"{closes:%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("now", "zone", "expected"),
    [
        ("2026-03-02 09:00:07", NAIROBI, ("03-02 09:00:07", "03-02 17:00")),
        ("2026-03-02 04:59:59", NAIROBI, ("03-02 05:00", "03-02 17:00")),
        ("2026-03-02 05:00", NAIROBI, ("03-02 05:00", "03-02 17:00")),
        ("2026-03-02 17:00", NAIROBI, ("03-03 05:00", "03-03 17:00")),
        ("2026-03-02 17:00", KOLKATA, ("03-03 02:30", "03-03 14:30")),
        ("2026-03-02 09:00", NEW_YORK, ("03-02 13:00", "03-03 01:00")),
        ("2026-03-02 09:00", "Nowhere/Atall", ("03-02 09:00", "03-02 20:00")),
    ],
)
def test_from_when_to_when_by_their_own_clock(now: str, zone: str, expected: tuple[str, str]) -> None:
    assert span(DAY, now, zone) == expected


def test_over_midnight_over_a_weekend_and_without_an_end() -> None:
    evening = {"allowed": [{"from": "20:00", "to": "02:00"}]}
    assert span(evening, "2026-03-02 16:00", NAIROBI) == ("03-02 17:00", "03-02 23:00")
    assert span(evening, "2026-03-02 22:00", NAIROBI) == ("03-02 22:00", "03-02 23:00")
    weekdays = {
        "allowed": [{"from": "09:00", "to": "17:00", "weekdays": ["mon", "tue", "wed", "thu", "fri"]}]
    }
    assert span(weekdays, "2026-03-06 15:00", "UTC") == ("03-06 15:00", "03-06 17:00")
    assert span(weekdays, "2026-03-06 17:00", "UTC") == ("03-09 09:00", "03-09 17:00")
    always = {"allowed": [{"from": "00:00", "to": "00:00"}]}
    opens, closes = span(always, "2026-03-06 17:00", "UTC")
    assert (opens, closes > "03-13") == ("03-06 17:00", True)


def test_while_the_clocks_change() -> None:
    early = {"allowed": [{"from": "02:30", "to": "04:00"}]}
    assert span(early, "2026-03-08 06:50", NEW_YORK) == ("03-08 07:00", "03-08 08:00"), "02:30 is left out"
    gone = {"allowed": [{"from": "02:00", "to": "02:45"}]}
    assert span(gone, "2026-03-08 06:50", NEW_YORK) == ("03-09 06:00", "03-09 06:45"), "all of it is"


def test_who_is_not_waited_for() -> None:
    drops = Hours.model_validate({**DAY, "outside": "drop"})
    assert Allowed(drops).span(moment("2026-03-02 09:00"), NAIROBI)
    with pytest.raises(Closed):
        Allowed(drops).span(moment("2026-03-02 19:00"), NAIROBI)
    patient = Allowed(Hours.model_validate({**DAY, "late": 60}))
    due: datetime = moment("2026-03-02 17:00")
    assert not patient.too_late(due, due + timedelta(hours=1))
    assert patient.too_late(due, due + timedelta(hours=1, seconds=1))
    assert not Allowed(Hours.model_validate(DAY)).too_late(due, due + timedelta(days=30))


def test_a_lanes_hours_are_read_once() -> None:
    text = Hours.model_validate(DAY).model_dump_json(by_alias=True)
    assert allowed(text) is allowed(text)
    assert "08:00" in text
