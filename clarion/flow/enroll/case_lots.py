"""Very many cases come into an alert at once, when all are gone over: their recipients by lots of those who
are alike. What becomes of a case that the alert knows already is `flow.enroll.cases`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import count, repeat

from clarion.domain.episode import Episode, Phase, enters, turned
from clarion.domain.message import cohort_of
from clarion.flow.enroll.course import Course
from clarion.flow.enroll.lots import NOBODY, Entering, entering_by
from clarion.kit.db import Connection
from clarion.store import case_alike, entering
from clarion.store.alike import Lot
from clarion.store.case_alike import Group


async def enter(connection: Connection, course: Course, case_ids: Sequence[str], now: datetime) -> int:
    """Bring those of these cases in that the alert does not know; how many that were. The transaction has
    locked them."""
    watched = course.watched
    assert watched is not None, "it looks at cases"
    if not case_ids:
        return 0
    only_new = watched.alert.existing == "only_from_now"
    since = watched.launched_at if only_new else None
    kinds, groups = await case_alike.look(connection, watched.sight, case_ids, since)
    begun: dict[int, Episode] = {}
    for one in kinds:
        episode = turned(None, one.facts, watched.alert.reentry, now)
        await case_alike.write_episodes(connection, watched.sight, one, episode)
        if episode.phase is Phase.ON:
            begun[one.number] = episode
    some = [one for one in groups if one.kind in begun]
    if some:
        await _enroll(connection, course, some, next(iter(begun.values())), now)
    return sum(one.cases for one in kinds)


async def _enroll(
    connection: Connection, course: Course, groups: Sequence[Group], episode: Episode, now: datetime
) -> None:
    """Enroll the recipients of cases that all began now."""
    watched = course.watched
    assert watched is not None
    await entering.open_cohorts(connection, {cohort_of(now)})
    some = {one.lot.number: _entering(course, one.lot, episode, now) for one in groups}
    if not course.plan.personal:
        entering_ = [_all_alike(one, some[one.lot.number]) for one in groups]
        await case_alike.enter(connection, watched.sight, entering_, now)
        return
    bases = {number: one.basis for number, one in some.items()}
    people = case_alike.people(groups)
    places: Iterable[int] = repeat(0)
    if course.plan.spread:
        places = count(await entering.places(connection, course.terms.run_id, len(people)))
    each = (
        case_alike.each_line(case_id, contact_id, place, some[lot].line(f"{case_id}:{contact_id}", place))
        for (case_id, contact_id, lot), place in zip(people, places, strict=False)
    )
    await case_alike.enter_each(connection, watched.sight, bases, each, now)


def _all_alike(group: Group, lot: Entering) -> case_alike.Entering:
    return case_alike.Entering(group, lot.basis, *lot.comes(NOBODY, 0))


def _entering(course: Course, lot: Lot, episode: Episode, now: datetime) -> Entering:
    assert course.watched is not None
    properties = dict(zip(course.watched.sight.properties, lot.told, strict=True))
    change = enters(episode, lot.opted_out, now)
    assert change is not None, "it has begun"
    return entering_by(course, lot, change, now, properties)
