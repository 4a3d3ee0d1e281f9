"""Types of cases, and the properties that they declare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from clarion.domain.case import CaseProperty, CaseType, Kind, meant, type_name
from clarion.errors import Conflict, NotFound
from clarion.kit.db import Connection, Row, row, rows
from clarion.kit.ids import uuid7


async def known(connection: Connection) -> dict[str, CaseType]:
    """Every type by its name."""
    found = await rows(
        connection,
        """SELECT t.id, t.name, t.label, t.declared_only, ARRAY(
             SELECT json_build_array(p.key, p.kind, p.scheme, p.label) FROM case_property p
             WHERE p.type_id = t.id ORDER BY p.key) AS properties
           FROM case_type t ORDER BY t.name""",
    )
    return {
        one["name"]: CaseType(
            one["id"], one["name"], one["label"], one["declared_only"],
            {key: CaseProperty(key, Kind(kind), *rest) for key, kind, *rest in one["properties"]},
        )
        for one in found
    }  # fmt: skip


async def named(connection: Connection, name: str) -> CaseType:
    """One type. Raises NotFound that names those there are."""
    types = await known(connection)
    if name not in types:
        raise NotFound(f"there is no case type {name!r}", where="type", hint=f"{meant(name, types)}.")
    return types[name]


async def create(
    connection: Connection,
    name: str,
    now: datetime,
    *,
    label: str = "",
    declared_only: bool = False,
    properties: Sequence[CaseProperty] = (),
) -> UUID:
    """Add a type. Raises Conflict when there is one of this name."""
    identifier = uuid7(now)
    cursor = await connection.execute(
        """INSERT INTO case_type (id, workspace_id, name, label, declared_only, created_at, modified_at)
           VALUES (%s, clarion_workspace(), %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
        (identifier, name, label, declared_only, now, now),
    )
    if cursor.rowcount == 0:
        raise Conflict("there is a case type of this name already", where="name", hint="edit that one")
    await declare(connection, identifier, properties)
    return identifier


async def ensure(connection: Connection, names: Iterable[str], now: datetime) -> None:
    """Make those of these types that there are not, with nothing declared: cases of a type that comes with
    them must not be lost until somebody declares it. Raises Invalid for what cannot be a type's name."""
    missing = sorted({type_name(one) for one in names} - (await known(connection)).keys())
    if missing:
        await connection.execute(
            """INSERT INTO case_type (id, workspace_id, name, created_at, modified_at)
               SELECT id, clarion_workspace(), name, %s, %s FROM unnest(%s::uuid[], %s::text[]) AS t(id, name)
               ON CONFLICT DO NOTHING""",
            (now, now, [uuid7(now) for _ in missing], missing),
        )


async def change(
    connection: Connection,
    type_id: UUID,
    now: datetime,
    *,
    label: str | None = None,
    declared_only: bool | None = None,
    add: Sequence[CaseProperty] = (),
    remove: Sequence[str] = (),
) -> None:
    """Edit a type: `remove` goes before `add`. What the cases have stays with them, whatever is declared.

    Raises NotFound, also for a property that is not there.
    """
    found = await row(
        connection,
        """UPDATE case_type SET label = coalesce(%s, label), declared_only = coalesce(%s, declared_only),
             modified_at = %s WHERE id = %s RETURNING id""",
        (label, declared_only, now, type_id),
    )
    if found is None:
        raise NotFound("there is no such case type", where="type")
    cursor = await connection.execute(
        "DELETE FROM case_property WHERE type_id = %s AND key = ANY (%s) RETURNING key",
        (type_id, list(remove)),
    )
    gone = {key for (key,) in await cursor.fetchall()}
    if missing := [key for key in remove if key not in gone]:
        raise NotFound(f"{missing[0]} is not declared of this type", where="remove")
    await declare(connection, type_id, add)


async def declare(connection: Connection, type_id: UUID, properties: Sequence[CaseProperty]) -> None:
    """Declare properties of a type, or what they are from now on. Cases are read anew as they are told."""
    await connection.execute(
        """INSERT INTO case_property (workspace_id, type_id, key, kind, scheme, label)
           SELECT clarion_workspace(), %s, * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
           ON CONFLICT (type_id, key) DO UPDATE
             SET kind = excluded.kind, scheme = excluded.scheme, label = excluded.label""",
        (
            type_id,
            [one.key for one in properties],
            [one.kind.value for one in properties],
            [one.scheme for one in properties],
            [one.label for one in properties],
        ),
    )


async def shown(connection: Connection, names: Sequence[str] | None = None) -> list[Row]:
    """Types by name, or those of these names: {id, name, label, declared_only, created_at, modified_at,
    open, closed (how many cases), properties: [{key, kind, scheme, label}]}."""
    return await rows(
        connection,
        """SELECT t.id, t.name, t.label, t.declared_only, t.created_at, t.modified_at,
             n.open, n.closed,
             coalesce((SELECT jsonb_agg(jsonb_build_object('key', p.key, 'kind', p.kind, 'scheme', p.scheme,
                 'label', p.label) ORDER BY p.key)
               FROM case_property p WHERE p.type_id = t.id), '[]') AS properties
           FROM case_type t CROSS JOIN LATERAL (
             SELECT count(*) FILTER (WHERE c.state = 'open') AS open,
               count(*) FILTER (WHERE c.state = 'closed') AS closed
             FROM "case" c WHERE c.type_id = t.id) n
           WHERE %(names)s::text[] IS NULL OR t.name = ANY (%(names)s) ORDER BY t.name""",
        {"names": None if names is None else list(names)},
    )


def by_id(types: Mapping[str, CaseType]) -> dict[UUID, CaseType]:
    """The same by their ids."""
    return {one.id: one for one in types.values()}
