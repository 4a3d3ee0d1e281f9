"""The door of an alert: which cases meet its criteria, whom each is told to, and what comes next of each.

Everything here may be run again, by several at once: a case is locked before it is looked at, and what is
written is what the case, its people and the alert are now. Nothing that was said in a generation is said in
it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from clarion.domain.enrollment import Key
from clarion.domain.enrollment import Seen as Person
from clarion.domain.episode import Episode, Facts, Phase, answers, enters, follows, turned
from clarion.domain.message import cohort_of
from clarion.flow.enroll import case_lots, door
from clarion.flow.enroll.course import Course, stand
from clarion.flow.enroll.door import Settled, Work
from clarion.flow.enroll.sight import Watched
from clarion.kit.db import Connection
from clarion.kit.ids import ascending7
from clarion.store import entering, episode
from clarion.store.entering import Looked
from clarion.store.episode import Seen, Written


async def settle(
    connection: Connection, course: Course, case_ids: Sequence[UUID], now: datetime, *, anew: bool = False
) -> Settled:
    """Bring these cases in step, whatever has changed of them; `anew`: also where nothing has."""
    if not case_ids:
        return Settled()
    watched = course.watched
    assert watched is not None, "it looks at cases"
    cases = sorted(set(case_ids))
    await episode.lock(connection, (one.hex for one in cases))
    found = await episode.look(connection, watched.sight, cases, whatever=anew)
    if not found:
        return Settled()
    standing = await episode.standing(connection, course.id, [one.case_id for one in found])
    known = [(one.id, one.cohort, one.generation) for some in standing.values() for one in some if one.id]
    said = await entering.said(connection, known) if known else {}
    work, episodes = gather(
        course, watched, found, standing, said, await _places(connection, course, found), now
    )
    done = await door.write(connection, course, work, now)
    await episode.write(connection, watched.sight, episodes)
    return done


class Gone(NamedTuple):
    """Cases of a stretch that were brought in step: how many were looked at, and the last of them; None: the
    stretch is at its end."""

    cases: int
    last: UUID | None


async def enter(
    connection: Connection, course: Course, between: tuple[UUID, UUID], limit: int, now: datetime,
    *, most: int | None = None, locking: Callable[[int], None] | None = None,
) -> Gone:  # fmt: skip
    """Bring the next cases of a stretch in step; no further than to the one with which there are `most` to be
    locked. `locking` hears how many are to be, just before."""
    assert course.watched is not None, "it looks at cases"
    some = await episode.page(connection, course.watched.sight, between, limit, most)
    gone = Gone(some.cases, some.last)
    touched = sorted([*some.changed, *some.new])
    if not touched:
        return gone
    if locking is not None:
        locking(len(touched))
    await episode.lock(connection, touched)
    taken = await case_lots.enter(connection, course, some.new, now)
    await entering.by_key(connection)  # lots are joined by a hash
    # others may have come to know of some before these were locked
    also = [] if taken == len(some.new) else some.new
    await settle(connection, course, [UUID(one) for one in (*some.changed, *also)], now)
    return gone


async def _places(connection: Connection, course: Course, found: Sequence[Seen]) -> Iterator[int]:
    """Places in the audience for those who enter, where that matters to the schedule."""
    new = sum(len(one.people) for one in found)
    if not course.plan.spread or not new:
        return iter(range(new))
    first = await entering.places(connection, course.terms.run_id, new)
    return iter(range(first, first + new))


def gather(
    course: Course, watched: Watched, found: Sequence[Seen], standing: Mapping[UUID, list[Looked]],
    said: Mapping[UUID, set[Key]], places: Iterator[int], now: datetime,
) -> tuple[Work, list[Written]]:  # fmt: skip
    """What is to become of these cases' people, and how each case stands then."""
    ids, work, episodes = ascending7(now), Work(), []
    for one in found:
        after = _turned(watched, one, now)
        episodes.append(_written(one, after))
        inside = {who.contact_id: who for who in standing.get(one.case_id, ())}
        some = list(people(watched, one, inside, now))
        replied = _replied(course, watched, one, after, some)
        for who in some:
            over = who.contact_id in replied
            if who.id is None:
                _enter(course, who, after, next(ids), next(places), now, work, over=over)
            else:
                _follow(course, who, after, said.get(who.id, set()), now, work, over=over)
    return work, episodes


def _turned(watched: Watched, one: Seen, now: datetime) -> Episode:
    before = None
    if one.phase is not None:
        before = Episode(Phase(one.phase), one.reason, one.times, one.since, one.restarted_by, one.began_at)
    only_new = watched.alert.existing == "only_from_now"
    existing = only_new and one.stored_at <= watched.launched_at
    facts = Facts(one.meets, one.state == "open", one.restart, existing)
    return turned(before, facts, watched.alert.reentry, now)


def _written(one: Seen, after: Episode) -> Written:
    return Written(
        one.case_id, after.phase.value, str(after.reason), after.times, after.since, after.began_at,
        after.restart, one.next_turn, one.hash,
    )  # fmt: skip


def people(watched: Watched, one: Seen, inside: Mapping[UUID, Looked], now: datetime) -> Iterator[Looked]:
    """Whom the case names now, as they are, and who is enrolled and not named any more."""
    properties = dict(zip(watched.sight.properties, one.told, strict=True))
    named = set()
    for key, zone, opted_out, values in one.people:
        who = UUID(key)
        named.add(who)
        seen = inside.get(who) or _stranger(one.case_id, who, now)
        yield replace(seen, meant=True, zone=zone, opted_out=opted_out, values=values, properties=properties)
    for who, looked in inside.items():
        if who not in named:
            yield replace(looked, meant=False, properties=properties)


def _replied(
    course: Course, watched: Watched, one: Seen, episode: Episode, some: Sequence[Looked]
) -> set[UUID]:
    """For whom of these a reply has ended this time round: whoever wrote it, or everybody."""
    if not one.replied:
        return set()
    to = {UUID(contact): generation for contact, generation in one.replied}
    wrote = {
        who.contact_id for who in some
        if who.id is not None and to.get(who.contact_id) == who.generation and _counts(course, who, episode)
    }  # fmt: skip
    whole = wrote and watched.alert.stops_on_reply == "case"
    return {who.contact_id for who in some} if whole else wrote


def _counts(course: Course, who: Looked, episode: Episode) -> bool:
    standing, switched = stand(who), who.revision < course.switched
    assert standing is not None
    return answers(standing, episode, _seen(course, who), switched=switched)


def _seen(course: Course, who: Looked) -> Person:
    return Person(who.meant, who.opted_out, course.basis(who.values, who.properties))


def _stranger(case_id: UUID, contact_id: UUID, now: datetime) -> Looked:
    """Somebody whom a case names and who is not enrolled."""
    return Looked(
        contact_id, True, False, "", [], None, 1, "", "", cohort_of(now), now, 0, "", None, None, None, 0,
        case_id=case_id,
    )  # fmt: skip


def _enter(
    course: Course, who: Looked, episode: Episode, identifier: UUID, place: int, now: datetime, work: Work,
    *, over: bool,
) -> None:  # fmt: skip
    change = enters(episode, who.opted_out, now, replied=over)
    if change is not None:
        door.come_in(course, who, identifier, change, episode.since, now, work, place=place)


def _follow(
    course: Course, who: Looked, episode: Episode, said: set[Key], now: datetime, work: Work, *, over: bool
) -> None:
    standing = stand(who)
    assert standing is not None
    person, switched = _seen(course, who), who.revision < course.switched
    found = follows(standing, episode, person, now, written=bool(said), switched=switched, replied=over)
    if found is not None:
        change, began_at = found
        door.put_since(course, who, standing, change, said, now, work, began_at)
