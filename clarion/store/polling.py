"""Polling: which channels are to be asked, who has the watch, and where the last answer ended.

A watch is one worker's until a moment, and has a number. Whoever takes the next one makes the number grow,
and from then on what is written under the old one is written nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row, tuple_row

from clarion.kit.db import Connection


@dataclass(frozen=True, slots=True)
class Watch:
    """The right to ask. So many `failures` in a row were before it, the last for the reason `problem`."""

    watch: int
    cursor: str
    failures: int
    problem: str


async def begin(connection: Connection, channel_id: UUID, now: datetime) -> None:
    """A channel of the transaction's workspace is asked from now on."""
    await connection.execute(
        """INSERT INTO polling (channel_id, workspace_id, due_at) VALUES (%s, clarion_workspace(), %s)
           ON CONFLICT DO NOTHING""",
        (channel_id, now),
    )


async def due(connection: Connection, now: datetime, most: int) -> list[tuple[UUID, UUID]]:
    """(workspace, channel) of those whose watch is anybody's, the longest due first; needs no tenant."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            "SELECT workspace_id, channel_id FROM clarion_due_polls(%s, %s)", (now, most), prepare=True
        )
        return await cursor.fetchall()


async def claim(connection: Connection, channel_id: UUID, now: datetime, until: datetime) -> Watch | None:
    """Take a channel's watch until that moment; None where it is not due, or somebody has it."""
    async with connection.cursor(row_factory=class_row(Watch)) as cursor:
        await cursor.execute(
            """UPDATE polling SET watch = watch + 1, due_at = %s WHERE channel_id = %s AND due_at <= %s
               RETURNING watch, cursor, failures, problem""",
            (until, channel_id, now),
            prepare=True,
        )
        return await cursor.fetchone()


async def end(
    connection: Connection, channel_id: UUID, watch: int, *, cursor: str, due_at: datetime, failures: int,
    problem: str,
) -> bool:  # fmt: skip
    """End a watch: where the answer ended, and when to ask again. False when somebody else has it meanwhile;
    then nothing else may be written either."""
    done = await connection.execute(
        """UPDATE polling SET cursor = %s, due_at = %s, failures = %s, problem = %s
           WHERE channel_id = %s AND watch = %s""",
        (cursor, due_at, failures, problem, channel_id, watch),
        prepare=True,
    )
    return done.rowcount == 1
