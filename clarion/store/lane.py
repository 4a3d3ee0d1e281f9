"""What waits in a lane or on a channel, beside what the dispatch does with it."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from psycopg.rows import dict_row, tuple_row

from clarion.kit.db import Connection, Row
from clarion.store import event, queue


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
        await event.of_ends(connection, [(found[2], found[3]) for found in over], now)
    return len(over)


async def late(connection: Connection, now: datetime) -> list[UUID]:
    """The workspace's lanes in which something waits beyond its time, of campaigns that have no end of their
    own: courtesies, and those that follow people. (A run ends what is left of it by itself.)"""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT l.id FROM campaign g JOIN lane l ON l.campaign_id = g.id
               WHERE g.workspace_id = clarion_workspace() AND (g.kind = 'courtesy' OR g.follows) AND EXISTS (
                 SELECT FROM queue q WHERE q.lane_id = l.id AND q.expires_at <= %s)""",
            (now,),
        )
        return [found[0] for found in await cursor.fetchall()]


async def first(connection: Connection, lane_id: UUID, limit: int) -> list[tuple[UUID, date]]:
    """The messages (id, cohort) that `queue.empty_lane` would end next. Nothing comes into a lane that was
    cancelled, so they are."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT message_id, cohort FROM queue WHERE lane_id = %s
               ORDER BY due_at, message_id LIMIT %s""",
            (lane_id, limit),
        )
        return await cursor.fetchall()


async def depth(connection: Connection, channel_id: UUID, now: datetime) -> Row:
    """How much waits on a channel and since when: {queued, due, oldest_due}."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """SELECT count(*) AS queued, count(*) FILTER (WHERE q.due_at <= %(now)s) AS due,
                 min(q.due_at) AS oldest_due
               FROM lane l JOIN queue q ON q.lane_id = l.id WHERE l.channel_id = %(channel)s""",
            {"channel": channel_id, "now": now},
        )
        return await cursor.fetchone() or {}
