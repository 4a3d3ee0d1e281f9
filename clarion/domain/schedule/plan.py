"""A schedule ready to be computed, and the one function that yields its occurrences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from heapq import heappop, heappush
from itertools import takewhile

from clarion.domain.schedule import days, starts
from clarion.domain.schedule.clocktime import MINUTES
from clarion.domain.schedule.draws import person_key
from clarion.domain.schedule.holds import Closed, Gate, PublicHolidays, gate
from clarion.domain.schedule.iterations import bases, longest
from clarion.domain.schedule.model import AtField, Chosen, Every, Schedule, Time, Window
from clarion.domain.schedule.starts import Origin
from clarion.domain.schedule.subject import Occurrence, Skip, Subject
from clarion.domain.schedule.times import Clock, Cover, Second
from clarion.domain.schedule.zones import DAY, EPOCH, LeftOut, Wall, Zone, seconds, zone

_BACK = (4, 16, 64, None)  # iterations back; None: to the first
FARTHEST = 100 * 366  # days from the present on after which nobody looks


@dataclass(slots=True)
class _Timed:
    """A step as it is computed: its time, and what passes on top, in seconds."""

    time: Time | None
    later: int


class Plan:
    """A schedule, read once and computed for as many subjects as there are."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._timed = {
            step.number: _Timed(step.time or schedule.time, step.hours * 3600 + step.minutes * 60)
            for step in schedule.steps
        }
        random = schedule.random_days
        for track in random.tracks if random else ():
            self._timed |= {number: _Timed(track.time or schedule.time, 0) for number in track.numbers}
        self._random = (
            frozenset(number for track in random.tracks for number in track.numbers) if random else ()
        )
        self._covering: dict[Window, Cover] = {}
        for number in sorted(self._timed):
            time = self._timed[number].time
            if isinstance(time, Window) and time.strategy == "cover":
                self._covering.setdefault(time, Cover(time)).take(number)
        self._calendar = PublicHolidays(schedule.holidays) if schedule.holidays else None
        self._early, self._long = self._reach()
        self.numbers = frozenset(self._timed)
        """Every step that it has."""
        times = [one.time for one in self._timed.values()]
        self.spread = any(isinstance(time, Window) and time.strategy == "spread" for time in times)
        """Whether it matters where in the audience somebody stands."""
        repeat = schedule.repeat
        self.personal = (
            any(isinstance(time, Window) for time in times) or schedule.random_days is not None
            or (isinstance(repeat, Every) and isinstance(repeat.every, tuple))
        )  # fmt: skip
        """Whether two people with the same zone and values may have other moments."""
        self.fields = _fields(schedule, times)
        """What it asks of a contact."""

    def occurrences(
        self, subject: Subject, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Occurrence]:
        """What is due from `since` (else from the enrollment on) to before `until`, by moment; those that are
        skipped among them. None where the schedule does not begin for this subject.

        Without an `until`, and for ever repeated, it ends after a hundred years.
        """
        course = self._course(subject)
        if course is None:
            return
        enrolled = seconds(subject.enrolled_at)
        first = enrolled if since is None else max(enrolled, -int(-since.timestamp() // 1))
        last = None if until is None else -int(-until.timestamp() // 1)
        for occurrence in self._in_order(course, first, last):
            if last is not None and occurrence.due >= last:
                return
            if occurrence.due >= first:
                yield occurrence

    # --- one subject's way through it

    def _course(self, subject: Subject) -> _Course | None:
        schedule, changes = self.schedule, self.schedule.clock_changes
        where = zone(self.zone_of(subject), changes.gap, changes.overlap)
        origin = starts.origin(schedule, subject, where)
        if origin is None:
            return None
        key = person_key(subject.seed, subject.key)
        clock = Clock(subject, key, self._covering)
        layers = (*((schedule.hours,) if schedule.hours else ()), *subject.hours)
        course = _Course(
            self, where, origin, key, starts.end(schedule.until, subject, where),
            {number: clock.of(one.time, origin.second) for number, one in self._timed.items()},
            seconds(subject.enrolled_at), gate(layers) if layers else None,
        )  # fmt: skip
        return self._from_the_past(course)

    def zone_of(self, subject: Subject) -> str:
        """Whose clocks count."""
        named = self.schedule.zone
        if named == "contact":
            return subject.zone or subject.home
        return subject.home if named == "workspace" else named

    def _from_the_past(self, course: _Course) -> _Course | None:
        """What the schedule declares where it begins when some of it has passed."""
        if self.schedule.past == "fast_forward":
            return course
        for _ in range(3):
            first = min((one.due for one in course.first()), default=None)
            if first is None or first >= course.enrolled:
                return course
            if self.schedule.past == "skip":
                return None
            course = replace(course, origin=self._later(course))
        return course

    def _later(self, course: _Course) -> Origin:
        """Day 0 on the next day, week or month from the enrollment on."""
        start, repeat = self.schedule.start, self.schedule.repeat
        today = course.zone.wall(course.enrolled).day
        day = max(course.origin.day + 1, today)
        monthly = isinstance(repeat, Every) and repeat.unit in ("month", "year")
        if monthly and any(step.month_day is not None for step in self.schedule.steps):
            day = (date.fromordinal(day - 1).replace(day=1) + timedelta(days=32)).replace(day=1).toordinal()
        day = starts.roll(start, day)
        return starts.on(course.zone, day, course.origin.second)

    def _in_order(self, course: _Course, first: int, last: int | None) -> Iterator[Occurrence]:
        """Iteration by iteration; an occurrence goes when none of a later iteration can come before it."""
        soonest = first // DAY + EPOCH - self._long
        until = first + FARTHEST * DAY if last is None else last
        end = max(course.origin.day, until // DAY + EPOCH + self._early + 2)
        ready: list[Occurrence] = []
        after: int | None = None  # the last random day of the iteration before
        known = 0  # the iteration whose it is
        for iteration, base in course.iterations(soonest):
            if base > end:
                break
            if iteration > known + 1:
                after = course.last_before(iteration, base)
            known = iteration
            sure = (base - EPOCH - self._early - 2) * DAY
            while ready and ready[0].due < sure:
                yield heappop(ready)
            if course.stop is not None and sure >= course.stop:
                break
            falls = course.falls(iteration, base, after)
            after = max((one.day for one in falls if one.step in self._random), default=after)
            for one in course.said(iteration, falls):
                heappush(ready, one)
        while ready:
            yield heappop(ready)

    def _reach(self) -> tuple[int, int]:
        """How many days before its iteration's first day an occurrence may be, and how many after."""
        offsets = [
            step.days * DAY + step.hours * 3600 + step.minutes * 60
            for step in self.schedule.steps
        ] or [0]  # fmt: skip
        moved = 31 if self.schedule.holidays and self.schedule.holidays.policy == "before" else 0
        width = self.schedule.random_days.days if self.schedule.random_days else 0
        return max(0, -min(offsets) // DAY + 1) + moved, max(0, max(offsets) // DAY) + width + 33 + 62


def _fields(schedule: Schedule, times: Sequence[Time | None]) -> tuple[str, ...]:
    start, until = schedule.start, schedule.until
    found = [start.key] if isinstance(start, AtField) else []
    found += [until.field] if until is not None and until.field is not None else []
    found += [time.field for time in times if isinstance(time, Chosen) and time.field is not None]
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class _Course:
    """A plan for one subject: all that does not change from iteration to iteration."""

    plan: Plan
    zone: Zone
    origin: Origin
    key: bytes
    stop: int | None
    times: dict[int, Second]
    enrolled: int
    gate: Gate | None

    def iterations(self, soonest: int) -> Iterator[tuple[int, int]]:
        return bases(self.plan.schedule, self.origin.day, self.key, soonest)

    def last_before(self, iteration: int, base: int) -> int | None:
        """The last random day before an iteration, as all from the first on would have it: from as far back
        as it takes for that to be sure."""
        random, repeat = self.plan.schedule.random_days, self.plan.schedule.repeat
        if random is None or not isinstance(repeat, Every):
            return None
        for back in _BACK:
            soonest = self.origin.day if back is None else base - back * longest(repeat)
            run = list(takewhile(lambda one: one[0] < iteration, self.iterations(soonest)))
            possible = days.last_days(random, self.key, run)
            if len(possible) == 1:
                break
        return possible.pop()

    def first(self) -> list[Occurrence]:
        """The first iteration."""
        for iteration, base in self.iterations(self.origin.day):
            return self.said(iteration, self.falls(iteration, base, None))
        return []

    def falls(self, iteration: int, base: int, after: int | None) -> list[days.Falls]:
        """On which days the steps of one iteration fall."""
        schedule = self.plan.schedule
        found = days.of_steps(schedule.steps, base, self.origin.day, schedule.missing_day)
        if schedule.random_days is not None:
            found += days.at_random(schedule.random_days, self.key, iteration, base, after)
        return found

    def said(self, iteration: int, falls: list[days.Falls]) -> list[Occurrence]:
        """What one iteration says, without what comes after the schedule's end."""
        found = [self._occurrence(iteration, one) for one in falls]
        return [one for one in found if self.stop is None or one.due < self.stop]

    def _occurrence(self, iteration: int, fall: days.Falls) -> Occurrence:
        moved: tuple[str, ...] = ("missing_day",) if fall.moved else ()
        try:
            moment, changed, wall = self._moment(iteration, fall)
        except LeftOut:
            due = (fall.day - EPOCH) * DAY + self.times[fall.step](iteration, fall.step)
            return Occurrence(due, iteration, fall.step, moved, Skip.LEFT_OUT)
        if changed:
            moved += ("clock_change",)
        if moment < self.enrolled and self._now(iteration, fall):
            moment, moved, wall = self.enrolled, (*moved, "already_passed"), None
        if self.plan._calendar is None and self.gate is None:
            return Occurrence(moment, iteration, fall.step, moved)
        return self._held(moment, wall or self.zone.wall(moment), iteration, fall.step, moved)

    def _moment(self, iteration: int, fall: days.Falls) -> tuple[int, bool, Wall | None]:
        """When it is due, whether a clock change moved it, and what the clocks show then, where that goes
        without asking."""
        timed = self.plan._timed[fall.step]
        if timed.time is None and fall.day == self.origin.day:
            return self.origin.moment + timed.later, False, None  # exactly, also where it comes twice
        second = self.times[fall.step](iteration, fall.step)
        moment, changed = self.zone.moment(fall.day, second)
        known = not changed and not timed.later and second < DAY
        return moment + timed.later, changed, Wall(fall.day, second) if known else None

    def _now(self, iteration: int, fall: days.Falls) -> bool:
        """Whether its window is open at the enrollment, and what has passed in it is sent at once."""
        time = self.plan._timed[fall.step].time
        if not isinstance(time, Window) or time.passed != "now":
            return False
        day, second = self.zone.wall(self.enrolled)
        minute = second // 60 + (day - fall.day) * MINUTES
        return time.opens <= minute < time.opens + time.width

    def _held(self, moment: int, wall: Wall, iteration: int, step: int, moved: tuple[str, ...]) -> Occurrence:
        calendar, (day, second) = self.plan._calendar, wall
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
            shown = self.zone.wall(self.zone.moment(day, minute * 60)[0])
            if gate.is_open(shown.day, shown.second // 60):
                return day, minute * 60
            day, minute = shown.day, shown.second // 60  # the clocks were set forward over all of it
        raise Closed
