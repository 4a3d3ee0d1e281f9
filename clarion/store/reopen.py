"""Opening ended messages again: the same rows, with a new place in the queue and a new expiry.

What failed or expired goes back to ready where its person can be reached now; who was skipped is judged
again. The unique keys hold, so nobody has a second row, and a message whose try may have had effect is
never among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import tuple_row

from clarion.kit.db import Connection
from clarion.store import tally
from clarion.store.ordered import keep_order
from clarion.store.routes import ROUTES, Route, chosen, params


@dataclass(frozen=True, slots=True)
class Reopened:
    """What one chunk did: people read, messages ready again, skipped ones whose reason changed; the last
    person, for the next chunk."""

    people: int
    ready: int
    judged: int
    last: UUID | None


# Of a person `k` the first way that reaches them.
_WAY: LiteralString = """SELECT n.lane_id, address.id, address.consent_key
    FROM unnest(%(lanes)s::uuid[], %(schemes)s::text[]) WITH ORDINALITY AS n(lane_id, scheme, place)
    JOIN address ON address.contact_id = k.subject_id AND address.status = 'active'
      AND address.scheme = n.scheme
    ORDER BY n.place, address.position, address.id LIMIT 1"""

# Over a pool: its channel as the expansion chooses it; where none fits, what comes after the pool.
_WAY_OF_POOL: LiteralString = f"""SELECT f.lane_id, f.id, f.consent_key FROM (
      SELECT 0 AS place, r.lane_id, a.id, a.consent_key FROM (
        SELECT address.id, address.consent_key, address.value, address.last_channel_id FROM address
        WHERE address.contact_id = k.subject_id AND address.status = 'active'
          AND address.scheme = ANY (%(pool_schemes)s)
        ORDER BY array_position(%(pool_schemes)s, address.scheme), address.position, address.id LIMIT 1) a
      LEFT JOIN LATERAL ({chosen("c.channel_id")}) r ON true
      UNION ALL (SELECT 1, w.* FROM ({_WAY}) w)
    ) f ORDER BY f.lane_id IS NULL, f.place LIMIT 1"""


def _statement(*, pooled: bool) -> LiteralString:
    """What opens a chunk again; of a run over a pool the lane is chosen anew, as the expansion does."""
    routes: LiteralString = ROUTES + ", " if pooled else ""
    own: LiteralString = ", contact.channel_id" if pooled else ""
    way = _WAY_OF_POOL if pooled else _WAY
    apart: LiteralString = ", a.lane_id IS NULL" if pooled else ""
    no_route: LiteralString = "WHEN r.lane_id IS NULL THEN 'no_route'" if pooled else ""
    return f"""
WITH {routes}page AS MATERIALIZED (
  SELECT e.id AS enrollment_id, e.subject_id FROM enrollment e
  WHERE e.campaign_id = %(campaign)s AND e.subject_id > %(after)s ORDER BY e.subject_id LIMIT %(limit)s
), picked AS MATERIALIZED (
  SELECT p.subject_id, m.* FROM page p CROSS JOIN LATERAL (
    SELECT message.id, message.state, message.reason, message.once_key FROM message
    WHERE message.enrollment_id = p.enrollment_id AND message.cohort = %(cohort)s AND message.run_id = %(run)s
      AND message.state = ANY (%(states)s::message_state[]) LIMIT 1 FOR NO KEY UPDATE) m
), reach AS MATERIALIZED (
  SELECT k.id, k.subject_id, k.state, k.reason, k.once_key, a.lane_id, a.id AS address_id, a.consent_key,
    c.status,
    -- whether the row holds the key of this very address already
    k.once_key IS NOT DISTINCT FROM a.consent_key AS own,
    row_number() OVER (PARTITION BY a.consent_key, k.once_key IS NOT DISTINCT FROM a.consent_key{apart}
                       ORDER BY k.subject_id) AS nth
  FROM picked k
  CROSS JOIN LATERAL (SELECT contact.status{own} FROM contact WHERE contact.id = k.subject_id LIMIT 1) c
  LEFT JOIN LATERAL ({way}) a ON true
), judged AS MATERIALIZED (
  SELECT r.*, CASE
    WHEN r.status = 'erased' THEN 'erased'
    WHEN r.status = 'merged' THEN 'duplicate_person'
    WHEN r.address_id IS NULL AND EXISTS (SELECT FROM invalid_address i WHERE i.contact_id = r.subject_id)
      THEN 'invalid_number'
    WHEN r.address_id IS NULL THEN 'no_address'
    WHEN EXISTS (SELECT FROM consent o WHERE o.workspace_id = clarion_workspace()
                 AND o.consent_key = r.consent_key AND o.state = 'out') THEN 'opted_out'
    {no_route}
    WHEN %(once)s AND NOT r.own AND (r.nth > 1 OR EXISTS (
      SELECT FROM message o WHERE o.run_id = %(run)s AND o.once_key = r.consent_key
        AND o.cohort = %(cohort)s)) THEN 'duplicate_address'
  END AS why
  FROM reach r
), moved AS (
  UPDATE message m SET was = m.state, was_reason = m.reason, reason = j.why,
    state = CASE WHEN j.why IS NULL THEN 'ready' ELSE 'skipped' END::message_state,
    tries = CASE WHEN j.why IS NULL THEN 0 ELSE m.tries END,
    due_at = CASE WHEN j.why IS NULL THEN %(now)s ELSE m.due_at END,
    expires_at = CASE WHEN j.why IS NULL THEN %(expires)s ELSE m.expires_at END,
    settled_at = CASE WHEN j.why IS NULL THEN NULL ELSE m.settled_at END,
    address_id = coalesce(j.address_id, m.address_id),
    lane_id = CASE WHEN j.why IS NULL THEN j.lane_id ELSE m.lane_id END,
    once_key = CASE WHEN %(once)s AND j.why IS NULL THEN j.consent_key ELSE m.once_key END
  FROM judged j
  WHERE m.id = j.id AND m.cohort = %(cohort)s
    AND (j.why IS NULL OR (j.state = 'skipped' AND j.why IS DISTINCT FROM j.reason))
  RETURNING m.id, m.run_id, m.was, m.was_reason, m.state, m.reason, m.lane_id, m.content_version_id,
    m.expires_at, j.subject_id, j.address_id, j.consent_key
), freed AS (
  -- the provider said that it did not arrive: that try stands no longer
  UPDATE attempt a SET state = 'settled_not_sent', effective = false, detail = %(detail)s
  FROM moved m
  WHERE m.was = 'undelivered' AND m.state = 'ready' AND a.message_id = m.id AND a.cohort = %(cohort)s
    AND a.effective
), queued AS (
  INSERT INTO queue (lane_id, due_at, message_id, cohort, workspace_id, contact_id, address_id,
    consent_key, content_version_id, expires_at, variables)
  SELECT m.lane_id, %(now)s, m.id, %(cohort)s, clarion_workspace(), m.subject_id, m.address_id,
    m.consent_key, m.content_version_id, m.expires_at, t.variables
  FROM moved m LEFT JOIN LATERAL (
    SELECT attempt.variables FROM attempt WHERE attempt.message_id = m.id AND attempt.cohort = %(cohort)s
    ORDER BY attempt.id DESC LIMIT 1) t ON true
  WHERE m.state = 'ready'
), counted AS ({tally.ADD})
SELECT (SELECT count(*) FROM page), (SELECT count(*) FROM moved WHERE state = 'ready'),
  (SELECT count(*) FROM moved WHERE state = 'skipped'),
  (SELECT subject_id FROM page ORDER BY subject_id DESC LIMIT 1)
"""


_OVER_ONE, _OVER_POOL = _statement(pooled=False), _statement(pooled=True)


async def reopen_chunk(
    connection: Connection,
    run: Mapping[str, Any],
    *,
    states: Sequence[str],
    ways: Sequence[tuple[UUID, str]],
    once_an_address: bool,
    after: UUID | None,
    expires_at: datetime,
    limit: int,
    now: datetime,
    detail: str,
    routes: Sequence[Route] | None = None,
    pool_schemes: Sequence[str] = (),
) -> Reopened:
    """Open again what of an expanded run is in `states`, for the next `limit` people of its campaign.

    `ways` are (lane, scheme) pairs, the preferred first: it begins over the first channel that reaches the
    person, whichever it ended on. Given `routes`, of a run over a pool that reaches `pool_schemes`, the ways
    are those after it.

    `detail` is noted at tries of which the provider said that they did not arrive.
    """
    await keep_order(connection)
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            _OVER_ONE if routes is None else _OVER_POOL,
            {
                **params(routes or ()), "pool_schemes": list(pool_schemes),
                "campaign": run["campaign_id"], "run": run["id"], "cohort": run["cohort"],
                "after": after or UUID(int=0), "states": list(states),
                "lanes": [lane for lane, _ in ways], "schemes": [scheme for _, scheme in ways],
                "once": once_an_address, "expires": expires_at, "limit": limit, "now": now,
                "detail": detail,
            },
        )  # fmt: skip
        found = await cursor.fetchone()
        assert found is not None
        return Reopened(*found)


async def extend(connection: Connection, attempt_id: UUID, cohort: date, expires_at: datetime) -> None:
    """Give the message of an attempt at least until `expires_at`. Locks in the order of settling."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            "SELECT message_id FROM attempt WHERE id = %s AND cohort = %s FOR NO KEY UPDATE",
            (attempt_id, cohort),
        )
        found = await cursor.fetchone()
        if found is not None:
            await cursor.execute(
                "UPDATE message SET expires_at = greatest(expires_at, %s) WHERE id = %s AND cohort = %s",
                (expires_at, found[0], cohort),
            )
