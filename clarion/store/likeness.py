"""Whom two announcements have in common, and one launch after the other so that neither is overlooked."""

from __future__ import annotations

from typing import LiteralString
from uuid import UUID

from clarion.kit.db import Connection
from clarion.store.expansion import Meant


async def take_turn(connection: Connection) -> None:
    """Wait until nobody else launches in this workspace; held until the transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('clarion launch ' || clarion_workspace(), 0))"
    )


async def people_in_common(connection: Connection, ours: Meant, theirs: Meant) -> int:
    """How many contacts both mean."""
    other, params = _renamed(theirs)
    return await _count(
        connection,
        "SELECT count(*) FROM contact c WHERE c.workspace_id = clarion_workspace() AND ("
        + ours.predicate
        + ") AND ("
        + other
        + ")",
        {**ours.params, **params},
    )


async def people_who_got(connection: Connection, ours: Meant, campaign_id: UUID) -> int:
    """How many of ours have a message of another campaign that went, may have gone or is still to go."""
    return await _count(
        connection,
        """SELECT count(*) FROM enrollment e JOIN contact c ON c.id = e.subject_id
           WHERE e.campaign_id = %(other_campaign)s AND EXISTS (
             SELECT FROM message m WHERE m.enrollment_id = e.id AND m.cohort = e.cohort
               AND m.state NOT IN ('skipped', 'cancelled', 'expired', 'failed'))
             AND ("""
        + ours.predicate
        + ")",
        {**ours.params, "other_campaign": campaign_id},
    )


def _renamed(meant: Meant) -> tuple[LiteralString, dict[str, object]]:
    """The same condition under other names of its values, to stand beside another one."""
    params = {f"other_{name}": value for name, value in meant.params.items()}
    return meant.predicate.replace("%(who_", "%(other_who_"), params


async def _count(connection: Connection, query: LiteralString, params: dict[str, object]) -> int:
    cursor = await connection.execute(query, params)
    found = await cursor.fetchone()
    return int(found[0]) if found else 0
