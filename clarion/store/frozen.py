"""Frozen audiences: who it was when the author froze it; and whether what an audience names is there."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from clarion.kit.db import Connection
from clarion.store.expansion import Meant


async def freeze(connection: Connection, campaign_id: UUID, meant: Meant) -> int:
    """Write down whom a campaign means at this moment, in place of what was there; how many."""
    await thaw(connection, campaign_id)
    cursor = await connection.execute(
        """INSERT INTO frozen_audience (workspace_id, campaign_id, contact_id)
           SELECT clarion_workspace(), %(campaign)s, c.id FROM contact c
           WHERE c.workspace_id = clarion_workspace() AND (""" + meant.predicate + ")",
        {**meant.params, "campaign": campaign_id},
    )  # fmt: skip
    return cursor.rowcount


async def thaw(connection: Connection, campaign_id: UUID) -> None:
    """Forget a frozen audience."""
    await connection.execute("DELETE FROM frozen_audience WHERE campaign_id = %s", (campaign_id,))


def meant(campaign_id: UUID) -> Meant:
    """Those who were frozen; one who was merged since, together with the contact that they are now."""
    return Meant(
        """(EXISTS (SELECT FROM frozen_audience f
                    WHERE f.campaign_id = %(who_campaign)s AND f.contact_id = c.id)
            OR c.id = ANY (ARRAY(SELECT self.merged_into FROM frozen_audience f
                                 JOIN contact self ON self.id = f.contact_id
                                 WHERE f.campaign_id = %(who_campaign)s
                                   AND self.merged_into IS NOT NULL)))""",
        {"who_campaign": campaign_id},
    )


async def anybody(connection: Connection, meant: Meant) -> bool:
    """Whether somebody is meant."""
    cursor = await connection.execute(
        """SELECT EXISTS (SELECT FROM contact c WHERE c.workspace_id = clarion_workspace() AND ("""
        + meant.predicate
        + "))",
        meant.params,
    )
    found = await cursor.fetchone()
    return bool(found and found[0])


async def groups_that_are(connection: Connection, group_ids: Iterable[UUID]) -> set[UUID]:
    """Those of these groups that there are."""
    cursor = await connection.execute("SELECT id FROM contact_group WHERE id = ANY (%s)", (list(group_ids),))
    return {found[0] for found in await cursor.fetchall()}


async def contacts_that_are(connection: Connection, contact_ids: Iterable[UUID]) -> set[UUID]:
    """Those of these contacts that there are, erased and merged ones included."""
    cursor = await connection.execute("SELECT id FROM contact WHERE id = ANY (%s)", (list(contact_ids),))
    return {found[0] for found in await cursor.fetchall()}
