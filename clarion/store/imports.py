"""Files of people on their way in: how far each is, and what was wrong with which row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from clarion.errors import Conflict, NotFound
from clarion.kit.db import Connection, Row, row, rows

_ONE: LiteralString = """SELECT id, name, kind, state, options, path, size_bytes, done_bytes, done_rows,
  created, updated, unchanged, refused, error, created_at, started_at, finished_at FROM import_file"""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing wrong with one row. `severity`: refused (nobody was stored) or warning."""

    line: int
    field: str
    reason: str
    severity: str


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch adds: rows consumed (whatever became of them), where reading stands, and outcomes."""

    rows: int
    at_byte: int
    created: int
    updated: int
    unchanged: int
    refused: int


async def create(
    connection: Connection,
    import_id: UUID,
    *,
    name: str,
    kind: str,
    path: str,
    size_bytes: int,
    options: dict[str, Any],
    now: datetime,
) -> None:
    """Register a file that waits to be read."""
    await connection.execute(
        """INSERT INTO import_file (id, workspace_id, name, kind, state, options, path, size_bytes,
             created_at)
           VALUES (%s, clarion_workspace(), %s, %s, 'waiting', %s, %s, %s, %s)""",
        (import_id, name, kind, Jsonb(options), path, size_bytes, now),
    )


async def get(connection: Connection, import_id: UUID) -> Row:
    """One import. Raises NotFound."""
    found = await row(connection, _ONE + " WHERE id = %s", (import_id,))
    if found is None:
        raise NotFound("there is no such import", where="import")
    return found


async def page(connection: Connection, before: UUID | None = None, limit: int = 50) -> list[Row]:
    """Imports, newest first, older than a cursor."""
    return await rows(
        connection,
        _ONE + " WHERE %(before)s::uuid IS NULL OR id < %(before)s ORDER BY id DESC LIMIT %(limit)s",
        {"before": before, "limit": limit},
    )


async def begin(connection: Connection, import_id: UUID, now: datetime) -> bool:
    """Start, or go on after a stop; False when the import has ended (done, failed, cancelled)."""
    cursor = await connection.execute(
        """UPDATE import_file SET state = 'running', started_at = coalesce(started_at, %s)
           WHERE id = %s AND state IN ('waiting', 'running')""",
        (now, import_id),
    )
    return cursor.rowcount == 1


async def hold(connection: Connection, import_id: UUID, at_row: int) -> bool:
    """Hold the import until this transaction ends; False when it was cancelled.

    Raises Conflict when it does not stand at `at_row`: somebody else reads the same file.
    """
    found = await row(
        connection, "SELECT state, done_rows FROM import_file WHERE id = %s FOR NO KEY UPDATE", (import_id,)
    )
    if found is None or found["state"] != "running":
        return False
    if found["done_rows"] != at_row:
        raise Conflict("another worker is reading this file", where="import", hint="leave it to that one")
    return True


async def advance(connection: Connection, import_id: UUID, step: Step, troubles: Sequence[Trouble]) -> None:
    """Note what a batch did, in the transaction that did it."""
    await connection.execute(
        """UPDATE import_file SET done_rows = done_rows + %s, done_bytes = %s, created = created + %s,
             updated = updated + %s, unchanged = unchanged + %s, refused = refused + %s WHERE id = %s""",
        (step.rows, step.at_byte, step.created, step.updated, step.unchanged, step.refused, import_id),
    )
    await note(connection, import_id, troubles)


async def note(connection: Connection, import_id: UUID, troubles: Sequence[Trouble]) -> None:
    """Add to the report of what was wrong; the same again is kept once."""
    if not troubles:
        return
    await connection.execute(
        """INSERT INTO import_problem (workspace_id, import_id, line, field, reason, severity)
           SELECT clarion_workspace(), %s, * FROM unnest(%b::int8[], %b::text[], %b::text[], %b::text[])
           ON CONFLICT DO NOTHING""",
        (
            import_id,
            [t.line for t in troubles],
            [t.field for t in troubles],
            [t.reason for t in troubles],
            [t.severity for t in troubles],
        ),
    )


async def finish(
    connection: Connection, import_id: UUID, state: str, now: datetime, *, error: str = ""
) -> None:
    """End an import that has not ended: done, failed or cancelled."""
    await connection.execute(
        """UPDATE import_file SET state = %s, error = %s, finished_at = %s,
             done_bytes = CASE WHEN %s = 'done' THEN size_bytes ELSE done_bytes END
           WHERE id = %s AND state IN ('waiting', 'running')""",
        (state, error, now, state, import_id),
    )


async def problems(
    connection: Connection, import_id: UUID, after: tuple[int, str, str] | None = None, limit: int = 1000
) -> list[Row]:
    """What was wrong, by line, after a cursor (line, field, reason): {line, field, reason, severity}."""
    line, field, reason = after or (-1, "", "")
    return await rows(
        connection,
        """SELECT line, field, reason, severity FROM import_problem
           WHERE import_id = %s AND (line, field, reason) > (%s, %s, %s)
           ORDER BY line, field, reason LIMIT %s""",
        (import_id, line, field, reason, limit),
    )
