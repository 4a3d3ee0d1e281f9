"""Enrollments, one by one and page by page; who was touched, and what has something due.

Everybody of a campaign at once is `store.entering`, what becomes messages `store.firing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg.rows import dict_row, tuple_row
from psycopg.types.json import Jsonb

from clarion.errors import NotFound
from clarion.kit.db import Connection, Row, row, rows

# --- who was touched


async def touched(connection: Connection, limit: int) -> tuple[list[UUID], bool]:
    """Take up to so many notes that a contact changed; the contacts, each once, and whether there may be
    more notes. Those that others have taken and not finished are left to them."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """DELETE FROM touched WHERE workspace_id = clarion_workspace() AND id = ANY (ARRAY(
                 SELECT id FROM touched WHERE workspace_id = clarion_workspace()
                 ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
               RETURNING contact_id""",
            (limit,),
        )
        taken = {found[0] for found in await cursor.fetchall()}
        return sorted(taken), cursor.rowcount == limit


async def awaited(connection: Connection, now: datetime) -> list[tuple[UUID, UUID | None]]:
    """Over all workspaces: (workspace, campaign) of what has somebody due, (workspace, None) where somebody
    was touched."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            "SELECT workspace_id, campaign_id FROM clarion_following(%s)", (now,), prepare=True
        )
        return await cursor.fetchall()


# --- one person


_SHOWN: LiteralString = """e.id, e.campaign_id, e.subject_id,
  coalesce(e.contact_id, e.subject_id) AS contact_id, e.case_id,
  e.generation, e.state, e.reason,
  e.cohort, e.began_at, e.place, e.basis, e.ahead, e.revision, e.moves, e.next_due, e.created_at,
  e.resumed_at"""


_NAMED: LiteralString = f"""SELECT {_SHOWN}, c.external_id, coalesce(c.name, '') AS name,
  coalesce(c.timezone, '') AS zone
FROM enrollment e LEFT JOIN contact c ON c.id = coalesce(e.contact_id, e.subject_id)"""


async def get(
    connection: Connection, campaign_id: UUID, contact_id: UUID, *, lock: bool = False
) -> Row | None:
    """Somebody's enrollment, locked where asked; None where there is none."""
    return await row(
        connection,
        f"SELECT {_SHOWN} FROM enrollment e WHERE e.campaign_id = %s AND e.subject_id = %s"
        + (" FOR NO KEY UPDATE" if lock else ""),
        (campaign_id, contact_id),
    )


async def set_moves(connection: Connection, enrollment_id: UUID, moves: Mapping[str, int]) -> None:
    """Keep where somebody moved occurrences of this generation ("iteration.step" → seconds since 1970)."""
    await connection.execute(
        "UPDATE enrollment SET moves = %s WHERE id = %s",
        (Jsonb(dict(moves)) if moves else None, enrollment_id),
    )


async def set_resumed(connection: Connection, enrollment_id: UUID, moment: datetime) -> None:
    """What fell due before this moment is not sent to them."""
    await connection.execute("UPDATE enrollment SET resumed_at = %s WHERE id = %s", (moment, enrollment_id))


async def of_contact(connection: Connection, contact_id: UUID) -> list[Row]:
    """Where somebody is in the campaigns that follow people, the newest first, with their names; of alerts
    also `about`, the external id of the case that each is about."""
    return await rows(
        connection,
        f"""SELECT {_SHOWN}, g.name AS campaign, k.external_id AS about
            FROM enrollment e JOIN campaign g ON g.id = e.campaign_id
            LEFT JOIN LATERAL (SELECT external_id FROM "case" WHERE "case".id = e.case_id LIMIT 1) k ON true
            WHERE (e.subject_id = %(contact)s OR e.contact_id = %(contact)s) AND e.began_at IS NOT NULL
            ORDER BY e.id DESC LIMIT 50""",
        {"contact": contact_id},
    )


async def enrolled(connection: Connection, campaign_id: UUID, contact_ids: Sequence[UUID]) -> list[UUID]:
    """Those of these contacts who are in a campaign."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT k.id FROM unnest(%s::uuid[]) AS k(id) CROSS JOIN LATERAL (
                 SELECT FROM enrollment WHERE campaign_id = %s AND subject_id = k.id LIMIT 1) e""",
            (list(contact_ids), campaign_id),
        )
        return [found[0] for found in await cursor.fetchall()]


async def shown(connection: Connection, campaign_id: UUID, contact_id: UUID) -> Row:
    """Somebody's enrollment as `page` has it. Raises NotFound."""
    found = await row(
        connection,
        _NAMED + " WHERE e.campaign_id = %s AND e.subject_id = %s",
        (campaign_id, contact_id),
    )
    if found is None:
        raise NotFound("this person is not in it", where="contact")
    return found


async def page(
    connection: Connection,
    campaign_id: UUID,
    *,
    states: Sequence[str] = (),
    after: UUID | None = None,
    limit: int = 100,
) -> list[Row]:
    """A campaign's enrollments in the order of their people, after one, with their names."""
    return await rows(
        connection,
        _NAMED
        + """
           WHERE e.campaign_id = %(campaign)s
             AND (%(states)s::text[] = '{}' OR e.state = ANY (%(states)s::text[]))
             AND e.subject_id > coalesce(%(after)s, '00000000-0000-0000-0000-000000000000'::uuid)
           ORDER BY e.subject_id LIMIT %(limit)s""",
        {"campaign": campaign_id, "states": list(states), "after": after, "limit": limit},
    )


async def next_due(connection: Connection, campaign_id: UUID) -> datetime | None:
    """When the first of them has something due."""
    found = await row(
        connection,
        """SELECT next_due FROM enrollment WHERE campaign_id = %s AND state = 'active'
           ORDER BY next_due LIMIT 1""",
        (campaign_id,),
    )
    return found["next_due"] if found else None


async def counts(connection: Connection, campaign_id: UUID) -> dict[str, int]:
    """How many are in each state."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "SELECT state, count(*) AS n FROM enrollment WHERE campaign_id = %s GROUP BY state ORDER BY 1",
            (campaign_id,),
        )
        return {one["state"]: one["n"] for one in await cursor.fetchall()}
