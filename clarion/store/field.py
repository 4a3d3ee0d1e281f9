"""The fields that a workspace has declared for its contacts."""

from __future__ import annotations

from collections.abc import Mapping

from clarion.domain.field import Field, FieldType
from clarion.errors import Conflict
from clarion.kit.db import Connection


async def declared(connection: Connection) -> dict[str, Field]:
    """Every declared field by its key."""
    cursor = await connection.execute("SELECT key, label, type FROM contact_field ORDER BY key")
    return {
        key: Field(key=key, name=label or key, type=FieldType(kind))
        for key, label, kind in await cursor.fetchall()
    }


async def declare(connection: Connection, field: Field) -> None:
    """Add a field. Raises Conflict when its key is taken by one of another type."""
    await _add(connection, {field.key: field.name}, field.type)
    if (await declared(connection))[field.key].type is not field.type:
        raise Conflict(
            "a field of this name exists with another type", where=field.key, hint="choose another name"
        )


async def declare_texts(connection: Connection, fields: Mapping[str, str]) -> None:
    """Add text fields (key → label) where their keys are free."""
    await _add(connection, fields, FieldType.TEXT)


async def values(connection: Connection, key: str) -> dict[str, int]:
    """What the contacts have in this field, and how many of them have each."""
    cursor = await connection.execute(
        """SELECT fields->>%(key)s, count(*) FROM contact
           WHERE status = 'active' AND fields->>%(key)s IS NOT NULL GROUP BY 1""",
        {"key": key},
    )
    return {value: int(n) for value, n in await cursor.fetchall()}


async def _add(connection: Connection, fields: Mapping[str, str], kind: FieldType) -> None:
    await connection.execute(
        """INSERT INTO contact_field (workspace_id, key, type, label)
           SELECT clarion_workspace(), key, %s, label FROM unnest(%s::text[], %s::text[]) AS f(key, label)
           ON CONFLICT DO NOTHING""",
        (kind.value, list(fields), list(fields.values())),
    )
