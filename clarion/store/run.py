"""Runs: one time that a campaign's door opens."""

from __future__ import annotations

from datetime import date, datetime
from typing import LiteralString
from uuid import UUID

from psycopg.rows import tuple_row

from clarion.kit.db import Connection, Row, row, rows


async def plan(
    connection: Connection,
    run_id: UUID,
    *,
    campaign_id: UUID,
    iteration: int,
    cohort: date,
    content_version_id: UUID,
    lane_id: UUID,
    due_at: datetime,
    expires_at: datetime,
) -> None:
    """Write down that a campaign will speak at `due_at`; makes the month's partitions."""
    await connection.execute("SELECT clarion_ensure_cohort(%s)", (cohort,))
    await connection.execute(
        """INSERT INTO run (id, workspace_id, campaign_id, iteration, cohort, content_version_id, lane_id,
             due_at, expires_at, state)
           VALUES (%s, clarion_workspace(), %s, %s, %s, %s, %s, %s, %s, 'planned')""",
        (run_id, campaign_id, iteration, cohort, content_version_id, lane_id, due_at, expires_at),
    )


async def get(connection: Connection, run_id: UUID) -> Row | None:
    """A run with its campaign's definition and state."""
    return await row(
        connection,
        """SELECT r.*, c.definition, c.state AS campaign_state, c.channel_id, c.follows
           FROM run r JOIN campaign c ON c.id = r.campaign_id WHERE r.id = %s""",
        (run_id,),
    )


async def of_campaign(connection: Connection, campaign_id: UUID) -> list[Row]:
    """A campaign's runs, in order."""
    return await rows(
        connection, "SELECT * FROM run WHERE campaign_id = %s ORDER BY iteration", (campaign_id,)
    )


async def change(
    connection: Connection, run_id: UUID, *, content_version_id: UUID, lane_id: UUID, due_at: datetime,
    expires_at: datetime,
) -> bool:  # fmt: skip
    """Edit a run that has not begun; False when it has. The cohort stays: it is frozen."""
    cursor = await connection.execute(
        """UPDATE run SET content_version_id = %s, lane_id = %s, due_at = %s, expires_at = %s
           WHERE id = %s AND state = 'planned'""",
        (content_version_id, lane_id, due_at, expires_at, run_id),
    )
    return cursor.rowcount == 1


async def open_occasion(
    connection: Connection, door_id: UUID, run_id: UUID, occasion: str, due_at: datetime
) -> None:
    """Write down a time at which a recurring announcement speaks, unless somebody has; `door_id` is the run
    that enrolls its people. Its messages are written as they fall due, so there is nothing to expand."""
    while await _lacks(connection, door_id, occasion):
        await connection.execute(
            """INSERT INTO run (id, workspace_id, campaign_id, iteration, cohort, content_version_id, lane_id,
                 due_at, expires_at, state, started_at, expanded_at, occasion)
               SELECT %(id)s, workspace_id, campaign_id,
                 (SELECT max(iteration) + 1 FROM run o WHERE o.campaign_id = d.campaign_id), cohort,
                 content_version_id, lane_id, %(due)s, expires_at, 'expanded', %(due)s, %(due)s, %(occasion)s
               FROM run d WHERE d.id = %(door)s
               ON CONFLICT DO NOTHING""",  # another may have taken the number, or opened this very occasion
            {"id": run_id, "due": due_at, "occasion": occasion, "door": door_id},
        )


async def occasions(connection: Connection, campaign_id: UUID, limit: int) -> list[Row]:
    """The times at which a recurring announcement spoke, the newest first."""
    return await rows(
        connection,
        """SELECT * FROM run WHERE campaign_id = %s AND occasion IS NOT NULL
           ORDER BY iteration DESC LIMIT %s""",
        (campaign_id, limit),
    )


async def occasion(connection: Connection, campaign_id: UUID, number: int) -> UUID | None:
    """The run of one of these; None where there is none."""
    found = await row(
        connection,
        "SELECT id FROM run WHERE campaign_id = %s AND iteration = %s AND occasion IS NOT NULL",
        (campaign_id, number),
    )
    return found["id"] if found else None


async def _lacks(connection: Connection, door_id: UUID, occasion: str) -> bool:
    cursor = await connection.execute(
        """SELECT FROM run d JOIN run o ON o.campaign_id = d.campaign_id AND o.occasion = %s
           WHERE d.id = %s""",
        (occasion, door_id),
    )
    return cursor.rowcount == 0


async def set_lane(connection: Connection, run_id: UUID, lane_id: UUID) -> None:
    """What is written from now on goes over this lane."""
    await connection.execute("UPDATE run SET lane_id = %s WHERE id = %s", (lane_id, run_id))


async def again(connection: Connection, run_id: UUID, now: datetime) -> None:
    """Go through everybody anew: of a campaign that follows people, whose door has changed. Chunks that are
    under way end first."""
    await connection.execute("SELECT FROM run_part WHERE run_id = %s ORDER BY part FOR UPDATE", (run_id,))
    await connection.execute("DELETE FROM run_part WHERE run_id = %s", (run_id,))
    await connection.execute(
        """UPDATE run SET state = 'planned', due_at = %s, error = '', expanded_at = NULL, size = NULL
           WHERE id = %s AND state <> 'cancelled'""",
        (now, run_id),
    )


async def end_by(connection: Connection, campaign_id: UUID, moment: datetime) -> None:
    """Nothing more is written of a campaign whose runs had no end: what waits then has expired."""
    await connection.execute(
        "UPDATE run SET expires_at = %s WHERE campaign_id = %s AND finished_at IS NULL", (moment, campaign_id)
    )


async def cancel(connection: Connection, campaign_id: UUID, now: datetime) -> None:
    """No further chunk is expanded. A run that had begun is finished when nothing of it waits any more."""
    await connection.execute(
        """UPDATE run SET state = 'cancelled',
             finished_at = CASE WHEN state = 'planned' THEN coalesce(finished_at, %s) ELSE finished_at END
           WHERE campaign_id = %s AND state <> 'expanded'""",
        (now, campaign_id),
    )


async def due(connection: Connection, now: datetime) -> list[tuple[UUID, UUID]]:
    """(workspace, run) of every run whose moment has come and that is not expanded, over all workspaces."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute("SELECT workspace_id, run_id FROM clarion_due_runs(%s)", (now,), prepare=True)
        return await cursor.fetchall()


async def failed(connection: Connection, run_id: UUID, error: str) -> None:
    """Keep what went wrong with an expansion, for people to see."""
    await connection.execute("UPDATE run SET error = %s WHERE id = %s", (error, run_id))


_LEFT: LiteralString = """SELECT r.id, r.campaign_id, r.state, r.expires_at,
    ARRAY(SELECT l.id FROM lane l WHERE l.campaign_id = r.campaign_id ORDER BY l.id) AS lane_ids,
    c.state AS campaign_state, coalesce(left_over.ready, 0) AS ready,
    coalesce(left_over.unknown, 0) AS unknown
  FROM run r JOIN campaign c ON c.id = r.campaign_id CROSS JOIN LATERAL (
    SELECT (sum(n) FILTER (WHERE t.state = 'ready'))::bigint AS ready,
      (sum(n) FILTER (WHERE t.state = 'unknown'))::bigint AS unknown
    FROM tally t WHERE t.run_id = r.id AND t.state IN ('ready', 'unknown')) left_over
  WHERE r.finished_at IS NULL AND r.state IN ('expanded', 'cancelled') AND NOT c.follows AND """


async def unfinished(connection: Connection) -> list[Row]:
    """The workspace's runs that expand no further and are not finished, with what is left of each."""
    return await rows(connection, _LEFT + "r.workspace_id = clarion_workspace() ORDER BY r.id")


async def left(connection: Connection, run_id: UUID) -> Row | None:
    """One of the unfinished; None when it is finished, or not expanded. Waits for chunks under way."""
    await connection.execute("SELECT FROM run_part WHERE run_id = %s ORDER BY part FOR UPDATE", (run_id,))
    return await row(connection, _LEFT + "r.id = %s", (run_id,))


async def others_open(connection: Connection, campaign_id: UUID, run_id: UUID) -> bool:
    """Whether a campaign has runs beside this one that are still to come, or have something waiting."""
    cursor = await connection.execute(
        """SELECT EXISTS (SELECT FROM run r WHERE r.campaign_id = %s AND r.id <> %s AND r.finished_at IS NULL
             AND (r.state IN ('planned', 'expanding')
                  OR (SELECT sum(n) FROM tally t WHERE t.run_id = r.id AND t.state = 'ready') > 0))""",
        (campaign_id, run_id),
    )
    found = await cursor.fetchone()
    return bool(found and found[0])


async def reopen(connection: Connection, run_id: UUID, expires_at: datetime) -> None:
    """Something waits in this run again, until `expires_at` at the latest."""
    await connection.execute(
        "UPDATE run SET finished_at = NULL, expires_at = greatest(expires_at, %s) WHERE id = %s",
        (expires_at, run_id),
    )


async def finish(connection: Connection, run_id: UUID, now: datetime) -> None:
    """Nothing waits any more in this run."""
    await connection.execute(
        "UPDATE run SET finished_at = %s WHERE id = %s AND finished_at IS NULL", (now, run_id)
    )
