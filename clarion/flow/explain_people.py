"""What became of each person whom a case names in an alert, and what comes: times, or why there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from clarion.domain.alert import Alert
from clarion.domain.campaign import State
from clarion.domain.enrollment import Key, Status, Wait
from clarion.domain.episode import Phase
from clarion.domain.schedule.subject import Occurrence
from clarion.domain.wording import ENROLLED, OUT, STOPPED, why
from clarion.flow.enroll import cases
from clarion.flow.enroll.course import Course, stand
from clarion.flow.explain_recipients import FILTERED, Person, Told
from clarion.flow.results import shown_word
from clarion.kit.db import Connection, Row
from clarion.store import contact as contacts
from clarion.store import entering, episode, message
from clarion.store.entering import Looked
from clarion.store.episode import Seen

AHEAD = 10  # occurrences to come, of each
BEHIND = 50  # and of those that were


@dataclass(frozen=True, slots=True)
class Occurred:
    """What became of an occurrence; `local` is its moment by the clock of whoever hears it, `reason` in
    words."""

    message_id: UUID
    due_at: datetime
    local: datetime
    generation: int
    iteration: int
    step: int
    content: str | None
    state: str
    reason: str
    address: str | None


@dataclass(frozen=True, slots=True)
class Comes:
    """An occurrence to come. `moved`: what moved it; `skip`: why nothing will be sent, "" where it will."""

    due_at: datetime
    local: datetime
    iteration: int
    step: int
    content: str | None
    moved: Sequence[str]
    skip: str


@dataclass(frozen=True, slots=True)
class Hears:
    """Somebody whom the case names, or named. `status` is their enrollment's, None where they have none;
    `silent`: why nothing comes, in words."""

    person: Person
    status: Status | None = None
    reason: str = ""
    generation: int = 0
    began_at: datetime | None = None
    past: Sequence[Occurred] = ()
    next: Sequence[Comes] = ()
    silent: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """An alert (`row`) and a case as it sees it. `ready` and `seen` are None where it was not launched, or
    has nothing to do with the case; `in_step`: a worker has seen all that changed."""

    row: Row
    definition: Alert
    ready: Course | None
    seen: Seen | None
    in_step: bool
    now: datetime


async def people(
    connection: Connection, scene: Scene, case_id: UUID, recipients: Sequence[Told]
) -> list[Hears]:
    """Whom it names, in the order of the recipients, and then whom it named."""
    named = {one.contact_id: one for each in recipients for one in each.people}
    ready, seen = scene.ready, scene.seen
    if ready is None or ready.watched is None or seen is None:
        return [Hears(one, silent=_apart(scene, one)) for one in named.values()]
    found = await episode.standing(connection, ready.id, [case_id], keep=False)
    inside = {who.contact_id: who for who in found.get(case_id, ())}
    looked = {who.contact_id: who for who in cases.people(ready.watched, seen, inside, scene.now) if who.id}
    known = [(who.id, who.cohort, who.generation) for who in looked.values() if who.id is not None]
    said = await entering.said(connection, known) if known else {}
    past = await _past(connection, [id for id, _, _ in known])
    told = []
    for contact_id in {**named, **looked}:
        person = named.get(contact_id) or await _former(connection, contact_id)
        who = looked.get(contact_id)
        if who is None or who.id is None:
            told.append(Hears(person, silent=_apart(scene, person)))
        else:
            told.append(_hears(scene, ready, person, who, said.get(who.id, set()), past.get(who.id, ())))
    return told


async def _past(connection: Connection, enrollments: Sequence[UUID]) -> Mapping[UUID, list[Row]]:
    """The messages of each enrollment, oldest first."""
    found: dict[UUID, list[Row]] = {}
    for one in await message.of_enrollments(connection, enrollments, BEHIND):
        found.setdefault(one["enrollment_id"], []).insert(0, one)
    return found


async def _former(connection: Connection, contact_id: UUID) -> Person:
    """Somebody whom the case names no more."""
    row = await contacts.get(connection, contact_id)
    return Person(contact_id, row["external_id"], row["name"] or "", None, "left")


def _hears(
    scene: Scene, ready: Course, person: Person, who: Looked, said: set[Key], past: Sequence[Row]
) -> Hears:
    coming, zone = _coming(ready, who, said, scene.now) if who.meant else ([], ready.home)
    home = ZoneInfo(zone)
    names = ready.definition.names()
    was = [
        Occurred(
            one["id"], one["due_at"], one["due_at"].astimezone(home), one["generation"], one["iteration"],
            one["step"], names.get(one["step"]), shown_word(one, scene.now), why(one["reason"]),
            None if one["address"] is None else f"{one['scheme']}:{one['address']}",
        ) for one in past
    ]  # fmt: skip
    will = [
        Comes(
            one.due_at, one.due_at.astimezone(home), one.iteration, one.step, names.get(one.step), one.moved,
            why(person.reason or (one.skip.value if one.skip else None)),
        ) for one in coming
    ]  # fmt: skip
    silent = "" if will else _silent(scene, who)
    return Hears(person, Status(who.state), who.reason, who.generation, who.began_at, was, will, silent)


def _coming(ready: Course, who: Looked, said: set[Key], now: datetime) -> tuple[list[Occurrence], str]:
    """What comes next of somebody who is enrolled, and by whose clocks."""
    standing = stand(who)
    assert standing is not None, "who is enrolled stands somewhere"
    somebody = ready.subject(who, standing.generation, standing.began_at, who.place)
    zone = ready.plan.zone_of(somebody)
    if standing.next_due is None or standing.status not in (Status.ACTIVE, Status.PAUSED):
        return [], zone
    since = min(now, standing.next_due)
    return ready.ahead(somebody, since, said, standing.moves, AHEAD), zone


# --- why nothing comes


def _silent(scene: Scene, who: Looked) -> str:
    """Of somebody who is enrolled."""
    if scene.row["state"] == State.CANCELLED:
        return "the alert has ended"
    if who.state == Status.STOPPED:
        return STOPPED.get(who.reason, who.reason)
    if who.reason == Wait.NO_START:
        key = scene.definition.counts_from()
        return f"{key} of the case is no date" if key else STOPPED[Wait.NO_START]
    if who.state in (Status.FINISHED, Status.LAPSED):
        return ENROLLED[who.state]
    return _UNSEEN if not scene.in_step else "nothing comes after what was said"


_UNSEEN = "a worker has not seen yet what changed"


def _apart(scene: Scene, person: Person) -> str:
    """Of somebody whom the case names and who is not enrolled."""
    if scene.row["state"] in (State.DRAFT, State.CANCELLED):
        return "the alert was not launched" if scene.row["state"] == State.DRAFT else "the alert has ended"
    if not scene.in_step:
        return _UNSEEN
    if scene.seen is None or scene.seen.phase in (None, Phase.OFF):
        return "the case does not meet the criteria"
    if scene.seen.phase == Phase.OUT:
        return OUT.get(scene.seen.reason, scene.seen.reason)
    if person.reason == FILTERED:
        return f"{' and '.join(person.unmet)} of theirs is not what the alert asks for"
    return why(person.reason) or "they were not enrolled"
