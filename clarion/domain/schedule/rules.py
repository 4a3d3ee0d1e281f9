"""Recurrence rules of RFC 5545, by days, with an end to every search.

python-dateutil reads the rule, and says which days of one month or year it means; the periods are counted
here, and weeks and single days looked at here too. By itself it looks for the first day of a rule that
never comes (30 February) up to the year 9999, which takes seconds.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule, rrulestr

EMPTY = {YEARLY: 30, MONTHLY: 30 * 12, WEEKLY: 30 * 53, DAILY: 30 * 366}  # periods without a day: 30 years
_ONCE = 120_000  # years or months: so long that no second period fits into the calendar
_BY = ("bysetpos", "bymonth", "bymonthday", "byyearday", "byeaster", "byweekno", "byweekday")
_SIMPLE = {"bymonth", "bymonthday", "byweekday"}  # what a rule by days may say
Given = Mapping[str, tuple[Any, ...]]


class BadRule(ValueError):
    """What is wrong with it, for people."""


class DayRule:
    """A rule, checked. Raises BadRule."""

    def __init__(self, text: str) -> None:
        body = text.strip().upper().removeprefix("RRULE:")
        if "\n" in body or "DTSTART" in body:
            raise BadRule("write one rule alone, such as FREQ=WEEKLY;BYDAY=MO,WE")
        try:
            rule: Any = rrulestr(body, dtstart=datetime(2000, 1, 1))  # noqa: DTZ001
        except (ValueError, KeyError, TypeError) as error:
            raise BadRule(f"not a rule of RFC 5545: {error}") from None
        if not isinstance(rule, rrule) or (of := _parts(rule))["_freq"] not in EMPTY:
            raise BadRule("rules go by days: FREQ is DAILY, WEEKLY, MONTHLY or YEARLY")
        if any(f"BY{word}=" in body for word in ("HOUR", "MINUTE", "SECOND")):
            raise BadRule("the time of day is each step's own: leave out BYHOUR, BYMINUTE and BYSECOND")
        self.freq: Any = of["_freq"]
        self.interval: int = of["_interval"]
        self.wkst: int = of["_wkst"]
        self.count: int | None = of["_count"]
        self.until: int | None = None if of["_until"] is None else of["_until"].toordinal()
        self.given: dict[str, tuple[Any, ...]] = {
            name: _tuple(of["_original_rule"][name]) for name in _BY if of["_original_rule"].get(name)
        }
        self._check(body)

    def _check(self, body: str) -> None:
        if self.interval < 1:
            raise BadRule("INTERVAL is 1 at least")
        if self.freq == DAILY and (more := self.given.keys() - _SIMPLE):
            raise BadRule(f"a DAILY rule cannot say {', '.join(sorted(more)).upper()}")
        if self.freq == WEEKLY and (more := self.given.keys() - _SIMPLE - {"bysetpos"}):
            raise BadRule(f"a WEEKLY rule cannot say {', '.join(sorted(more)).upper()}")
        if self.freq in (DAILY, WEEKLY) and re.search(r"BYDAY=[^;]*\d", body):
            raise BadRule("the nth weekday is of a MONTHLY or YEARLY rule: BYDAY=2MO there, BYDAY=MO here")

    def days(self, day0: int) -> Iterator[int]:
        """Its days on or after day 0, in order. Ends with its COUNT or UNTIL, and where it has meant no day
        for 30 years."""
        begins = date.fromordinal(day0)
        given = self.given if self.given.keys() - {"bymonth"} else {**self._as(begins), **self.given}
        find = self._finder(given)
        left, empty, place = self.count, 0, 0
        while empty <= EMPTY[self.freq]:
            first = self._period(begins, place)
            if first is None:
                return
            found = [day for day in find(first) if day >= day0]
            place, empty = place + 1, 0 if found else empty + self.interval
            for day in found:
                if left == 0 or (self.until is not None and day > self.until):
                    return
                yield day
                left = None if left is None else left - 1

    def _as(self, day: date) -> dict[str, tuple[Any, ...]]:
        """What a rule that names no days means: that of day 0."""
        if self.freq == YEARLY:
            return {"bymonth": (day.month,), "bymonthday": (day.day,)}
        if self.freq == MONTHLY:
            return {"bymonthday": (day.day,)}
        return {"byweekday": (day.weekday(),)} if self.freq == WEEKLY else {}

    def _period(self, begins: date, place: int) -> date | None:
        """The first day of the nth period from that of `begins`; None beyond the calendar."""
        later = place * self.interval
        try:
            if self.freq == YEARLY:
                return date(begins.year + later, 1, 1)
            if self.freq == MONTHLY:
                months = begins.year * 12 + begins.month - 1 + later
                return date(months // 12, months % 12 + 1, 1)
            if self.freq == WEEKLY:
                return begins - timedelta(days=(begins.weekday() - self.wkst) % 7 - 7 * later)
            return begins + timedelta(days=later)
        except (ValueError, OverflowError):
            return None

    def _finder(self, given: Given) -> Callable[[date], Sequence[int]]:
        if self.freq == DAILY:
            return lambda first: _matching(first, 1, given)
        if self.freq == WEEKLY:
            return lambda first: _picked(_matching(first, 7, given), given.get("bysetpos"))
        key = tuple(given.items())
        return lambda first: _of_period(self.freq, self.wkst, first, key)


@lru_cache(maxsize=1_024)
def parsed(text: str) -> DayRule:
    """A rule, read once. Raises BadRule."""
    return DayRule(text)


def _parts(rule: rrule) -> Mapping[str, Any]:
    """What dateutil read; it has no public names for that."""
    return vars(rule)


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _matching(first: date, width: int, given: Given) -> list[int]:
    """Of so many days those that are of these months, days of the month and days of the week."""
    months, month_days = given.get("bymonth"), given.get("bymonthday")
    weekdays = {getattr(day, "weekday", day) for day in given.get("byweekday", range(7))}
    found = []
    for ordinal in range(first.toordinal(), first.toordinal() + width):
        day = date.fromordinal(ordinal)
        if day.weekday() not in weekdays or (months and day.month not in months):
            continue
        last = calendar.monthrange(day.year, day.month)[1]
        if month_days and day.day not in month_days and day.day - last - 1 not in month_days:
            continue
        found.append(ordinal)
    return found


def _picked(found: list[int], positions: tuple[int, ...] | None) -> list[int]:
    """By BYSETPOS: 1 is the first, −1 the last."""
    if not positions:
        return found
    places = {at - 1 if at > 0 else len(found) + at for at in positions}
    return [day for place, day in enumerate(found) if place in places]


@lru_cache(maxsize=4_096)
def _of_period(freq: Any, wkst: int, first: date, given: tuple[tuple[str, Any], ...]) -> tuple[int, ...]:
    start = datetime(first.year, first.month, first.day)  # noqa: DTZ001
    once = rrule(freq, dtstart=start, interval=_ONCE, wkst=wkst, **dict(given))
    return tuple(one.toordinal() for one in once)
