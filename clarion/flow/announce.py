"""An announcement's way: launch, pause, resume, cancel. Each is one transaction of the caller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from clarion.domain.campaign import STEP, Announcement, State, check_moment, require
from clarion.domain.message import cohort_of
from clarion.errors import Conflict, Invalid
from clarion.flow import campaign, draft, follow, recur, route, similar, whom
from clarion.flow.route import Way
from clarion.flow.services import Services
from clarion.kit.crash import crash_point
from clarion.kit.db import Connection
from clarion.kit.ids import uuid7
from clarion.store import campaign as campaigns
from clarion.store import event, frozen, lane, likeness, queue, run

WITHDRAW = 2_000  # messages that one transaction of a cancellation ends


@dataclass(frozen=True, slots=True)
class Launched:
    """When it will be sent, and the run that will do it."""

    run_id: UUID
    send_at: datetime


async def launch(
    connection: Connection,
    services: Services,
    campaign_id: UUID,
    *,
    send_at: datetime | None = None,
    confirm_similar: bool = False,
    confirm_empty: bool = False,
) -> Launched:
    """Schedule a draft: for `send_at`, else for the moment it was written with, else for now.

    Raises NotFound; Invalid (not right, the moment is past, nobody is meant: `confirm_empty` allows that
    for a later moment, since audiences are resolved then); Conflict (launched already, or a similar one
    is there until `confirm_similar`).
    """
    now = services.clock.now()
    row, definition = await draft.read(connection, campaign_id, lock=True)
    require(row["state"], "launch")
    over = await draft.check(connection, row["channel_id"], definition, now)
    moment = await _moment(connection, definition, send_at, now)
    await likeness.take_turn(connection)
    await _refuse_empty(connection, definition, moment, now, confirmed=confirm_empty)
    if not confirm_similar:
        await similar.refuse(connection, campaign_id, definition, moment)
    if definition.frozen:
        await frozen.freeze(
            connection, campaign_id, await whom.now_meant(connection, definition.audience, now)
        )
    if definition.schedule is not None:
        return Launched(await recur.launch(connection, services, row, over, definition, moment), moment)
    launched = await _plan(connection, campaign_id, over, definition, moment, now)
    if moment <= now:
        await campaign.begin(connection, services, launched.run_id)
    return launched


async def pause(connection: Connection, services: Services, campaign_id: UUID, *, reason: str = "") -> bool:
    """Send nothing more until it is resumed; calls under way end by themselves. False when it was paused
    already. What has not begun does not begin. Raises NotFound, Conflict."""
    row, _ = await draft.read(connection, campaign_id, lock=True)
    if row["state"] == State.PAUSED:
        return False
    require(row["state"], "pause")
    await campaign.pause(connection, campaign_id, reason, services.clock.now())
    return True


async def resume(connection: Connection, services: Services, campaign_id: UUID) -> bool:
    """Go on. False when it was not paused. Raises NotFound, and Conflict when its time is over before it
    began: then it needs a new moment."""
    now = services.clock.now()
    row, definition = await draft.read(connection, campaign_id, lock=True)
    if row["state"] in (State.SCHEDULED, State.RUNNING):
        return False
    require(row["state"], "resume")
    if definition.schedule is not None:
        await follow.resume(connection, campaign_id, services)
        return True
    planned = [one for one in await run.of_campaign(connection, campaign_id) if one["state"] == "planned"]
    if planned and planned[0]["expires_at"] <= now:
        raise Conflict(
            "everything in it has expired before it began",
            where="send_at",
            hint="Give it a new moment (edit send_at), then resume it.",
            extra={"reason": "expired"},
        )
    await campaign.go_on(connection, campaign_id, State.SCHEDULED if planned else State.RUNNING, now)
    return True


async def cancel(connection: Connection, services: Services, campaign_id: UUID) -> bool:
    """End it: what waits will be cancelled (`withdraw_cancelled`), what is in flight ends by its own
    evidence. False when it was cancelled already. Raises NotFound, Conflict."""
    row, _ = await draft.read(connection, campaign_id, lock=True)
    if row["state"] == State.CANCELLED:
        return False
    require(row["state"], "cancel")
    await follow.end(connection, campaign_id, services)
    return True


async def withdraw_cancelled(
    services: Services, workspace_id: UUID, campaign_id: UUID, *, chunks: int = 100_000
) -> int:
    """End what waits of a cancelled campaign, a chunk a transaction, at most `chunks`; how many.

    May be killed and run again, and run beside itself.
    """
    async with services.db.tenant(workspace_id) as connection:
        row = await campaigns.any_kind(connection, campaign_id)
        lanes = await campaigns.lane_ids(connection, campaign_id)
    if row["state"] != State.CANCELLED:
        return 0
    ended = 0
    for lane_id in lanes:
        while chunks > 0:
            chunks -= 1
            async with services.db.tenant(workspace_id) as connection:
                now = services.clock.now()
                waiting = await lane.first(connection, lane_id, WITHDRAW)
                some = await queue.empty_lane(connection, lane_id, "cancelled", now, WITHDRAW)
                await event.of_ends(connection, waiting, now)
                crash_point("end.before_commit")
            crash_point("end.committed")
            ended += some
            if some < WITHDRAW:
                break
    return ended


async def _moment(
    connection: Connection, definition: Announcement, send_at: datetime | None, now: datetime
) -> datetime:
    """When it is said first."""
    if definition.schedule is None:
        moment = send_at or definition.send_at or now
        check_moment(moment, now)
        return moment
    if send_at is not None:
        raise Invalid(
            "its schedule says when",
            where="send_at",
            hint="Launch it without a moment, or edit its schedule.",
        )
    return await recur.first(connection, definition, now, now)


async def _refuse_empty(
    connection: Connection, definition: Announcement, moment: datetime, now: datetime, *, confirmed: bool
) -> None:
    later = moment > now and not definition.frozen
    if confirmed and later:
        return
    resolved_at = moment if later else now
    if not await frozen.anybody(
        connection, await whom.now_meant(connection, definition.audience, resolved_at)
    ):
        raise Invalid(
            "nobody is in this audience",
            where="audience",
            hint="Give confirm_empty if people will be in it by then." if later else "Preview it to see why.",
            extra={"reason": "empty_audience"},
        )


async def _plan(
    connection: Connection,
    campaign_id: UUID,
    over: Way,
    definition: Announcement,
    moment: datetime,
    now: datetime,
) -> Launched:
    content_id, run_id = uuid7(now), uuid7(now)
    body = definition.content.model_dump(mode="json", exclude_none=True)
    await campaigns.add_content(connection, content_id, campaign_id, STEP, body, now)
    lane_id = (await route.open_lanes(connection, campaign_id, over, definition, now)).lead
    await run.plan(
        connection, run_id, campaign_id=campaign_id, iteration=1, cohort=cohort_of(moment),
        content_version_id=content_id, lane_id=lane_id, due_at=moment,
        expires_at=moment + definition.patience,
    )  # fmt: skip
    await campaigns.set_state(connection, campaign_id, State.SCHEDULED, now, send_at=moment)
    return Launched(run_id, moment)
