"""Why somebody hears of a case in an alert, or does not: its criteria, where the case stands, its recipients,
what was said and what will be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from clarion.domain.episode import Phase
from clarion.errors import Invalid
from clarion.flow import alert, explain_people, explain_recipients, route
from clarion.flow.enroll import course
from clarion.flow.enroll.course import Course
from clarion.flow.explain_criteria import Judged, judged
from clarion.flow.explain_people import Hears, Scene
from clarion.flow.explain_recipients import Told
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.store import case as cases
from clarion.store import case_criteria, episode
from clarion.store.episode import Seen


@dataclass(frozen=True, slots=True)
class Stands:
    """Where the case is in the alert (`domain.episode.Episode`): since when, how often it has begun, and when
    it last did."""

    phase: Phase
    reason: str
    since: datetime
    times: int
    began_at: datetime | None


@dataclass(frozen=True, slots=True)
class Explained:
    """`meets` the criteria, and the local day on which that may turn, as the run sees it. `stands`: None
    where it never met them. `in_step`: a worker has seen all that changed. `alert` and `case` are rows."""

    alert: Row
    case: Row
    meets: bool
    turns_on: date | None
    criteria: Judged
    stands: Stands | None
    in_step: bool
    recipients: Sequence[Told]
    people: Sequence[Hears]


async def explain(connection: Connection, services: Services, alert_id: UUID, case: str) -> Explained:
    """Of a case by its id or external id. Raises NotFound, Invalid (it is of another type)."""
    now = services.clock.now()
    row, definition = await alert.read(connection, alert_id)
    one = await cases.get(connection, case)
    if one["type"] != definition.case_type:
        what = f"this case is of the type {one['type']}, and the alert is of cases of {definition.case_type}"
        raise Invalid(what, where="case")
    read_in = await case_criteria.case_frame(connection, now)
    whole, tree = await judged(connection, definition.criteria, read_in, one["id"])
    as_said = definition.followed_as().said_as(next(iter(definition.contents.values())))
    over = await route.way(connection, row["channel_id"], as_said)
    recipients = await explain_recipients.told(connection, definition, one, read_in, over.schemes)
    async with connection.transaction(force_rollback=True):  # it may open the lane of a new channel
        ready = await course.load(connection, row, now)
    seen, in_step = await _seen(connection, ready, one["id"])
    scene = Scene(row, definition, ready, seen, in_step, now)
    people = await explain_people.people(connection, scene, one["id"], recipients)
    return Explained(row, one, whole.holds, whole.turns_on, tree, _stands(seen), in_step, recipients, people)


async def _seen(connection: Connection, ready: Course | None, case_id: UUID) -> tuple[Seen | None, bool]:
    """How the alert sees the case, and whether all of that is known already."""
    if ready is None or ready.watched is None:
        return None, True
    sight = ready.watched.sight
    found = await episode.look(connection, sight, [case_id], whatever=True)
    news = await episode.look(connection, sight, [case_id])
    return (found[0] if found else None), not news


def _stands(seen: Seen | None) -> Stands | None:
    if seen is None or seen.phase is None:
        return None
    return Stands(Phase(seen.phase), seen.reason, seen.since, seen.times, seen.began_at)
