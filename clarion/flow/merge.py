"""Merge: two contacts become one."""

from __future__ import annotations

from uuid import UUID

from clarion.kit.clock import Clock
from clarion.kit.db import Database, Row
from clarion.store import contact, merging, window


async def merge_contacts(db: Database, clock: Clock, workspace_id: UUID, winner: UUID, loser: UUID) -> Row:
    """Make two contacts one; the contact that remains, as `store.contact.get` shows it.

    The winner's own data goes before the loser's. A message that waits for the loser is skipped where the
    winner has one in the same run, and goes to the winner otherwise. Raises NotFound, Conflict.
    """
    async with db.tenant(workspace_id) as connection:
        now = clock.now()
        await merging.merge(connection, winner, loser, now)
        for one in (winner, loser):  # the other may have written
            await window.look_again(connection, one, now)
        return await contact.get(connection, winner)
