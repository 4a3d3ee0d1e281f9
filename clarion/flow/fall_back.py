"""Falling back: what did not arrive over one channel of a campaign goes on over its next.

The lanes of a campaign know what comes after them (`flow.route`); whoever ends a message notes it
(`store.fallback`), and here it is moved on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

from clarion.domain.campaign import Announcement, State
from clarion.errors import ClarionError
from clarion.flow import route
from clarion.flow.retry import open_again
from clarion.flow.services import Services
from clarion.kit.crash import crash_point
from clarion.kit.db import Connection
from clarion.kit.log import logger
from clarion.store import campaign as campaigns
from clarion.store import fallback, moving, run
from clarion.store.fallback import Fallen

CHUNK = 2_000
log = logger(__name__)


async def workspaces(services: Services) -> list[UUID]:
    """Those in which something is to go on."""
    async with services.db.glance() as connection:
        return await fallback.workspaces(connection, services.clock.now())


async def fall_back(services: Services, workspace_id: UUID) -> int:
    """Move on what is due to; how many messages went. Killed at any point it is called again.

    What cannot be moved now is put off, so that the others need not wait for it.
    """
    went = 0
    while True:
        async with services.db.tenant(workspace_id) as connection:
            found = await fallback.due(connection, services.clock.now(), CHUNK)
        for some in _by_lane(found):
            try:
                went += await _move_on(services, workspace_id, some)
            except (ClarionError, moving.Crossed) as error:
                log.warning("a fallback is put off", lane=str(some[0].lane_id), error=type(error).__name__)
                async with services.db.tenant(workspace_id) as connection:
                    await moving.seen(connection, some, (), services.clock.now())
        if len(found) < CHUNK:
            return went


async def _move_on(services: Services, workspace_id: UUID, some: Sequence[Fallen]) -> int:
    async with services.db.tenant(workspace_id) as connection:
        went = await _move(connection, some, services.clock.now())
        crash_point("fallback.before_commit")
    crash_point("fallback.committed")
    services.nudge("due")
    return went


def _by_lane(found: Iterable[Fallen]) -> Iterable[Sequence[Fallen]]:
    groups: dict[tuple[UUID, date], list[Fallen]] = defaultdict(list)
    for one in found:
        groups[one.lane_id, one.cohort].append(one)
    return groups.values()


async def _move(connection: Connection, some: Sequence[Fallen], now: datetime) -> int:
    """Under the campaign's lock: it is not ended meanwhile, and nothing goes on in one that was."""
    campaign_id = await fallback.campaign_of(connection, some[0].lane_id)
    row = await campaigns.lock(connection, campaign_id) if campaign_id else None
    onward: list[tuple[UUID, str]] = []
    once = False
    if row is not None and row["state"] in (State.RUNNING, State.PAUSED, State.COMPLETED):
        once = Announcement.read(row["definition"]).one_per == "address"
        onward = await route.onward(connection, some[0].lane_id)
    locked = await moving.lock(connection, some)
    moved = await moving.move(connection, some, locked, onward, now, once_an_address=once)
    if row is not None and moved:
        for run_id in {one.run_id for one in moved}:
            await run.reopen(connection, run_id, now)
        await open_again(connection, row["id"], row["state"], now)
    await moving.seen(connection, some, locked, now)
    return len(moved)
