"""Keys to the API. Only a hash of a secret is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from psycopg import sql

from clarion.errors import NotFound
from clarion.kit.db import Connection, Database, Row, row, rows

# A key in use is not written on every request.
_USED_EVERY = timedelta(minutes=1)


async def create(
    connection: Connection,
    key_id: UUID,
    workspace_id: UUID,
    *,
    name: str,
    secret_hash: bytes,
    scopes: Sequence[str],
    now: datetime,
    expires_at: datetime | None = None,
) -> None:
    await connection.execute(
        """INSERT INTO api_key (id, workspace_id, name, secret_hash, scopes, created_at, expires_at)
           VALUES (%s, %s, %s, %s, %s, %s, %s)""",
        (key_id, workspace_id, name, secret_hash, list(scopes), now, expires_at),
    )


_FOR_LOGIN = sql.SQL(
    "SELECT id, name, secret_hash, scopes, expires_at, revoked_at, last_used_at FROM api_key WHERE id = {}"
)


async def for_login(db: Database, workspace_id: UUID, key_id: UUID) -> Row | None:
    """Hash, scopes and validity of one key, also of one that is revoked; None where there is none."""
    found = await db.peek(workspace_id, _FOR_LOGIN.format(str(key_id)))
    return found[0] if found else None


def unused(last_used_at: datetime | None, now: datetime) -> bool:
    """Whether a key's last use is so long ago that this one is to be remembered."""
    return last_used_at is None or last_used_at < now - _USED_EVERY


async def used(connection: Connection, key_id: UUID, now: datetime) -> None:
    """Remember that the key was used, to the minute."""
    await connection.execute(
        "UPDATE api_key SET last_used_at = %s WHERE id = %s AND (last_used_at IS NULL OR last_used_at < %s)",
        (now, key_id, now - _USED_EVERY),
    )


async def get(connection: Connection, key_id: UUID) -> Row:
    """One key without its hash. Raises NotFound."""
    found = await row(
        connection,
        """SELECT id, name, scopes, created_at, expires_at, revoked_at, last_used_at
           FROM api_key WHERE id = %s""",
        (key_id,),
    )
    if found is None:
        raise NotFound("there is no such key")
    return found


async def page(connection: Connection, after: UUID | None, limit: int) -> list[Row]:
    """Keys in the order they were made, after the given one."""
    return await rows(
        connection,
        """SELECT id, name, scopes, created_at, expires_at, revoked_at, last_used_at
           FROM api_key WHERE (%(after)s::uuid IS NULL OR id > %(after)s)
           ORDER BY id LIMIT %(limit)s""",
        {"after": after, "limit": limit},
    )


async def revoke(connection: Connection, key_id: UUID, now: datetime) -> None:
    """End a key for good. Again changes nothing. Raises NotFound."""
    done = await connection.execute(
        "UPDATE api_key SET revoked_at = coalesce(revoked_at, %s) WHERE id = %s", (now, key_id)
    )
    if done.rowcount == 0:
        raise NotFound("there is no such key")
