"""Everybody for whom a schedule is the same but for what is drawn: of one zone, with the same values.

What is not drawn is computed once for all of them: where day 0 is, on which days which steps fall. Of each
only their own times are, and no more of these than somebody asks for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from heapq import heappop, heappush

from clarion.domain.schedule import starts
from clarion.domain.schedule.course import Course
from clarion.domain.schedule.draws import person_key
from clarion.domain.schedule.holds import Gate
from clarion.domain.schedule.model import Every, Window
from clarion.domain.schedule.shape import Fall, Shape
from clarion.domain.schedule.starts import Origin
from clarion.domain.schedule.subject import Occurrence
from clarion.domain.schedule.times import Clock, Second
from clarion.domain.schedule.zones import DAY, EPOCH, Zone, seconds

FARTHEST = 100 * 366  # days from the present on after which nobody looks


@dataclass(frozen=True, slots=True)
class Alike:
    """Made by `Plan.alike`. `settled`: the times that are not drawn, by step; `windows`: those that are, with
    the steps that have them."""

    shape: Shape
    zone: Zone
    origin: Origin
    stop: int | None
    enrolled: int
    gate: Gate | None
    seed: str
    settled: Mapping[int, Second]
    windows: Sequence[tuple[Window, Sequence[int]]]

    def occurrences(
        self, key: str, place: int = 0, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Occurrence]:
        """As `Plan.occurrences`, of the one of them with this key, at this place in the audience."""
        course = self._from_the_past(self._course(key, place))
        if course is None:
            return
        first = self.enrolled  # from the second on in which they were enrolled: what begins then is said
        if since is not None and seconds(since) > self.enrolled:
            first = -int(-since.timestamp() // 1)
        last = math.inf if until is None else -int(-until.timestamp() // 1)
        end = last if self.stop is None else min(self.stop, last)
        ready: list[Occurrence] = []
        early = self.shape.reach.early + EPOCH
        for iteration, fall in self._falls(course, first, last):
            sure = (fall.day - early) * DAY  # nothing that falls then or later is due before
            while ready and ready[0].due < sure:
                yield heappop(ready)
            if sure >= end:
                break
            one = course.occurrence(iteration, fall)
            if first <= one.due < end:
                heappush(ready, one)
        while ready:
            yield heappop(ready)

    def _course(self, key: str, place: int) -> Course:
        own = person_key(self.seed, key)
        times = self.settled
        if self.windows:
            clock, times = Clock(own, self.seed, place, self.shape.covering), dict(times)
            for window, numbers in self.windows:
                times |= dict.fromkeys(numbers, clock.within(window))
        return Course(
            self.shape, self.zone, self.origin, self.stop, self.enrolled, self.gate, own, times
        )  # fmt: skip

    def _falls(self, course: Course, first: int, last: float) -> Iterator[Fall]:
        """What may be due from `first` on to before `last`, by day."""
        reach = self.shape.reach
        today, until = first // DAY + EPOCH, first + FARTHEST * DAY if last == math.inf else int(last)
        soonest = today - (reach.late if self.gate is None else reach.late_held)
        latest = max(course.origin.day, until // DAY + EPOCH + reach.before + reach.early)
        return course.falls(soonest, latest)

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
