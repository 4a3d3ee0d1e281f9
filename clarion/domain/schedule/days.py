"""On which days of an iteration its steps fall."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from clarion.domain.schedule.draws import draw, shuffled
from clarion.domain.schedule.model import RandomDays, Step


class Falls(NamedTuple):
    """A step on a day. `moved`: its own day does not exist in that month."""

    step: int
    day: int
    moved: bool = False


def of_steps(steps: Sequence[Step], base: int, day0: int, missing: str) -> list[Falls]:
    """Each step's day in the iteration that begins on `base`; days of a month that lie before day 0 are none
    of it. The same thing at the same time, on days of a month that fall together, is said once."""
    if all(step.month_day is None and step.weekday is None for step in steps):
        return [Falls(step.number, base + step.days) for step in steps]
    found: list[Falls] = []
    seen: set[tuple[int | None, Step]] = set()
    for step in steps:
        if step.month_day is None:
            found.append(Falls(step.number, base + step.days + _until(step, base)))
            continue
        first = date.fromordinal(base)
        day = in_month(first.year * 12 + first.month - 1, step.month_day, missing)
        said = (day, step.model_copy(update={"number": 1, "month_day": None}))
        if day is not None and day >= day0 and said not in seen:
            seen.add(said)
            found.append(Falls(step.number, day, step.month_day > 0 and not _is(step.month_day, day)))
    return found


def _until(step: Step, base: int) -> int:
    return 0 if step.weekday is None else (step.weekday.number - (base - 1)) % 7


def _is(month_day: int, ordinal: int) -> bool:
    return date.fromordinal(ordinal).day == month_day


def in_month(months: int, day: int, missing: str) -> int | None:
    """The ordinal of a day (−1: the last) of a month (its number since the year 0); by the rule for missing
    days the last one, none, or the first of the next month."""
    year, month = divmod(months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    if day < 0:
        day += last + 1
    if day <= last:
        return date(year, month + 1, day).toordinal()
    if missing == "skip":
        return None
    return date(year, month + 1, last).toordinal() + (missing == "next")


def at_random(random: RandomDays, key: bytes, iteration: int, base: int, after: int | None) -> list[Falls]:
    """The days of one iteration, and which track has which of them. `after`: the last day of the iteration
    before, from which the gap counts too."""
    days = _chosen(random, key, iteration, base, after)
    owners = shuffled(draw(key, "tracks", iteration), [
        place for place, track in enumerate(random.tracks) for _ in track.numbers
    ])  # fmt: skip
    left = [list(track.numbers) for track in random.tracks]
    return [Falls(left[owner].pop(0), base + day) for day, owner in zip(days, owners, strict=False)]


def last_days(random: RandomDays, key: bytes, run: Sequence[tuple[int, int]]) -> set[int | None]:
    """What the last day of a run of iterations (number, first day) may be. One, where the run begins with the
    first of all, or where it comes to the same whatever was before it, as it does after a few iterations: all
    that one hands on to the next is how many of its first days the gap closes. (Of iterations that do not
    overlap: `check` refuses others.)"""
    first, base = run[0]
    before = {base - random.gap + closed for closed in range(max(1, random.gap))}
    possible: set[int | None] = {None} if first == 1 else {*before}
    for iteration, base in run:
        possible = {_last(random, key, iteration, base, after) for after in possible}
    return possible


def _last(random: RandomDays, key: bytes, iteration: int, base: int, after: int | None) -> int | None:
    days = _chosen(random, key, iteration, base, after)
    return base + days[-1] if days else after


def _chosen(random: RandomDays, key: bytes, iteration: int, base: int, after: int | None) -> list[int]:
    wanted = sum(len(track.numbers) for track in random.tracks)
    allowed = {day.number for day in random.weekdays}
    weekdays = [(base - 1 + nth) % 7 in allowed for nth in range(random.days)]
    closed = 0 if after is None else max(0, after + random.gap - base)
    return choose(tuple(weekdays), wanted, random.gap, closed, draw(key, "days", iteration))


def choose(weekdays: tuple[bool, ...], count: int, gap: int, closed: int, drawn: int) -> list[int]:
    """`count` of the days that are allowed, at least `gap` apart and none before `closed`; every choice is as
    likely as another. Fewer where there are not so many."""
    ways = _ways(weekdays, count, gap)
    while count and not (closed < len(weekdays) and ways[count][closed]):
        count -= 1
    # the nth of all choices, in their order: how many begin with each day is known
    nth = drawn * ways[count][closed] >> 64 if count else 0
    found: list[int] = []
    day = closed
    while len(found) < count:
        left = count - len(found) - 1
        if weekdays[day]:
            beginning = _at(ways[left], day + gap)
            if nth < beginning:
                found.append(day)
                day += gap
                continue
            nth -= beginning
        day += 1
    return found


@lru_cache(maxsize=512)
def _ways(weekdays: tuple[bool, ...], count: int, gap: int) -> tuple[tuple[int, ...], ...]:
    """ways[n][d]: in how many ways n days can be chosen from day d on."""
    width = len(weekdays)
    rows: list[tuple[int, ...]] = [(1,) * (width + 1)]
    for _ in range(count):
        row = [0] * (width + 1)
        for day in range(width - 1, -1, -1):
            row[day] = row[day + 1] + (_at(rows[-1], day + gap) if weekdays[day] else 0)
        rows.append(tuple(row))
    return tuple(rows)


def _at(row: tuple[int, ...], day: int) -> int:
    return row[min(day, len(row) - 1)]
