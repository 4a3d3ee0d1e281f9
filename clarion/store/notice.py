"""Notices: what an operator is told, once per cause until it is cleared."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from clarion.kit.db import Connection, Row, rows
from clarion.kit.ids import uuid7

Level = Literal["info", "warning", "error"]


async def put(
    connection: Connection, workspace_id: UUID, *, cause: str, level: Level, text: str, now: datetime
) -> bool:
    """Record that something needs a person; True when it is news, False when it is open already.

    `cause` is a stable word such as `channel:<id>:authentication`. `text` names no person.
    """
    cursor = await connection.execute(
        """INSERT INTO notice (id, workspace_id, cause, level, text, first_at, last_at)
           VALUES (%(id)s, %(workspace)s, %(cause)s, %(level)s, %(text)s, %(now)s, %(now)s)
           ON CONFLICT (workspace_id, cause) WHERE cleared_at IS NULL
           DO UPDATE SET last_at = excluded.last_at, times = notice.times + 1, text = excluded.text
           RETURNING times""",
        {
            "id": uuid7(now),
            "workspace": workspace_id,
            "cause": cause,
            "level": level,
            "text": text,
            "now": now,
        },
    )
    found = await cursor.fetchone()
    return found is not None and found[0] == 1


async def take_turn(connection: Connection) -> bool:
    """Whether nobody else tells this workspace's operator now; nobody does until the transaction ends."""
    cursor = await connection.execute(
        "SELECT pg_try_advisory_xact_lock(hashtextextended('clarion notice ' || clarion_workspace(), 0))"
    )
    found = await cursor.fetchone()
    return bool(found and found[0])


async def untold(connection: Connection, limit: int = 100) -> list[Row]:
    """Open notices that nobody was told yet, oldest first."""
    return await rows(
        connection,
        """SELECT id, cause, level, text, first_at, last_at, times FROM notice
           WHERE cleared_at IS NULL AND told_at IS NULL ORDER BY id LIMIT %s""",
        (limit,),
    )


async def told(connection: Connection, notice_id: UUID, now: datetime) -> None:
    await connection.execute("UPDATE notice SET told_at = %s WHERE id = %s", (now, notice_id))


async def clear(connection: Connection, cause: str, now: datetime) -> int:
    """Close a cause, or all under it (`channel:<id>` closes `channel:<id>:…`); how many were open."""
    done = await connection.execute(
        """UPDATE notice SET cleared_at = %(now)s
           WHERE cleared_at IS NULL AND (cause = %(cause)s OR starts_with(cause, %(cause)s || ':'))""",
        {"now": now, "cause": cause},
    )
    return done.rowcount


async def page(connection: Connection, before: UUID | None, limit: int) -> list[Row]:
    """All notices, newest first, before the given one."""
    return await rows(
        connection,
        """SELECT id, cause, level, text, first_at, last_at, times, told_at, cleared_at FROM notice
           WHERE (%(before)s::uuid IS NULL OR id < %(before)s) ORDER BY id DESC LIMIT %(limit)s""",
        {"before": before, "limit": limit},
    )
