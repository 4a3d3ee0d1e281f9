"""An alert's way: write, edit, launch, pause, resume, cancel. Each is one transaction of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from clarion.domain.alert import KIND, PRIORITY, Alert, OfGroup
from clarion.domain.campaign import State, similarity_text
from clarion.domain.case_check import check_case, patterns
from clarion.domain.content import Content
from clarion.domain.field import FieldType
from clarion.domain.leaf import InGroup
from clarion.domain.matching import walk
from clarion.domain.saying import variables
from clarion.domain.sequence import require
from clarion.errors import Conflict, Invalid, Problem
from clarion.flow import campaign, draft, follow, rerun, route, sequence, whom
from clarion.flow.route import Way
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.kit.ids import uuid7
from clarion.store import campaign as campaigns
from clarion.store import case_criteria, frozen
from clarion.store import door as doors
from clarion.store.criteria import Values

MANY = 10  # cases: where all of so many meet the criteria, somebody may have forgotten to say which
LOCKED = ("schedule", "existing")  # beside these: what stays as it is while all cases are gone over
LOOKED_AT = ("case_type", "criteria", "recipients", "only", "restart_on", "reentry", "replies")  # gone over


async def create(
    connection: Connection,
    services: Services,
    *,
    name: str,
    channel_id: UUID | None,
    definition: Alert,
    by: str = "",
) -> UUID:
    """A draft; its identifier. It goes over `channel_id` or the definition's pool; where neither is given,
    over the workspace's default. Raises Invalid with every problem in it."""
    now = services.clock.now()
    if channel_id is None and definition.pool_id is None:
        channel_id, pool_id = await route.default(connection)
        definition = definition.model_copy(update={"pool_id": pool_id})
    elif channel_id is not None and definition.pool_id is not None:
        raise Invalid("it goes over either a channel or a pool", where="pool_id", hint="Give one of the two.")
    over = await check(connection, services, channel_id, definition)
    campaign_id = uuid7(now)
    await campaigns.create(
        connection, campaign_id, kind=KIND, name=campaign.named(name, KIND), definition=definition.stored(),
        channel_id=over.lead, similarity_text=_said(definition), created_by=by, now=now,
    )  # fmt: skip
    return campaign_id


async def read(connection: Connection, campaign_id: UUID, *, lock: bool = False) -> tuple[Row, Alert]:
    """An alert's row and definition. Raises NotFound."""
    row = await campaigns.get(connection, campaign_id, KIND, lock=lock)
    return row, Alert.read(row["definition"])


async def check(
    connection: Connection, services: Services, channel_id: UUID | None, definition: Alert
) -> Way:
    """Everything that could not be sent, at once. What it goes over where all is right. Raises Invalid."""
    now = services.clock.now()
    problems = [*definition.problems(), *await follow.missing_fields(connection, definition.schedule)]
    problems += await _criteria_problems(connection, definition, now)
    found = {(one.where, one.what): one for one in problems}
    over: Way | None = None
    for name, content in definition.contents.items():
        as_said = definition.followed_as().said_as(content)
        try:
            over = await draft.check(connection, channel_id, as_said, now, known=_variables(content))
        except Invalid as error:
            for one in error.problems:
                where = follow.placed(one.where, name)
                found[where, one.what] = Problem(where, one.what, one.hint)
    if found or over is None:
        raise Invalid("the alert is not right yet", problems=tuple(found.values()))
    return over


async def freshen(services: Services, workspace_id: UUID, channel_id: UUID | None, definition: Alert) -> None:
    """Before it is judged, not within a transaction: read again which templates its channels keep, where that
    is needed (`catalogue.freshen`)."""
    await sequence.freshen(services, workspace_id, channel_id, definition.followed_as())


async def edit(
    connection: Connection,
    services: Services,
    campaign_id: UUID,
    *,
    name: str | None = None,
    channel_id: UUID | None = None,
    changes: Mapping[str, Any] | None = None,
    say_again: bool = False,
) -> None:
    """Change it, also while it runs. What decides who hears, or when, has all its cases gone through again;
    an edit of what is said alone reckons nothing. Where it counts from another property then, what was said
    is not said again, unless `say_again`. Raises NotFound, Invalid, Conflict (it has ended; or its cases are
    being gone over, and who hears would change again)."""
    now = services.clock.now()
    row, before = await read(connection, campaign_id, lock=True)
    changes = dict(changes or {})
    if channel_id is not None:
        changes["pool_id"] = None
    after = changed(row, before, changes)
    if row["state"] != State.DRAFT and _differs(before, after, (*LOOKED_AT, *LOCKED)):
        await rerun.refuse_while_going(connection, campaign_id, now)
    over = await check(connection, services, channel_id or row["channel_id"], after)
    await campaigns.change(
        connection, campaign_id, name=row["name"] if name is None else campaign.named(name, KIND),
        definition=after.stored(), channel_id=over.lead, similarity_text=_said(after), now=now,
    )  # fmt: skip
    if row["state"] == State.DRAFT:
        return
    await follow.change(
        connection, services, row, over, before.followed_as(), after.followed_as(), PRIORITY,
        again=_differs(before, after, LOOKED_AT),
    )  # fmt: skip
    if before.counts_from() != after.counts_from() and not say_again:
        await doors.switch(connection, campaign_id)


def changed(row: Row, before: Alert, changes: Mapping[str, Any]) -> Alert:
    """The definition as it would be. Raises Invalid, Conflict (it has ended)."""
    require(row["state"], "edit", KIND)
    after = Alert.read(before.model_copy(update=dict(changes)).stored())
    if row["state"] == State.DRAFT:
        return after
    if after.case_type != before.case_type:
        hint = "Write another alert for the other type."
        raise Invalid("its cases are of one type, once it is launched", where="case_type", hint=hint)
    kept = follow.keeping_numbers(before.schedule, after.schedule)
    return after.model_copy(update={"schedule": kept})


async def launch(
    connection: Connection, services: Services, campaign_id: UUID, *, confirm_all: bool = False
) -> UUID:
    """Open its door: cases that meet its criteria are told of, now and as they come to; the run that goes
    through those that there are. Raises NotFound, Invalid (not right any more), Conflict (launched already;
    or all of many cases meet its criteria, and nobody has confirmed that this is meant)."""
    row, definition = await read(connection, campaign_id, lock=True)
    require(row["state"], "launch", KIND)
    over = await check(connection, services, row["channel_id"], definition)
    if not confirm_all:
        await _refuse_all(connection, definition, services.clock.now())
    return await follow.open_door(connection, services, row, over, definition.followed_as(), PRIORITY)


async def _refuse_all(connection: Connection, definition: Alert, now: datetime) -> None:
    read_in, values = await case_criteria.case_frame(connection, now), Values()
    type_id = next(id for id, one in read_in.types.items() if one.name == definition.case_type)
    meets = case_criteria.compiled(definition.criteria, read_in, values).holds
    number = await case_criteria.all_of(connection, type_id, meets, values.params)
    if number >= MANY:
        raise Conflict(
            f"all {number:,} open cases of this type meet the criteria", where="criteria",
            hint="Confirm that all are meant, or say which are.", extra={"cases": number},
        )  # fmt: skip


async def pause(connection: Connection, services: Services, campaign_id: UUID, *, reason: str = "") -> bool:
    """Send nothing more until it is resumed. Its cases stay in step; what falls due meanwhile is skipped when
    it goes on. False when it was paused already. Raises NotFound, Conflict."""
    row, _ = await read(connection, campaign_id, lock=True)
    if row["state"] == State.PAUSED:
        return False
    require(row["state"], "pause", KIND)
    await campaign.pause(connection, campaign_id, reason, services.clock.now())
    return True


async def resume(connection: Connection, services: Services, campaign_id: UUID) -> bool:
    """Go on with what is to come. False when it was not paused. Raises NotFound, Conflict."""
    row, _ = await read(connection, campaign_id, lock=True)
    if row["state"] == State.RUNNING:
        return False
    require(row["state"], "resume", KIND)
    await follow.resume(connection, campaign_id, services)
    return True


async def cancel(connection: Connection, services: Services, campaign_id: UUID) -> bool:
    """End it for all cases: what waits is cancelled. False when it was cancelled already. Raises NotFound,
    Conflict."""
    row, _ = await read(connection, campaign_id, lock=True)
    if row["state"] == State.CANCELLED:
        return False
    require(row["state"], "cancel", KIND)
    await follow.end(connection, campaign_id, services)
    return True


def _differs(before: Alert, after: Alert, some: tuple[str, ...]) -> bool:
    return any(getattr(before, each) != getattr(after, each) for each in some)


def _said(definition: Alert) -> str:
    return "\n".join(similarity_text(content) for content in definition.contents.values())[:8000]


async def _criteria_problems(connection: Connection, definition: Alert, now: datetime) -> list[Problem]:
    """What of its type of cases, its criteria and its recipients is not there, or cannot be."""
    read_in = await case_criteria.case_frame(connection, now)
    of = next((one for one in read_in.types.values() if one.name == definition.case_type), None)
    if of is None:
        there = ", ".join(sorted(one.name for one in read_in.types.values())) or "none yet"
        return [
            Problem("case_type", f"there is no case type {definition.case_type!r}", f"There are: {there}.")
        ]
    people, criteria = read_in.people, definition.criteria
    named = [node.in_group for _, node, _ in walk(criteria) if isinstance(node, InGroup)]
    meant = [one.group_id for one in definition.recipients if isinstance(one, OfGroup)]
    groups = await frozen.groups_that_are(connection, [*filter(None, map(whom.group_id, named)), *meant])
    found = check_case(
        criteria, of, people.known, others=list(read_in.types.values()), groups={str(one) for one in groups},
        zone=people.zone,
    )  # fmt: skip
    for where, pattern in patterns(criteria):
        refused = await case_criteria.try_pattern(connection, pattern)
        found += [] if refused is None else [refused.at(where)]
    wrong = [Problem(f"criteria{one.where.removeprefix('$')}", one.what, one.hint) for one in found]
    wrong += [
        Problem(f"recipients[{n}].group_id", "no such group")
        for n, one in enumerate(definition.recipients)
        if isinstance(one, OfGroup) and one.group_id not in groups
    ]  # fmt: skip
    unknown = [key for key in definition.only if key not in people.known]
    return wrong + [Problem(f"only.{key}", f"no field {key!r} is kept of contacts") for key in unknown]


def _variables(content: Content) -> dict[str, FieldType]:
    """What its templates read beside the contact's fields: of the recipient, and of the case, whose
    properties are free. A template that is broken is told by whoever judges the content."""
    try:
        read = variables(content)
    except Invalid:
        return {}
    return {path: FieldType.TEXT for path in read if path.split(".")[0] in ("case", "recipient")}
