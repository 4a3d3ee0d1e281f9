"""Very many people enter at once: those who are alike by lots (`store.alike`).

Of a schedule that draws nothing, what comes next is reckoned once for a lot; of one that draws times, for
each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count, islice, repeat
from uuid import UUID

from clarion.domain.enrollment import FIRST, Change, Seen, entered, packed, stands
from clarion.domain.message import cohort_of
from clarion.domain.schedule.alike import Alike
from clarion.flow.enroll.course import Course
from clarion.kit.db import Connection
from clarion.store import alike, entering
from clarion.store.alike import Lot, Newcomers

NOBODY = str(UUID(int=0))


@dataclass(frozen=True, slots=True)
class Entering:
    """A lot as it enters now. `stands`: how somebody of it does and why, where nothing comes and where
    something does; `alike`: how what comes is computed."""

    number: int
    basis: str
    stands: tuple[tuple[str, str], tuple[str, str]]
    since: datetime
    alike: Alike | None

    def line(self, key: str, place: int) -> str:
        """How somebody of it stands, why, and what comes next of them."""
        return alike.line(self.number, *self.comes(key, place))

    def comes(self, key: str, place: int) -> tuple[str, str, list[int]]:
        """The same as values."""
        ahead: list[int] = []
        if self.alike is not None:
            ahead = packed(islice(self.alike.occurrences(key, place, self.since), FIRST))
        state, reason = self.stands[bool(ahead)]
        return state, reason, ahead


async def enter(connection: Connection, course: Course, found: Newcomers, now: datetime) -> int:
    """Enroll those of them who are not yet; how many that were."""
    if not found.lots:
        return 0
    await entering.open_cohorts(connection, {cohort_of(now)})
    some = {lot.number: _entering(course, lot, now) for lot in found.lots}
    bases = {number: one.basis for number, one in some.items()}
    revision = course.terms.revision
    if not course.plan.personal:
        lines = [one.line(NOBODY, 0) for one in some.values()]
        return await alike.enter(connection, course.id, revision, bases, lines, now)
    people = await alike.people(connection)
    places: Iterable[int] = repeat(0)
    if course.plan.spread and people:
        places = count(await entering.places(connection, course.terms.run_id, len(people)))
    each = (
        alike.each_line(contact_id, place, some[lot].line(contact_id, place))
        for (contact_id, lot), place in zip(people, places, strict=False)
    )
    return await alike.enter_each(connection, course.id, revision, bases, each, now)


def _entering(course: Course, lot: Lot, now: datetime) -> Entering:
    change = entered(Seen(True, lot.opted_out, course.basis(lot.values)), now)
    assert change is not None, "they are meant"
    return entering_by(course, lot, change, now, {})


def entering_by(
    course: Course, lot: Lot, change: Change, now: datetime, properties: Mapping[str, str | None]
) -> Entering:
    """How a lot enters by a change, where the schedule reads these properties of a case."""
    basis = course.basis(lot.values, properties)
    somebody = course.somebody(NOBODY, lot.zone, lot.values, 1, now, 0, properties)
    comes = None if change.since is None else course.plan.alike(somebody)
    begins = course.begins(basis)
    return Entering(
        lot.number, basis, (_stands(change, False, begins), _stands(change, True, begins)),
        course.first_since(now), comes,
    )  # fmt: skip


def _stands(change: Change, coming: bool, begins: bool) -> tuple[str, str]:
    status, reason = stands(change, coming=coming, begins=begins)
    return status.value, reason
