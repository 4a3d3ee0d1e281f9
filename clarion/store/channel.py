"""Channels: configured accounts at providers. Credentials come in sealed and go out only to dispatch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from clarion.errors import Conflict, NotFound
from clarion.kit.db import Connection, Row, row, rows
from clarion.store import event

_NAME_TAKEN = "a channel of this name is there already"


async def create(
    connection: Connection,
    channel_id: UUID,
    workspace_id: UUID,
    *,
    name: str,
    provider: str,
    config: Mapping[str, object],
    credentials: bytes | None,
    rate: Decimal,
    now: datetime,
    account_id: UUID | None = None,
) -> None:
    """Add a channel. `credentials` are sealed, `rate` is messages a second, `account_id` the channel that
    leads its account where that is another. Raises Conflict on the name."""
    done = await connection.execute(
        """INSERT INTO channel (id, workspace_id, name, provider, config, credentials, rate,
             created_at, modified_at, account_id)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (workspace_id, name) DO NOTHING""",
        (
            channel_id,
            workspace_id,
            name,
            provider,
            Jsonb(dict(config)),
            credentials,
            rate,
            now,
            now,
            account_id,
        ),
    )  # fmt: skip
    if done.rowcount == 0:
        raise Conflict(_NAME_TAKEN, where="name")


_SHOWN = """SELECT c.id, c.name, c.provider, c.config, c.credentials IS NOT NULL AS has_credentials, c.rate,
  c.state, c.account_id, c.reason, c.created_at, c.modified_at, o.sights -> c.id::text AS sight
  FROM channel c LEFT JOIN channel_owner o
    ON o.channel_id = coalesce(c.account_id, c.id) AND o.worker_id IS NOT NULL"""


async def get(connection: Connection, channel_id: UUID) -> Row:
    """One channel; of its credentials only whether there are any, of its `sight` what its owner tells
    (`store.owner.Sight`; None where nobody owns it). Raises NotFound."""
    return _there(await row(connection, _SHOWN + " WHERE c.id = %s", (channel_id,)))


async def by_name(connection: Connection, name: str) -> Row:
    """The same, by its exact name. Raises NotFound."""
    return _there(await row(connection, _SHOWN + " WHERE c.name = %s", (name,)))


_FOR_DISPATCH = """SELECT c.id, c.workspace_id, c.name, c.provider, c.config, c.credentials, c.rate, c.state,
  c.reason, c.modified_at, c.account_id, w.timezone
  FROM channel c JOIN workspace w ON w.id = c.workspace_id"""


async def for_dispatch(connection: Connection, channel_id: UUID) -> Row:
    """What it takes to speak for a channel, sealed credentials included. Raises NotFound."""
    return _there(await row(connection, _FOR_DISPATCH + " WHERE c.id = %s", (channel_id,)))


async def of_account(connection: Connection, account_id: UUID) -> list[Row]:
    """The same of every channel of an account: the one that leads it first."""
    return await rows(
        connection,
        f"""({_FOR_DISPATCH} WHERE c.id = %(account)s)
            UNION ALL ({_FOR_DISPATCH} WHERE c.account_id = %(account)s ORDER BY c.id)""",
        {"account": account_id},
    )


async def page(connection: Connection, after: UUID | None, limit: int) -> list[Row]:
    """Channels in the order they were made, after the given one."""
    return await rows(
        connection,
        _SHOWN + " WHERE (%(after)s::uuid IS NULL OR c.id > %(after)s) ORDER BY c.id LIMIT %(limit)s",
        {"after": after, "limit": limit},
    )


async def names(connection: Connection) -> dict[UUID, str]:
    """The name of every channel."""
    return {one["id"]: one["name"] for one in await rows(connection, "SELECT id, name FROM channel")}


async def change(
    connection: Connection,
    channel_id: UUID,
    *,
    name: str | None,
    config: Mapping[str, object] | None,
    rate: Decimal | None,
    now: datetime,
) -> None:
    """Another name, configuration (whole) or rate; None leaves it. Raises NotFound, Conflict."""
    try:
        done = await connection.execute(
            """UPDATE channel SET name = coalesce(%s, name), config = coalesce(%s, config),
                 rate = coalesce(%s, rate), modified_at = %s WHERE id = %s""",
            (name, None if config is None else Jsonb(dict(config)), rate, now, channel_id),
        )
    except UniqueViolation:
        raise Conflict(_NAME_TAKEN, where="name") from None
    _changed(done.rowcount)


async def set_credentials(
    connection: Connection, channel_id: UUID, sealed: bytes | None, now: datetime
) -> None:
    """Other credentials, sealed; None takes them away. Raises NotFound."""
    done = await connection.execute(
        "UPDATE channel SET credentials = %s, modified_at = %s WHERE id = %s", (sealed, now, channel_id)
    )
    _changed(done.rowcount)


async def sealed(connection: Connection) -> list[Row]:
    """Identifier and sealed credentials of every channel that has some, locked, for a change of keys."""
    return await rows(
        connection,
        "SELECT id, credentials FROM channel WHERE credentials IS NOT NULL ORDER BY id FOR NO KEY UPDATE",
    )


async def pause(connection: Connection, channel_id: UUID, reason: str, now: datetime) -> bool:
    """Nothing is claimed for it from now on; calls under way end by themselves. Raises NotFound.

    False when it was paused already: the first reason stays, since it says what happened.
    """
    return await _set_state(connection, channel_id, "paused", reason, now)


async def resume(connection: Connection, channel_id: UUID, now: datetime) -> bool:
    """What waits is sent again. False when it was not paused. Raises NotFound."""
    return await _set_state(connection, channel_id, "active", "", now)


async def _set_state(
    connection: Connection, channel_id: UUID, state: str, reason: str, now: datetime
) -> bool:
    # Intents hold KEY SHARE on the row: after this lock none is under way that has not committed.
    await connection.execute("SELECT FROM channel WHERE id = %s FOR UPDATE", (channel_id,))
    done = await connection.execute(
        """UPDATE channel SET state = %(state)s, reason = %(reason)s, modified_at = %(now)s
           WHERE id = %(id)s AND state <> %(state)s""",
        {"state": state, "reason": reason, "now": now, "id": channel_id},
    )
    if done.rowcount == 0:
        await get(connection, channel_id)
        return False
    await event.of_channels(connection, [channel_id], state, now, reason)
    return True


def _there(found: Row | None) -> Row:
    if found is None:
        raise NotFound("there is no such channel")
    return found


def _changed(count: int) -> None:
    if count == 0:
        raise NotFound("there is no such channel")
