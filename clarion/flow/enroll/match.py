"""Who was touched is brought in step: their data, a group of theirs or their consent changed, so campaigns
that follow people may mean them now, or no more, or at other moments."""

from __future__ import annotations

from uuid import UUID

from clarion.errors import ClarionError
from clarion.flow.enroll import course, door
from clarion.flow.enroll.door import Settled
from clarion.flow.services import Services
from clarion.kit.crash import crash_point
from clarion.kit.db import Connection, Row
from clarion.kit.log import logger
from clarion.store import door as doors
from clarion.store import enrollment, entering

BATCH = 500  # notes a transaction
log = logger(__name__)


async def match(services: Services, workspace_id: UUID) -> Settled:
    """Take the workspace's notes of who was touched until there are none; what became of these people. The
    notes go with what they led to, in one transaction."""
    done = Settled()
    while True:
        async with services.db.tenant(workspace_id) as connection:
            await entering.by_key(connection)
            contacts = await enrollment.touched(connection, BATCH)
            for row in await doors.following(connection) if contacts else ():
                done.add(await _settle(services, connection, row, contacts))
            crash_point("match.before_commit")
        crash_point("match.committed")
        if not contacts:
            return done


async def _settle(services: Services, connection: Connection, row: Row, contacts: list[UUID]) -> Settled:
    """A campaign that cannot be worked out keeps no other from being in step: its firing says so and pauses
    it, and everybody is gone through when it goes on."""
    now = services.clock.now()
    try:
        ready = await course.load(connection, row, now)
    except ClarionError as error:
        log.warning("a campaign is not kept in step", campaign=str(row["id"]), error=error.code)
        return Settled()
    return Settled() if ready is None else await door.settle(connection, ready, contacts, now)
