"""Two transactions that meet: one has run its statements and not committed when the other comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from clarion.kit.db import Connection, Database

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Met(Generic[A, B]):
    """What came of both, and whether the second had to wait for the first to end."""

    first: A
    second: B
    waited: bool


async def meet(
    db: Database,
    workspace: UUID,
    first: Callable[[Connection], Awaitable[A]],
    second: Callable[[Connection], Awaitable[B]],
) -> Met[A, B]:
    """`first` runs, `second` comes, `first` commits, `second` goes on and commits."""
    async with db.tenant(workspace) as connection:
        one = await first(connection)
        coming, waited = await begin(db, workspace, second)
    return Met(one, await coming, waited)


async def begin(
    db: Database, workspace: UUID, work: Callable[[Connection], Awaitable[B]]
) -> tuple[asyncio.Task[B], bool]:
    """Let a transaction begin; once it waits for a lock, or is done: the work, and whether it waits."""
    began: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def come() -> B:
        async with db.tenant(workspace) as connection:
            began.set_result(connection.info.backend_pid)
            return await work(connection)

    coming = asyncio.create_task(come())
    return coming, await _waits(db, await began, coming)


async def _waits(db: Database, pid: int, work: asyncio.Task[B]) -> bool:
    """True once that backend waits for a lock, False once its work is done."""
    async with asyncio.timeout(30):
        while not work.done():
            async with db.system() as connection:
                found = await connection.execute(
                    "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", (pid,)
                )
                row = await found.fetchone()
            if row is not None and row[0] == "Lock":
                return True
    return False
