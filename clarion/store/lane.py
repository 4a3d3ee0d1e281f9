"""What waits in one lane, beside what the dispatch does with it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from psycopg.rows import tuple_row

from clarion.kit.db import Connection
from clarion.store import queue


async def expire(connection: Connection, lane_id: UUID, now: datetime, limit: int) -> int:
    """End what waits beyond its expiry, a chunk at a time; returns how many were found."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT lane_id, due_at, message_id, cohort FROM queue WHERE lane_id = %s AND expires_at <= %s
               ORDER BY due_at, message_id LIMIT %s""",
            (lane_id, now, limit),
        )
        over = await cursor.fetchall()
    if over:
        await queue.end(connection, over, "expired", "expired", now)
    return len(over)
