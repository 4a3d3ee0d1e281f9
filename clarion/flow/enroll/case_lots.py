"""Very many cases come into an alert at once, when all are gone over: their recipients by lots of those who
are alike. What becomes of a case that the alert knows already is `flow.enroll.cases`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import count, repeat
from uuid import UUID

from clarion.domain.episode import Episode, Facts, Phase, enters, turned
from clarion.domain.message import cohort_of
from clarion.flow.enroll.course import Course
from clarion.flow.enroll.lots import NOBODY, Entering, entering_by
from clarion.kit.db import Connection
from clarion.store import case_alike, entering
from clarion.store.alike import Lot


async def enter(connection: Connection, course: Course, case_ids: Sequence[UUID], now: datetime) -> int:
    """Bring those of these cases in that the alert does not know; how many that were. The transaction has
    locked them."""
    watched = course.watched
    assert watched is not None, "it looks at cases"
    if not case_ids:
        return 0
    only_new = watched.alert.existing == "only_from_now"
    since = watched.launched_at if only_new else None
    taken, kinds = await case_alike.look(connection, watched.sight, case_ids, since)
    episodes = {
        one.number: turned(
            None, Facts(one.meets, one.open, existing=one.existing), watched.alert.reentry, now
        )
        for one in kinds
    }
    await case_alike.write_episodes(connection, watched.sight, episodes)
    begun = {number: one for number, one in episodes.items() if one.phase is Phase.ON}
    if begun:
        lots = await case_alike.recipients(connection, list(begun))
        await _enroll(connection, course, lots, next(iter(begun.values())), now)
    return taken


async def _enroll(
    connection: Connection, course: Course, lots: Sequence[Lot], episode: Episode, now: datetime
) -> None:
    """Enroll the recipients of cases that all began now."""
    watched = course.watched
    assert watched is not None
    if not lots:
        return
    await entering.open_cohorts(connection, {cohort_of(now)})
    some = {lot.number: _entering(course, lot, episode, now) for lot in lots}
    bases = {number: one.basis for number, one in some.items()}
    if not course.plan.personal:
        lines = [one.line(NOBODY, 0) for one in some.values()]
        await case_alike.enter(connection, watched.sight, bases, lines, now)
        return
    people = await case_alike.people(connection)
    places: Iterable[int] = repeat(0)
    if course.plan.spread:
        places = count(await entering.places(connection, course.terms.run_id, len(people)))
    each = (
        case_alike.each_line(case_id, contact_id, place, some[lot].line(f"{case_id}:{contact_id}", place))
        for (case_id, contact_id, lot), place in zip(people, places, strict=False)
    )
    await case_alike.enter_each(connection, watched.sight, bases, each, now)


def _entering(course: Course, lot: Lot, episode: Episode, now: datetime) -> Entering:
    assert course.watched is not None
    properties = dict(zip(course.watched.sight.properties, lot.told, strict=True))
    change = enters(episode, lot.opted_out, now)
    assert change is not None, "it has begun"
    return entering_by(course, lot, change, now, properties)
