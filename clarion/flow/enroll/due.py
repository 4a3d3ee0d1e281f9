"""What has fallen due in a campaign that follows people becomes messages, batch by batch.

What comes next of each is kept beside them, so that firing computes nothing; where none is kept, or of a
schedule that has changed since, it is reckoned first. Several workers may do this at once.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from clarion.domain.campaign import State
from clarion.domain.event import OF_ENDS
from clarion.flow.enroll import cases, course, door
from clarion.flow.enroll.course import Course
from clarion.flow.services import Services
from clarion.kit.crash import crash_point
from clarion.kit.db import Connection
from clarion.kit.ids import uuid7
from clarion.store import campaign as campaigns
from clarion.store import door as doors
from clarion.store import entering, event, firing, run
from clarion.store.firing import Due, Terms

BATCH, RECKONED = 1_000, 500  # enrollments a transaction
STREAMS = 2  # connections that one firing writes with
_START = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))


@dataclass(slots=True)
class _Reader:
    """Reads what is due once from its beginning to its end, for several streams that take turns."""

    services: Services
    workspace_id: UUID
    course: Course
    place: tuple[datetime, UUID] = _START
    ended: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def next(self) -> list[Due]:
        async with self.turn:
            if self.ended:
                return []
            async with self.services.db.tenant(self.workspace_id) as connection:
                await entering.by_key(connection)
                now = self.services.clock.now()
                found = await firing.due(connection, self.course.terms, self.place, now, BATCH)
            self.ended = len(found) < BATCH
            if found:
                self.place = (found[-1].next_due, found[-1].id)
            return found


async def fire(services: Services, workspace_id: UUID, campaign_id: UUID) -> int:
    """Write what is due now; how many enrollments were moved on or reckoned. 0 when nothing is left to do
    here. Raises what `course.load` raises."""
    async with services.db.tenant(workspace_id) as connection:
        row = await campaigns.any_kind(connection, campaign_id)
        if not row["follows"] or row["state"] != State.RUNNING:
            return 0
        ready = await course.load(connection, row, services.clock.now())
    if ready is None:
        return 0
    reader = _Reader(services, workspace_id, ready)
    async with asyncio.TaskGroup() as streams:
        tasks = [streams.create_task(_stream(services, reader)) for _ in range(STREAMS)]
    return sum(task.result() for task in tasks)


async def _stream(services: Services, reader: _Reader) -> int:
    done = 0
    while some := await reader.next():
        unknown = [one.about for one in some if one.late or not one.known]
        for first in range(0, len(unknown), RECKONED):
            done += await _reckon(services, reader, unknown[first : first + RECKONED])
        if known := [one.id for one in some if one.known]:
            done += await _fire(services, reader, known)
    return done


async def _fire(services: Services, reader: _Reader, ids: list[UUID]) -> int:
    async with services.db.tenant(reader.workspace_id) as connection:
        await entering.by_key(connection)
        now = services.clock.now()
        await _open_occasions(connection, reader.course.terms, ids, now)
        fired = await firing.fire(connection, reader.course.terms, ids, now)
        if fired.skipped and services.listening.wants(reader.workspace_id, OF_ENDS):
            await event.of_ends(connection, fired.skipped, now)
        crash_point("due.before_commit")
    crash_point("due.committed")
    if fired.ready:
        services.nudge("due")
    return fired.people


async def _open_occasions(connection: Connection, terms: Terms, ids: list[UUID], now: datetime) -> None:
    """Of a recurring announcement each time that it speaks is a run, with its own count of what became of
    whom."""
    if terms.recurs:
        for occasion, due_at in await firing.unopened(connection, terms, ids):
            await run.open_occasion(connection, terms.run_id, uuid7(now), occasion, due_at)


async def _reckon(services: Services, reader: _Reader, some: list[UUID]) -> int:
    """What comes next of these contacts, or cases; what was locked by another is brought in step, too."""
    async with services.db.tenant(reader.workspace_id) as connection:
        now, course = services.clock.now(), reader.course
        await doors.hold(connection)
        if await doors.revision(connection, course.id) != course.terms.revision:
            return 0  # it was edited since it was read: the next look reads it anew
        if course.watched is not None:
            done = await cases.settle(connection, course, some, now, anew=True)
        else:
            done = await door.settle(connection, course, some, now)
        crash_point("reckon.before_commit")
    crash_point("reckon.committed")
    return done.changed + done.stopped
