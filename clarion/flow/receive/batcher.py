"""Group commit: bodies that come in at about the same time share one transaction.

While one batch of a workspace is being committed, what comes in waits for the next; so the busier it
is, the less a commit costs each. Whoever stores a body hears only when it is durable.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from clarion.errors import Unavailable
from clarion.kit.db import AWAY, Database
from clarion.store import inbox
from clarion.store.inbox import Body

GATHER = 0.002  # seconds; only when bodies come in faster than they are committed
MOST = 500
MOST_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class _Line:
    """What waits for one workspace."""

    waiting: deque[tuple[Body, asyncio.Future[None]]] = field(default_factory=deque)
    writer: asyncio.Task[None] | None = None


class Batcher:
    """One a process. `most_waiting` bytes are held at most: beyond that callers are told to come again."""

    def __init__(self, db: Database, most_waiting: int = 64 * 1024 * 1024) -> None:
        self._db = db
        self._most_waiting = most_waiting
        self._held = 0
        self._lines: dict[UUID, _Line] = {}

    async def put(self, workspace_id: UUID, body: Body) -> None:
        """Store a body; returns when it is durable. Raises Unavailable, and then it may be sent again."""
        if self._held + body.size > self._most_waiting:
            raise Unavailable("too much comes in at once", extra={"retry_after": 5})
        self._held += body.size
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = self._lines.setdefault(workspace_id, _Line())
        line.waiting.append((body, durable))
        if line.writer is None:
            line.writer = asyncio.create_task(self._write(workspace_id, line))
        await durable

    async def _write(self, workspace_id: UUID, line: _Line) -> None:
        alone = True
        while line.waiting:
            if not alone:
                await asyncio.sleep(GATHER)
            batch = _next(line.waiting)
            alone = len(batch) == 1
            await self._commit(workspace_id, batch)
            self._held -= sum(body.size for body, _ in batch)
        # nothing was awaited since the line was seen empty, so nobody has joined it meanwhile
        del self._lines[workspace_id]

    async def _commit(self, workspace_id: UUID, batch: list[tuple[Body, asyncio.Future[None]]]) -> None:
        try:
            async with self._db.tenant(workspace_id) as connection:
                await inbox.put(connection, [body for body, _ in batch])
        except AWAY as error:
            _fail(batch, lambda: Unavailable("the database is away", extra={"retry_after": 5}), error)
        except Exception as error:
            _fail(batch, lambda: RuntimeError("a body could not be stored"), error)
        else:
            for _, durable in batch:
                if not durable.done():
                    durable.set_result(None)


def _next(waiting: deque[tuple[Body, asyncio.Future[None]]]) -> list[tuple[Body, asyncio.Future[None]]]:
    """The first ones, as many as one statement should hold; at least one."""
    batch: list[tuple[Body, asyncio.Future[None]]] = []
    size = 0
    while waiting and len(batch) < MOST and (not batch or size + waiting[0][0].size <= MOST_BYTES):
        batch.append(waiting.popleft())
        size += batch[-1][0].size
    return batch


def _fail(
    batch: list[tuple[Body, asyncio.Future[None]]], told: Callable[[], Exception], cause: Exception
) -> None:
    """Tell everybody, each by an exception of their own: one that is raised twice mixes its traces."""
    for _, durable in batch:
        if not durable.done():
            error = told()
            error.__cause__ = cause
            durable.set_exception(error)
