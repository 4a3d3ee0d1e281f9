"""Workers: the processes that send, on whatever machine. They hold no tenant's data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from clarion.kit.db import Connection


@dataclass(frozen=True, slots=True)
class Worker:
    """A process: where it runs, which boot and birth tell it from a later one with its pid.

    `stopped_at`: it drained and said so. `dead_at`: when somebody first proved that it is dead.
    """

    id: UUID
    host: str
    pid: int
    boot: str
    born: str
    flight: str
    version: str
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None
    state: dict[str, Any]
    dead_at: datetime | None = None

    @property
    def ended_at(self) -> datetime | None:
        """From when on it certainly makes no call; None where that is not known."""
        return self.stopped_at or self.dead_at


async def enter(connection: Connection, worker: Worker) -> None:
    """Write the worker down before it does anything."""
    await connection.execute(
        """INSERT INTO worker (id, host, pid, boot, born, flight, version, started_at, seen_at, state)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (
            worker.id, worker.host, worker.pid, worker.boot, worker.born, worker.flight, worker.version,
            worker.started_at, worker.seen_at, Jsonb(worker.state),
        ),
    )  # fmt: skip


async def see(connection: Connection, worker_id: UUID, now: datetime, state: dict[str, Any]) -> None:
    """The worker lives; `state` is what `clarion workers` shows."""
    await connection.execute(
        "UPDATE worker SET seen_at = %s, state = %s WHERE id = %s",
        (now, Jsonb(state), worker_id),
        prepare=True,
    )


async def leave(connection: Connection, worker_id: UUID, now: datetime) -> None:
    """The worker has drained and gone."""
    await connection.execute(
        "UPDATE worker SET stopped_at = %s, seen_at = %s WHERE id = %s", (now, now, worker_id)
    )


async def bury(connection: Connection, ids: Sequence[UUID], now: datetime) -> None:
    """These are proven dead: every machine may count on it from now on. The first proof stands."""
    await connection.execute(
        "UPDATE worker SET dead_at = %s WHERE id = ANY (%s) AND dead_at IS NULL", (now, list(ids))
    )


async def some(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Worker]:
    """Workers by id."""
    async with connection.cursor(row_factory=class_row(Worker)) as cursor:
        await cursor.execute("SELECT * FROM worker WHERE id = ANY (%s)", (list(ids),))
        return {worker.id: worker for worker in await cursor.fetchall()}


async def lately(connection: Connection, since: datetime) -> list[Worker]:
    """Workers seen since `since`, newest first."""
    async with connection.cursor(row_factory=class_row(Worker)) as cursor:
        await cursor.execute("SELECT * FROM worker WHERE seen_at >= %s ORDER BY started_at DESC", (since,))
        return await cursor.fetchall()


async def forget(connection: Connection, before: datetime) -> int:
    """Remove workers not seen since `before`; their attempts are long settled."""
    cursor = await connection.execute("DELETE FROM worker WHERE seen_at < %s", (before,))
    return cursor.rowcount
