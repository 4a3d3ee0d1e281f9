"""Who was touched is brought in step: their data, a group of theirs or their consent changed, so campaigns
that follow people may mean them now, or no more, or at other moments; and what waits for a value of theirs
may have it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from clarion.domain import alert
from clarion.domain.alert import Alert, OfGroup, Staff
from clarion.errors import ClarionError
from clarion.flow.enroll import cases, course, door
from clarion.flow.enroll.course import Course
from clarion.flow.enroll.door import Settled
from clarion.flow.services import Services
from clarion.kit.crash import crash_point
from clarion.kit.db import Connection, Row
from clarion.kit.log import logger
from clarion.store import campaign as campaigns
from clarion.store import door as doors
from clarion.store import enrollment, episode, lacking, touched_case
from clarion.store import workspace as workspaces

BATCH = 500  # notes a transaction
_BEFORE = (date.min, UUID(int=0))
log = logger(__name__)


@asynccontextmanager
async def _few_trips(services: Services, workspace_id: UUID) -> AsyncIterator[Connection]:
    """A transaction of the workspace whose statements go out together, as far as none is waited for: somebody
    waits for what they lead to, and each round trip is a wait where the machine is busy."""
    async with services.db.tenant(workspace_id) as connection, connection.pipeline():
        yield connection


async def match(services: Services, workspace_id: UUID) -> Settled:
    """Take the workspace's notes of who was touched until there are none; what became of these people. The
    notes go with what they led to, in one transaction."""
    done = Settled()
    while True:
        async with services.way.pressing(), _few_trips(services, workspace_id) as connection:
            await doors.hold(connection)
            contacts, more = await enrollment.touched(connection, BATCH)
            for row in await doors.following(connection) if contacts else ():
                done.add(await _settle(services, connection, row, contacts))
            woken = await lacking.wake(connection, contacts, services.clock.now()) if contacts else 0
            crash_point("match.before_commit")
        crash_point("match.committed")
        if woken:
            services.nudge("due")
        if not more:
            return done


async def match_cases(services: Services, workspace_id: UUID) -> Settled:
    """The same of the cases that were touched, in its alerts, with those that are linked to them."""
    done, woken = Settled(), 0
    while True:
        async with services.way.pressing(), _few_trips(services, workspace_id) as connection:
            await doors.hold(connection)
            some, more = await touched_case.touched(connection, BATCH)
            if some:
                some += await touched_case.linked(connection, some)
                done.add(await _settle_cases(services, connection, some))
                woken = await lacking.wake(connection, some, services.clock.now())
            crash_point("match.before_commit")
        crash_point("match.committed")
        if woken:
            services.nudge("due")
        if not more:
            return done


async def turn(services: Services, workspace_id: UUID, campaign_id: UUID) -> Settled:
    """Bring in step the cases of an alert of which the calendar may have changed something by now."""
    done, after = Settled(), _BEFORE
    while True:
        async with services.db.tenant(workspace_id) as connection:
            await doors.hold(connection)
            now = services.clock.now()
            row = await campaigns.any_kind(connection, campaign_id)
            home = ZoneInfo((await workspaces.get(connection))["timezone"])
            today = now.astimezone(home).date()
            some = await episode.turning(connection, campaign_id, today, after, BATCH)
            ready = await _course(connection, row, now) if some and row["follows"] else None
            if ready is not None:
                done.add(await cases.settle(connection, ready, [one for _, one in some], now))
            crash_point("match.before_commit")
        crash_point("match.committed")
        if ready is None or len(some) < BATCH:
            return done
        after = some[-1]


async def _settle_cases(services: Services, connection: Connection, some: list[UUID]) -> Settled:
    done, now = Settled(), services.clock.now()
    for row in await doors.following(connection):
        ready = await _course(connection, row, now) if row["kind"] == alert.KIND else None
        if ready is not None:
            done.add(await cases.settle(connection, ready, some, now))
    return done


async def _settle(services: Services, connection: Connection, row: Row, contacts: list[UUID]) -> Settled:
    """Of an alert these contacts' cases are looked at, in their turn."""
    now = services.clock.now()
    if row["kind"] == alert.KIND:
        told = Alert.read(row["definition"]).recipients
        groups = [one.group_id for one in told if isinstance(one, OfGroup)]
        owners = any(isinstance(one, Staff) and one.to == "owner" for one in told)
        await touched_case.touch_of(connection, row["id"], contacts, groups, owners=owners)
        return Settled()
    ready = await _course(connection, row, now)
    return Settled() if ready is None else await door.settle(connection, ready, contacts, now)


async def _course(connection: Connection, row: Row, now: datetime) -> Course | None:
    """A campaign that cannot be worked out keeps no other from being in step: its firing says so and pauses
    it, and everybody is gone through when it goes on."""
    try:
        return await course.load(connection, row, now)
    except ClarionError as error:
        log.warning("a campaign is not kept in step", campaign=str(row["id"]), error=error.code)
        return None
