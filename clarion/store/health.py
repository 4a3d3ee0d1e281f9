"""Whether the database is there, has this version's schema, and agrees about the time."""

from __future__ import annotations

from datetime import datetime

from clarion.kit.db import Connection, row


async def revision(connection: Connection) -> str | None:
    """The schema's revision, or None where Clarion has never been."""
    there = await row(connection, "SELECT to_regclass('public.alembic_version') IS NOT NULL AS yes")
    if there is None or not there["yes"]:
        return None
    found = await row(connection, "SELECT version_num FROM alembic_version")
    return None if found is None else str(found["version_num"])


async def database_clock(connection: Connection) -> datetime:
    """The database's own clock, only to compare ours with (see `kit.clock.ClockGuard`)."""
    found = await row(connection, "SELECT clock_timestamp() AS at")
    assert found is not None
    at: datetime = found["at"]
    return at
