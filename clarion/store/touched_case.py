"""Notes that a case changed: made by triggers in the transaction that changes it (migration 0031), and taken
with what they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg.rows import tuple_row

from clarion.kit.db import Connection, array
from clarion.store.criteria import Values, below


async def touched(connection: Connection, limit: int) -> tuple[list[UUID], bool]:
    """Take up to so many notes that a case changed; the cases, each once, and whether there may be more
    notes. Those that others have taken and not finished are left to them."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """DELETE FROM touched_case WHERE workspace_id = clarion_workspace() AND id = ANY (ARRAY(
                 SELECT id FROM touched_case WHERE workspace_id = clarion_workspace()
                 ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
               RETURNING case_id""",
            (limit,),
        )
        taken = {found[0] for found in await cursor.fetchall()}
        return sorted(taken), cursor.rowcount == limit


async def linked(connection: Connection, case_ids: Sequence[UUID]) -> list[UUID]:
    """Cases that an alert may look at beside these: whose parent or host they are, and their own parents."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT DISTINCT o.id FROM unnest(%(ids)s::uuid[]) AS i(id)
               CROSS JOIN LATERAL (SELECT * FROM "case" WHERE "case".id = i.id LIMIT 1) k
               CROSS JOIN LATERAL (
                 SELECT id FROM "case" x
                 WHERE x.workspace_id = clarion_workspace() AND x.parent = k.external_id
                 UNION ALL SELECT id FROM "case" x
                 WHERE x.workspace_id = clarion_workspace() AND x.host = k.external_id
                 UNION ALL SELECT id FROM "case" x
                 WHERE x.workspace_id = clarion_workspace() AND x.external_id = k.parent OFFSET 0) o
               WHERE NOT o.id = ANY (%(ids)s::uuid[])""",
            {"ids": array(one.hex for one in case_ids)},
        )
        return [found[0] for found in await cursor.fetchall()]


async def touch_of(
    connection: Connection, campaign_id: UUID, contact_ids: Sequence[UUID], groups: Sequence[UUID], *,
    owners: bool = False,
) -> None:  # fmt: skip
    """Note the cases that these contacts have to do with: in a role, as who owns or wrote them, and those of
    which they hear in this alert. Where it speaks to `groups` and one of them is in these, all that meet its
    criteria; where it speaks to `owners`, those that a group of theirs owns."""
    await connection.execute(
        """INSERT INTO touched_case (workspace_id, case_id)
           SELECT DISTINCT clarion_workspace(), o.id FROM unnest(%(ids)s::uuid[]) AS i(id)
           CROSS JOIN LATERAL (SELECT external_id FROM contact WHERE contact.id = i.id LIMIT 1) c
           CROSS JOIN LATERAL (
             SELECT case_id AS id FROM case_contact WHERE contact_id = i.id
             UNION ALL SELECT case_id FROM enrollment
             WHERE enrollment.contact_id = i.id AND campaign_id = %(campaign)s
             UNION ALL SELECT x.id FROM "case" x
             WHERE x.workspace_id = clarion_workspace() AND x.owner = c.external_id
             UNION ALL SELECT x.id FROM "case" x
             WHERE x.workspace_id = clarion_workspace() AND x.modified_by = c.external_id OFFSET 0) o""",
        {"ids": array(one.hex for one in contact_ids), "campaign": campaign_id},
    )
    if owners:
        await connection.execute(_OF_THEIR_GROUPS, {"ids": array(one.hex for one in contact_ids)})
    if groups:
        values = Values()
        meant = below(groups, values)
        await connection.execute(
            f"""INSERT INTO touched_case (workspace_id, case_id)
                SELECT clarion_workspace(), case_id FROM episode
                WHERE campaign_id = %(campaign)s AND phase = 'on' AND EXISTS (
                  SELECT FROM unnest(%(ids)s::uuid[]) AS i(id) JOIN group_member gm ON gm.contact_id = i.id
                  WHERE gm.group_id = ANY ({meant}))""",
            {**values.params, "ids": array(one.hex for one in contact_ids), "campaign": campaign_id},
        )


# Of open cases alone: one that is opened meanwhile is noted by itself.
_OF_THEIR_GROUPS: LiteralString = """
INSERT INTO touched_case (workspace_id, case_id)
WITH RECURSIVE above AS (
    SELECT gm.group_id AS id FROM unnest(%(ids)s::uuid[]) AS i(id)
    JOIN group_member gm ON gm.contact_id = i.id
    UNION SELECT g.parent_id FROM above a JOIN contact_group g ON g.id = a.id WHERE g.parent_id IS NOT NULL)
SELECT clarion_workspace(), k.id FROM above a
CROSS JOIN LATERAL (
  SELECT external_id FROM contact_group g WHERE g.id = a.id AND g.external_id IS NOT NULL LIMIT 1) g
CROSS JOIN LATERAL (SELECT id FROM "case"
  WHERE workspace_id = clarion_workspace() AND owner = g.external_id AND state = 'open' OFFSET 0) k"""


async def awaited(connection: Connection, now: datetime) -> list[tuple[UUID, UUID | None]]:
    """Over all workspaces: (workspace, alert) of which the calendar turns something, (workspace, None) where
    a case was touched."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            "SELECT workspace_id, campaign_id FROM clarion_following_cases(%s)", (now,), prepare=True
        )
        return await cursor.fetchall()
