"""Very many people enter at once: those who are alike by lots (`store.alike`).

Of a schedule that draws nothing, what comes next is reckoned once for a lot; of one that draws times, for
each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from clarion.domain.enrollment import FIRST, Change, Seen, entered, packed, stands
from clarion.domain.message import cohort_of
from clarion.flow.enroll.course import Course
from clarion.kit.db import Connection
from clarion.store import alike, entering
from clarion.store.alike import Lot, Newcomers

_NOBODY = str(UUID(int=0))


@dataclass(frozen=True, slots=True)
class _Entering:
    """A lot as it enters now."""

    lot: Lot
    basis: str
    change: Change
    begins: bool


async def enter(connection: Connection, course: Course, found: Newcomers, now: datetime) -> int:
    """Enroll those of them who are not yet; how many that were."""
    if not found.lots:
        return 0
    await entering.open_cohorts(connection, {cohort_of(now)})
    some = [_entering(course, lot, now) for lot in found.lots]
    if course.plan.personal:
        return await _each(connection, course, some, now)
    lines = [alike.line(one.lot.number, *_standing(course, one, _NOBODY, 0, now)) for one in some]
    bases = {one.lot.number: one.basis for one in some}
    return await alike.enter(connection, course.id, course.terms.revision, bases, lines, now)


def _entering(course: Course, lot: Lot, now: datetime) -> _Entering:
    basis = course.basis(lot.values)
    change = entered(Seen(True, lot.opted_out, basis), now)
    assert change is not None, "they are meant"
    return _Entering(lot, basis, change, course.begins(basis))


def _standing(
    course: Course, one: _Entering, key: str, place: int, now: datetime
) -> tuple[str, str, list[int]]:
    """How somebody of a lot stands, why, and what comes next of them."""
    if one.change.since is None:
        return one.change.status.value, one.change.reason, []
    subject = course.somebody(key, one.lot.zone, one.lot.values, 1, now, place)
    ahead = packed(course.ahead(subject, course.first_since(now), count=FIRST))
    status, reason = stands(one.change, coming=bool(ahead), begins=one.begins)
    return status.value, reason, ahead


async def _each(connection: Connection, course: Course, some: list[_Entering], now: datetime) -> int:
    people = await alike.people(connection)
    first = 0
    if course.plan.spread and people:
        first = await entering.places(connection, course.terms.run_id, len(people))
    bases = {one.lot.number: one.basis for one in some}
    lines = _lines(course, {one.lot.number: one for one in some}, people, first, now)
    return await alike.enter_each(connection, course.id, course.terms.revision, bases, lines, now)


def _lines(
    course: Course, by_lot: dict[int, _Entering], people: list[tuple[UUID, int]], first: int, now: datetime
) -> Iterator[str]:
    for n, (contact_id, lot) in enumerate(people):
        place = first + n if course.plan.spread else 0
        standing = _standing(course, by_lot[lot], str(contact_id), place, now)
        yield alike.each_line(contact_id, place, lot, *standing)
