"""Replies that were given, by the key that the caller chose: the same POST twice is done once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.types.json import Jsonb

from clarion.kit.db import Connection, row

KEPT = timedelta(hours=24)
# A request that is under way for longer belongs to a process that died.
ABANDONED = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Claimed:
    """This request is the one that does the work; `at` tells it from one that takes over later."""

    at: datetime


@dataclass(frozen=True, slots=True)
class UnderWay:
    """Another request with this key is being worked on since `since`."""

    since: datetime


@dataclass(frozen=True, slots=True)
class Answered:
    """The reply that was given. `body` is as it was stored."""

    request_hash: bytes
    status: int
    headers: dict[str, str]
    body: bytes


async def claim(
    connection: Connection, workspace_id: UUID, key: str, now: datetime
) -> Claimed | UnderWay | Answered:
    """Take the key, or say who has it. One statement decides between requests at the same moment.

    A key whose reply is older than `KEPT`, or that was abandoned, is free again. Commit before working.
    """
    taken = await row(
        connection,
        """INSERT INTO idempotency (workspace_id, key, request_hash, created_at)
           VALUES (%(workspace)s, %(key)s, '', %(now)s)
           ON CONFLICT (workspace_id, key) DO UPDATE
             SET request_hash = '', status = NULL, headers = NULL, body = NULL, created_at = %(now)s
             WHERE idempotency.created_at < %(expired)s
               OR (idempotency.status IS NULL AND idempotency.created_at < %(abandoned)s)
           RETURNING created_at""",
        {
            "workspace": workspace_id,
            "key": key,
            "now": now,
            "expired": now - KEPT,
            "abandoned": now - ABANDONED,
        },
    )
    if taken is not None:
        return Claimed(taken["created_at"])
    found = await row(
        connection,
        "SELECT request_hash, status, headers, body, created_at FROM idempotency WHERE key = %s",
        (key,),
    )
    if found is None:  # released between the two statements: as good as under way, try again
        return UnderWay(now)
    if found["status"] is None:
        return UnderWay(found["created_at"])
    return Answered(
        bytes(found["request_hash"]), found["status"], found["headers"] or {}, bytes(found["body"] or b"")
    )


async def finish(
    connection: Connection,
    key: str,
    claimed: Claimed,
    *,
    request_hash: bytes,
    status: int,
    headers: dict[str, str],
    body: bytes,
) -> bool:
    """Store the reply, in the transaction that did the work. False: another took over, so roll back."""
    done = await connection.execute(
        """UPDATE idempotency SET request_hash = %s, status = %s, headers = %s, body = %s
           WHERE key = %s AND created_at = %s AND status IS NULL""",
        (request_hash, status, Jsonb(headers), body, key, claimed.at),
    )
    return done.rowcount == 1


async def release(connection: Connection, key: str, claimed: Claimed) -> None:
    """Nothing was done: the key is free again."""
    await connection.execute(
        "DELETE FROM idempotency WHERE key = %s AND created_at = %s AND status IS NULL", (key, claimed.at)
    )
