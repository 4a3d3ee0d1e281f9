"""The door of a campaign that follows people: whether it is open, and what was reckoned through it.

Whoever brings people or cases in step holds the workspace's doors (an advisory lock, shared, until the
transaction ends) before reading what campaigns say, and an edit of that waits until nobody does. So what is
written is by what they say, and nobody who read it a moment before an edit writes a moment after everybody
was gone through. It is one lock for all, since who was touched is looked at in all of them.
"""

from __future__ import annotations

from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg.rows import tuple_row

from clarion.kit.db import Connection, Row, rows
from clarion.store.entering import BY_KEY

_DOORS: LiteralString = "hashtextextended('clarion doors ' || clarion_workspace(), 0)"


async def hold(connection: Connection) -> None:
    """Keep what the workspace's campaigns say as it is until the transaction ends; rows are found by key
    until then (`entering.by_key`)."""
    await connection.execute(f"SELECT {BY_KEY}, pg_advisory_xact_lock_shared({_DOORS})", prepare=True)


async def alone(connection: Connection) -> None:
    """Wait until nobody holds the workspace's doors, and let nobody until the transaction ends. The caller
    may have a campaign locked, and nothing else that those may wait for."""
    await connection.execute(f"SELECT pg_advisory_xact_lock({_DOORS})")


async def revision(connection: Connection, campaign_id: UUID) -> int:
    """At which revision what it says is now."""
    cursor = await connection.execute(
        "SELECT revision FROM campaign WHERE id = %s", (campaign_id,), prepare=True
    )
    found = await cursor.fetchone()
    return int(found[0]) if found else 0


async def following(connection: Connection) -> list[Row]:
    """The workspace's campaigns whose door is open (`store.campaign` rows, and `revision`, `resumed_at`)."""
    return await rows(
        connection,
        """SELECT * FROM campaign WHERE workspace_id = clarion_workspace() AND follows ORDER BY id""",
    )


async def idle(connection: Connection, kind: str) -> list[Row]:
    """Those of a kind that are running and have gone through everybody, and in which nobody has anything to
    come."""
    return await rows(
        connection,
        """SELECT c.* FROM campaign c
           WHERE c.workspace_id = clarion_workspace() AND c.follows AND c.kind = %s AND c.state = 'running'
             AND NOT EXISTS (
               SELECT FROM run r WHERE r.campaign_id = c.id AND r.state IN ('planned', 'expanding'))
             AND NOT EXISTS (
               SELECT FROM enrollment e WHERE e.campaign_id = c.id AND e.state = 'active') ORDER BY c.id""",
        (kind,),
    )


async def of_yesterday(connection: Connection, midnight: datetime) -> list[tuple[UUID, UUID]]:
    """(campaign, run that enrolls) of those whose filter counts days from the present one (`criteria.Day`),
    and that went through everybody before this moment."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT c.id, r.id FROM campaign c JOIN LATERAL (
                 SELECT id, state, started_at FROM run WHERE campaign_id = c.id ORDER BY iteration LIMIT 1) r
                 ON true
               WHERE c.workspace_id = clarion_workspace() AND c.follows AND r.state = 'expanded'
                 AND r.started_at < %s AND c.definition->'audience' @? '$.**.days_from_today'
               ORDER BY c.id""",
            (midnight,),
        )
        return await cursor.fetchall()


async def set_follows(connection: Connection, campaign_id: UUID, follows: bool) -> None:
    """Open the campaign's door, or close it: who comes in is enrolled as long as it is open."""
    await connection.execute("UPDATE campaign SET follows = %s WHERE id = %s", (follows, campaign_id))


async def set_resumed(connection: Connection, campaign_id: UUID, moment: datetime) -> None:
    """What fell due before this moment is not sent: it was paused."""
    await connection.execute("UPDATE campaign SET resumed_at = %s WHERE id = %s", (moment, campaign_id))


async def switch(connection: Connection, campaign_id: UUID) -> None:
    """From its present revision on an alert counts from another property."""
    await connection.execute("UPDATE campaign SET switched = revision WHERE id = %s", (campaign_id,))


async def revise(connection: Connection, campaign_id: UUID) -> None:
    """What was reckoned of the campaign's schedule for anybody holds no more."""
    await alone(connection)
    await connection.execute("UPDATE campaign SET revision = revision + 1 WHERE id = %s", (campaign_id,))
