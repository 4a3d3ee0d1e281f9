"""Everybody for whom a schedule is the same but for what is drawn: of one zone, with the same values.

What is not drawn is computed once for all of them: where day 0 is, on which days which steps fall. Of each
only their own times are, and no more of these than somebody asks for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from heapq import heappop, heappush
from typing import NamedTuple

from clarion.domain.schedule import starts
from clarion.domain.schedule.course import Course
from clarion.domain.schedule.days import Falls
from clarion.domain.schedule.draws import person_key
from clarion.domain.schedule.holds import Gate
from clarion.domain.schedule.model import Every
from clarion.domain.schedule.shape import KEPT, Kept, Shape
from clarion.domain.schedule.starts import Origin
from clarion.domain.schedule.subject import Occurrence
from clarion.domain.schedule.times import Own, Second
from clarion.domain.schedule.zones import DAY, EPOCH, Zone

FARTHEST = 100 * 366  # days from the present on after which nobody looks


class Ahead(NamedTuple):
    """A step of an iteration on a day. Nothing that falls on it or later is due before `sure`. Its second of
    the day is added to `plain`, where that is all that there is to it."""

    sure: int
    iteration: int
    fall: Falls
    plain: int | None


@dataclass(frozen=True, slots=True)
class Alike:
    """Made by `Plan.alike`. `times`: at which second of its day each step is due. `ways`: what is ahead, kept
    for whoever begins on the same day and hears from the same moment on, where nobody has days of their
    own."""

    shape: Shape
    zone: Zone
    origin: Origin
    stop: int | None
    enrolled: int
    gate: Gate | None
    seed: str
    times: Mapping[int, Second]
    ways: dict[tuple[int, int, float], Kept[Ahead]] = field(default_factory=dict)

    def occurrences(
        self, key: str, place: int = 0, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Occurrence]:
        """As `Plan.occurrences`, of the one of them with this key, at this place in the audience."""
        own = Own(person_key(self.seed, key), place)
        course = self._from_the_past(
            Course(self.shape, self.zone, self.origin, self.stop, self.enrolled, self.gate, own, self.times)
        )
        if course is None:
            return
        first = self.enrolled  # from the second on in which they were enrolled: what begins then is said
        if since is not None and (moment := since.timestamp()) // 1 > self.enrolled:
            first = -int(-moment // 1)
        last = math.inf if until is None else -int(-until.timestamp() // 1)
        end = last if self.stop is None else min(self.stop, last)
        ready: list[Occurrence] = []
        for sure, iteration, fall, plain in self._ahead(course, first, last):
            while ready and ready[0].due < sure:
                yield heappop(ready)
            if sure >= end:
                break
            if plain is None:
                one = course.occurrence(iteration, fall)
            else:
                second = self.times[fall.step](own, iteration, fall.step)
                one = Occurrence(plain + second, iteration, fall.step)
            if first <= one.due < end:
                heappush(ready, one)
        while ready:
            yield heappop(ready)

    def _ahead(self, course: Course, first: int, last: float) -> Iterator[Ahead]:
        """What may be due from `first` on to before `last`, by day."""
        if self.shape.own_days:
            return self._by_day(course, first, last)
        way = course.origin.day, first, last
        if way not in self.ways:
            if len(self.ways) >= KEPT:
                self.ways.clear()
            self.ways[way] = Kept(self._by_day(course, first, last))
        return iter(self.ways[way])

    def _by_day(self, course: Course, first: int, last: float) -> Iterator[Ahead]:
        reach = self.shape.reach
        today, until = first // DAY + EPOCH, first + FARTHEST * DAY if last == math.inf else int(last)
        soonest = today - (reach.late if self.gate is None else reach.late_held)
        latest = max(course.origin.day, until // DAY + EPOCH + reach.before + reach.early)
        early = reach.early + EPOCH
        for iteration, fall in course.falls(soonest, latest):
            yield Ahead((fall.day - early) * DAY, iteration, fall, course.plain(fall))

    # --- what the schedule declares where it begins when some of it has passed

    def _from_the_past(self, course: Course) -> Course | None:
        schedule, reach = self.shape.schedule, self.shape.reach
        begins = (self.origin.day - EPOCH - reach.before - reach.early) * DAY
        if schedule.past == "fast_forward" or begins >= self.enrolled:
            return course
        for _ in range(3):
            first = min((one.due for one in course.first()), default=None)
            if first is None or first >= course.enrolled:
                return course
            if schedule.past == "skip":
                return None
            course = replace(course, origin=self._later(course.origin))
        return course

    def _later(self, origin: Origin) -> Origin:
        """Day 0 on the next day, week or month from the enrollment on."""
        schedule = self.shape.schedule
        today = self.zone.wall(self.enrolled).day
        day = max(origin.day + 1, today)
        monthly = isinstance(schedule.repeat, Every) and schedule.repeat.unit in ("month", "year")
        if monthly and any(step.month_day is not None for step in schedule.steps):
            day = (date.fromordinal(day - 1).replace(day=1) + timedelta(days=32)).replace(day=1).toordinal()
        day = starts.roll(schedule.start, day)
        return starts.on(self.zone, day, origin.second)
