"""When each iteration of a schedule begins: its days, by ordinal, the first at day 0."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from clarion.domain.schedule import rules
from clarion.domain.schedule.days import in_month, of_steps
from clarion.domain.schedule.draws import below, draw
from clarion.domain.schedule.model import Every, Rule, Schedule

_MONTHS = {"month": 1, "year": 12}
_DAYS = {"day": 1, "week": 7}


def bases(schedule: Schedule, day0: int, key: bytes, soonest: int) -> Iterator[tuple[int, int]]:
    """(iteration, day) of each iteration in order. Those that end long before `soonest` may be left out, but
    for their numbers."""
    repeat = schedule.repeat
    if repeat is None:
        return iter([(1, day0)])
    if isinstance(repeat, Rule):
        return _by_rule(repeat, day0)
    if repeat.unit in _MONTHS:
        return _by_months(schedule, repeat, day0, soonest)
    if isinstance(repeat.every, tuple):
        return _by_chance(repeat.every, repeat.count, day0, key)
    return _by_days(repeat.every * _DAYS[repeat.unit], repeat.count, day0, soonest)


def longest(repeat: Every) -> int:
    """Days at most from the beginning of one iteration to that of the next."""
    every = repeat.every if isinstance(repeat.every, int) else repeat.every[1]
    return every * (31 * _MONTHS[repeat.unit] if repeat.unit in _MONTHS else _DAYS[repeat.unit])


def _by_days(every: int, count: int | None, day0: int, soonest: int) -> Iterator[tuple[int, int]]:
    iteration = max(0, (soonest - day0) // every)
    while count is None or iteration < count:
        yield iteration + 1, day0 + iteration * every
        iteration += 1


def _by_chance(
    between: tuple[int, int], count: int | None, day0: int, key: bytes
) -> Iterator[tuple[int, int]]:
    least, most = between
    day, iteration = day0, 1
    while count is None or iteration <= count:
        yield iteration, day
        day += least + below(draw(key, "interval", iteration), most - least + 1)
        iteration += 1


def _by_months(schedule: Schedule, repeat: Every, day0: int, soonest: int) -> Iterator[tuple[int, int]]:
    """Where steps name days of a month, an iteration is a month from its first day on, and one without any
    of them is none; else it is day 0's day of each month."""
    assert isinstance(repeat.every, int)
    first, missing = date.fromordinal(day0), schedule.missing_day
    named = any(step.month_day is not None for step in schedule.steps)
    every, months = repeat.every * _MONTHS[repeat.unit], first.year * 12 + first.month - 1
    if named and not of_steps(schedule.steps, day0, day0, missing):
        months += 1
    counted = missing == "skip" and (named or first.day > 28)  # then a month may be none
    place = 0 if counted else max(0, (soonest - day0) // 31 // every - 1)
    iteration = place
    while repeat.count is None or iteration < repeat.count:
        day = in_month(months + place * every, 1 if named else first.day, missing)
        place += 1
        if day is not None and (not named or of_steps(schedule.steps, day, day0, missing)):
            iteration += 1
            yield iteration, day


def _by_rule(repeat: Rule, day0: int) -> Iterator[tuple[int, int]]:
    for iteration, day in enumerate(rules.parsed(repeat.rrule).days(day0), 1):
        if repeat.count is not None and iteration > repeat.count:
            return
        yield iteration, day
