"""Whom a campaign was pushed for to a system that says it, since when, and by what they are known there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import tuple_row

from clarion.kit.db import Connection, array, texts


@dataclass(frozen=True, slots=True)
class Begun:
    """Somebody's time round a schedule that another system says: which one it is, since when (UTC), what
    day 0 is counted from, and where they stand in the audience."""

    generation: int
    began_at: datetime
    basis: str
    place: int


@dataclass(frozen=True, slots=True)
class Face:
    """By what people know somebody: their name, and their active addresses as (scheme, path)."""

    name: str
    addresses: frozenset[tuple[str, str]]


async def begun(connection: Connection, campaign_id: UUID, contact_ids: Sequence[UUID]) -> dict[UUID, Begun]:
    """Those of these contacts for whom it was pushed before."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT contact_id, generation, began_at, basis, place FROM pushed_person
               WHERE campaign_id = %s AND contact_id = ANY (%s::uuid[])""",
            (campaign_id, array(one.hex for one in contact_ids)),
        )
        return {found[0]: Begun(*found[1:]) for found in await cursor.fetchall()}


async def next_place(connection: Connection, campaign_id: UUID) -> int:
    """The first place in the audience that nobody has had."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            "SELECT coalesce(max(place) + 1, 0) FROM pushed_person WHERE campaign_id = %s", (campaign_id,)
        )
        found = await cursor.fetchone()
    return int(found[0]) if found else 0


async def keep(connection: Connection, campaign_id: UUID, some: Mapping[UUID, Begun]) -> None:
    """This is how these contacts began."""
    await connection.execute(
        """INSERT INTO pushed_person AS p
             (workspace_id, campaign_id, contact_id, generation, began_at, basis, place)
           SELECT clarion_workspace(), %s, * FROM unnest(
             %s::uuid[], %s::int[], %s::timestamptz[], %s::text[], %s::int[])
           ON CONFLICT (campaign_id, contact_id) DO UPDATE SET generation = excluded.generation,
             began_at = excluded.began_at, basis = excluded.basis, place = excluded.place
           WHERE (p.generation, p.began_at, p.basis) <>
             (excluded.generation, excluded.began_at, excluded.basis)""",
        (
            campaign_id,
            array(one.hex for one in some),
            [one.generation for one in some.values()],
            [one.began_at for one in some.values()],
            texts([one.basis for one in some.values()]) or "{}",
            [one.place for one in some.values()],
        ),
    )


async def faces(connection: Connection, contact_ids: Sequence[UUID]) -> dict[UUID, Face]:
    """By what each of these contacts is known."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT c.id, c.name, ARRAY(SELECT ARRAY[a.scheme, a.value] FROM address a
                 WHERE a.contact_id = c.id AND a.status = 'active')
               FROM contact c WHERE c.id = ANY (%s::uuid[])""",
            (array(one.hex for one in contact_ids),),
        )
        return {
            found[0]: Face(found[1], frozenset((scheme, path) for scheme, path in found[2]))
            for found in await cursor.fetchall()
        }
