"""Steering: somebody pauses, resumes, restarts or takes out people of a campaign that follows them, leaves
out what comes next of them or moves it, or sets the time that they choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from clarion.domain.enrollment import Key, Seen, Stand, Verb, steered
from clarion.domain.schedule.subject import Occurrence
from clarion.domain.schedule.zones import seconds
from clarion.domain.sequence import chosen_fields, require
from clarion.errors import Conflict, Invalid, NotFound
from clarion.flow import sequence
from clarion.flow.enroll import choose, course, door
from clarion.flow.enroll.choose import Choice
from clarion.flow.enroll.course import Course, stand
from clarion.flow.services import Services
from clarion.kit.db import Connection
from clarion.store import enrollment, entering, firing, intake
from clarion.store.entering import Looked


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be done. `moment`: of a move, whither. `choice`: of a choosing, which time."""

    verb: Verb
    moment: datetime | None = None
    choice: Choice | None = None


@dataclass(slots=True)
class Steered:
    """Of how many people it was done, of how many there was nothing to do, and of which it could not be."""

    done: int = 0
    already: int = 0
    refused: dict[UUID, str] = field(default_factory=dict)


class Ahead(NamedTuple):
    """Somebody's enrollment, and what comes next of them. `looked` is what there is of it in the database,
    `times` are those that they chose, by field."""

    looked: Looked
    zone: str
    coming: list[Occurrence]
    times: dict[str, str | None]


async def one(
    connection: Connection, services: Services, campaign_id: UUID, contact_id: UUID, ask: Ask
) -> bool:
    """Do it for one person; False where there was nothing to do. Raises NotFound (no such campaign, or the
    person is not in it), Conflict, Invalid."""
    done = await several(connection, services, campaign_id, [contact_id], ask)
    if contact_id in done.refused:
        raise Conflict(done.refused[contact_id], where="status")
    return bool(done.done)


async def several(
    connection: Connection, services: Services, campaign_id: UUID, contact_ids: Sequence[UUID], ask: Ask
) -> Steered:
    """Do it for these people. Raises NotFound where one of them is not in it, Conflict, Invalid."""
    now = services.clock.now()
    if ask.verb is Verb.CHOOSE:
        return await _choose(connection, campaign_id, contact_ids, ask.choice, now)
    if ask.verb is Verb.MOVE and ask.moment is None:
        raise Invalid("it does not say whither it is moved", where="moment", hint="Give a moment to come.")
    if ask.verb is Verb.MOVE and ask.moment is not None and ask.moment <= now:
        raise Invalid("it can only be moved to a later moment", where="moment", hint="Give one to come.")
    ready = await _course(connection, campaign_id, now)
    await entering.by_key(connection)
    found = await entering.look(
        connection, campaign_id, ready.meant, contact_ids, keys=ready.keys, schemes=ready.terms.schemes
    )
    _require_inside(contact_ids, sum(one.id is not None for one in found))
    said = await entering.said(connection, [(o.id, o.cohort, o.generation) for o in found if o.id])
    done, work = Steered(), door.Work()
    for person in found:
        standing = stand(person)
        assert standing is not None
        try:
            await _steer(connection, ready, person, standing, said.get(standing.id, set()), ask, now, work)
        except Conflict as error:
            done.refused[person.contact_id] = error.what
    await door.write(connection, ready, work, now)
    done.done = len(work.changing)
    done.already = len(found) - done.done - len(done.refused)
    return done


def _require_inside(contact_ids: Sequence[UUID], inside: int) -> None:
    missing = len(set(contact_ids)) - inside
    if missing:
        raise NotFound(
            "this person is not in it" if len(contact_ids) == 1 else f"{missing} of them are not in it",
            where="contact",
        )


async def _choose(
    connection: Connection,
    campaign_id: UUID,
    contact_ids: Sequence[UUID],
    wish: Choice | None,
    now: datetime,
) -> Steered:
    """Of whoever is in it, wherever they are: the time is the person's, and holds when they go on."""
    if wish is None:
        raise Invalid("it does not say which time", where="time", hint='Give one as "18:30", or null.')
    await intake.take_turn(connection)
    row, definition = await sequence.read(connection, campaign_id)
    require(row["state"], "steer")
    inside = await enrollment.enrolled(connection, campaign_id, contact_ids)
    _require_inside(contact_ids, len(set(inside)))
    done = await choose.choose(connection, definition.schedule, inside, wish, now)
    already = len(set(inside)) - len(done.changed) - len(done.refused)
    return Steered(len(done.changed), already, done.refused)


async def _steer(
    connection: Connection,
    ready: Course,
    person: Looked,
    standing: Stand,
    said: set[Key],
    ask: Ask,
    now: datetime,
    work: door.Work,
) -> None:
    seen = Seen(person.meant, person.opted_out, ready.basis(person.values))
    change = steered(standing, seen, ask.verb, now)
    if change is None:
        return
    if ask.verb in (Verb.SKIP, Verb.MOVE):
        coming = door.coming(ready, person, standing, change, said, now)
        if not coming:
            raise Conflict("nothing comes next of this person", where="status")
        key = (coming[0].iteration, coming[0].step)
        if ask.verb is Verb.SKIP:
            await firing.leave_out(connection, ready.terms, person, coming[0], now)
            said = said | {key}
        else:
            assert ask.moment is not None
            standing = replace(standing, moves={**standing.moves, key: seconds(ask.moment)})
            await enrollment.set_moves(
                connection, standing.id, {f"{i}.{s}": due for (i, s), due in standing.moves.items()}
            )
    if ask.verb is Verb.RESUME:
        await enrollment.set_resumed(connection, standing.id, now)
    door.put(ready, person, standing, change, said, now, work)


async def ahead(
    connection: Connection, services: Services, campaign_id: UUID, contact_id: UUID, count: int
) -> Ahead:
    """Somebody's enrollment with the next `count` occurrences. Raises NotFound."""
    now = services.clock.now()
    ready = await _course(connection, campaign_id, now, steering=False)
    found = await entering.look(
        connection, campaign_id, ready.meant, [contact_id], keys=ready.keys, schemes=ready.terms.schemes
    )
    standing = stand(found[0]) if found else None
    if standing is None:
        raise NotFound("this person is not in it", where="contact")
    person = found[0]
    somebody = ready.subject(person, standing.generation, standing.began_at, person.place)
    zone = ready.plan.zone_of(somebody)
    kept = chosen_fields(ready.definition.schedule)
    times = {key: somebody.fields.get(key) for key in ready.keys if key in kept}
    if standing.next_due is None:
        return Ahead(person, zone, [], times)
    said = await entering.said(connection, [(standing.id, person.cohort, person.generation)])
    since = min(now, standing.next_due)
    done = said.get(standing.id, set())
    return Ahead(person, zone, ready.ahead(somebody, since, done, standing.moves, count), times)


async def _course(
    connection: Connection, campaign_id: UUID, now: datetime, *, steering: bool = True
) -> Course:
    row, _ = await sequence.read(connection, campaign_id)
    if steering:
        require(row["state"], "steer")
    ready = await course.load(connection, row, now)
    if ready is None:
        raise Conflict("this sequence is a draft: nobody is in it yet", where="state")
    return ready
