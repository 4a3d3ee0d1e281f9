"""How many messages of a run are in each state, kept as deltas beside every change."""

from __future__ import annotations

from typing import LiteralString
from uuid import UUID

from clarion.kit.db import Connection, Row, rows

# Appended to a statement whose CTE `moved` holds (run_id, was, was_reason, state, reason).
ADD: LiteralString = """
  INSERT INTO tally (workspace_id, run_id, state, reason, n)
  SELECT clarion_workspace(), run_id, state, reason, sum(n) FROM (
    SELECT run_id, was AS state, was_reason AS reason, -1 AS n FROM moved WHERE was IS NOT NULL
    UNION ALL
    SELECT run_id, state, reason, 1 FROM moved
  ) delta WHERE run_id IS NOT NULL
  GROUP BY run_id, state, reason HAVING sum(n) <> 0
"""


async def counts(connection: Connection, run_id: UUID) -> list[Row]:
    """The run's messages by state and reason: [{state, reason, n}], without zeros."""
    return await rows(
        connection,
        """SELECT state::text, reason, sum(n)::bigint AS n FROM tally WHERE run_id = %s
           GROUP BY state, reason HAVING sum(n) <> 0 ORDER BY state, reason""",
        (run_id,),
    )


async def fold(connection: Connection, limit: int = 10_000) -> int:
    """Fold the deltas of this workspace together; returns how many rows went. Safe at any time:
    rows are locked, those of transactions under way are left for the next time."""
    cursor = await connection.execute(
        """WITH old AS (
             SELECT id FROM tally ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
           ), gone AS (
             DELETE FROM tally WHERE id IN (SELECT id FROM old)
             RETURNING workspace_id, run_id, state, reason, n
           ), kept AS (
             INSERT INTO tally (workspace_id, run_id, state, reason, n)
             SELECT workspace_id, run_id, state, reason, sum(n) FROM gone
             GROUP BY workspace_id, run_id, state, reason HAVING sum(n) <> 0 RETURNING 1
           )
           SELECT (SELECT count(*) FROM gone) - (SELECT count(*) FROM kept)""",
        (limit,),
    )
    found = await cursor.fetchone()
    return int(found[0]) if found else 0
