"""How far a campaign is, beside what the tally counts: what waits, and how fast it goes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from clarion.kit.db import Connection, Row, row
from clarion.kit.ids import floor7

COUNTED = 20_000  # waiting messages are counted up to here; beyond, those in flight are few among them


async def waiting(connection: Connection, lane_ids: Sequence[UUID], now: datetime) -> Row:
    """Of these lanes, {queued, later}: how many wait (at most COUNTED), and how many not to be sent yet."""
    found = await row(
        connection,
        """SELECT count(*) AS queued, count(*) FILTER (WHERE due_at > %(now)s) AS later FROM (
             SELECT due_at FROM queue WHERE lane_id = ANY (%(lanes)s) LIMIT %(most)s) q""",
        {"now": now, "lanes": list(lane_ids), "most": COUNTED},
    )
    assert found is not None
    return found


async def begun_since(
    connection: Connection, lane_ids: Sequence[UUID], cohorts: Sequence[date], since: datetime, now: datetime
) -> int:
    """How many tries of these lanes were begun from `since` to `now` and taken by the provider."""
    found = await row(
        connection,
        """SELECT count(*) AS n FROM attempt WHERE id >= %s AND id < %s AND cohort = ANY (%s)
             AND lane_id = ANY (%s) AND state = 'accepted'""",
        (floor7(since), floor7(now + timedelta(milliseconds=1)), list(cohorts), list(lane_ids)),
    )
    return int(found["n"]) if found else 0
