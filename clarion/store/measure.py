"""How much waits on each channel, over all workspaces: numbers for the metrics, no tenant's data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from clarion.kit.db import Connection

# Counted one by one up to here, for each channel (measured: 1 ms). Beyond, the runs' tallies tell, which
# count what is in flight too: few among so many.
COUNTED = 5000


@dataclass(frozen=True, slots=True)
class Measure:
    """One channel, paused or not. `rate` is messages a second, as configured.

    `due`: the moment has come, the campaign is not paused, and it waits for its turn. `queued`: waits, due
    or not. `unknown`: tries of which nobody knows, the oldest since `unknown_since`. `inbox`: the
    provider's calls that wait to be read, at most COUNTED of them are counted.
    """

    channel_id: UUID
    paused: bool
    rate: float
    due: int
    queued: int
    unknown: int
    unknown_since: datetime | None
    inbox: int


async def channels(connection: Connection, now: datetime, counted: int = COUNTED) -> list[Measure]:
    """Every channel there is; needs no tenant."""
    async with connection.cursor(row_factory=class_row(Measure)) as cursor:
        await cursor.execute("SELECT * FROM clarion_measures(%s, %s)", (now, counted), prepare=True)
        return await cursor.fetchall()
