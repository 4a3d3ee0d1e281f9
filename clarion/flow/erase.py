"""Erase: a person is forgotten."""

from __future__ import annotations

from uuid import UUID

from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.store import erasure


async def erase_contact(db: Database, clock: Clock, workspace_id: UUID, contact_id: UUID) -> int:
    """Forget a person and skip what waits for them, in one transaction; how many messages were skipped.

    The ledger keeps pseudonymous rows, so that importing them again cannot send anything twice. Raises
    NotFound.
    """
    async with db.tenant(workspace_id) as connection:
        return await erasure.erase(connection, contact_id, clock.now())
