"""Going through everybody: when a campaign that follows people is launched, and when its door has changed.

Chunk by chunk, each a transaction, in parts that several workers share (`store.expansion`): killed at any
point it goes on from the last chunk that was committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

from clarion.flow.enroll import cases, course, door
from clarion.flow.services import Services
from clarion.kit.crash import crash_point
from clarion.kit.db import Connection
from clarion.store import campaign as campaigns
from clarion.store import door as doors
from clarion.store import run
from clarion.store.expansion import cut, leave_part, take_part

FIRST, CHUNK = 500, 5_000  # people a transaction
# Of an alert a transaction locks cases, and who saves one waits: so it may take so many seconds. Where
# nothing has changed it gets far in these, at most over so many cases.
PACE, MOST_CASES = 0.05, 20_000
STREAMS = 3  # while one waits for its commit the others work
Progress = Callable[[int], None]


async def fill(
    services: Services, workspace_id: UUID, run_id: UUID, progress: Progress | None = None
) -> None:
    """Enroll everybody whom the campaign of this run means, and bring in step who is enrolled. `progress`
    hears how many people so far. Raises what `course.load` raises."""
    people = 0

    def counted(more: int) -> None:
        nonlocal people
        people += more
        if progress is not None:
            progress(people)

    async with asyncio.TaskGroup() as streams:
        for _ in range(STREAMS):
            streams.create_task(_stream(services, workspace_id, run_id, counted))


async def _stream(services: Services, workspace_id: UUID, run_id: UUID, counted: Progress) -> None:
    limit, ticks = FIRST, asyncio.get_running_loop().time
    while True:
        began = ticks()
        async with services.db.tenant(workspace_id) as connection:
            found = await _chunk(services, connection, run_id, limit)
            crash_point("enroll.before_commit")
        crash_point("enroll.committed")
        if found is None:
            return
        looked, of_cases = found
        counted(looked)
        limit = _fitting(limit, ticks() - began) if of_cases else CHUNK


def _fitting(limit: int, seconds: float) -> int:
    """How many cases the next chunk may look at, where `limit` took so long."""
    return min(MOST_CASES, max(FIRST, min(4 * limit, int(limit * PACE / max(seconds, 0.001)))))


async def _chunk(
    services: Services, connection: Connection, run_id: UUID, limit: int
) -> tuple[int, bool] | None:
    """How many people, or cases, one chunk looked at, and whether it was cases; None where there is nothing
    left to do here."""
    now = services.clock.now()
    found = await run.get(connection, run_id)
    if found is None:
        return None
    await doors.hold(connection)
    row = await campaigns.any_kind(connection, found["campaign_id"])
    ready = await course.load(connection, row, now) if row["follows"] else None
    if ready is None:
        return None
    cases_of = None if ready.watched is None else ready.watched.sight.type_id
    await cut(connection, run_id, now, cases_of=cases_of)
    part, found = await take_part(connection, run_id), await run.get(connection, run_id)
    if part is None or found is None or found["state"] != "expanding":
        return None
    number, after, until = part
    if ready.watched is not None:
        people, last = await cases.enter(connection, ready, (after, until), limit, now)
    else:
        _, people, last = await door.enter(connection, ready, (after, until), limit, now, found["due_at"])
    ended = services.clock.now()
    await leave_part(connection, run_id, number, last, ended, done=people < limit, looked=people)
    return people, ready.watched is not None
