"""How far the cases of a source were pulled. Each page is noted in the transaction that stored it, with the
place where the next one begins, so that a pull that was killed goes on where it stood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from clarion.errors import Conflict
from clarion.kit.db import Connection, Row, row

UNDER_WAY = ("waiting", "running")
MOST_PROBLEMS = 100  # that are kept of a pull
SILENT = timedelta(minutes=30)  # then whoever was at it is dead: a page is asked for six times at most


class Stopped(Exception):
    """Somebody has stopped this pull."""


async def ask(connection: Connection, source_id: UUID, now: datetime, *, anew: bool = False) -> bool:
    """Note that a job is to pull; False where somebody is at it already, or waits, and was heard of lately.
    `anew`: from the beginning."""
    done = await connection.execute(
        """INSERT INTO case_pull AS p (source_id, workspace_id, state, asked_at)
           VALUES (%(source)s, clarion_workspace(), 'waiting', %(now)s)
           ON CONFLICT (source_id) DO UPDATE SET state = 'waiting', asked_at = %(now)s,
             place = CASE WHEN %(anew)s THEN '{}' ELSE p.place END
           WHERE p.state NOT IN ('waiting', 'running')
             OR greatest(p.asked_at, p.started_at, p.stored_at, p.waits_until) < %(silent)s""",
        {"source": source_id, "now": now, "anew": anew, "silent": now - SILENT},
    )
    return done.rowcount == 1


_BEGIN: LiteralString = """
INSERT INTO case_pull AS p (source_id, workspace_id, state, started_at)
SELECT %(source)s::uuid, clarion_workspace(), 'running', %(now)s::timestamptz
WHERE NOT %(asked)s OR EXISTS (SELECT FROM case_pull WHERE source_id = %(source)s)
ON CONFLICT (source_id) DO UPDATE SET state = 'running', error = '', waits_until = NULL, finished_at = NULL,
  place = CASE WHEN %(anew)s THEN '{}' ELSE p.place END,
  counts = CASE WHEN p.place ? 'cursor' AND NOT %(anew)s THEN p.counts ELSE '{}' END,
  problems = CASE WHEN p.place ? 'cursor' AND NOT %(anew)s THEN p.problems ELSE '[]' END,
  started_at = CASE WHEN p.place ? 'cursor' AND NOT %(anew)s THEN p.started_at ELSE %(now)s END
WHERE NOT %(asked)s OR p.state IN ('waiting', 'running')
RETURNING place, counts"""


async def begin(
    connection: Connection, source_id: UUID, now: datetime, *, anew: bool = False, asked: bool = False
) -> Row | None:
    """Begin a pull, or go on with the one that stands in the middle: {place, counts}. `anew`: from the
    beginning. With `asked` only one that waits for it, or that was under way: else None."""
    params = {"source": source_id, "now": now, "anew": anew, "asked": asked}
    return await row(connection, _BEGIN, params)


async def hold(connection: Connection, source_id: UUID, place: Mapping[str, Any]) -> None:
    """Hold the pull until the transaction ends. Raises Stopped, and Conflict where it does not stand at this
    place: somebody else pulls."""
    found = await row(
        connection,
        "SELECT state, place FROM case_pull WHERE source_id = %s FOR NO KEY UPDATE",
        (source_id,),
    )
    if found is None or found["state"] != "running":
        raise Stopped
    if found["place"] != place:
        raise Conflict("somebody else pulls from this source", where="source", hint="Leave it to that one.")


async def advance(
    connection: Connection, source_id: UUID, place: Mapping[str, Any], counts: Mapping[str, int],
    problems: Sequence[Mapping[str, str]], now: datetime,
) -> None:  # fmt: skip
    """A page was stored: where the next begins, the counts so far, and what was wrong on this one."""
    await connection.execute(
        """UPDATE case_pull SET place = %(place)s, counts = %(counts)s, stored_at = %(now)s,
             waits_until = NULL,
             problems = CASE WHEN jsonb_array_length(problems) < %(most)s THEN problems || %(problems)s::jsonb
                        ELSE problems END
           WHERE source_id = %(source)s""",
        {
            "place": Jsonb(dict(place)), "counts": Jsonb(dict(counts)), "now": now, "source": source_id,
            "problems": Jsonb([dict(one) for one in problems[:MOST_PROBLEMS]]), "most": MOST_PROBLEMS,
        },
    )  # fmt: skip


async def waits(connection: Connection, source_id: UUID, until: datetime | None) -> bool:
    """The source has asked for patience until then; False where the pull was stopped meanwhile."""
    done = await connection.execute(
        "UPDATE case_pull SET waits_until = %s WHERE source_id = %s AND state = 'running'",
        (until, source_id),
    )
    return done.rowcount == 1


async def running(connection: Connection, source_id: UUID) -> bool:
    """Whether nobody has stopped it."""
    found = await row(
        connection, "SELECT FROM case_pull WHERE source_id = %s AND state = 'running'", (source_id,)
    )
    return found is not None


async def finish(connection: Connection, source_id: UUID, state: str, now: datetime, error: str = "") -> None:
    """It has ended so: done, or failed with an error. One that was stopped stays stopped."""
    await connection.execute(
        """UPDATE case_pull SET state = %s, error = %s, finished_at = %s, waits_until = NULL
           WHERE source_id = %s AND state = 'running'""",
        (state, error, now, source_id),
    )


async def stop(connection: Connection, source_id: UUID, now: datetime) -> bool:
    """End it before its next page; False where none is under way. It can go on where it stood."""
    done = await connection.execute(
        """UPDATE case_pull SET state = 'stopped', finished_at = %s, waits_until = NULL
           WHERE source_id = %s AND state IN ('waiting', 'running')""",
        (now, source_id),
    )
    return done.rowcount == 1


async def forget(connection: Connection, source_id: UUID) -> None:
    """What is asked for has changed: the next pull reads everything."""
    await connection.execute("UPDATE case_pull SET place = '{}' WHERE source_id = %s", (source_id,))
