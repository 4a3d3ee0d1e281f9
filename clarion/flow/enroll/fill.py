"""Going through everybody: when a campaign that follows people is launched, and when its door has changed.

Chunk by chunk, each a transaction, in parts that several workers share (`store.expansion`): killed at any
point it goes on from the last chunk that was committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from clarion.flow.enroll import cases, course, door
from clarion.flow.enroll.course import Course
from clarion.flow.services import Services
from clarion.kit.crash import crash_point
from clarion.kit.db import Connection, Row
from clarion.store import campaign as campaigns
from clarion.store import door as doors
from clarion.store import run
from clarion.store.expansion import cut, leave_part, take_part

FIRST, CHUNK = 500, 5_000  # people a transaction
# Of an alert a transaction locks cases that there is something to do of, and who saves one of these waits: so
# from then on it may take so many seconds. Before, it only looks; but who edits the alert waits for that.
PACE, LOOK, MOST_CASES = 0.05, 0.1, 20_000
FEW = 100  # cases that are locked at first, and at least: one by one they take longest
KEPT = 1.0  # seconds for which what was read of an alert is used again
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
    pace, kept = _Pace(asyncio.get_running_loop().time), _Kept()
    while True:
        async with services.way.yielding():  # to who was saved meanwhile, and is waited for
            began = pace.ticks()
            async with services.db.tenant(workspace_id) as connection:
                looked = await _chunk(services, connection, run_id, pace, kept)
                crash_point("enroll.before_commit")
            crash_point("enroll.committed")
            if looked is None:
                return
            pace.went(looked, began)
        counted(looked)


@dataclass(slots=True)
class _Pace:
    """How far a stream's next chunk may go: at how many people, or cases, it looks, and how many cases it
    locks. `locked`: how many the present one has, and since when."""

    ticks: Callable[[], float]
    looks: int = field(default_factory=lambda: FIRST)
    locks: int = field(default_factory=lambda: min(FEW, FIRST))
    locked: tuple[int, float] | None = None
    of_cases: bool = False

    def locking(self, cases: int) -> None:
        """So many are locked from now on."""
        self.locked = cases, self.ticks()

    def went(self, looked: int, began: float) -> None:
        """A chunk that began then is at its end."""
        now, locked, self.locked = self.ticks(), self.locked, None
        if not self.of_cases:
            self.looks = CHUNK
            return
        self.looks = min(MOST_CASES, _fitting(self.looks, looked, (now - began) / LOOK, FIRST))
        if locked is not None:
            cases, since = locked
            self.locks = _fitting(self.locks, cases, (now - since) / PACE, min(FEW, FIRST))
            # a few less: what was looked at beyond those that may be locked is looked at again
            self.looks = min(self.looks, max(FIRST, looked * self.locks * 9 // (10 * cases)))


def _fitting(limit: int, done: int, took: float, least: int) -> int:
    """How many the next chunk may do, where `done` took so many times as long as they may: not many times as
    many as this one might."""
    return max(least, min(4 * limit, int(done / max(took, 0.01))))


@dataclass(slots=True)
class _Kept:
    """An alert as a stream has read it. To read it costs as much as some hundred cases do, so it is used
    again for a moment, as long as its row says the same, and its run's lane: who changes what it says
    elsewhere changes its revision, and waits for the doors to do so."""

    said: tuple[Row, UUID] | None = None
    course: Course | None = None
    read: tuple[datetime, float] | None = None

    async def load(
        self, connection: Connection, row: Row, lane_id: UUID, now: datetime, ticks: float
    ) -> Course | None:
        """The campaign of a row; None where it is not followed any more. Raises what `course.load` raises."""
        if self.read is not None and self.said == (row, lane_id):
            then, began = self.read
            if 0.0 <= (now - then).total_seconds() < KEPT and ticks - began < KEPT:
                return self.course
        found = await course.load(connection, row, now) if row["follows"] else None
        if found is not None and found.watched is not None:
            self.said, self.course, self.read = (row, lane_id), found, (now, ticks)
        return found


async def _chunk(
    services: Services, connection: Connection, run_id: UUID, pace: _Pace, kept: _Kept
) -> int | None:
    """How many people, or cases, one chunk looked at; None where there is nothing left to do here."""
    now = services.clock.now()
    await doors.hold(connection)
    found = await run.get(connection, run_id)
    if found is None:
        return None
    row = await campaigns.any_kind(connection, found["campaign_id"])
    ready = await kept.load(connection, row, found["lane_id"], now, pace.ticks())
    if ready is None:
        return None
    cases_of = None if ready.watched is None else ready.watched.sight.type_id
    if found["state"] == "planned":
        await cut(connection, run_id, now, cases_of=cases_of)
    part, found = await take_part(connection, run_id), await run.get(connection, run_id)
    if part is None or found is None or found["state"] != "expanding":
        return None
    number, after, until = part
    pace.of_cases = ready.watched is not None
    if pace.of_cases:
        people, last = await cases.enter(
            connection, ready, (after, until), pace.looks, now, most=pace.locks, locking=pace.locking
        )
        done = last is None
    else:
        _, people, last = await door.enter(
            connection, ready, (after, until), pace.looks, now, found["due_at"]
        )
        done = people < pace.looks
    await leave_part(connection, run_id, number, last, services.clock.now(), done=done, looked=people)
    return people
