"""What is wrong with a schedule, before anybody is in it: where, why, and what to do."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Set
from datetime import date
from itertools import islice, pairwise
from typing import Any

from pydantic import ValidationError

from clarion.domain.refusal import Refusal
from clarion.domain.schedule import holds, rules, starts
from clarion.domain.schedule.clocktime import MINUTES, minutes_of, shown
from clarion.domain.schedule.days import choose
from clarion.domain.schedule.model import (
    AtMoment,
    Chosen,
    Every,
    RandomDays,
    Rule,
    Schedule,
    Step,
    Time,
    Window,
)
from clarion.domain.timezone import parse_timezone
from clarion.errors import Invalid, Problem

_WRITE = "Write 2026-03-01 or 2026-03-01T09:30."
_KINDS = re.compile(
    r"(?<=\.time)\.(?:fixed\.at|fixed|chosen|window)|(?<=\.repeat)\.(?:every|rule)(?=\.|$)"
    r"|(?<=\.start)\.(?:enrollment|moment|field|property)(?=\.)"
)
_UNIT_DAYS = {"day": 1, "week": 7, "month": 28, "year": 365}


def read(document: object, where: str = "") -> Schedule:
    """A schedule from a document. Raises Invalid with everything that is wrong with it."""
    try:
        schedule = Schedule.model_validate(document)
    except ValidationError as error:
        problems = tuple(_told(one, where) for one in error.errors(include_url=False))
        raise Invalid("this schedule cannot be read", where=where, problems=problems) from None
    if found := check(schedule):
        prefix = f"{where}." if where else ""
        placed = tuple(Problem(f"{prefix}{one.where}", one.what, one.hint) for one in found)
        raise Invalid("this schedule would not do what it says", where=where, problems=placed)
    return schedule


def check(schedule: Schedule) -> list[Problem]:
    """Everything that is wrong with it, in the order of the document."""
    return [
        *_start(schedule), *_steps(schedule), *_times(schedule), *_covered(schedule), *_apart(schedule),
        *_random(schedule.random_days), *_repeat(schedule), *_around(schedule),
    ]  # fmt: skip


def _told(error: Any, where: str) -> Problem:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"])
    path = _KINDS.sub("", path)  # which kind it was taken for stands nowhere in the document
    what = str(error["msg"]).removeprefix("Value error, ")
    return Problem(f"{where}{path}".lstrip("."), what)


def _start(schedule: Schedule) -> Iterator[Problem]:
    start = schedule.start
    if isinstance(start, AtMoment) and not starts.readable(start.moment):
        yield Problem("start.moment", "not a date or a date and time", _WRITE)
    until = schedule.until
    if until is None:
        return
    if [until.moment, until.field, until.property].count(None) != 2:
        yield Problem("until", "say one: a moment, a field or a property")
    elif until.moment is not None and not starts.readable(until.moment):
        yield Problem("until.moment", "not a date or a date and time", _WRITE)


def _steps(schedule: Schedule) -> Iterator[Problem]:
    random = schedule.random_days
    if not schedule.steps and random is None:
        yield Problem("steps", "it says nothing", 'Add a step: {"number": 1}.')
    seen, retired = set[int](), frozenset(schedule.retired)
    for place, step in enumerate(schedule.steps):
        where = f"steps[{place}]"
        yield from _numbered(step.number, seen, retired, f"{where}.number")
        if sum([bool(step.days), step.weekday is not None, step.month_day is not None]) > 1:
            yield Problem(where, "say one: days, weekday or month_day")
        if step.month_day == 0:
            yield Problem(f"{where}.month_day", "there is no day 0", "1 is the first, -1 the last.")
        if step.month_day is not None and not _by_month(schedule):
            yield Problem(
                f"{where}.month_day", "its iterations are no months", 'Say "repeat": {"unit": "month"}.'
            )
        if step.month_day is None and any(one.month_day is not None for one in schedule.steps):
            yield Problem(where, "other steps name a day of the month, this one does not", "Name it in all.")
    for place, track in enumerate(random.tracks if random else ()):
        for number in track.numbers:
            yield from _numbered(number, seen, retired, f"random_days.tracks[{place}].numbers")


def _numbered(number: int, seen: set[int], retired: frozenset[int], where: str) -> Iterator[Problem]:
    if number in seen or number in retired:
        whose = "is another step's number" if number in seen else "was the number of a step that is no more"
        yield Problem(where, f"{number} {whose}", f"Take one that is free: {_free(seen | retired)}.")
    seen.add(number)


def _free(taken: Set[int]) -> int:
    return next(number for number in range(1, len(taken) + 2) if number not in taken)


def _by_month(schedule: Schedule) -> bool:
    repeat = schedule.repeat
    return repeat is None or (isinstance(repeat, Every) and repeat.unit in ("month", "year"))


def _named_times(schedule: Schedule) -> Iterator[tuple[str, Time]]:
    if schedule.time is not None:
        yield "time", schedule.time
    for place, step in enumerate(schedule.steps):
        if step.time is not None:
            yield f"steps[{place}].time", step.time
    for place, track in enumerate(schedule.random_days.tracks if schedule.random_days else ()):
        if track.time is not None:
            yield f"random_days.tracks[{place}].time", track.time


def _times(schedule: Schedule) -> Iterator[Problem]:
    for where, time in _named_times(schedule):
        if isinstance(time, Chosen) and (time.field is None) == (time.property is None):
            yield Problem(where, "say where the chosen time is kept: a field or a property")
        if not isinstance(time, Window):
            continue
        if time.strategy != "cover" and (time.valued or time.again):
            yield Problem(where, "only cover has valued hours and comes again", 'Say "strategy": "cover".')
        for hour in time.valued:
            minutes = minutes_of(hour)
            if minutes is None or (minutes - time.opens) % MINUTES not in range(0, time.slots * 60, 60):
                last = shown((time.opens + (time.slots - 1) * 60) % MINUTES)
                hint = f"They are {shown(time.opens)} to {last}, an hour apart."
                yield Problem(f"{where}.valued", f"{hour} is none of its hours", hint)


def _timed(schedule: Schedule) -> Iterator[tuple[Step | None, Time | None]]:
    """The time of each step, and of each number of a track."""
    for step in schedule.steps:
        yield step, step.time or schedule.time
    for track in schedule.random_days.tracks if schedule.random_days else ():
        for _ in track.numbers:
            yield None, track.time or schedule.time


def _covered(schedule: Schedule) -> Iterator[Problem]:
    """Covering a window takes as many hours as there are sends."""
    wanted: dict[Window, int] = defaultdict(int)
    for _, time in _timed(schedule):
        if isinstance(time, Window) and time.strategy == "cover" and not time.again:
            wanted[time] += 1
    iterations = 1 if schedule.repeat is None else schedule.repeat.count
    for window, each in wanted.items():
        room = window.slots + len(window.extras())
        if iterations is not None and each * iterations <= room:
            continue
        sends = "for ever" if iterations is None else f"{each * iterations} times"
        yield Problem(
            next(where for where, time in _named_times(schedule) if time == window),
            f"it speaks {sends}, and the window has {window.slots} hours, {room} with those that come again",
            'Widen it, value some hours more, or say "again": true so that they begin anew.',
        )


def _apart(schedule: Schedule) -> Iterator[Problem]:
    """Random windows of one day that overlap would leave the order of two steps to chance."""
    of_day: dict[tuple[object, ...], list[tuple[int, int, int]]] = defaultdict(list)
    for place, step in enumerate(schedule.steps):
        time = step.time or schedule.time
        if isinstance(time, Window):
            day = (step.days, step.weekday, step.month_day)
            of_day[day].append((time.opens, time.opens + time.width, place))
    for windows in of_day.values():
        for (_, closes, one), (opens, _, other) in pairwise(sorted(windows)):
            if opens < closes:
                yield Problem(
                    f"steps[{other}].time",
                    f"its random window overlaps that of steps[{one}] on the same day",
                    "Let one end before the other begins, or put them on different days.",
                )


def _random(random: RandomDays | None) -> Iterator[Problem]:
    if random is None:
        return
    wanted = sum(len(track.numbers) for track in random.tracks)
    allowed = {day.number for day in random.weekdays}
    closed = max(0, random.gap - 1)  # as many as an iteration before it may have closed
    weeks = [tuple((first + n) % 7 in allowed for n in range(random.days)) for first in range(7)]
    least = min(len(choose(week, wanted, random.gap, closed, 0)) for week in weeks)
    if least < wanted:
        yield Problem(
            "random_days", f"{wanted} days do not always fit into {random.days}; {least} do",
            "Make the iterations longer or the gap smaller, allow more weekdays, or say less.",
        )  # fmt: skip


def _repeat(schedule: Schedule) -> Iterator[Problem]:
    repeat = schedule.repeat
    if isinstance(repeat, Rule):
        yield from _rule(repeat)
        return
    if repeat is None:
        return
    between = repeat.every if isinstance(repeat.every, tuple) else (repeat.every, repeat.every)
    if isinstance(repeat.every, tuple) and (repeat.unit != "day" or between[0] > between[1]):
        yield Problem("repeat.every", "a random interval is so many days to so many: [2, 5]")
    length = between[0] * _UNIT_DAYS[repeat.unit]
    wanted = _length(schedule)
    if length < wanted:
        yield Problem(
            "repeat.every", f"an iteration takes {wanted} days, and the next would begin after {length}",
            "Repeat less often, or let its steps be closer together.",
        )  # fmt: skip


def _length(schedule: Schedule) -> int:
    """Days from the first to the last of an iteration, both included."""
    minutes = [s.days * MINUTES + s.hours * 60 + s.minutes for s in schedule.steps if s.month_day is None]
    steps = (max(minutes) - min(minutes)) // MINUTES + 1 if minutes else 1
    return max(steps, schedule.random_days.days if schedule.random_days else 1)


def _rule(repeat: Rule) -> Iterator[Problem]:
    try:
        rule = rules.parsed(repeat.rrule)
    except rules.BadRule as error:
        yield Problem("repeat.rrule", str(error), "For example FREQ=WEEKLY;BYDAY=MO,TH.")
        return
    if not list(islice(rule.days(date(2024, 1, 1).toordinal()), 1)) and rule.until is None:
        yield Problem("repeat.rrule", "it means no day at all in 30 years", "Look at BYMONTH and BYMONTHDAY.")


def _around(schedule: Schedule) -> Iterator[Problem]:
    if schedule.zone not in ("contact", "workspace"):
        found = parse_timezone(schedule.zone)
        if isinstance(found, Refusal) or found != schedule.zone:
            hint = found.hint if isinstance(found, Refusal) else f"Write {found}."
            yield Problem("zone", "not a time zone that we know", hint)
    rule = schedule.holidays
    if rule is not None and not holds.known(rule.country, rule.subdivision):
        yield Problem("holidays", "nobody knows the holidays there", "Use a country such as KE.")
