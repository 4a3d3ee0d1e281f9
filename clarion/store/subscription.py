"""Subscriptions: where a workspace's events are told. Secrets come in sealed and go out only to telling."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from psycopg.errors import UniqueViolation

from clarion.errors import Conflict, NotFound
from clarion.kit.db import Connection, Row, row, rows

COUNTED: Final = 10_000  # events that wait or were given up are counted up to here
_NAME_TAKEN = "a subscription of this name is there already"
_ALL: LiteralString = """s.id, s.name, s.url, s.types, s.state, s.reason, s.previous_until, s.failing_since,
  s.created_at, s.modified_at, w.n AS waiting, g.n AS given_up
FROM subscription s
CROSS JOIN LATERAL (SELECT count(*) AS n FROM (
  SELECT FROM event e WHERE e.subscription_id = s.id AND e.state = 'waiting' LIMIT 10000) x) w
CROSS JOIN LATERAL (SELECT count(*) AS n FROM (
  SELECT FROM event e WHERE e.subscription_id = s.id AND e.state = 'given_up' LIMIT 10000) x) g
WHERE s.workspace_id = clarion_workspace() AND s.state <> 'removed'"""


async def create(
    connection: Connection,
    subscription_id: UUID,
    *,
    name: str,
    url: str,
    types: Sequence[str],
    secret: bytes,
    most: int,
    now: datetime,
) -> None:
    """Add a subscription, active at once. `secret` is sealed. Raises Conflict on the name, or when the
    workspace has `most` already."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('clarion subscription ' || clarion_workspace(), 0))"
    )
    there = await row(
        connection,
        """SELECT count(*) AS n FROM subscription
           WHERE workspace_id = clarion_workspace() AND state <> 'removed'""",
    )
    if there is not None and there["n"] >= most:
        raise Conflict(
            f"a workspace has at most {most} subscriptions", hint="Remove one, or let one hear more types."
        )
    done = await connection.execute(
        """INSERT INTO subscription (id, workspace_id, name, url, types, secret, created_at, modified_at)
           VALUES (%s, clarion_workspace(), %s, %s, %s, %s, %s, %s)
           ON CONFLICT (workspace_id, name) WHERE state <> 'removed' DO NOTHING""",
        (subscription_id, name, url, list(types), secret, now, now),
    )
    if done.rowcount == 0:
        raise Conflict(_NAME_TAKEN, where="name")


async def get(connection: Connection, subscription_id: UUID) -> Row:
    """One subscription, without secrets; `waiting` and `given_up` count to COUNTED. Raises NotFound."""
    return _there(await row(connection, f"SELECT {_ALL} AND s.id = %s", (subscription_id,)))


async def by_name(connection: Connection, name: str) -> Row:
    """One subscription by its exact name. Raises NotFound."""
    return _there(await row(connection, f"SELECT {_ALL} AND s.name = %s", (name,)))


async def page(connection: Connection, after: UUID | None, limit: int) -> list[Row]:
    """Subscriptions in the order they were made, after the given one."""
    return await rows(
        connection,
        f"""SELECT {_ALL} AND (%(after)s::uuid IS NULL OR s.id > %(after)s) ORDER BY s.id LIMIT %(limit)s""",
        {"after": after, "limit": limit},
    )


async def for_telling(connection: Connection, subscription_id: UUID) -> Row | None:
    """What it takes to tell an active subscription something, sealed secrets included; None when it is
    not active (any more)."""
    return await row(
        connection,
        """SELECT id, workspace_id, name, url, secret, previous_secret, previous_until, failing_since
           FROM subscription WHERE id = %s AND state = 'active'""",
        (subscription_id,),
    )


async def change(
    connection: Connection,
    subscription_id: UUID,
    *,
    name: str | None,
    url: str | None,
    types: Sequence[str] | None,
    now: datetime,
) -> None:
    """Another name, address or other types; None leaves it. Raises NotFound, Conflict."""
    try:
        async with connection.transaction():
            done = await connection.execute(
                """UPDATE subscription SET name = coalesce(%s, name), url = coalesce(%s, url),
                     types = coalesce(%s::text[], types), modified_at = %s
                   WHERE id = %s AND state <> 'removed'""",
                (name, url, None if types is None else list(types), now, subscription_id),
            )
    except UniqueViolation:
        raise Conflict(_NAME_TAKEN, where="name") from None
    _changed(done.rowcount)


async def set_secret(
    connection: Connection, subscription_id: UUID, secret: bytes, until: datetime | None, now: datetime
) -> None:
    """A new secret, sealed; the present one goes on beside it `until` then. Raises NotFound."""
    done = await connection.execute(
        """UPDATE subscription SET secret = %(secret)s, modified_at = %(now)s,
             previous_secret = CASE WHEN %(until)s::timestamptz IS NOT NULL THEN secret END,
             previous_until = %(until)s
           WHERE id = %(id)s AND state <> 'removed'""",
        {"secret": secret, "until": until, "now": now, "id": subscription_id},
    )
    _changed(done.rowcount)


async def sealed(connection: Connection) -> list[Row]:
    """Identifier and sealed secrets of every subscription, locked, for a change of keys."""
    return await rows(
        connection,
        """SELECT id, secret, previous_secret FROM subscription WHERE secret IS NOT NULL ORDER BY id
           FOR NO KEY UPDATE""",
    )


async def reseal(
    connection: Connection, subscription_id: UUID, secret: bytes, previous: bytes | None
) -> None:
    """The same secrets, sealed with another key."""
    await connection.execute(
        "UPDATE subscription SET secret = %s, previous_secret = %s WHERE id = %s",
        (secret, previous, subscription_id),
    )


async def pause(connection: Connection, subscription_id: UUID, reason: str, now: datetime) -> bool:
    """Nothing is told to it and nothing new is noted for it; what waits stays. False when it was paused
    already: the first reason stays. Raises NotFound."""
    return await _set_state(connection, subscription_id, "paused", reason, now)


async def resume(connection: Connection, subscription_id: UUID, now: datetime) -> bool:
    """What waits is told, and what happens is noted again. False when it was not paused. Raises NotFound."""
    return await _set_state(connection, subscription_id, "active", "", now)


async def _set_state(
    connection: Connection, subscription_id: UUID, state: str, reason: str, now: datetime
) -> bool:
    done = await connection.execute(
        """UPDATE subscription SET state = %(state)s, reason = %(reason)s, failing_since = NULL,
             modified_at = %(now)s
           WHERE id = %(id)s AND state NOT IN (%(state)s, 'removed')""",
        {"state": state, "reason": reason, "now": now, "id": subscription_id},
    )
    if done.rowcount == 0:
        await get(connection, subscription_id)
    return done.rowcount == 1


async def failing(connection: Connection, subscription_id: UUID, since: datetime | None) -> None:
    """Since when nothing that was told to it arrived; None: something did."""
    await connection.execute(
        "UPDATE subscription SET failing_since = %s WHERE id = %s", (since, subscription_id)
    )


async def remove(connection: Connection, subscription_id: UUID, now: datetime) -> None:
    """Forget where and with what it was told; what waits for it is swept away later. Raises NotFound."""
    done = await connection.execute(
        """UPDATE subscription SET state = 'removed', url = '', types = '{}', secret = NULL,
             previous_secret = NULL, previous_until = NULL, modified_at = %s
           WHERE id = %s AND state <> 'removed'""",
        (now, subscription_id),
    )
    _changed(done.rowcount)


def _there(found: Row | None) -> Row:
    if found is None:
        raise NotFound("there is no such subscription")
    return found


def _changed(count: int) -> None:
    if count == 0:
        raise NotFound("there is no such subscription")
