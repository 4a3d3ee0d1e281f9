"""Another way to the same occurrences: slowly, along the clock, a grid of a quarter of an hour at a time.

It reads the document itself, walks through days one by one and through the zone's clock forwards, and knows
nothing of the engine. It takes schedules without randomness, on times that are quarters of an hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays
from dateutil.rrule import rrulestr

QUARTER = 900
ONE = timedelta(days=1)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Found = tuple[int, int, int]  # moment, iteration, step
Wall = tuple[date, int]  # minutes since midnight


class Walk:
    """What a zone's clocks show, along a stretch of time."""

    def __init__(self, zone: str, first: date, last: date) -> None:
        info = ZoneInfo(zone)
        at = int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()) - 86_400
        end = int(datetime(last.year, last.month, last.day, tzinfo=UTC).timestamp()) + 2 * 86_400
        self.shows: dict[int, Wall] = {}
        self.when: dict[Wall, list[int]] = {}
        self.after_gap: dict[Wall, int] = {}  # local times that were left out → the first moment after
        before: datetime | None = None
        while at < end:
            local = datetime.fromtimestamp(at, info).replace(tzinfo=None)
            wall = (local.date(), local.hour * 60 + local.minute)
            self.shows[at] = wall
            self.when.setdefault(wall, []).append(at)
            if before is not None:
                left_out = before + timedelta(minutes=15)
                while left_out < local:
                    self.after_gap[left_out.date(), left_out.hour * 60 + left_out.minute] = at
                    left_out += timedelta(minutes=15)
            before, at = local, at + QUARTER

    def moment(self, wall: Wall, gap: str, overlap: str) -> int | None:
        """When the clocks show that; None where a gap is skipped."""
        if wall in self.when:
            return self.when[wall][-1 if overlap == "second" else 0]
        return self.after_gap[wall] if gap == "forward" else None


@lru_cache(maxsize=40)
def walk(zone: str, around: date) -> Walk:
    """So far both ways that nothing of 60 days is out of sight."""
    return Walk(zone, around - 75 * ONE, around + 200 * ONE)


def occurrences(document: dict[str, Any], clock: Walk, enrolled: datetime, last: date) -> list[Found]:
    """What is sent between the enrollment and the midnight (UTC) before `last`."""
    changes = document.get("clock_changes", {})
    gap, overlap = changes.get("gap", "forward"), changes.get("overlap", "first")
    day0, minute0, exact = _day0(document["start"], clock)
    end = _end(document.get("until"), clock)
    found: list[Found] = []
    for iteration, base in _rounds(document, day0, last + 40 * ONE):
        for step, day in _days(document, base, day0):
            own = step.get("time", document.get("time"))
            if own is None and day == day0 and exact is not None:
                at: int | None = exact
            else:
                minute = minute0 if own is None else int(own[:2]) * 60 + int(own[3:])
                at = clock.moment((day, minute), gap, overlap)
            if at is None:
                continue
            at += step.get("hours", 0) * 3600 + step.get("minutes", 0) * 60
            held = _held(document, clock, at, gap, overlap)
            if held is not None and (end is None or held < end):
                found.append((held, iteration, step["number"]))
    begin = int(enrolled.timestamp())
    stop = int(datetime(last.year, last.month, last.day, tzinfo=UTC).timestamp())
    return sorted(one for one in found if begin <= one[0] < stop)


def _day0(start: dict[str, Any], clock: Walk) -> tuple[date, int, int | None]:
    local = datetime.fromisoformat(start["moment"])
    at: int | None = clock.moment((local.date(), local.hour * 60 + local.minute), "forward", "first")
    assert at is not None
    if start.get("days"):
        day, minute = clock.shows[at]
        at = clock.moment((day + start["days"] * ONE, minute), "forward", "first")
        assert at is not None
    at += start.get("hours", 0) * 3600 + start.get("minutes", 0) * 60
    began, minute = clock.shows[at]
    day = began
    while "weekday" in start and WEEKDAYS[day.weekday()] != start["weekday"]:
        day += ONE
    while start.get("month_start") and day.day != 1:
        day += ONE
    if day != began:
        at = clock.moment((day, minute), "forward", "first")
    return day, minute, at


def _end(until: dict[str, Any] | None, clock: Walk) -> int | None:
    if until is None:
        return None
    local = datetime.fromisoformat(until["moment"])
    return clock.moment((local.date(), local.hour * 60 + local.minute), "forward", "first")


def _rounds(document: dict[str, Any], day0: date, last: date) -> Iterator[tuple[int, date]]:
    repeat = document.get("repeat")
    named = any("month_day" in step for step in document["steps"])
    iteration, day = 0, day0.replace(day=1) if named and repeat else day0
    begins = None if repeat is None or "rrule" not in repeat else _ruled(repeat["rrule"], day0, last)
    months = 0
    while day <= last:
        if repeat is None:
            yield 1, day0
            return
        begun = day in begins if begins is not None else _begins(repeat, document, day0, day, named, months)
        if named and not iteration and begun and not list(_days(document, day, day0)):
            months, begun = (day0.month % 12) + 1, False  # day 0's month has none: count from the next
        elif named and begun and not list(_days(document, day, day0)):
            begun = False
        if begun:
            iteration += 1
            if repeat.get("count") and iteration > repeat["count"]:
                return
            yield iteration, day
        day += ONE


def _ruled(text: str, day0: date, last: date) -> set[date]:
    naive = datetime(day0.year, day0.month, day0.day)  # noqa: DTZ001 - as dateutil has it
    rule = rrulestr(text, dtstart=naive)
    until = datetime(last.year, last.month, last.day)  # noqa: DTZ001
    return {one.date() for one in rule.between(naive, until, inc=True)}


def _begins(
    repeat: dict[str, Any], document: dict[str, Any], day0: date, day: date, named: bool, from_month: int
) -> bool:
    every, unit = repeat.get("every", 1), repeat.get("unit", "day")
    if unit in ("day", "week"):
        return bool((day - day0).days % (every * (7 if unit == "week" else 1)) == 0)
    every *= 12 if unit == "year" else 1
    if named:
        first = day0.month if not from_month else day0.month + 1
        return day.day == 1 and (day.year * 12 + day.month - day0.year * 12 - first) % every == 0
    missing = document.get("missing_day", "last")
    month = day
    if day.day == day0.day:
        its_own = True
    elif missing == "last":
        its_own = (day + ONE).day == 1 and day.day < day0.day
    else:
        month = day - ONE
        its_own = missing == "next" and day.day == 1 and month.day < day0.day
    return its_own and (month.year * 12 + month.month - day0.year * 12 - day0.month) % every == 0


def _days(document: dict[str, Any], base: date, day0: date) -> Iterator[tuple[dict[str, Any], date]]:
    missing, seen = document.get("missing_day", "last"), set()
    for step in document["steps"]:
        if "month_day" not in step:
            day = base + step.get("days", 0) * ONE
            if "weekday" in step:
                day = base
                while WEEKDAYS[day.weekday()] != step["weekday"]:
                    day += ONE
            yield step, day
            continue
        of_month = [day for n in range(31) if (day := base.replace(day=1) + n * ONE).month == base.month]
        wanted = step["month_day"]
        if abs(wanted) <= len(of_month):
            day = of_month[wanted - 1 if wanted > 0 else wanted]
        elif missing == "skip":
            continue
        else:
            day = of_month[-1] + (ONE if missing == "next" else timedelta())
        said = (day, step.get("time"), step.get("hours", 0), step.get("minutes", 0))
        if day >= day0 and said not in seen:
            seen.add(said)
            yield step, day


def _held(document: dict[str, Any], clock: Walk, at: int, gap: str, overlap: str) -> int | None:
    rule, hours = document.get("holidays"), document.get("hours")
    day, minute = clock.shows[at]
    if rule is not None and (other := _other_day(rule, day)) != day:
        if other is None:
            return None
        moved = clock.moment((other, minute), gap, overlap)
        if moved is None:
            return None
        at, day = moved, other
    if hours is None or allowed(hours, (day, minute)):
        return at
    if hours.get("outside") == "drop":
        return None
    return _next_opening(clock, hours, rule, (day, minute), overlap)


def _next_opening(
    clock: Walk, hours: dict[str, Any], rule: dict[str, Any] | None, wall: Wall, overlap: str
) -> int | None:
    """Along the clock from what it shows: the first time that is allowed, on a day that is no holiday."""
    day, minute = wall
    for waited in range(0, 31 * 1440, 15):
        now = (day + ((minute + waited) // 1440) * ONE, (minute + waited) % 1440)
        if hours.get("late") is not None and waited > hours["late"]:
            return None
        if now in clock.when and allowed(hours, now) and not (rule and _is_holiday(rule, now[0])):
            return clock.when[now][-1 if overlap == "second" else 0]
    return None


def allowed(hours: dict[str, Any], wall: Wall) -> bool:
    """Whether it is at this time of this day."""
    return (not hours.get("allowed") or any(_within(one, wall) for one in hours["allowed"])) and not any(
        _within(one, wall) for one in hours.get("quiet", ())
    )


def _within(one: dict[str, Any], wall: Wall) -> bool:
    opens, closes = (int(one[key][:2]) * 60 + int(one[key][3:]) for key in ("from", "to"))
    width = (closes - opens - 1) % 1440 + 1
    days = one.get("weekdays", WEEKDAYS)
    return any(
        WEEKDAYS[(wall[0] - back * ONE).weekday()] in days and opens <= wall[1] + back * 1440 < opens + width
        for back in (0, 1)
    )


def _other_day(rule: dict[str, Any], day: date) -> date | None:
    other = day
    while _is_holiday(rule, other):
        if rule.get("policy", "after") == "skip":
            return None
        other += ONE if rule.get("policy", "after") == "after" else -ONE
    return other


def _is_holiday(rule: dict[str, Any], day: date) -> bool:
    return bool(day in _holidays(rule["country"]))


@lru_cache
def _holidays(country: str) -> holidays.HolidayBase:
    return holidays.country_holidays(country)
