"""A schedule ready to be computed, and the one function that yields its occurrences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from clarion.domain.schedule import starts, times
from clarion.domain.schedule.alike import Alike
from clarion.domain.schedule.holds import gate
from clarion.domain.schedule.model import AtField, Chosen, Schedule, Time, Window
from clarion.domain.schedule.shape import Shape
from clarion.domain.schedule.starts import Origin
from clarion.domain.schedule.subject import Occurrence, Subject
from clarion.domain.schedule.zones import Zone, seconds, zone

ALIKE = 10_000  # answers that are kept of what many have alike


class Plan:
    """A schedule, read once and computed for as many subjects as there are."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._shape = Shape(schedule)
        self._origins: dict[tuple[str, object], Origin | None] = {}
        self.numbers = frozenset(self._shape.timed)
        """Every step that it has."""
        found = [time for time, _ in self._shape.at_times.values()]
        self.spread = any(isinstance(time, Window) and time.strategy == "spread" for time in found)
        """Whether it matters where in the audience somebody stands."""
        self.personal = self._shape.own_days or any(isinstance(time, Window) for time in found)
        """Whether two people with the same zone and values may have other moments."""
        self.fields = _fields(schedule, found)
        """What it asks of a contact."""

    def occurrences(
        self, subject: Subject, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Occurrence]:
        """What is due from `since` (else from the enrollment on) to before `until`, by moment; those that are
        skipped among them. None where the schedule does not begin for this subject.

        Without an `until`, and for ever repeated, it ends after a hundred years.
        """
        alike = self.alike(subject)
        if alike is not None:
            yield from alike.occurrences(subject.key, subject.place, since, until)

    def alike(self, subject: Subject) -> Alike | None:
        """All that is not drawn, for everybody like this subject but for their `key` and `place`; None where
        the schedule does not begin for them."""
        schedule, changes = self.schedule, self.schedule.clock_changes
        where = zone(self.zone_of(subject), changes.gap, changes.overlap)
        origin = self._origin(subject, where)
        if origin is None:
            return None
        layers = (*((schedule.hours,) if schedule.hours else ()), *subject.hours)
        seconds_of: dict[int, times.Second] = {}
        for time, numbers in self._shape.at_times.values():
            if isinstance(time, Window):
                second = times.drawn(time, self._shape.covering.get(time), subject.seed)
            else:
                second = times.settled(time, origin.second, subject)
            seconds_of |= dict.fromkeys(numbers, second)
        return Alike(
            self._shape, where, origin, starts.end(schedule.until, subject, where),
            seconds(subject.enrolled_at), gate(layers) if layers else None, subject.seed, seconds_of,
        )  # fmt: skip

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

    def zone_of(self, subject: Subject) -> str:
        """Whose clocks count."""
        named = self.schedule.zone
        if named == "contact":
            return subject.zone or subject.home
        return subject.home if named == "workspace" else named


def _fields(schedule: Schedule, found_times: Sequence[Time | None]) -> tuple[str, ...]:
    start, until = schedule.start, schedule.until
    found = [start.key] if isinstance(start, AtField) else []
    found += [until.field] if until is not None and until.field is not None else []
    found += [time.field for time in found_times if isinstance(time, Chosen) and time.field is not None]
    return tuple(dict.fromkeys(found))
