"""Housekeeping jobs of one workspace, in Procrastinate's own tables. A job names its workspace among its
arguments; these tables have no row-level security, so every query here asks for it.
"""

from __future__ import annotations

from datetime import datetime
from typing import LiteralString

from psycopg.errors import UniqueViolation

from clarion.errors import Conflict, NotFound
from clarion.kit.db import Connection, Row, row, rows

STATES = ("todo", "doing", "succeeded", "failed", "cancelled", "aborted")

# Moments are the job server's own (Procrastinate writes them).
_JOB: LiteralString = """
SELECT j.id, split_part(j.task_name, ':', 2) AS task, j.status::text AS state, j.attempts AS tries,
  j.args - 'workspace' AS about, j.scheduled_at, e.asked_at, e.started_at, e.ended_at
FROM procrastinate_jobs j CROSS JOIN LATERAL (
  SELECT min(at) FILTER (WHERE type = 'deferred') AS asked_at,
    max(at) FILTER (WHERE type = 'started') AS started_at,
    max(at) FILTER (WHERE type IN ('succeeded', 'failed', 'cancelled', 'aborted')
      AND j.status NOT IN ('todo', 'doing')) AS ended_at
  FROM procrastinate_events WHERE job_id = j.id) e
WHERE j.args ->> 'workspace' = clarion_workspace()::text"""


async def page(
    connection: Connection, *, state: str | None = None, before: int | None = None, limit: int = 100
) -> list[Row]:
    """Jobs, newest first, older than a cursor, as `get` shows them. Those that succeeded are forgotten."""
    return await rows(
        connection,
        _JOB
        + """ AND (%(state)s::text IS NULL OR j.status::text = %(state)s)
              AND (%(before)s::bigint IS NULL OR j.id < %(before)s)
              ORDER BY j.id DESC LIMIT %(limit)s""",
        {"state": state, "before": before, "limit": limit},
    )


async def get(connection: Connection, job_id: int) -> Row:
    """One job: {id, task, state, tries, about (its other arguments), scheduled_at, asked_at, started_at,
    ended_at}. Raises NotFound."""
    found = await row(connection, _JOB + " AND j.id = %s", (job_id,))
    if found is None:
        raise NotFound("there is no such job", where="job", hint="those that succeeded are forgotten")
    return found


async def retry(connection: Connection, job_id: int, now: datetime) -> None:
    """Put a failed job back into line. Raises NotFound, and Conflict: it has not failed, or one like it
    waits already."""
    await get(connection, job_id)
    await connection.execute("SELECT FROM procrastinate_jobs WHERE id = %s FOR UPDATE", (job_id,))
    found = await get(connection, job_id)
    if found["state"] != "failed":
        raise Conflict(f"this job is {found['state']}: only a failed one is run again", where="job")
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT procrastinate_retry_job_v2(%s, %s, NULL, NULL, NULL)", (job_id, now)
            )
    except UniqueViolation:  # its name is unique among those that wait
        raise Conflict("one like it waits already", where="job", hint="wait for that one") from None
