"""Expanding a run: everybody whom the audience means gets a row, in chunks with flat memory.

A chunk is one transaction: it locks the run, reads the next people in the order of their ids,
writes enrollment, message and queue rows, and moves the run's cursor. Killed at any point it goes
on from the last chunk committed; the unique keys hold whatever happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import tuple_row

from clarion.kit.db import Connection
from clarion.kit.ids import uuid7
from clarion.store import fallback, reach, tally
from clarion.store.cohort import within
from clarion.store.routes import ROUTES, Route, params
from clarion.store.routes import chosen as routed


@dataclass(frozen=True, slots=True)
class Meant:
    """Whom a run means: SQL that yields `id, status` of contacts `c`, without an order, and its values."""

    predicate: LiteralString
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one chunk did: people read, messages made ready, people skipped; `done` when it was the last."""

    people: int
    ready: int
    skipped: int
    done: bool


# Identifiers (RFC 9562, version 7) of one statement ascend, so that index pages fill from the right: the
# moment's 12 hexadecimal digits, the row's number (up to 2^24), and 12 random ones of the statement. They
# are put together here and not by a function: PostgreSQL plans a function it cannot inline at every call
# where plans are always made anew (14 µs of a row's 46, measured).

# A run is cut into parts of at least this many contacts of the workspace, at most so many.
PART = 50_000
MOST_PARTS = 16
# Cases are gone over by streams of one process, as long as there are parts for all of them.
PART_OF_CASES, MOST_OF_CASES = 20_000, 64

_RUN = """SELECT campaign_id, lane_id, content_version_id, cohort, iteration,
  greatest(due_at, %(now)s) AS due_at, expires_at
FROM run WHERE id = %(run)s AND state IN ('planned', 'expanding')"""

_NEXT_PART = """SELECT part, cursor, until FROM run_part WHERE run_id = %(run)s AND NOT done
ORDER BY part FOR NO KEY UPDATE SKIP LOCKED LIMIT 1"""


# Of twenty thousand people at once: the planner may read the consents of all of them.
_OUT: LiteralString = """EXISTS (SELECT FROM consent o WHERE o.workspace_id = clarion_workspace()
                      AND o.consent_key = a.consent_key AND o.state = 'out')"""


def _statement(*, pooled: bool) -> tuple[LiteralString, LiteralString]:
    """What writes a chunk, before and after whom the run means. Of a run over a pool the lane is chosen for
    each person (`store.routes`); the statement of one lane has nothing of that in it."""
    routes: LiteralString = ROUTES + ", " if pooled else ""
    own: LiteralString = ", c.channel_id" if pooled else ""
    route: LiteralString = ", r.lane_id" if pooled else ""
    chosen: LiteralString = f"LEFT JOIN LATERAL ({routed('p.channel_id')}) r ON true" if pooled else ""
    told: LiteralString = ", address.value, address.last_channel_id" if pooled else ""
    apart: LiteralString = ", r.lane_id IS NULL" if pooled else ""  # who is not sent to keeps nobody out
    no_route: LiteralString = "WHEN r.lane_id IS NULL THEN 'no_route'" if pooled else ""
    lane: LiteralString = "coalesce(lane_id, %(lane)s)" if pooled else "%(lane)s"
    page: LiteralString = f"""
WITH {routes}page AS MATERIALIZED (
  SELECT c.id, c.status{own} FROM contact c
  WHERE c.workspace_id = clarion_workspace() AND c.id > %(cursor)s AND c.id <= %(until)s AND ("""
    expand: LiteralString = f""") ORDER BY c.id LIMIT %(limit)s
), reach AS MATERIALIZED (
  SELECT p.id AS contact_id, a.id AS address_id, a.consent_key, row_number() OVER () AS n{route},
    CASE {reach.unreached(_OUT)}
         {no_route}
         WHEN %(once)s AND (
           row_number() OVER (PARTITION BY a.consent_key{apart} ORDER BY p.id) > 1
           OR EXISTS (SELECT FROM message m WHERE m.run_id = %(run)s AND m.once_key = a.consent_key
                      AND m.cohort = %(cohort)s)) THEN 'duplicate_address'
    END AS reason
  FROM page p LEFT JOIN LATERAL ({reach.address("p.id", told)}) a ON true
  {chosen}
), fresh AS MATERIALIZED (
  SELECT r.*, (%(head)s || place || %(enrollments)s)::uuid AS enrollment_id,
    (%(head)s || place || %(messages)s)::uuid AS message_id
  FROM reach r, LATERAL (
    SELECT to_hex(x'7000'::bigint | (r.n >> 12)) || to_hex(x'8000'::bigint | ((r.n & 4095) << 2)) AS place) p
  WHERE NOT EXISTS (SELECT FROM enrollment e
    WHERE e.campaign_id = %(campaign)s AND e.subject_id = r.contact_id)
), enrolled AS (
  INSERT INTO enrollment (id, workspace_id, campaign_id, subject_id, iteration, state, cohort, created_at)
  SELECT enrollment_id, clarion_workspace(), %(campaign)s, contact_id, %(iteration)s, 'finished',
    %(cohort)s, %(now)s
  FROM fresh
), moved AS (
  INSERT INTO {{message}} (id, cohort, workspace_id, run_id, enrollment_id, generation, iteration, step_id,
    recipient_key, once_key, address_id, lane_id, content_version_id, state, reason, due_at, expires_at,
    settled_at)
  SELECT message_id, %(cohort)s, clarion_workspace(), %(run)s, enrollment_id, 1, %(iteration)s, 1,
    contact_id, CASE WHEN %(once)s AND reason IS NULL THEN consent_key END, address_id, {lane},
    %(content)s, CASE WHEN reason IS NULL THEN 'ready' ELSE 'skipped' END::message_state, reason,
    %(due)s, %(expires)s, CASE WHEN reason IS NOT NULL THEN %(now)s::timestamptz END
  FROM fresh
  RETURNING run_id, state, reason, was, was_reason
), queued AS (
  INSERT INTO queue (lane_id, due_at, message_id, cohort, workspace_id, contact_id, address_id,
    consent_key, content_version_id, expires_at)
  SELECT {lane}, %(due)s, message_id, %(cohort)s, clarion_workspace(), contact_id, address_id,
    consent_key, %(content)s, %(expires)s
  FROM fresh WHERE reason IS NULL
), counted AS ({tally.ADD})
SELECT (SELECT count(*) FROM page), (SELECT count(*) FROM moved WHERE state = 'ready'),
  (SELECT count(*) FROM moved WHERE state = 'skipped'), (SELECT id FROM page ORDER BY id DESC LIMIT 1)
"""
    return page, expand


_OVER_ONE, _OVER_POOL = _statement(pooled=False), _statement(pooled=True)

_NOBODY = UUID(int=0)
_EVERYBODY = UUID(int=(1 << 128) - 1)


async def take_part(connection: Connection, run_id: UUID) -> tuple[int, UUID, UUID] | None:
    """(number, cursor, until) of a run's next part that nobody else is at, locked until the transaction
    ends; None where there is none. Who has all parts locked knows that no chunk is under way."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_NEXT_PART, {"run": run_id})
        return await cursor.fetchone()


async def leave_part(
    connection: Connection,
    run_id: UUID,
    number: int,
    last: UUID | None,
    now: datetime,
    *,
    done: bool,
    looked: int = 0,
) -> bool:
    """Move a part's cursor on over the `looked` that one chunk looked at, to its end where that is `done`;
    whether it was the run's last."""
    await connection.execute(
        """UPDATE run_part SET cursor = coalesce(%s, cursor), done = %s, looked = looked + %s
           WHERE run_id = %s AND part = %s""",
        (last, done, looked, run_id, number),
    )
    return done and await _all_done(connection, run_id, now)


async def cut(
    connection: Connection,
    run_id: UUID,
    now: datetime,
    *,
    parts: int | None = None,
    cases_of: UUID | None = None,
) -> None:
    """Cut a planned run into parts, once; it is expanding from then on.

    The parts are stretches of the workspace's contacts by id, or of the cases of a type, so many that workers
    can share them.
    A run that is one-an-address has one part: only so it sees every address that it has written.
    """
    async with connection.cursor(row_factory=tuple_row) as cursor:
        # Looked at without a lock first: streams that hold it for a whole chunk would take turns.
        for lock in ("", " FOR NO KEY UPDATE"):
            await cursor.execute("SELECT state FROM run WHERE id = %s" + lock, (run_id,))
            found = await cursor.fetchone()
            if found is None or found[0] != "planned":
                return
        size, bounds = await _bounds(connection, parts, cases_of)
        starts = [_NOBODY, *bounds]
        await cursor.execute(
            """INSERT INTO run_part (workspace_id, run_id, part, cursor, until)
               SELECT clarion_workspace(), %s, n, cursor, until
               FROM unnest(%s::uuid[], %s::uuid[]) WITH ORDINALITY AS p(cursor, until, n)""",
            (run_id, starts, [*bounds, _EVERYBODY]),
        )
        await cursor.execute(
            "UPDATE run SET state = 'expanding', started_at = %s, size = %s WHERE id = %s",
            (now, size, run_id),
        )


async def _bounds(connection: Connection, parts: int | None, cases_of: UUID | None) -> tuple[int, list[UUID]]:
    """How many contacts, or cases, there are, and the last of every part but the last: told in one look, by
    every so many of them."""
    among: LiteralString = "contact WHERE workspace_id = clarion_workspace()"
    if cases_of is not None:
        among = '"case" WHERE type_id = %(type)s'
    each = 1 if parts else PART_OF_CASES // 100
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            f"""SELECT count(*), coalesce(array_agg(id) FILTER (WHERE n %% %(each)s = 0), '{{}}')
                FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM {among}) c""",
            {"each": each, "type": cases_of},
        )
        found = await cursor.fetchone()
    assert found is not None
    people, marks = found
    least, most = (PART, MOST_PARTS) if cases_of is None else (PART_OF_CASES, MOST_OF_CASES)
    wanted = parts or min(most, max(1, people // least))
    size = -(-people // wanted)
    ends = (n * size // each for n in range(1, wanted))
    return people, [marks[end - 1] for end in ends if end <= len(marks)]


async def expand_chunk(
    connection: Connection,
    run_id: UUID,
    meant: Meant,
    *,
    schemes: Sequence[str],
    once_an_address: bool,
    limit: int,
    now: datetime,
    falls: bool = False,
    routes: Sequence[Route] | None = None,
) -> Chunk | None:
    """Write the next `limit` people of a run's next part that nobody else is at.

    Given `routes`, of a run over a pool, each person's lane is chosen of these. With `falls` who cannot be
    reached over the run's channel goes on over the campaign's next. None when there is nothing to do here:
    the run is not open, or others have all that is left.
    """
    await cut(connection, run_id, now, parts=1 if once_an_address else None)
    part = await take_part(connection, run_id)
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_RUN, {"run": run_id, "now": now})
        run = await cursor.fetchone()
        if run is None or part is None:
            return None
        campaign, lane, content, cohort, iteration, due, expires = run
        number, place, until = part
        before, after = _OVER_ONE if routes is None else _OVER_POOL
        await cursor.execute(
            within(before + meant.predicate + after, cohort),
            {
                **meant.params, **({} if routes is None else params(routes)),
                "run": run_id, "campaign": campaign, "cursor": place, "until": until, "lane": lane,
                "content": content, "cohort": cohort, "iteration": iteration, "due": due,
                "expires": expires, "schemes": list(schemes), "once": once_an_address, "limit": limit,
                "now": now, "head": uuid7(now).hex[:12], "enrollments": token_hex(6),
                "messages": token_hex(6),
            },
        )  # fmt: skip
        found = await cursor.fetchone()
        assert found is not None
        people, ready, skipped, last = found
        if falls and skipped:
            await fallback.note_chunk(connection, cohort, run_id, now)
        done = await leave_part(connection, run_id, number, last, now, done=people < limit, looked=people)
        return Chunk(people, ready, skipped, done)


async def _all_done(connection: Connection, run_id: UUID, now: datetime) -> bool:
    """Close the run when this was its last part. The lock makes two last parts see each other."""
    await connection.execute("SELECT FROM run WHERE id = %s FOR NO KEY UPDATE", (run_id,))
    cursor = await connection.execute(
        """UPDATE run SET state = 'expanded', expanded_at = %s WHERE id = %s AND state = 'expanding'
           AND NOT EXISTS (SELECT FROM run_part p WHERE p.run_id = run.id AND NOT p.done)""",
        (now, run_id),
    )
    return cursor.rowcount == 1
