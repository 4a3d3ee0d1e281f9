"""A sequence's way: write, edit, launch, pause, resume, cancel. Each is one transaction of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from clarion.domain.campaign import State, similarity_text
from clarion.domain.consent_rules import Rules
from clarion.domain.field import FieldType
from clarion.domain.sequence import KIND, PRIORITY, Sequence, require
from clarion.errors import Invalid, Problem
from clarion.flow import campaign, catalogue, draft, follow, route
from clarion.flow.route import Way
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.kit.ids import uuid7
from clarion.store import campaign as campaigns
from clarion.store import field as fields
from clarion.store import workspace as workspaces


async def create(
    connection: Connection,
    services: Services,
    *,
    name: str,
    channel_id: UUID | None,
    definition: Sequence,
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


async def read(connection: Connection, campaign_id: UUID, *, lock: bool = False) -> tuple[Row, Sequence]:
    """A sequence's row and definition. Raises NotFound."""
    row = await campaigns.get(connection, campaign_id, KIND, lock=lock)
    return row, Sequence.read(row["definition"])


async def check(
    connection: Connection, services: Services, channel_id: UUID | None, definition: Sequence
) -> Way:
    """Everything that could not be sent, at once. What it goes over where all is right. Raises Invalid."""
    missing = await follow.missing_fields(connection, definition.schedule)
    unheard = await _unheard(connection, definition)
    found = {(one.where, one.what): one for one in (*definition.problems(), *missing, *unheard)}
    over: Way | None = None
    for name, content in definition.contents.items():
        as_said = definition.said_as(content)
        try:
            over = await draft.check(connection, channel_id, as_said, services.clock.now())
        except Invalid as error:
            for one in error.problems:
                where = follow.placed(one.where, name)
                found[where, one.what] = Problem(where, one.what, one.hint)
    if found or over is None:
        raise Invalid("the sequence is not right yet", problems=tuple(found.values()))
    return over


async def freshen(
    services: Services, workspace_id: UUID, channel_id: UUID | None, definition: Sequence
) -> None:
    """Before it is judged, not within a transaction: read again which templates its channels keep, where that
    is needed (`catalogue.freshen`)."""
    for content in definition.contents.values():
        await catalogue.freshen(services, workspace_id, channel_id, definition.said_as(content))


async def _unheard(connection: Connection, definition: Sequence) -> list[Problem]:
    """Where its times by reply could not be kept, or what confirms them would itself be heeded."""
    takes = definition.replies.time if definition.replies else None
    if takes is None:
        return []
    kept, home = (await fields.declared(connection)).get(takes.field), await workspaces.get(connection)
    found = []
    if kept is not None and kept.type is not FieldType.TEXT:
        what = f"{takes.field} is kept as a {kept.type}, and a time is a text"
        found.append(Problem("replies.time.field", what, "Declare a text field for it."))
    words = Rules.of(home["settings"]).words(home["language"])
    for tag, text in takes.confirm.items():
        if words.understand(text) is not None:
            what = "this text would itself be a word about consent, should it come back"
            found.append(Problem(f"replies.time.confirm.{tag}", what))
    return found


async def edit(
    connection: Connection,
    services: Services,
    campaign_id: UUID,
    *,
    name: str | None = None,
    channel_id: UUID | None = None,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Change it, also while it runs. Of a changed schedule only what is to come is reckoned anew, and nothing
    is said twice; what is said changes for whom it has not been said to. Raises NotFound, Invalid, Conflict
    (it has ended)."""
    now = services.clock.now()
    row, before = await read(connection, campaign_id, lock=True)
    changes = dict(changes or {})
    if channel_id is not None:
        changes["pool_id"] = None
    after = changed(row, before, changes)
    over = await check(connection, services, channel_id or row["channel_id"], after)
    await campaigns.change(
        connection, campaign_id, name=row["name"] if name is None else campaign.named(name, KIND),
        definition=after.stored(), channel_id=over.lead, similarity_text=_said(after), now=now,
    )  # fmt: skip
    if row["state"] != State.DRAFT:
        await follow.change(connection, services, row, over, before, after, PRIORITY)


def changed(row: Row, before: Sequence, changes: Mapping[str, Any]) -> Sequence:
    """The definition as it would be. Raises Invalid, Conflict (it has ended)."""
    require(row["state"], "edit")
    after = Sequence.read(before.model_copy(update=dict(changes)).stored())
    if row["state"] == State.DRAFT:
        return after
    kept = follow.keeping_numbers(before.schedule, after.schedule)
    return after.model_copy(update={"schedule": kept})


async def launch(connection: Connection, services: Services, campaign_id: UUID) -> UUID:
    """Open its door: everybody whom it means is enrolled, now and as they come; the run that does it. Raises
    NotFound, Invalid (not right any more), Conflict (launched already)."""
    row, definition = await read(connection, campaign_id, lock=True)
    require(row["state"], "launch")
    over = await check(connection, services, row["channel_id"], definition)
    return await follow.open_door(connection, services, row, over, definition, PRIORITY)


async def pause(connection: Connection, services: Services, campaign_id: UUID, *, reason: str = "") -> bool:
    """Send nothing more until it is resumed. Everybody in it stays in step; what falls due meanwhile is
    skipped when it goes on. False when it was paused already. Raises NotFound, Conflict."""
    row, _ = await read(connection, campaign_id, lock=True)
    if row["state"] == State.PAUSED:
        return False
    require(row["state"], "pause")
    await campaign.pause(connection, campaign_id, reason, services.clock.now())
    return True


async def resume(connection: Connection, services: Services, campaign_id: UUID) -> bool:
    """Go on with what is to come. False when it was not paused. Raises NotFound, Conflict."""
    row, _ = await read(connection, campaign_id, lock=True)
    if row["state"] == State.RUNNING:
        return False
    require(row["state"], "resume")
    await follow.resume(connection, campaign_id, services)
    return True


async def cancel(connection: Connection, services: Services, campaign_id: UUID) -> bool:
    """End it for everybody in it: what waits is cancelled. False when it was cancelled already. Raises
    NotFound, Conflict."""
    row, _ = await read(connection, campaign_id, lock=True)
    if row["state"] == State.CANCELLED:
        return False
    require(row["state"], "cancel")
    await follow.end(connection, campaign_id, services)
    return True


def _said(definition: Sequence) -> str:
    return "\n".join(similarity_text(content) for content in definition.contents.values())[:8000]
