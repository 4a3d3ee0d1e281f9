"""Attempts: each try at a provider, and how its end moves the message.

Settling is by attempt id, in batches, and is not fenced by an epoch: evidence counts whoever brings
it (DESIGN, ledger rule 7). It can be repeated, and comes to the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from psycopg.rows import class_row, tuple_row

from clarion.domain.message import Outcome, State, Verdict
from clarion.kit.db import Connection, array, texts
from clarion.kit.ids import floor7
from clarion.store import fallback, receipt, tally
from clarion.store.cohort import within

# Two statements, because the second must see what the first has locked: receipts may move the same
# rows meanwhile. Both find rows by key through LATERAL … LIMIT 1 and write them by their place, which
# no statistics can turn into a scan (store/cohort).
_LOCK = """
SELECT count(*) FROM unnest(%(id)s::uuid[]) AS s(id)
CROSS JOIN LATERAL (
  SELECT a.message_id FROM {attempt} a WHERE a.id = s.id LIMIT 1 FOR NO KEY UPDATE) a
CROSS JOIN LATERAL (
  SELECT m.id FROM {message} m WHERE m.id = a.message_id LIMIT 1 FOR NO KEY UPDATE) m
"""

_SETTLE = (
    """
WITH said AS (
  SELECT s.*, a.place
  FROM unnest(%(id)s::uuid[], %(outcome)s::attempt_state[], %(state)s::message_state[], %(reason)s::text[],
    %(provider)s::text[], %(code)s::text[], %(detail)s::text[], %(retry)s::timestamptz[],
    %(counts)s::boolean[])
    AS s(id, outcome, state, reason, provider_id, code, detail, retry_at, counts)
  CROSS JOIN LATERAL (
    SELECT t.ctid AS place FROM {attempt} t WHERE t.id = s.id AND t.state = ANY (%(from)s::attempt_state[])
    LIMIT 1) a
), ended AS (
  UPDATE {attempt} a SET state = s.outcome, effective = s.outcome IN ('accepted', 'unknown'),
    unknown_since = CASE WHEN s.outcome = 'unknown' THEN coalesce(a.unknown_since, %(now)s) END,
    provider_id = coalesce(s.provider_id, a.provider_id), code = s.code, detail = s.detail,
    settled_at = %(now)s
  FROM said s WHERE a.ctid = s.place
  RETURNING a.id, a.message_id, a.lane_id, a.address_id, a.variables, a.number, s.outcome, s.state,
    s.reason, s.retry_at, s.counts
), judged AS MATERIALIZED (
  SELECT e.*, m.place, d.contact_id, d.consent_key,
    CASE WHEN e.state <> 'ready' THEN e.state WHEN d.consent_key IS NULL THEN 'skipped'
         WHEN l.state = 'cancelled' THEN 'cancelled' ELSE 'ready' END::message_state AS to_state,
    CASE WHEN e.state = 'ready' AND d.consent_key IS NULL THEN 'erased' ELSE e.reason END AS to_reason
  FROM ended e
  CROSS JOIN LATERAL (
    SELECT t.ctid AS place FROM {message} t WHERE t.id = e.message_id LIMIT 1) m
  LEFT JOIN LATERAL (
    SELECT lane.state FROM lane
    WHERE e.state = 'ready' AND lane.id = e.lane_id LIMIT 1 FOR KEY SHARE) l ON true
  LEFT JOIN LATERAL (
    SELECT address.contact_id, address.consent_key FROM address
    WHERE e.state = 'ready' AND address.id = e.address_id LIMIT 1) d ON true
), moved AS (
  UPDATE {message} m SET was = m.state, was_reason = m.reason,
    state = CASE WHEN m.state > 'unknown' THEN m.state ELSE j.to_state END,
    reason = CASE WHEN m.state > 'unknown' THEN m.reason ELSE j.to_reason END,
    tries = CASE WHEN j.counts THEN greatest(m.tries, j.number) ELSE m.tries END,
    due_at = CASE WHEN m.state > 'unknown' THEN m.due_at ELSE coalesce(j.retry_at, m.due_at) END,
    settled_at = CASE WHEN j.to_state = 'ready' AND m.state <= 'unknown' THEN NULL
                      ELSE coalesce(m.settled_at, %(now)s) END
  FROM judged j
  WHERE m.ctid = j.place
  RETURNING m.id, m.run_id, m.was, m.was_reason, m.state, m.reason, m.content_version_id, m.expires_at,
    j.lane_id, j.address_id, j.variables, j.number, j.retry_at, j.counts, j.contact_id, j.consent_key
), again AS (
  INSERT INTO queue (lane_id, due_at, message_id, cohort, workspace_id, contact_id, address_id,
    consent_key, content_version_id, expires_at, tries, variables, again)
  SELECT lane_id, retry_at, id, %(cohort)s, clarion_workspace(), contact_id, address_id, consent_key,
    content_version_id, expires_at, CASE WHEN counts THEN number ELSE number - 1 END, variables, lane_id
  FROM moved WHERE state = 'ready'
  ON CONFLICT DO NOTHING
), counted AS ("""
    + tally.ADD
    + """)
SELECT count(*) FROM ended
"""
)


async def settle(
    connection: Connection,
    cohort: date,
    verdicts: Sequence[Verdict],
    now: datetime,
    *,
    unknown_too: bool = True,
) -> int:
    """Write how attempts of one cohort ended; returns how many this call settled.

    Without `unknown_too` only those in flight: for who speaks of another process's calls, and read that
    they were in flight before it could know that the process was dead.

    An attempt that is settled already (by a receipt, a look-up, another settle) is left as it is; only
    that the provider took what was held for not sent is believed even then, as of a receipt. A verdict
    whose state is READY puts the message back into the queue at its `retry_at`, unless its lane was
    cancelled or its person erased meanwhile. Raises Contended.
    """
    verdicts = sorted(verdicts, key=lambda v: v.attempt_id)  # receipts lock rows in this order too
    params = {
        "cohort": cohort,
        "now": now,
        "from": "{in_flight,unknown}" if unknown_too else "{in_flight}",
        "id": array(v.attempt_id.hex for v in verdicts),
        "outcome": array(v.outcome.value for v in verdicts),
        "state": array(v.state.value for v in verdicts),
        "reason": texts([v.reason for v in verdicts]),
        "provider": texts([v.provider_id for v in verdicts]),
        "code": texts([v.code for v in verdicts]),
        "detail": texts([v.detail for v in verdicts]),
        "retry": texts([None if v.retry_at is None else v.retry_at.isoformat() for v in verdicts]),
        "counts": array("t" if v.counts else "f" for v in verdicts),
    }
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(within(_LOCK, cohort), params, prepare=True)
        await cursor.execute(within(_SETTLE, cohort), params, prepare=True)
        found = await cursor.fetchone()
    settled = int(found[0]) if found else 0
    if failed := [v.attempt_id for v in verdicts if v.state is State.FAILED]:
        await fallback.note_attempts(connection, cohort, failed, now)
    if settled < len(verdicts):
        settled += await _believe(connection, cohort, verdicts, now)
    return settled


_HELD_FOR_UNSENT = """
SELECT a.id FROM unnest(%(id)s::uuid[]) AS s(id)
CROSS JOIN LATERAL (
  SELECT t.id FROM {attempt} t WHERE t.id = s.id AND t.state IN ('unsent', 'refused', 'settled_not_sent')
  LIMIT 1) a
"""


async def _believe(connection: Connection, cohort: date, verdicts: Sequence[Verdict], now: datetime) -> int:
    """Answers that come late, after a person or a look-up said that the provider had not taken it."""
    late = {v.attempt_id: v for v in verdicts if v.outcome is Outcome.ACCEPTED}
    if not late:
        return 0
    ids = array(id.hex for id in late)
    cursor = await connection.execute(within(_HELD_FOR_UNSENT, cohort), {"id": ids})
    said = [
        receipt.Said(found[0], "accepted", now, provider_id=late[found[0]].provider_id)
        for found in await cursor.fetchall()
    ]
    if said:
        await receipt.apply(connection, cohort, said, now)
    return len(said)


@dataclass(frozen=True, slots=True)
class Abandoned:
    """An attempt that an earlier owner left in flight."""

    id: UUID
    cohort: date
    worker_id: UUID


async def abandoned(
    connection: Connection, channel_ids: Sequence[UUID], epoch: int, since: datetime, limit: int = 5000
) -> list[Abandoned]:
    """Attempts of these channels begun since `since` under an epoch before `epoch` that nobody settled."""
    async with connection.cursor(row_factory=class_row(Abandoned)) as cursor:
        await cursor.execute(
            """SELECT id, cohort, worker_id FROM attempt
               WHERE id >= %s AND channel_id = ANY (%s) AND epoch < %s AND state = 'in_flight'
               ORDER BY id LIMIT %s""",
            (floor7(since), list(channel_ids), epoch, limit),
        )
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class Unsettled:
    """An attempt of which nobody knows what became: for evidence, and for people to decide."""

    id: UUID
    cohort: date
    workspace_id: UUID
    message_id: UUID
    channel_id: UUID
    worker_id: UUID
    epoch: int
    unknown_since: datetime
    code: str | None
    detail: str | None
    settled_at: datetime


_UNSETTLED = """SELECT id, cohort, workspace_id, message_id, channel_id, worker_id, epoch, unknown_since,
  code, detail, coalesce(settled_at, unknown_since) AS settled_at
FROM attempt WHERE unknown_since IS NOT NULL"""


async def unknowns(
    connection: Connection, *, channel_id: UUID | None = None, after: UUID | None = None, limit: int = 100
) -> list[Unsettled]:
    """The workspace's unknown attempts, oldest first by id, optionally of one channel."""
    async with connection.cursor(row_factory=class_row(Unsettled)) as cursor:
        await cursor.execute(
            _UNSETTLED
            + """ AND (%(channel)s::uuid IS NULL OR channel_id = %(channel)s)
                  AND (%(after)s::uuid IS NULL OR id > %(after)s) ORDER BY id LIMIT %(limit)s""",
            {"channel": channel_id, "after": after, "limit": limit},
        )
        return await cursor.fetchall()


async def unknown(connection: Connection, attempt_id: UUID, *, lock: bool = False) -> Unsettled | None:
    """One unknown attempt, locked where asked; None when it is settled or not this workspace's."""
    async with connection.cursor(row_factory=class_row(Unsettled)) as cursor:
        await cursor.execute(
            _UNSETTLED + " AND id = %s" + (" FOR NO KEY UPDATE" if lock else ""), (attempt_id,)
        )
        return await cursor.fetchone()
