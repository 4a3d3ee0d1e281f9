"""Keeping small what should be small. Nothing of the ledger itself is ever removed here."""

from __future__ import annotations

from datetime import datetime, timedelta

from clarion.kit.db import Connection
from clarion.kit.ids import floor7
from clarion.store import tally

REPLIES_KEPT = timedelta(hours=24)  # stored replies to Idempotency-Keys
ANSWERED_KEPT = timedelta(days=2)  # when an address was last answered a word about consent
INBOX_KEPT = timedelta(days=7)  # raw bodies that were read
ALIASES_KEPT = timedelta(days=30)  # what providers call our tries: no receipt comes later
AT_ONCE = 10_000


async def tidy(connection: Connection, now: datetime) -> None:
    """One workspace's turn: fold the tally, forget old replies, old raw bodies and old aliases."""
    await tally.fold(connection, AT_ONCE)
    await connection.execute(
        "DELETE FROM idempotency WHERE workspace_id = clarion_workspace() AND created_at < %s",
        (now - REPLIES_KEPT,),
    )
    await connection.execute(
        "DELETE FROM courtesy WHERE workspace_id = clarion_workspace() AND at < %s", (now - ANSWERED_KEPT,)
    )
    await connection.execute(
        """DELETE FROM inbox WHERE id IN (
             SELECT id FROM inbox WHERE done_at IS NOT NULL AND problem IS NULL AND id < %s
             ORDER BY id LIMIT %s)""",
        (floor7(now - INBOX_KEPT), AT_ONCE),
    )
    await connection.execute(
        """DELETE FROM alias WHERE (channel_id, provider_id) IN (
             SELECT channel_id, provider_id FROM alias
             WHERE workspace_id = clarion_workspace() AND noted_at < %s ORDER BY noted_at LIMIT %s)""",
        (now - ALIASES_KEPT, AT_ONCE),
    )
