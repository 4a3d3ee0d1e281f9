"""Firing: a run whose moment has come becomes messages, and is finished when nothing of it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from clarion.domain.campaign import Announcement, State
from clarion.domain.event import OF_ENDS
from clarion.errors import ClarionError
from clarion.flow import announce, campaign, recur, route, whom
from clarion.flow.enroll import fill
from clarion.flow.route import Way
from clarion.flow.services import Services
from clarion.kit.crash import crash_point
from clarion.kit.db import Connection, Row
from clarion.kit.log import logger
from clarion.store import campaign as campaigns
from clarion.store import event, fallback, lane, notice, run
from clarion.store.expansion import Meant, expand_chunk
from clarion.store.routes import Route

FIRST, CHUNK = 1_000, 20_000  # people a transaction: few at first, so that sending begins at once
AHEAD = 2.0  # seconds: no run is waited for longer by a job
STREAMS = 2  # connections that one firing writes with
STEPS = 20  # transactions that one look at a cancelled or expired run spends on it
log = logger(__name__)
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class _Firing:
    """A run that has begun, with whom it means."""

    meant: Meant
    schemes: tuple[str, ...]
    one_an_address: bool
    falls: bool
    routes: tuple[Route, ...] | None  # of a run over a pool, as it was when this firing began


async def due(services: Services, ahead: float = 0.0) -> list[tuple[UUID, UUID]]:
    """(workspace, run) of every run whose moment has come, or comes within `ahead` seconds, over all
    workspaces."""
    async with services.db.glance() as connection:
        return await run.due(connection, services.clock.now() + timedelta(seconds=ahead))


async def fire(
    services: Services, workspace_id: UUID, run_id: UUID, progress: Progress | None = None
) -> None:
    """Write a message for everybody whom a due run means; `progress` hears how many people so far.

    A run that is due in a moment is waited for, so that it begins at its moment and not at the next look.
    Chunk by chunk, each a transaction: killed at any point it is called again and goes on. Several at
    once share the run's parts. What cannot be resolved pauses the campaign and is told.
    """
    try:
        if await _moment(services, workspace_id, run_id):
            await fill.fill(services, workspace_id, run_id, progress)
            return
        firing = await _begin(services, workspace_id, run_id)
    except ClarionError as error:
        await _stuck(services, workspace_id, run_id, error)
        return
    except ExceptionGroup as group:  # of its streams
        wrong = _told(group)
        if wrong is None:
            raise
        await _stuck(services, workspace_id, run_id, wrong)
        return
    if firing is None:
        return
    counted = Counted(progress)
    async with asyncio.TaskGroup() as streams:
        for _ in range(STREAMS):
            streams.create_task(_expand(services, workspace_id, run_id, firing, counted))


def _told(group: ExceptionGroup[Exception]) -> ClarionError | None:
    """What people are told of a failure of several at once, where that is all that it is."""
    told, others = group.split(ClarionError)
    if told is None or others is not None:
        return None
    first = told.exceptions[0]
    return first if isinstance(first, ClarionError) else None


async def _moment(services: Services, workspace_id: UUID, run_id: UUID) -> bool:
    """Wait for a moment that comes soon; whether the run's campaign follows people."""
    async with services.db.tenant(workspace_id) as connection:
        found = await run.get(connection, run_id)
    if found is not None and found["state"] == "planned":
        left = (found["due_at"] - services.clock.now()).total_seconds()
        if 0.0 < left <= AHEAD:
            await asyncio.sleep(left + 0.001)  # never a little before
    return found is not None and found["follows"]


@dataclass(slots=True)
class Counted:
    """People written so far, over all streams."""

    progress: Progress | None
    people: int = 0

    def add(self, people: int) -> None:
        self.people += people
        if self.progress is not None:
            self.progress(self.people)


async def _expand(
    services: Services, workspace_id: UUID, run_id: UUID, firing: _Firing, counted: Counted
) -> None:
    """One stream: chunk after chunk of whatever part nobody else is at."""
    limit = min(FIRST, CHUNK)
    while True:
        async with services.db.tenant(workspace_id) as connection:
            now = services.clock.now()
            chunk = await expand_chunk(
                connection, run_id, firing.meant, schemes=firing.schemes,
                once_an_address=firing.one_an_address, limit=limit, now=now, falls=firing.falls,
                routes=firing.routes,
            )  # fmt: skip
            if chunk is not None and chunk.skipped and services.listening.wants(workspace_id, OF_ENDS):
                await event.of_skips(connection, run_id, now)
            crash_point("expand.before_commit")
        crash_point("expand.committed")
        if chunk is None:
            return
        services.nudge("due")
        counted.add(chunk.people)
        limit = min(CHUNK, limit * 4)


async def finish(services: Services, workspace_id: UUID) -> None:
    """Look at the workspace's unfinished runs: cancel and expire what must be, complete what is done.

    A lane is closed when nothing waits in it and nothing can come back to it from an unknown try.
    """
    await recur.end_what_is_over(services, workspace_id)
    async with services.db.tenant(workspace_id) as connection:
        runs = await run.unfinished(connection)
        late = await lane.late(connection, services.clock.now())
    for lane_id in late:
        await _expire(services, workspace_id, lane_id)
    for one in runs:
        now = services.clock.now()
        if one["ready"] and one["campaign_state"] == State.CANCELLED:
            await announce.withdraw_cancelled(services, workspace_id, one["campaign_id"], chunks=STEPS)
        elif one["ready"] and one["expires_at"] <= now:
            for lane_id in one["lane_ids"]:
                await _expire(services, workspace_id, lane_id)
        if _moves(one):
            async with services.db.tenant(workspace_id) as connection:
                await _settle(connection, one["campaign_id"], one["id"], now)


async def _begin(services: Services, workspace_id: UUID, run_id: UUID) -> _Firing | None:
    """The campaign is running from here on, and cannot be edited; None when it is not to begin."""
    now = services.clock.now()
    async with services.db.tenant(workspace_id) as connection:
        found = await run.get(connection, run_id)
        if found is None:
            return None
        row = await campaigns.lock(connection, found["campaign_id"])
        found = await run.get(connection, run_id)  # as it is now that nobody edits it
        if found is None or not _may_begin(row["state"], found, now):
            return None
        definition = Announcement.read(row["definition"])
        moment = found["started_at"] or now
        meant = await whom.meant(connection, row["id"], definition, moment)
        over = await route.way(connection, row["channel_id"], definition)
        routes = await _routes(connection, row, over, definition, now)
        if row["state"] == State.SCHEDULED:
            await campaigns.set_state(connection, row["id"], State.RUNNING, now)
        one_an_address = definition.one_per == "address"
        return _Firing(meant, over.schemes, one_an_address, bool(definition.fallback), routes)


async def _routes(
    connection: Connection, row: Row, over: Way, definition: Announcement, now: datetime
) -> tuple[Route, ...] | None:
    """The pool as it is now: what came into it since the launch gets its lane, which carries nothing while
    the campaign is paused."""
    if not over.pooled:
        return None
    state = "paused" if row["state"] == State.PAUSED else "open"
    return (await route.open_lanes(connection, row["id"], over, definition, now, state=state)).routes


def _may_begin(state: str, found: Row, now: datetime) -> bool:
    if found["state"] == "expanding":  # a pause keeps messages from being sent, not from being written
        return state in (State.RUNNING, State.PAUSED)
    return (
        found["state"] == "planned" and found["due_at"] <= now and state in (State.SCHEDULED, State.RUNNING)
    )


async def _stuck(services: Services, workspace_id: UUID, run_id: UUID, error: ClarionError) -> None:
    now = services.clock.now()
    log.error("a run cannot be expanded", run=str(run_id), error=error.code)
    async with services.db.tenant(workspace_id) as connection:
        found = await run.get(connection, run_id)
        if found is None:
            return
        row = await campaigns.lock(connection, found["campaign_id"])
        await run.failed(connection, run_id, error.what)
        await campaign.stuck(connection, workspace_id, row, error, now)


async def _expire(services: Services, workspace_id: UUID, lane_id: UUID) -> None:
    """End what waits beyond its time where nobody reads ahead: a paused lane, a paused channel."""
    for _ in range(STEPS):
        async with services.db.tenant(workspace_id) as connection:
            now = services.clock.now()
            ended = await lane.expire(connection, lane_id, now, announce.WITHDRAW)
            crash_point("end.before_commit")
        crash_point("end.committed")
        if ended < announce.WITHDRAW:
            return


def _moves(one: Row) -> bool:
    """Whether what is left of a run may ask for another state."""
    if one["ready"]:
        return bool(one["campaign_state"] == State.COMPLETED)
    return bool(one["unknown"] == 0 or one["campaign_state"] in (State.RUNNING, State.PAUSED))


async def _settle(connection: Connection, campaign_id: UUID, run_id: UUID, now: datetime) -> None:
    """Under the campaign's lock, which a retry takes too: what is counted here is what is there."""
    row = await campaigns.lock(connection, campaign_id)
    one = await run.left(connection, run_id)
    if one is None:
        return
    if one["ready"]:
        if row["state"] == State.COMPLETED:  # an unknown try turned out not to have been sent
            await campaigns.set_state(connection, campaign_id, State.RUNNING, now)
        return
    if await fallback.pending(connection, campaign_id):
        return
    others = await run.others_open(connection, campaign_id, run_id)
    if row["state"] in (State.RUNNING, State.PAUSED) and not others:
        await campaigns.set_state(connection, campaign_id, State.COMPLETED, now)
        await notice.clear(connection, f"campaign:{campaign_id}", now)
    if one["unknown"] == 0:
        if not others:
            await campaigns.set_lanes(connection, campaign_id, "closed")
        await run.finish(connection, run_id, now)
