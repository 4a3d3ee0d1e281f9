"""A schedule ready to be computed, and the one function that yields its occurrences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from heapq import heappop, heappush

from clarion.domain.schedule import starts
from clarion.domain.schedule.course import Course, Shape, Timed
from clarion.domain.schedule.draws import person_key
from clarion.domain.schedule.holds import PublicHolidays, gate
from clarion.domain.schedule.model import AtField, Chosen, Every, Schedule, Time, Window
from clarion.domain.schedule.starts import Origin
from clarion.domain.schedule.subject import Occurrence, Subject
from clarion.domain.schedule.times import Clock, Cover, Second
from clarion.domain.schedule.zones import DAY, EPOCH, Zone, seconds, zone

ALIKE = 10_000  # answers that are kept of what many have alike
FARTHEST = 100 * 366  # days from the present on after which nobody looks


class Plan:
    """A schedule, read once and computed for as many subjects as there are."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._timed = {
            step.number: Timed(step.time or schedule.time, step.hours * 3600 + step.minutes * 60)
            for step in schedule.steps
        }
        random = schedule.random_days
        for track in random.tracks if random else ():
            self._timed |= {number: Timed(track.time or schedule.time, 0) for number in track.numbers}
        self._random = (
            frozenset(number for track in random.tracks for number in track.numbers) if random else ()
        )
        self._covering: dict[Window, Cover] = {}
        for number in sorted(self._timed):
            time = self._timed[number].time
            if isinstance(time, Window) and time.strategy == "cover":
                self._covering.setdefault(time, Cover(time)).take(number)
        calendar = PublicHolidays(schedule.holidays) if schedule.holidays else None
        self._shape = Shape(schedule, self._timed, calendar)
        self._at_times = _by_time(self._timed)
        self._origins: dict[tuple[str, object], Origin | None] = {}
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
        first = enrolled  # from the second on in which they were enrolled: what begins then is said
        if since is not None and seconds(since) > enrolled:
            first = -int(-since.timestamp() // 1)
        last = None if until is None else -int(-until.timestamp() // 1)
        for occurrence in self._in_order(course, first, last):
            if last is not None and occurrence.due >= last:
                return
            if occurrence.due >= first:
                yield occurrence

    # --- one subject's way through it

    def _course(self, subject: Subject) -> Course | None:
        schedule, changes = self.schedule, self.schedule.clock_changes
        where = zone(self.zone_of(subject), changes.gap, changes.overlap)
        origin = self._origin(subject, where)
        if origin is None:
            return None
        key = person_key(subject.seed, subject.key)
        clock = Clock(subject, key, self._covering)
        layers = (*((schedule.hours,) if schedule.hours else ()), *subject.hours)
        course = Course(
            self._shape, where, origin, key, starts.end(schedule.until, subject, where),
            self._seconds(clock, origin.second),
            seconds(subject.enrolled_at), gate(layers) if layers else None,
        )  # fmt: skip
        return self._from_the_past(course)

    def _origin(self, subject: Subject, where: Zone) -> Origin | None:
        """Day 0, computed once for everybody of a zone whose field says the same."""
        start = self.schedule.start
        if not isinstance(start, AtField):
            return starts.origin(self.schedule, subject, where)
        alike = (where.name, subject.fields.get(start.key))
        if alike not in self._origins:
            if len(self._origins) >= ALIKE:
                self._origins.clear()
            self._origins[alike] = starts.origin(self.schedule, subject, where)
        return self._origins[alike]

    def _seconds(self, clock: Clock, own: int) -> dict[int, Second]:
        """When each step is due; those of one time are asked once."""
        found: dict[int, Second] = {}
        for time, numbers in self._at_times:
            found |= dict.fromkeys(numbers, clock.of(time, own))
        return found

    def zone_of(self, subject: Subject) -> str:
        """Whose clocks count."""
        named = self.schedule.zone
        if named == "contact":
            return subject.zone or subject.home
        return subject.home if named == "workspace" else named

    def _from_the_past(self, course: Course) -> Course | None:
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

    def _later(self, course: Course) -> Origin:
        """Day 0 on the next day, week or month from the enrollment on."""
        start, repeat = self.schedule.start, self.schedule.repeat
        today = course.zone.wall(course.enrolled).day
        day = max(course.origin.day + 1, today)
        monthly = isinstance(repeat, Every) and repeat.unit in ("month", "year")
        if monthly and any(step.month_day is not None for step in self.schedule.steps):
            day = (date.fromordinal(day - 1).replace(day=1) + timedelta(days=32)).replace(day=1).toordinal()
        day = starts.roll(start, day)
        return starts.on(course.zone, day, course.origin.second)

    def _in_order(self, course: Course, first: int, last: int | None) -> Iterator[Occurrence]:
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


def _by_time(timed: Mapping[int, Timed]) -> list[tuple[Time | None, list[int]]]:
    """The times there are, each with the steps that have it."""
    found: dict[int, tuple[Time | None, list[int]]] = {}
    for number, one in timed.items():
        found.setdefault(id(one.time), (one.time, []))[1].append(number)
    return list(found.values())


def _fields(schedule: Schedule, times: Sequence[Time | None]) -> tuple[str, ...]:
    start, until = schedule.start, schedule.until
    found = [start.key] if isinstance(start, AtField) else []
    found += [until.field] if until is not None and until.field is not None else []
    found += [time.field for time in times if isinstance(time, Chosen) and time.field is not None]
    return tuple(dict.fromkeys(found))
