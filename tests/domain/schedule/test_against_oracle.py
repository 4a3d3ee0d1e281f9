"""Any schedule without randomness, computed twice: by the engine, and slowly along the clock."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clarion.domain.schedule.model import Schedule
from clarion.domain.schedule.plan import Plan
from clarion.domain.schedule.subject import Subject
from tests.domain.schedule import oracle

NIGHTLY = bool(os.environ.get("CLARION_NIGHTLY"))
ZONES = (
    "Africa/Nairobi", "America/New_York", "Africa/Cairo", "Europe/London", "Asia/Tehran", "America/Havana",
    "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo", "Asia/Beirut", "Africa/Casablanca", "UTC",
    "Pacific/Chatham", "America/Santiago", "Asia/Kathmandu", "Antarctica/Troll",
)  # fmt: skip
# around clock changes, holidays, ends of months and of years, and a day that Samoa left out
INTERESTING = (
    date(2011, 12, 28), date(2024, 2, 26), date(2026, 3, 5), date(2026, 3, 26), date(2026, 4, 22),
    date(2026, 10, 20), date(2026, 10, 30), date(2026, 12, 20), date(2027, 1, 29), date(2017, 10, 12),
    date(2018, 11, 1), date(2015, 9, 1), date(2005, 4, 1), date(2023, 4, 20),
)  # fmt: skip
PLACES = [
    (zone, day) for n, zone in enumerate(ZONES)
    for day in (INTERESTING if NIGHTLY else INTERESTING[n % 7 :: 7])
]  # fmt: skip
WEEKDAY = st.sampled_from(oracle.WEEKDAYS)
TIME = st.integers(0, 95).map(lambda n: f"{n // 4:02}:{n % 4 * 15:02}")
RULES = (
    "FREQ=DAILY;INTERVAL=3", "FREQ=DAILY;BYMONTHDAY=-1,1,15", "FREQ=WEEKLY;BYDAY=MO,WE,SU",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SA;WKST=SU", "FREQ=MONTHLY", "FREQ=MONTHLY;BYDAY=-1FR,1MO",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=31",
    "FREQ=YEARLY;BYMONTH=3,10,11,12;BYDAY=2SU", "FREQ=WEEKLY", "FREQ=DAILY;COUNT=9;BYDAY=SA,SU",
    "FREQ=YEARLY", "FREQ=YEARLY;BYWEEKNO=1,14,44,53;BYDAY=TH", "FREQ=YEARLY;BYYEARDAY=1,60,100,-1",
    "FREQ=MONTHLY;BYMONTHDAY=29,30,31;BYMONTH=2,3,4,12",
)  # fmt: skip


def optional(**some: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=some)


def quarters(least: int, most: int) -> st.SearchStrategy[int]:
    return st.integers(least, most).map(lambda n: n * 15)


@st.composite
def starts(draw: st.DrawFn, around: date) -> dict[str, Any]:
    day = around + timedelta(days=draw(st.integers(-3, 12)))
    at = draw(st.one_of(st.just(""), TIME.map(lambda time: f"T{time}")))
    rolls: dict[str, dict[str, Any]] = {"month": {"month_start": True}, "week": {"weekday": draw(WEEKDAY)}}
    roll = rolls.get(draw(st.sampled_from(["none", "month", "week"])), {})
    shift = draw(optional(days=st.integers(-9, 9), hours=st.integers(-30, 30), minutes=quarters(-9, 9)))
    return {"from": "moment", "moment": f"{day}{at}", **roll, **shift}


@st.composite
def step_lists(draw: st.DrawFn, *, by_month: bool) -> list[dict[str, Any]]:
    found = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        if by_month:
            where: dict[str, Any] = {"month_day": draw(st.integers(-28, 31).filter(bool))}
        elif draw(st.booleans()):
            where = draw(optional(days=st.integers(-4, 9)))
        else:
            where = {"weekday": draw(WEEKDAY)}
        later = draw(st.one_of(st.just({}), optional(hours=st.integers(-5, 30), minutes=quarters(-8, 100))))
        found.append({"number": number, **where, **later, **draw(optional(time=TIME))})
    return found


@st.composite
def hours(draw: st.DrawFn) -> dict[str, Any]:
    def windows() -> list[dict[str, Any]]:
        days = optional(weekdays=st.lists(WEEKDAY, min_size=1, max_size=4, unique=True))
        return [{"from": draw(TIME), "to": draw(TIME), **draw(days)} for _ in range(draw(st.integers(1, 2)))]

    found: dict[str, Any] = {draw(st.sampled_from(["allowed", "quiet"])): windows()}
    return found | draw(optional(outside=st.sampled_from(["hold", "drop"]), late=quarters(1, 200)))


def opens_ever(some: dict[str, Any]) -> bool:
    """What never opens is refused, and is nobody's schedule."""
    week = [date(2026, 3, 2) + timedelta(days=n) for n in range(7)]
    return any(oracle.allowed(some, (day, quarter * 15)) for day in week for quarter in range(96))


@st.composite
def documents(draw: st.DrawFn, around: date) -> dict[str, Any]:
    by_month = draw(st.integers(0, 3)) == 0
    counted = optional(count=st.integers(1, 12))
    if by_month:
        units = {"unit": draw(st.sampled_from(["month", "year"])), "every": draw(st.integers(1, 2))}
        repeat: dict[str, Any] | None = {**units, **draw(counted)}
    elif draw(st.booleans()):
        unit = draw(st.sampled_from(["day", "day", "week", "month", "year"]))
        repeat = {"every": draw(st.integers(1, 9)), "unit": unit, **draw(counted)}
    else:
        rule = st.sampled_from(RULES).map(lambda rule: {"rrule": rule})
        repeat = draw(st.one_of(st.none(), rule))
    found = {"start": draw(starts(around)), "steps": draw(step_lists(by_month=by_month))}
    if repeat is not None:
        found["repeat"] = repeat
    return found | draw(
        optional(
            time=TIME,
            missing_day=st.sampled_from(["last", "skip", "next"]),
            clock_changes=optional(
                gap=st.sampled_from(["forward", "skip"]), overlap=st.sampled_from(["first", "second"])
            ),
            hours=hours().filter(opens_ever),
            holidays=st.fixed_dictionaries(
                {"country": st.sampled_from(["KE", "US", "ET"])},
                optional={"policy": st.sampled_from(["skip", "before", "after"])},
            ),
            until=st.integers(0, 40).map(lambda n: {"moment": f"{around + timedelta(days=n)}T08:00"}),
        )
    )  # fmt: skip


# 100,000 at night, in parts: what Hypothesis keeps of all of them would slow each of them down.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(20 if NIGHTLY else 1))
@settings(
    max_examples=5_000 if NIGHTLY else 2_000, deadline=None, suppress_health_check=list(HealthCheck),
    derandomize=not NIGHTLY, print_blob=True,
)  # fmt: skip
@given(
    data=st.data(), place=st.sampled_from(PLACES), waits=st.integers(-12, 8),
    days=st.sampled_from([7, 20, 60]),
)  # fmt: skip
def test_the_engine_and_the_oracle_agree(
    part: int, data: st.DataObject, place: tuple[str, date], waits: int, days: int
) -> None:
    zone, around = place
    document = data.draw(documents(around))
    enrolled = datetime(around.year, around.month, around.day, tzinfo=UTC) + timedelta(days=waits)
    last = around + timedelta(days=days)
    expected = oracle.occurrences(document, oracle.walk(zone, around), enrolled, last)
    somebody = Subject("Amina", enrolled, zone=zone)
    until = datetime(last.year, last.month, last.day, tzinfo=UTC)
    found = list(Plan(Schedule.model_validate(document)).occurrences(somebody, until=until))
    assert sorted((one.due, one.iteration, one.step) for one in found if one.skip is None) == expected
    assert [one.due for one in found] == sorted(one.due for one in found), "in the order of their moments"


@pytest.mark.parametrize("closes", ["00:15", "02:00"])
def test_an_opening_that_the_clocks_leave_out_is_waited_for_past_it_though_left_out_times_are_skipped(
    closes: str,
) -> None:
    """Cairo's clocks went from midnight to one on 29 April 2005."""
    around = date(2005, 4, 1)
    document = {
        "start": {"from": "moment", "moment": "2005-04-01"}, "time": "12:00", "steps": [{"number": 1}],
        "repeat": {"every": 3}, "clock_changes": {"gap": "skip"},
        "hours": {"allowed": [{"from": "00:00", "to": closes}]},
    }  # fmt: skip
    begin, last = datetime(2005, 4, 1, tzinfo=UTC), datetime(2005, 5, 31, tzinfo=UTC)
    expected = oracle.occurrences(document, oracle.walk("Africa/Cairo", around), begin, last.date())
    somebody = Subject("Amina", begin, zone="Africa/Cairo")
    found = list(Plan(Schedule.model_validate(document)).occurrences(somebody, until=last))
    assert [(one.due, one.iteration, one.step) for one in found if one.skip is None] == expected
