"""Polling: which channels are to be asked, whose turn it is, and where the last answer ended.

A turn is a claim until a moment, and a number. Whoever takes the next one makes the number grow, and from
then on what is written under the old one is written nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row, tuple_row

from clarion.kit.db import Connection


@dataclass(frozen=True, slots=True)
class Turn:
    """A claim to ask. `failures` in a row ended before it, each for a reason such as `problem`."""

    turn: int
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
    """(workspace, channel) of those whose turn is anybody's, the longest due first; needs no tenant."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            "SELECT workspace_id, channel_id FROM clarion_due_polls(%s, %s)", (now, most), prepare=True
        )
        return await cursor.fetchall()


async def claim(connection: Connection, channel_id: UUID, now: datetime, until: datetime) -> Turn | None:
    """Take a channel's turn until that moment; None where it is not due, or somebody has it."""
    async with connection.cursor(row_factory=class_row(Turn)) as cursor:
        await cursor.execute(
            """UPDATE polling SET turn = turn + 1, due_at = %s WHERE channel_id = %s AND due_at <= %s
               RETURNING turn, cursor, failures, problem""",
            (until, channel_id, now),
            prepare=True,
        )
        return await cursor.fetchone()


async def end(
    connection: Connection, channel_id: UUID, turn: int, *, cursor: str, due_at: datetime, failures: int,
    problem: str,
) -> bool:  # fmt: skip
    """End a turn: where the answer ended, and when to ask again. False when somebody has taken the turn
    meanwhile; then nothing else may be written either."""
    done = await connection.execute(
        """UPDATE polling SET cursor = %s, due_at = %s, failures = %s, problem = %s
           WHERE channel_id = %s AND turn = %s""",
        (cursor, due_at, failures, problem, channel_id, turn),
        prepare=True,
    )
    return done.rowcount == 1
