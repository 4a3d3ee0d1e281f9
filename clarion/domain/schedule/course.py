"""One subject's way through a schedule: on which days its steps fall for them, and when they are due."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import takewhile

from clarion.domain.schedule import days
from clarion.domain.schedule.clocktime import MINUTES
from clarion.domain.schedule.holds import Closed, Gate, PublicHolidays
from clarion.domain.schedule.iterations import bases, longest
from clarion.domain.schedule.model import Every, Window
from clarion.domain.schedule.shape import KEPT, Fall, Kept, Shape
from clarion.domain.schedule.starts import Origin
from clarion.domain.schedule.subject import Occurrence, Skip
from clarion.domain.schedule.times import Own, Second
from clarion.domain.schedule.zones import DAY, EPOCH, LeftOut, Wall, Zone

_BACK = (4, 16, 64, None)  # iterations back; None: to the first


@dataclass(slots=True)
class Course:
    """A plan for one subject: all that does not change from iteration to iteration. `times`: of each step."""

    shape: Shape
    zone: Zone
    origin: Origin
    stop: int | None
    enrolled: int
    gate: Gate | None
    own: Own
    times: Mapping[int, Second]

    def iterations(self, soonest: int) -> Iterator[tuple[int, int]]:
        return bases(self.shape.schedule, self.origin.day, self.own.key, soonest)

    def _last_before(self, iteration: int, base: int) -> int | None:
        """The last random day before an iteration, as all from the first on would have it: from as far back
        as it takes for that to be sure."""
        random, repeat = self.shape.schedule.random_days, self.shape.schedule.repeat
        if random is None or not isinstance(repeat, Every):
            return None
        for back in _BACK:
            soonest = self.origin.day if back is None else base - back * longest(repeat)
            run = list(takewhile(lambda one: one[0] < iteration, self.iterations(soonest)))
            possible = days.last_days(random, self.own.key, run)
            if len(possible) == 1:
                break
        return possible.pop()

    def first(self) -> list[Occurrence]:
        """The first iteration."""
        for iteration, base in self.iterations(self.origin.day):
            found = [self.occurrence(iteration, fall) for fall in self._falls(iteration, base, None)]
            return [one for one in found if self.stop is None or one.due < self.stop]
        return []

    def falls(self, soonest: int, latest: int) -> Iterator[Fall]:
        """On which days the steps fall, from the day `soonest` on, by day; of iterations that begin until
        `latest`. It is kept for whoever begins on the same day, where nobody has days of their own."""
        shape = self.shape
        if shape.own_days:
            return self._in_order(soonest, latest)
        way = (self.origin.day, soonest, latest)
        if way not in shape.kept:
            if len(shape.kept) >= KEPT:
                shape.kept.clear()
            shape.kept[way] = Kept(self._in_order(soonest, latest))
        return iter(shape.kept[way])

    def _in_order(self, soonest: int, latest: int) -> Iterator[Fall]:
        reach = self.shape.reach
        ready: list[tuple[int, int, days.Falls]] = []  # by day
        after: int | None = None  # the last random day of the iteration before
        known = 0  # the iteration whose it is
        for iteration, base in self.iterations(soonest - reach.long):
            if base > latest:
                break
            if iteration > known + 1:
                after = self._last_before(iteration, base)
            known = iteration
            while ready and ready[0][0] < base - reach.before:
                _, number, fall = heappop(ready)
                yield number, fall
            falls = self._falls(iteration, base, after)
            after = max((one.day for one in falls if one.step in self.shape.at_random), default=after)
            for one in falls:
                if one.day >= soonest:
                    heappush(ready, (one.day, iteration, one))
        while ready:
            _, number, fall = heappop(ready)
            yield number, fall

    def _falls(self, iteration: int, base: int, after: int | None) -> list[days.Falls]:
        """On which days the steps of one iteration fall."""
        schedule = self.shape.schedule
        found = days.of_steps(schedule.steps, base, self.origin.day, schedule.missing_day)
        if schedule.random_days is not None:
            found += days.at_random(schedule.random_days, self.own.key, iteration, base, after)
        return found

    def occurrence(self, iteration: int, fall: days.Falls) -> Occurrence:
        """When that step is due, and whether it is skipped."""
        moved: tuple[str, ...] = ("missing_day",) if fall.moved else ()
        try:
            moment, changed, shown = self._moment(iteration, fall)
        except LeftOut:
            due = (fall.day - EPOCH) * DAY + self.times[fall.step](self.own, iteration, fall.step)
            return Occurrence(due, iteration, fall.step, moved, Skip.LEFT_OUT)
        if changed:
            moved += ("clock_change",)
        if moment < self.enrolled and self._now(iteration, fall):
            moment, moved, shown = self.enrolled, (*moved, "already_passed"), None
        if self.shape.calendar is None and self.gate is None:
            return Occurrence(moment, iteration, fall.step, moved)
        wall = self.zone.wall(moment) if shown is None else Wall(fall.day, shown)
        return self._held(moment, wall, iteration, fall.step, moved)

    def _moment(self, iteration: int, fall: days.Falls) -> tuple[int, bool, int | None]:
        """When it is due, whether a clock change moved it, and which second of that day the clocks show then,
        where that goes without asking."""
        timed = self.shape.timed[fall.step]
        if timed.time is None and fall.day == self.origin.day:
            return self.origin.moment + timed.later, False, None  # exactly, also where it comes twice
        second = self.times[fall.step](self.own, iteration, fall.step)
        moment, changed = self.zone.moment(fall.day, second)
        known = not changed and not timed.later and second < DAY
        return moment + timed.later, changed, second if known else None

    def plain(self, fall: days.Falls) -> int | None:
        """The moment that a step's second on a day is added to, for everybody; None where more than that
        decides when it is due (`occurrence`)."""
        day, timed = fall.day, self.shape.timed[fall.step]
        if self.gate is not None or self.shape.calendar is not None or fall.moved:
            return None
        if timed.time is None and day == self.origin.day:
            return None
        at_once = isinstance(timed.time, Window) and timed.time.passed == "now"
        if at_once and (day - EPOCH - 2) * DAY < self.enrolled:
            return None
        midnight = self.zone.midnight(day)
        if midnight is None or self.zone.midnight(day + 1) != midnight + DAY:  # windows go over midnight
            return None
        return midnight + timed.later

    def _now(self, iteration: int, fall: days.Falls) -> bool:
        """Whether its window is open at the enrollment, and what has passed in it is sent at once."""
        time = self.shape.timed[fall.step].time
        if not isinstance(time, Window) or time.passed != "now":
            return False
        day, second = self.zone.wall(self.enrolled)
        minute = second // 60 + (day - fall.day) * MINUTES
        return time.opens <= minute < time.opens + time.width

    def _held(self, moment: int, wall: Wall, iteration: int, step: int, moved: tuple[str, ...]) -> Occurrence:
        calendar, (day, second) = self.shape.calendar, wall
        skip = Skip.HOLIDAY
        try:
            if calendar is not None and (other := calendar.day(day)) != day:
                day, moved = other, (*moved, "holiday")
            skip = Skip.QUIET
            if self.gate is not None and not self.gate.is_open(day, second // 60):
                day, second = self._opening(self.gate, calendar, day, second)
                moved = (*moved, "quiet_hours")
            skip = Skip.LEFT_OUT
            if (day, second) != wall:
                moment = self.zone.moment(day, second)[0]
        except (Closed, LeftOut):
            return Occurrence(moment, iteration, step, moved, skip)
        return Occurrence(moment, iteration, step, moved)

    def _opening(self, gate: Gate, calendar: PublicHolidays | None, day: int, second: int) -> tuple[int, int]:
        """The next time at which it is allowed, on a day that is no holiday; by clocks that do show it."""
        begun, minute = day * MINUTES + second // 60, -(-second // 60)
        for _ in range(31):
            day, minute = gate.next(day, minute)
            if gate.late is not None and day * MINUTES + minute - begun > gate.late:
                break
            if calendar is not None and calendar.has(day):
                day, minute = day + 1, 0
                continue
            # an opening that the clocks leave out is no time that a schedule names: it is not skipped
            shown = self.zone.wall(self.zone.moment(day, minute * 60, somewhere=True)[0])
            if gate.is_open(shown.day, shown.second // 60):
                return shown
            day, minute = shown.day, shown.second // 60  # the clocks were set forward over all of it
        raise Closed
