"""Receipts: evidence of what became of an attempt, and how it moves the ledger.

Evidence is never fenced and only raises (DESIGN, ledger rule 7): receipts may come in any order, any
number of times, before our own settling or never, and the end is the same. Of one status told twice
the earlier moment counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row, dict_row

from clarion.kit.db import Connection, Row, row, rows
from clarion.store import fallback, tally
from clarion.store.cohort import within


class Contended(Exception):
    """Another try of a message began in this very moment. Nothing is written: do the transaction again."""


@dataclass(slots=True)
class Said:
    """One status of one attempt. `status` is accepted, delivered, read or failed; `at` the provider's."""

    attempt_id: UUID
    status: str
    at: datetime
    code: str | None = None
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of a batch. `fresh` counts by status what was not known before, `strangers` those of no
    attempt of ours. `contradicted` are attempts that the provider took, which was not known, although another
    try of their message stands; `failed` those of which it was not known that they had failed."""

    fresh: dict[str, int] = field(default_factory=dict)
    strangers: int = 0
    contradicted: list[UUID] = field(default_factory=list)
    failed: list[UUID] = field(default_factory=list)


# Two statements, because the second must see what the first has waited for: settling may end these very
# attempts meanwhile. Rows are locked in one order everywhere, that of the attempts' ids. An attempt that
# stands (the usual case) changes no more, so it needs no lock.
_LOCK = """
SELECT count(*) FROM unnest(%(attempt)b::uuid[]) AS s(id)
CROSS JOIN LATERAL (
  SELECT t.message_id FROM {attempt} t WHERE t.id = s.id AND NOT (t.state = 'accepted' AND t.effective)
  LIMIT 1 FOR NO KEY UPDATE) a
CROSS JOIN LATERAL (
  SELECT t.id FROM {message} t WHERE t.id = a.message_id LIMIT 1 FOR NO KEY UPDATE) m
"""

# Columns are carried through rather than joined, so that no plan compares every row of a batch with
# every other; rows are found by key through LATERAL … LIMIT 1. Attempts are locked and written by their
# place; messages are written by their key, so that a change that was waited for is seen.
_APPLY = (
    """
WITH found AS MATERIALIZED (
  SELECT s.*, a.place, a.message_id, a.held, a.stands, r.at AS told_at, coalesce(r.code, '') AS told_code,
    coalesce(w.elsewhere, false) AS elsewhere, coalesce(w.twice, false) AS twice,
    -- it failed, and is retried for that: that it was accepted before is no news, and must not undo it
    CASE WHEN s.status = 'accepted' AND w.elsewhere AND w.twice THEN true
      WHEN s.status = 'accepted' AND a.state = 'settled_not_sent' THEN EXISTS (
      SELECT FROM {receipt} f WHERE f.attempt_id = s.attempt_id AND f.status = 'failed')
      ELSE s.status = 'failed' END AS weak
  FROM unnest(%(attempt)b::uuid[], %(status)b::text[], %(at)b::timestamptz[], %(code)b::text[],
    %(provider)b::text[]) AS s(attempt_id, status, at, code, provider_id)
  CROSS JOIN LATERAL (
    SELECT t.ctid AS place, t.message_id, t.lane_id, t.effective, t.state, t.state = 'accepted' AS held,
      t.state = 'accepted' AND t.effective AS stands
    FROM {attempt} t WHERE t.id = s.attempt_id LIMIT 1) a
  LEFT JOIN LATERAL (
    -- its message went on over another channel; where that was by time alone, it may arrive twice
    SELECT t.lane_id <> a.lane_id AND NOT a.effective AS elsewhere, l.next_after IS NOT NULL AS twice
    FROM {message} t CROSS JOIN LATERAL (
      SELECT lane.next_after FROM lane WHERE lane.id = a.lane_id LIMIT 1) l
    WHERE NOT a.stands AND t.id = a.message_id LIMIT 1) w ON true
  LEFT JOIN LATERAL (
    SELECT t.at, t.code FROM {receipt} t WHERE t.attempt_id = s.attempt_id AND t.status = s.status
    LIMIT 1) r ON true
), fresh AS MATERIALIZED (
  SELECT * FROM found WHERE told_at IS NULL OR (at, coalesce(code, '')) < (told_at, told_code)
), kept AS (
  INSERT INTO {receipt} AS r (attempt_id, cohort, status, workspace_id, message_id, at, received_at, code)
  SELECT attempt_id, %(cohort)s, status, clarion_workspace(), message_id, at, %(now)s, code FROM fresh
  ON CONFLICT (attempt_id, status, cohort) DO UPDATE SET at = excluded.at, code = excluded.code
    WHERE (excluded.at, coalesce(excluded.code, '')) < (r.at, coalesce(r.code, ''))
), heard AS MATERIALIZED (
  SELECT attempt_id, place, message_id, held, stands, twice, max(provider_id) AS provider_id,
    bool_or(NOT weak) AS taken, bool_or(status = 'failed') AS failed,
    bool_or(status = 'failed' AND told_at IS NULL AND NOT elsewhere) AS failed_now,
    min(code) FILTER (WHERE status = 'failed') AS code,
    min(at) FILTER (WHERE status = 'delivered') AS delivered_at,
    min(at) FILTER (WHERE status = 'read') AS read_at,
    row_number() OVER (PARTITION BY message_id ORDER BY attempt_id) = 1 AS first
  FROM fresh GROUP BY attempt_id, place, message_id, held, stands, twice
), raised AS (
  UPDATE {attempt} a SET state = 'accepted', unknown_since = NULL, settled_at = %(now)s,
    provider_id = coalesce(a.provider_id, h.provider_id),
    effective = a.effective OR (h.first AND NOT EXISTS (
      SELECT FROM {attempt} o WHERE o.message_id = h.message_id AND o.effective))
  FROM heard h WHERE a.ctid = h.place AND NOT h.stands AND (h.taken OR h.failed_now)
  RETURNING h.attempt_id, h.message_id, h.taken, h.failed, h.failed_now, h.code, h.delivered_at, h.read_at,
    a.effective, h.held, h.twice
), news AS MATERIALIZED (
  SELECT message_id, min(delivered_at) AS delivered_at, min(read_at) AS read_at,
    min(code) FILTER (WHERE failed AND effective) AS code, bool_or(failed AND effective) AS failed,
    max(CASE WHEN read_at IS NOT NULL THEN 'read' WHEN delivered_at IS NOT NULL THEN 'delivered'
             WHEN failed_now AND effective THEN 'undelivered' WHEN taken THEN 'accepted'
        END::message_state) AS evidence
  FROM (
    SELECT attempt_id, message_id, taken, failed, failed_now, code, delivered_at, read_at, effective
    FROM raised
    UNION ALL
    SELECT attempt_id, message_id, taken, failed, failed_now, code, delivered_at, read_at, stands
    FROM heard WHERE stands OR NOT (taken OR failed_now)
  ) told GROUP BY message_id ORDER BY message_id
), moved AS (
  UPDATE {message} m SET was = m.state, was_reason = m.reason, state = greatest(m.state, n.evidence),
    reason = CASE WHEN greatest(m.state, n.evidence) = 'undelivered' AND n.failed THEN n.code
                  WHEN m.state < n.evidence THEN NULL ELSE m.reason END,
    settled_at = coalesce(m.settled_at, %(now)s),
    delivered_at = least(m.delivered_at, n.delivered_at), read_at = least(m.read_at, n.read_at)
  FROM news n
  WHERE m.id = n.message_id
    AND (m.state < n.evidence OR n.delivered_at < coalesce(m.delivered_at, 'infinity')
         OR n.read_at < coalesce(m.read_at, 'infinity')
         OR (m.state = 'undelivered' AND n.failed AND m.reason IS DISTINCT FROM n.code))
  RETURNING m.id, m.lane_id, m.due_at, m.run_id, m.was, m.was_reason, m.state, m.reason
), waiting AS MATERIALIZED (
  SELECT q.place FROM moved m CROSS JOIN LATERAL (
    SELECT queue.ctid AS place FROM queue
    WHERE queue.lane_id = m.lane_id AND queue.due_at = m.due_at AND queue.message_id = m.id
    LIMIT 1 FOR UPDATE) q
  WHERE m.was = 'ready'
), withdrawn AS (
  DELETE FROM queue USING waiting w WHERE queue.ctid = w.place
), counted AS ("""
    + tally.ADD
    + """)
SELECT (SELECT count(*) FROM found) AS found,
  (SELECT jsonb_object_agg(status, n) FROM (
     SELECT status, count(*) AS n FROM fresh WHERE told_at IS NULL GROUP BY status) s) AS fresh,
  (SELECT array_agg(attempt_id) FROM raised
   WHERE taken AND NOT effective AND NOT held AND NOT twice) AS contradicted,
  (SELECT array_agg(attempt_id) FROM fresh WHERE status = 'failed' AND told_at IS NULL) AS failed
"""
)


async def apply(connection: Connection, cohort: date, said: Iterable[Said], now: datetime) -> Applied:
    """Write what was said of attempts of one cohort, and raise their messages by it.

    The message goes to the greatest that any evidence says, by the order of the states, from wherever
    it was; a failure makes it `undelivered` with the code as reason. A message that was to be tried
    again leaves the queue. Raises Contended.
    """
    folded = _folded(said)
    if not await _exists(connection, cohort):
        return Applied(strangers=len(folded))
    params = {
        "cohort": cohort,
        "now": now,
        "attempt": [s.attempt_id for s in folded],
        "status": [s.status for s in folded],
        "at": [s.at for s in folded],
        "code": [s.code for s in folded],
        "provider": [s.provider_id for s in folded],
    }
    async with connection.cursor(row_factory=dict_row) as cursor:
        try:
            await cursor.execute(within(_LOCK, cohort), params, prepare=True)
            await cursor.execute(within(_APPLY, cohort), params, prepare=True)
        except UniqueViolation as error:
            raise Contended from error
        found = await cursor.fetchone()
    assert found is not None
    if failed := [s.attempt_id for s in folded if s.status == "failed"]:
        await fallback.note_attempts(connection, cohort, failed, now)
    return Applied(
        fresh=found["fresh"] or {},
        strangers=len(folded) - found["found"],
        contradicted=found["contradicted"] or [],
        failed=found["failed"] or [],
    )


async def _exists(connection: Connection, cohort: date) -> bool:
    """Whether this month has partitions; a reference may name any month, also one dropped since."""
    found = await row(
        connection, "SELECT to_regclass(%s) IS NOT NULL AS there", (within("public.{receipt}", cohort),)
    )
    return found is not None and bool(found["there"])


def _folded(said: Iterable[Said]) -> list[Said]:
    """One of each attempt and status, the earliest, in the order in which rows are locked."""
    first: dict[tuple[UUID, str], Said] = {}
    for one in said:
        key = (one.attempt_id, one.status)
        known = first.get(key)
        if known is None or (one.at, one.code or "") < (known.at, known.code or ""):
            first[key] = one
    return sorted(first.values(), key=lambda one: one.attempt_id.int)


@dataclass(frozen=True, slots=True)
class Whose:
    """Who an attempt was for: its address's consent key and scheme (None when it was erased), its lane."""

    attempt_id: UUID
    consent_key: bytes | None
    scheme: str | None
    lane_id: UUID


async def whose(connection: Connection, cohort: date, attempt_ids: Sequence[UUID]) -> dict[UUID, Whose]:
    """Attempts of one cohort, by id."""
    async with connection.cursor(row_factory=class_row(Whose)) as cursor:
        await cursor.execute(
            """SELECT a.id AS attempt_id, d.consent_key, d.scheme, a.lane_id
               FROM unnest(%(ids)b::uuid[]) AS w(id)
               CROSS JOIN LATERAL (SELECT id, lane_id, address_id FROM attempt
                 WHERE attempt.id = w.id AND attempt.cohort = %(cohort)s LIMIT 1) a
               LEFT JOIN LATERAL (SELECT consent_key, scheme FROM address
                 WHERE address.id = a.address_id LIMIT 1) d ON true""",
            {"ids": list(attempt_ids), "cohort": cohort},
        )
        return {one.attempt_id: one for one in await cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class Doubt:
    """An unknown attempt that may be asked about. `since`: from then on nothing was heard of its call."""

    id: UUID
    cohort: date
    worker_id: UUID
    number: int
    code: str | None
    since: datetime


async def doubtful_channels(connection: Connection) -> list[UUID]:
    """The workspace's channels that have unknown attempts."""
    found = await rows(
        connection,
        """SELECT DISTINCT channel_id FROM attempt
           WHERE workspace_id = clarion_workspace() AND unknown_since IS NOT NULL""",
    )
    return [one["channel_id"] for one in found]


async def doubts(connection: Connection, channel_id: UUID, limit: int) -> list[Doubt]:
    """Unknown attempts of a channel, in no order, so that no few stand before all others for ever."""
    async with connection.cursor(row_factory=class_row(Doubt)) as cursor:
        await cursor.execute(
            """SELECT id, cohort, worker_id, number, code, greatest(unknown_since, settled_at) AS since
               FROM attempt
               WHERE workspace_id = clarion_workspace() AND unknown_since IS NOT NULL AND channel_id = %s
               ORDER BY random() LIMIT %s""",
            (channel_id, limit),
        )
        return await cursor.fetchall()


async def of_attempts(connection: Connection, cohort: date, attempt_ids: Sequence[UUID]) -> list[Row]:
    """What was told of some attempts, in order: {attempt_id, status, at, received_at, code}."""
    return await rows(
        connection,
        """SELECT attempt_id, status, at, received_at, code FROM receipt
           WHERE attempt_id = ANY (%s) AND cohort = %s ORDER BY at, received_at""",
        (list(attempt_ids), cohort),
    )
