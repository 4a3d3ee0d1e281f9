"""What is made of a schedule once, for whomever it is computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from clarion.domain.schedule.days import Falls
from clarion.domain.schedule.holds import PublicHolidays
from clarion.domain.schedule.model import Every, Schedule, Time, Window
from clarion.domain.schedule.times import Cover
from clarion.domain.schedule.zones import DAY

KEPT = 4_000  # ways through a schedule that are kept, of those who begin on the same day

T = TypeVar("T")
Fall = tuple[int, Falls]
"""(iteration, a step on a day)."""


@dataclass(slots=True)
class Timed:
    """A step as it is computed: its time, and what passes on top, in seconds."""

    time: Time | None
    later: int


class Reach(NamedTuple):
    """How far apart things may be, in days: an occurrence from the day on which its step falls, at most
    `early` before and `late` after (`late_held` where some hours are closed); a step from the first day of
    its iteration, at most `before` it and less than `long` after."""

    early: int
    late: int
    late_held: int
    before: int
    long: int

    @classmethod
    def of(cls, schedule: Schedule) -> Reach:
        """That of a schedule."""
        offsets = [step.hours * 3600 + step.minutes * 60 for step in schedule.steps]
        days = [step.days for step in schedule.steps]
        holidays = schedule.holidays
        early = 2 - min(0, *offsets, 0) // DAY  # midnight there is at most 14 hours before it is here
        late = 4 + max(0, *offsets, 0) // DAY  # windows go over midnight
        width = schedule.random_days.days if schedule.random_days else 0
        return cls(
            early + (31 if holidays and holidays.policy == "before" else 0),
            late + (31 if holidays else 0),
            late + (31 + 62 if holidays else 16),  # the next hour that is open is within a week
            max(0, -min(days, default=0)),
            max(0, *days, 0) + width + 38,  # days of a month, and of a week
        )


@dataclass(slots=True)
class Kept(Generic[T]):
    """What an iterator gives, taken from it once."""

    more: Iterator[T]
    known: list[T] = field(default_factory=list)

    def __iter__(self) -> Iterator[T]:
        yield from self.known
        place = len(self.known)
        while True:
            if place == len(self.known):
                found = next(self.more, None)
                if found is None:
                    return
                self.known.append(found)
            yield self.known[place]
            place += 1


class Shape:
    """Of each step its time (`timed`), and which have the same (`at_times`); the windows that are covered;
    whether each has days of their own (`own_days`), and which steps these are of."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule, self.reach = schedule, Reach.of(schedule)
        self.timed = {
            step.number: Timed(step.time or schedule.time, step.hours * 3600 + step.minutes * 60)
            for step in schedule.steps
        }
        tracks = schedule.random_days.tracks if schedule.random_days else ()
        for track in tracks:
            self.timed |= {number: Timed(track.time or schedule.time, 0) for number in track.numbers}
        self.at_random = frozenset(number for track in tracks for number in track.numbers)
        self.at_times: dict[int, tuple[Time | None, list[int]]] = {}
        self.covering: dict[Window, Cover] = {}
        for number, one in sorted(self.timed.items()):
            self.at_times.setdefault(id(one.time), (one.time, []))[1].append(number)
            if isinstance(one.time, Window) and one.time.strategy == "cover":
                self.covering.setdefault(one.time, Cover(one.time)).take(number)
        self.calendar = PublicHolidays(schedule.holidays) if schedule.holidays else None
        repeat = schedule.repeat
        self.own_days = schedule.random_days is not None or (
            isinstance(repeat, Every) and isinstance(repeat.every, tuple)
        )
        self.kept: dict[tuple[int, int, int], Kept[Fall]] = {}
