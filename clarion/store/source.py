"""Sources: other systems that cases come from. Secrets come in sealed, and go out only to who uses them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from clarion.errors import Conflict, NotFound
from clarion.kit.db import Connection, Row, row, rows

_TAKEN = "there is a source of this name already"
_SHOWN: LiteralString = """SELECT s.id, s.name, s.kind, s.settings, s.created_at, s.modified_at,
  p.state, p.counts, p.problems, p.error, p.waits_until, p.asked_at, p.started_at, p.stored_at, p.finished_at
FROM case_source s LEFT JOIN case_pull p ON p.source_id = s.id"""


async def create(
    connection: Connection, source_id: UUID, *, name: str, kind: str, settings: Mapping[str, Any],
    secret: bytes, now: datetime,
) -> None:  # fmt: skip
    """Add a source; `secret` is sealed. Raises Conflict on the name."""
    done = await connection.execute(
        """INSERT INTO case_source (id, workspace_id, name, kind, settings, secret, created_at, modified_at)
           VALUES (%s, clarion_workspace(), %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
        (source_id, name, kind, Jsonb(dict(settings)), secret, now, now),
    )
    if done.rowcount == 0:
        raise Conflict(_TAKEN, where="name", hint="Change that one, or choose another name.")


async def named(connection: Connection, name: str, kind: str | None = None) -> Row:
    """One source without its secret: {id, name, kind, settings, created_at, modified_at, and of its last
    pull state (None: none yet), counts, problems, error, waits_until, asked_at, started_at, stored_at,
    finished_at}. Raises NotFound, also for one of another kind."""
    found = await row(connection, f"{_SHOWN} WHERE s.name = %s", (name,))
    if found is None or kind not in (None, found["kind"]):
        raise NotFound(
            "there is no such source", where="source", hint="`clarion source list` shows those there are."
        )
    return found


async def several(connection: Connection, kind: str | None = None) -> list[Row]:
    """All sources by name, or those of a kind; as `named` shows them."""
    return await rows(
        connection,
        f"{_SHOWN} WHERE %(kind)s::text IS NULL OR s.kind = %(kind)s ORDER BY s.name",
        {"kind": kind},
    )


async def with_secret(connection: Connection, name: str, kind: str) -> Row | None:
    """{id, name, settings, secret (sealed)} of a source of this kind; None where there is none."""
    return await row(
        connection,
        "SELECT id, name, settings, secret FROM case_source WHERE name = %s AND kind = %s",
        (name, kind),
    )


async def change(
    connection: Connection, source_id: UUID, now: datetime, *, name: str | None = None,
    settings: Mapping[str, Any] | None = None, secret: bytes | None = None,
) -> None:  # fmt: skip
    """Another name, settings or secret; None leaves it. Raises Conflict on the name."""
    try:
        async with connection.transaction():
            await connection.execute(
                """UPDATE case_source SET name = coalesce(%s, name), settings = coalesce(%s, settings),
                     secret = coalesce(%s, secret), modified_at = %s WHERE id = %s""",
                (name, None if settings is None else Jsonb(dict(settings)), secret, now, source_id),
            )
    except UniqueViolation:
        raise Conflict(_TAKEN, where="name", hint="Choose another name.") from None


async def remove(connection: Connection, source_id: UUID) -> None:
    """Take a source away; the cases that came from it stay."""
    await connection.execute("DELETE FROM case_pull WHERE source_id = %s", (source_id,))
    await connection.execute("DELETE FROM case_source WHERE id = %s", (source_id,))


async def sealed(connection: Connection) -> list[Row]:
    """{id, secret} of all, locked, for a change of keys."""
    return await rows(connection, "SELECT id, secret FROM case_source ORDER BY id FOR NO KEY UPDATE")
