"""The door of a campaign that follows people: who enters, who leaves, and what comes next of each.

Everything here may be run again, by several at once: what it writes is what the people and the campaign are
now, and nothing that was said in a generation is said in it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from clarion.domain.enrollment import (
    WIDTH,
    Change,
    Key,
    Seen,
    Stand,
    Status,
    changed,
    entered,
    packed,
    stands,
)
from clarion.domain.message import cohort_of
from clarion.domain.schedule.subject import Occurrence
from clarion.flow.enroll import lots
from clarion.flow.enroll.course import Course, stand
from clarion.kit.db import Connection
from clarion.kit.ids import ascending7
from clarion.store import alike, entering, withdraw
from clarion.store.entering import Looked, Written


@dataclass(slots=True)
class Settled:
    """What became of some people: how many entered, how many changed, how many were stopped."""

    entered: int = 0
    changed: int = 0
    stopped: int = 0

    def add(self, other: Settled) -> None:
        self.entered += other.entered
        self.changed += other.changed
        self.stopped += other.stopped


@dataclass(slots=True)
class Work:
    """What is to be written of some people, gathered one by one."""

    entering: list[Written] = field(default_factory=list)
    changing: list[Written] = field(default_factory=list)
    ending: dict[str, list[UUID]] = field(default_factory=dict)  # reason → enrollments whose messages go


async def settle(
    connection: Connection, course: Course, contact_ids: Sequence[UUID], now: datetime
) -> Settled:
    """Bring these contacts' enrollments in step with what they are now, whoever they are."""
    if not contact_ids:
        return Settled()
    found = await entering.look(
        connection, course.id, course.meant, contact_ids, keys=course.keys, schemes=course.terms.schemes
    )
    return await _settle(connection, course, found, now)


async def enter(
    connection: Connection,
    course: Course,
    between: tuple[UUID, UUID],
    limit: int,
    now: datetime,
    since: datetime,
) -> tuple[Settled, int, UUID | None]:
    """Enroll the next people of a stretch of the workspace's contacts whom the campaign means, and bring in
    step those of it who are enrolled: what was done, how many people were looked at, and the last of them.

    `since` is when going through everybody began: what a calendar has for all since then is not lost to those
    whose turn came late.
    """
    course = course.open_since(since)
    found = await alike.look(
        connection, course.id, course.meant, between, limit, keys=course.keys, schemes=course.terms.schemes
    )
    done = Settled(await lots.enter(connection, course, found, now))
    await entering.by_key(connection)  # lots are joined by a hash
    done.add(await settle(connection, course, found.known, now))
    return done, found.people, found.last


async def _settle(connection: Connection, course: Course, found: Sequence[Looked], now: datetime) -> Settled:
    known = [(one.id, one.cohort, one.generation) for one in found if one.id is not None]
    said = await entering.said(connection, known) if known else {}
    places = await _places(connection, course, found)
    return await write(connection, course, gather(course, found, said, places, now), now)


def gather(
    course: Course,
    found: Sequence[Looked],
    said: Mapping[UUID, set[Key]],
    places: Iterator[int],
    now: datetime,
) -> Work:
    """What is to become of these people. `said` is what was said to those of them who are enrolled, in the
    generation that they are in."""
    ids, work = ascending7(now), Work()
    for one in found:
        standing = stand(one)
        if standing is None:
            _enter(course, one, next(ids), next(places), now, work)
        else:
            _change(course, one, standing, said.get(standing.id, set()), now, work)
    return work


async def write(connection: Connection, course: Course, work: Work, now: datetime) -> Settled:
    """Write what was gathered."""
    await entering.open_cohorts(connection, {one.cohort for one in (*work.entering, *work.changing)})
    done = Settled(await entering.enter(connection, course.id, course.terms.revision, work.entering, now))
    for reason, some in work.ending.items():
        await withdraw.from_enrollments(connection, some, reason, now)
    await entering.change(connection, course.terms.revision, work.changing)
    done.stopped = sum(one.state == Status.STOPPED for one in work.changing)
    done.changed = len(work.changing) - done.stopped
    return done


async def _places(connection: Connection, course: Course, found: Sequence[Looked]) -> Iterator[int]:
    """Places in the audience for those who enter, where that matters to the schedule."""
    new = sum(one.id is None for one in found)
    if not course.plan.spread or not new:
        return iter(range(new))
    first = await entering.places(connection, course.terms.run_id, new)
    return iter(range(first, first + new))


def _enter(course: Course, one: Looked, identifier: UUID, place: int, now: datetime, work: Work) -> None:
    change = entered(Seen(one.meant, one.opted_out, course.basis(one.values)), now)
    if change is not None:
        come_in(course, one, identifier, change, now, course.first_since(now), work, place=place)


def come_in(
    course: Course, one: Looked, identifier: UUID, change: Change, began_at: datetime, since: datetime,
    work: Work, *, place: int,
) -> None:  # fmt: skip
    """Gather that somebody is enrolled, by a change that says how: since when their time round counts, and
    from when on they hear."""
    basis = course.basis(one.values, one.properties)
    place = place if course.plan.spread else 0
    coming: list[Occurrence] = []
    if change.since is not None:
        coming = course.ahead(course.subject(one, 1, began_at, place), since)
    work.entering.append(_written(course, one, identifier, change, 1, began_at, basis, coming, place=place))


def _change(course: Course, one: Looked, standing: Stand, said: set[Key], now: datetime, work: Work) -> None:
    seen = Seen(one.meant, one.opted_out, course.basis(one.values))
    change = changed(standing, seen, course.definition.reentry, now, written=bool(said))
    if change is not None:
        put(course, one, standing, change, said, now, work)


def put(
    course: Course, one: Looked, standing: Stand, change: Change, said: set[Key], now: datetime, work: Work
) -> None:
    """Gather a change of an enrollment, unless there is nothing to write of it."""
    began_at = now if change.anew else standing.began_at
    put_since(course, one, standing, change, said, now, work, began_at)


def put_since(
    course: Course, one: Looked, standing: Stand, change: Change, said: set[Key], now: datetime, work: Work,
    began_at: datetime,
) -> None:  # fmt: skip
    """The same, of a time round the schedule that counts since a moment."""
    standing = replace(standing, began_at=began_at)
    some = coming(course, one, standing, change, said, began_at)
    generation = standing.generation + change.anew
    # who is stopped may come back
    basis = standing.basis if change.since is None else course.basis(one.values, one.properties)
    after = _written(
        course, one, standing.id, change, generation, began_at, basis, some,
        said=bool(said) and not change.anew,
    )  # fmt: skip
    if not _same(course, one, after):
        work.changing.append(after)
    if change.withdraw is not None:
        work.ending.setdefault(change.withdraw, []).append(standing.id)


def coming(
    course: Course, one: Looked, standing: Stand, change: Change, said: set[Key], began_at: datetime
) -> list[Occurrence]:
    """What comes next of an enrollment as a change leaves it. `began_at`: since when a generation that begins
    counts."""
    if change.since is None:
        return []
    if change.anew:
        somebody = course.subject(one, standing.generation + 1, began_at, one.place)
        return course.ahead(somebody, change.since)
    somebody = course.subject(one, standing.generation, standing.began_at, one.place)
    return course.ahead(somebody, change.since, said, standing.moves)


def _same(course: Course, one: Looked, after: Written) -> bool:
    """Whether there is nothing to write. What was reckoned for fewer occurrences is as good, but for the last
    one: what comes after it must be known when it is late."""
    kept = one.ahead or []
    if len(kept) < len(after.ahead) and len(kept) <= WIDTH:
        return False
    return (
        one.revision == course.terms.revision
        and (one.state, one.reason, one.generation, one.basis, one.next_due, one.began_at)
        == (after.state, after.reason, after.generation, after.basis, after.next_due, after.began_at)
        and bool(kept) == bool(after.ahead)
        and kept == list(after.ahead[: len(kept)])
    )


def _written(
    course: Course,
    one: Looked,
    identifier: UUID,
    change: Change,
    generation: int,
    began_at: datetime,
    basis: str,
    coming: Sequence[Occurrence],
    *,
    said: bool = False,
    place: int = 0,
) -> Written:
    status, reason = stands(change, coming=bool(coming), begins=course.begins(basis), said=said)
    return Written(
        identifier, one.contact_id, status.value, reason, generation,
        cohort_of(began_at) if change.anew or one.id is None else one.cohort, began_at, basis,
        coming[0].due_at if coming else None, packed(coming), place, one.case_id,
    )  # fmt: skip
