"""Writing an announcement: create, edit while it has not begun, duplicate. All is judged when written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from clarion.domain.campaign import (
    KIND,
    LONGEST_NAME,
    STEP,
    Announcement,
    State,
    check_moment,
    similarity_text,
)
from clarion.domain.field import FieldType
from clarion.domain.missing import patience_of
from clarion.errors import Conflict, Invalid, NotFound, Problem
from clarion.flow import campaign, catalogue, outside, recur, route, similar, startable, whom
from clarion.flow.fitting import content_problems
from clarion.flow.route import Way
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.kit.ids import uuid7
from clarion.store import campaign as campaigns
from clarion.store import frozen, likeness, run


async def create(
    connection: Connection,
    services: Services,
    *,
    name: str,
    channel_id: UUID | None,
    definition: Announcement,
    by: str = "",
) -> UUID:
    """A draft; its identifier. It goes over `channel_id` or the definition's pool; where neither is given,
    over the workspace's default. Raises Invalid with every problem in it."""
    now, name = services.clock.now(), campaign.named(name, KIND)
    if channel_id is None and definition.pool_id is None:
        channel_id, pool_id = await route.default(connection)
        definition = definition.model_copy(update={"pool_id": pool_id})
    elif channel_id is not None and definition.pool_id is not None:
        raise Invalid("it goes over either a channel or a pool", where="pool_id", hint="Give one of the two.")
    over = await check(connection, channel_id, definition, now, waits=False)
    if definition.send_at is not None:
        check_moment(definition.send_at, now)
    campaign_id = uuid7(now)
    await campaigns.create(
        connection, campaign_id, kind=KIND, name=name, definition=definition.stored(), channel_id=over.lead,
        similarity_text=similarity_text(definition.content), created_by=by, now=now,
    )  # fmt: skip
    return campaign_id


async def read(connection: Connection, campaign_id: UUID, *, lock: bool = False) -> tuple[Row, Announcement]:
    """An announcement's row and definition. Raises NotFound."""
    row = await campaigns.get(connection, campaign_id, KIND, lock=lock)
    return row, Announcement.read(row["definition"])


async def edit(
    connection: Connection,
    services: Services,
    campaign_id: UUID,
    *,
    name: str | None = None,
    channel_id: UUID | None = None,
    changes: Mapping[str, Any] | None = None,
    confirm_similar: bool = False,
) -> None:
    """Change what has not begun: a draft, or what is scheduled (then also its plan).

    `changes` holds fields of `Announcement`; `send_at` None means now. A channel takes the place of a pool,
    and a pool that of a channel. Raises NotFound, Invalid, Conflict (it has begun; or a similar one is there,
    as when launching).
    """
    now = services.clock.now()
    row, before = await read(connection, campaign_id, lock=True)
    changes = _with_channel(channel_id, changes or {})
    after = Announcement.read(before.model_copy(update=changes).stored())
    recur.may_change(row, before, after)
    if after.schedule is not None and row["state"] != State.DRAFT:
        after = recur.numbered(before, after)
    over = await check(connection, channel_id or row["channel_id"], after, now, waits=False)
    if "send_at" in changes and after.send_at is not None:
        check_moment(after.send_at, now)
    await campaigns.change(
        connection, campaign_id, name=row["name"] if name is None else campaign.named(name, KIND),
        definition=after.stored(), channel_id=over.lead, similarity_text=similarity_text(after.content),
        now=now,
    )  # fmt: skip
    if row["state"] == State.DRAFT:
        return
    moment = (after.send_at or now) if "send_at" in changes else row["send_at"]
    edited = _Edited(row, over, before, after, moment)
    if after.schedule is None:
        await _plan_again(connection, edited, now, confirm_similar=confirm_similar)
        return
    await _refuse_similar(connection, edited, confirm_similar=confirm_similar)
    await _refreeze(connection, edited, now)
    await recur.edit(connection, services, row, over, before, after)


async def duplicate(
    connection: Connection, services: Services, campaign_id: UUID, *, name: str | None = None, by: str = ""
) -> UUID:
    """A draft that says the same to the same audience, at no moment yet; its identifier.

    What is no longer right in it (a group that is gone) is told when it is edited or launched.
    """
    now = services.clock.now()
    row, definition = await read(connection, campaign_id)
    copy = definition.model_copy(update={"send_at": None, "test_of": None})
    copy_id = uuid7(now)
    await campaigns.create(
        connection, copy_id, kind=KIND,
        name=campaign.named(name or f"{row['name'][: LONGEST_NAME - 7]} (copy)", KIND),
        definition=copy.stored(), channel_id=row["channel_id"],
        similarity_text=similarity_text(copy.content), created_by=by, now=now,
    )  # fmt: skip
    return copy_id


async def freshen(
    services: Services,
    workspace_id: UUID,
    campaign_id: UUID,
    *,
    channel_id: UUID | None = None,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Before an announcement is judged (edited, launched, tried out), not within a transaction: read again
    which templates its channels keep, where that is needed (`catalogue.freshen`)."""
    try:
        async with services.db.tenant(workspace_id) as connection:
            row, definition = await read(connection, campaign_id)
        after = definition.model_copy(update=_with_channel(channel_id, changes or {}))
    except (NotFound, Invalid):
        return  # whoever judges says so
    await catalogue.freshen(services, workspace_id, channel_id or row["channel_id"], after)


def _with_channel(channel_id: UUID | None, changes: Mapping[str, Any]) -> dict[str, Any]:
    if channel_id is None:
        return dict(changes)
    if changes.get("pool_id") is not None:
        raise Invalid("it goes over either a channel or a pool", where="pool_id", hint="Give one of the two.")
    return {**changes, "pool_id": None}


# --- judging


async def check(
    connection: Connection,
    channel_id: UUID | None,
    definition: Announcement,
    now: datetime,
    *,
    known: Mapping[str, FieldType] | None = None,
    waits: bool = True,
) -> Way:
    """Everything that could not be sent, at once: content by line and column, audience, channels.

    What it goes over where all is right. Given the variables that are `known` beside the contact's, it is an
    alert's: it has no audience of its own. `waits`: it may wait for values. Raises Invalid.
    """
    problems = await whom.problems(connection, definition.audience, now) if known is None else []
    if not waits and patience_of(definition.content.missing) is not None:
        problems.append(_NO_WAITING)
    over: Way | None = None
    try:
        over = await route.way(connection, channel_id, definition)
        first, *others = over.providers
        problems += await content_problems(connection, definition.content, first, known)
    except NotFound:
        problems.append(_nowhere(definition))
        others = []
    further, wrong = await route.further(connection, over.ids if over else (), definition)
    problems += wrong
    for other in (*others, *further):
        problems += [
            Problem(one.where, f"over {other.name}: {one.what}", one.hint)
            for one in await content_problems(connection, definition.content, other, known)
        ]
    ways = [*(over.providers if over else ()), *further]
    problems += outside.problems(definition.content, definition.outside_window, ways)
    problems += (await catalogue.judged(connection, channel_id, definition, now)).problems
    problems += await startable.problems(connection, channel_id, definition)
    problems += await recur.problems(connection, definition)
    if problems or over is None:
        raise Invalid("the announcement is not right yet", problems=tuple(problems))
    return over


_NO_WAITING = Problem(
    "content.missing",
    "an announcement does not wait for a value",
    'Say "skip" or "fallback"; a sequence and an alert can wait.',
)


def _nowhere(definition: Announcement) -> Problem:
    if definition.pool_id is not None:
        return Problem("pool_id", "no such pool", "GET /api/v1/pools lists them.")
    return Problem("channel_id", "no such channel", "GET /api/v1/channels lists them.")


# --- what is scheduled is planned again


@dataclass(frozen=True, slots=True)
class _Edited:
    row: Row
    over: Way
    before: Announcement
    after: Announcement
    moment: datetime


async def _plan_again(
    connection: Connection, edited: _Edited, now: datetime, *, confirm_similar: bool
) -> None:
    campaign_id, before, after = edited.row["id"], edited.before, edited.after
    planned = next(
        (r for r in await run.of_campaign(connection, campaign_id) if r["state"] == "planned"), None
    )
    if planned is None:
        raise Conflict("it has begun and cannot be edited any more", where="state")
    await _refuse_similar(connection, edited, confirm_similar=confirm_similar)
    content_id, lane_id = planned["content_version_id"], planned["lane_id"]
    if before.content != after.content:
        content_id = uuid7(now)
        body = after.content.model_dump(mode="json", exclude_none=True)
        await campaigns.add_content(connection, content_id, campaign_id, STEP, body, now)
    if edited.over.lead != edited.row["channel_id"] or any(
        getattr(before, shape) != getattr(after, shape)
        for shape in ("weight", "fallback", "pool_id", "hours", "outside_window")
    ):
        lane_id = (await route.open_lanes(connection, campaign_id, edited.over, after, now)).lead
    await _refreeze(connection, edited, now)
    changed = await run.change(
        connection, planned["id"], content_version_id=content_id, lane_id=lane_id,
        due_at=edited.moment, expires_at=edited.moment + after.patience,
    )  # fmt: skip
    if not changed:
        raise Conflict("it has begun and cannot be edited any more", where="state")
    await campaigns.set_state(
        connection, campaign_id, edited.row["state"], now, reason=edited.row["reason"], send_at=edited.moment
    )


async def _refuse_similar(connection: Connection, edited: _Edited, *, confirm_similar: bool) -> None:
    await likeness.take_turn(connection)
    before = (edited.before.content, edited.before.audience, edited.row["send_at"])
    after = (edited.after.content, edited.after.audience, edited.moment)
    if before != after and not confirm_similar:
        await similar.refuse(connection, edited.row["id"], edited.after, edited.moment)


async def _refreeze(connection: Connection, edited: _Edited, now: datetime) -> None:
    before, after = edited.before, edited.after
    if after.frozen and (before.audience != after.audience or not before.frozen):
        meant = await whom.now_meant(connection, after.audience, now)
        await frozen.freeze(connection, edited.row["id"], meant)
    elif before.frozen and not after.frozen:
        await frozen.thaw(connection, edited.row["id"])
