"""Pools: channels that stand for one another.

A row of a pool is {id, name, skip_paused, created_at, modified_at, channels}: these, the one that leads
first, are {channel_id, name, provider, options, state, prefixes, weight}.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg.errors import UniqueViolation

from clarion.domain.pool import PoolMember
from clarion.errors import Conflict, NotFound
from clarion.kit.db import Connection, Row, row, rows

_NAME_TAKEN = "a pool of this name is there already"
_SHOWN: LiteralString = """SELECT p.id, p.name, p.skip_paused, p.created_at, p.modified_at,
  ARRAY(SELECT jsonb_build_object('channel_id', m.channel_id, 'name', c.name, 'provider', c.provider,
      'options', c.config->'options', 'state', c.state, 'prefixes', m.prefixes, 'weight', m.weight)
    FROM pool_channel m JOIN channel c ON c.id = m.channel_id
    WHERE m.pool_id = p.id ORDER BY m.place) AS channels
FROM pool p WHERE p.workspace_id = clarion_workspace()"""


async def create(
    connection: Connection,
    pool_id: UUID,
    *,
    name: str,
    skip_paused: bool,
    members: Sequence[PoolMember],
    now: datetime,
) -> None:
    """Add a pool. Raises Conflict on the name."""
    done = await connection.execute(
        """INSERT INTO pool (id, workspace_id, name, skip_paused, created_at, modified_at)
           VALUES (%s, clarion_workspace(), %s, %s, %s, %s) ON CONFLICT (workspace_id, name) DO NOTHING""",
        (pool_id, name, skip_paused, now, now),
    )
    if done.rowcount == 0:
        raise Conflict(_NAME_TAKEN, where="name")
    await _write_members(connection, pool_id, members)


async def get(connection: Connection, pool_id: UUID) -> Row:
    """One pool. Raises NotFound."""
    return _there(await row(connection, _SHOWN + " AND p.id = %s", (pool_id,)))


async def by_name(connection: Connection, name: str) -> Row:
    """One pool by its exact name. Raises NotFound."""
    return _there(await row(connection, _SHOWN + " AND p.name = %s", (name,)))


async def page(connection: Connection, after: UUID | None, limit: int) -> list[Row]:
    """Pools in the order they were made, after the given one."""
    found = await rows(
        connection,
        _SHOWN + " AND (%(after)s::uuid IS NULL OR p.id > %(after)s) ORDER BY p.id LIMIT %(limit)s",
        {"after": after, "limit": limit},
    )
    return [_there(one) for one in found]


async def change(
    connection: Connection,
    pool_id: UUID,
    *,
    name: str | None,
    skip_paused: bool | None,
    members: Sequence[PoolMember] | None,
    now: datetime,
) -> None:
    """Another name, other channels (all of them) or another rule; None leaves it. Raises NotFound,
    Conflict."""
    try:
        async with connection.transaction():
            done = await connection.execute(
                """UPDATE pool SET name = coalesce(%s, name), skip_paused = coalesce(%s, skip_paused),
                     modified_at = %s WHERE id = %s""",
                (name, skip_paused, now, pool_id),
            )
    except UniqueViolation:
        raise Conflict(_NAME_TAKEN, where="name") from None
    if done.rowcount == 0:
        raise _no_such_pool()
    if members is not None:
        await connection.execute("DELETE FROM pool_channel WHERE pool_id = %s", (pool_id,))
        await _write_members(connection, pool_id, members)


async def remove(connection: Connection, pool_id: UUID) -> None:
    """It is no more. Raises NotFound."""
    await connection.execute("DELETE FROM pool_channel WHERE pool_id = %s", (pool_id,))
    done = await connection.execute("DELETE FROM pool WHERE id = %s", (pool_id,))
    if done.rowcount == 0:
        raise _no_such_pool()


async def used_by(connection: Connection, pool_id: UUID) -> Row | None:
    """A campaign that goes over a pool and has not ended: {id, name, state}."""
    return await row(
        connection,
        """SELECT id, name, state FROM campaign
           WHERE workspace_id = clarion_workspace() AND definition ->> 'pool_id' = %s
             AND state IN ('draft', 'scheduled', 'running', 'paused') ORDER BY id DESC LIMIT 1""",
        (str(pool_id),),
    )


async def _write_members(connection: Connection, pool_id: UUID, members: Sequence[PoolMember]) -> None:
    for place, member in enumerate(members):
        await connection.execute(
            """INSERT INTO pool_channel (workspace_id, pool_id, channel_id, place, prefixes, weight)
               VALUES (clarion_workspace(), %s, %s, %s, %s, %s)""",
            (pool_id, member.channel_id, place, list(member.prefixes), member.weight),
        )


def _there(found: Row | None) -> Row:
    if found is None:
        raise _no_such_pool()
    channels = [{**one, "channel_id": UUID(one["channel_id"])} for one in found["channels"]]
    return {**found, "channels": channels}


def _no_such_pool() -> NotFound:
    return NotFound("there is no such pool", hint="`clarion pool list` shows those there are.")
