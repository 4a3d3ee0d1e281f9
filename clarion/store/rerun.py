"""Re-runs of alerts: how far the run that goes over their cases is, stopped and begun again.

That it is under way is the run's state, so it ends in the transaction of its last chunk. One that was stopped
keeps its parts: some are not at their end, and from there it goes on.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from psycopg.rows import args_row

from clarion.domain.rerun import Gone
from clarion.kit.db import Connection


async def gone(connection: Connection, run_id: UUID) -> Gone:
    """How far this run is. Its parts are read beside it: what one chunk has done is seen whole."""
    async with connection.cursor(row_factory=args_row(Gone)) as cursor:
        await cursor.execute(
            """SELECT r.state, r.due_at, r.started_at, r.expanded_at, r.size, p.looked, p.parts, p.unfinished,
                 r.error
               FROM run r CROSS JOIN LATERAL (
                 SELECT coalesce(sum(looked), 0)::bigint AS looked, count(*) AS parts,
                   count(*) FILTER (WHERE NOT done) AS unfinished
                 FROM run_part WHERE run_id = r.id) p
               WHERE r.id = %s""",
            (run_id,),
        )
        found = await cursor.fetchone()
        assert found is not None, "its campaign has it"
        return found


async def stop(connection: Connection, run_id: UUID, now: datetime) -> None:
    """Go over no more of its cases. Chunks that are under way end first."""
    await connection.execute("SELECT FROM run_part WHERE run_id = %s ORDER BY part FOR UPDATE", (run_id,))
    await connection.execute(
        """UPDATE run SET state = 'expanded', expanded_at = %s
           WHERE id = %s AND state IN ('planned', 'expanding')""",
        (now, run_id),
    )


async def go_on(connection: Connection, run_id: UUID, now: datetime) -> None:
    """Go over those of its cases that were left when it was stopped. The time in between is none in which
    it was at work; what was never cut into parts begins."""
    await connection.execute(
        """UPDATE run SET due_at = %(now)s, error = '', expanded_at = NULL,
             started_at = started_at + (%(now)s - expanded_at),
             state = CASE WHEN EXISTS (SELECT FROM run_part p WHERE p.run_id = run.id) THEN 'expanding'
                     ELSE 'planned' END
           WHERE id = %(run)s AND state = 'expanded'""",
        {"now": now, "run": run_id},
    )
