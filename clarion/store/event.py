"""Events, as they happen: one row for each subscription that asked for the type, in the transaction of what
happened. Where nobody asked, a statement reads the (empty) list of subscriptions and nothing else.

Whoever moves messages notes it here afterwards, in the same transaction: `of_attempts` beside settling,
`of_receipts` beside receipts, `of_ends` and `of_skips` beside what leaves or never enters the queue. Each
finds by `now` what this very transaction did, so that repeating anything is no news, and names an event
after what caused it, so that it has one identifier however often it is noted. Rows name things and hold
no person's data: what is told is put together when it is told (`store.event_facts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import LiteralString
from uuid import UUID

from clarion.kit.db import Connection, array
from clarion.kit.ids import floor7, uuid7
from clarion.store.cohort import within

_HEARD: LiteralString = """
WITH heard AS MATERIALIZED (
  SELECT id, types FROM subscription WHERE workspace_id = clarion_workspace() AND state = 'active'
), news AS MATERIALIZED ("""

# The time of the cause in front keeps the index warm; the rest is drawn from cause and type.
_PUT: LiteralString = """)
INSERT INTO event (subscription_id, id, workspace_id, type, subject_id, cohort, at, reason, due_at)
SELECT h.id, encode(substring(uuid_send(n.cause) FOR 6)
    || substring(sha256(uuid_send(n.cause) || convert_to(n.type, 'UTF8')) FOR 10), 'hex')::uuid,
  clarion_workspace(), n.type, n.subject_id, %(cohort)s, n.at, n.reason, %(now)s
FROM news n JOIN heard h ON n.type = ANY (h.types)
ON CONFLICT DO NOTHING
"""

_SETTLED: LiteralString = """
  SELECT s.id AS cause, a.message_id AS subject_id, %(now)s::timestamptz AS at,
    'message.' || CASE WHEN a.state = 'accepted' THEN 'accepted' ELSE m.state::text END AS type,
    CASE WHEN a.state <> 'accepted' THEN m.reason END AS reason
  FROM unnest(%(id)s::uuid[]) AS s(id)
  CROSS JOIN LATERAL (
    SELECT t.message_id, t.state FROM {attempt} t WHERE t.id = s.id AND t.settled_at = %(now)s LIMIT 1) a
  CROSS JOIN LATERAL (SELECT t.state, t.reason FROM {message} t WHERE t.id = a.message_id LIMIT 1) m
  WHERE EXISTS (SELECT FROM heard)
    AND (a.state = 'accepted' OR m.state IN ('failed', 'unknown', 'skipped', 'cancelled'))"""

_RECEIVED: LiteralString = """
  UNION ALL
  SELECT s.id, r.message_id, r.at,
    'message.' || CASE s.status WHEN 'failed' THEN 'undelivered' ELSE s.status END, r.code
  FROM unnest(%(id)s::uuid[], %(status)s::text[]) AS s(id, status)
  CROSS JOIN LATERAL (
    SELECT t.message_id, t.at, CASE WHEN s.status = 'failed' THEN t.code END AS code FROM {receipt} t
    WHERE t.attempt_id = s.id AND t.status = s.status AND t.received_at = %(now)s LIMIT 1) r
  CROSS JOIN LATERAL (SELECT t.state FROM {message} t WHERE t.id = r.message_id LIMIT 1) m
  WHERE EXISTS (SELECT FROM heard)
    AND (s.status IN ('delivered', 'read') OR (s.status = 'failed' AND m.state = 'undelivered'))"""

_ENDED: LiteralString = """
  SELECT s.cause, s.id AS subject_id, %(now)s::timestamptz AS at, 'message.' || m.state::text AS type,
    m.reason
  FROM unnest(%(cause)s::uuid[], %(id)s::uuid[]) AS s(cause, id)
  CROSS JOIN LATERAL (
    SELECT t.state, t.reason FROM {message} t WHERE t.id = s.id AND t.settled_at = %(now)s LIMIT 1) m
  WHERE EXISTS (SELECT FROM heard) AND m.state IN ('expired', 'cancelled', 'skipped')"""

# An expansion makes its enrollments' identifiers of the moment: those of one chunk stand together.
_SKIPPED: LiteralString = """
  SELECT m.id AS cause, m.id AS subject_id, %(now)s::timestamptz AS at, 'message.skipped' AS type, m.reason
  FROM enrollment e CROSS JOIN LATERAL (
    SELECT t.id, t.reason FROM {message} t
    WHERE t.enrollment_id = e.id AND t.state = 'skipped' AND t.run_id = %(run)s LIMIT 1) m
  WHERE e.id >= %(first)s AND e.id < %(end)s AND EXISTS (SELECT FROM heard)"""

_HAPPENED: LiteralString = """
  SELECT s.cause, s.subject_id, s.at, %(type)s::text AS type, %(reason)s::text AS reason
  FROM unnest(%(cause)s::uuid[], %(subject)s::uuid[], %(at)s::timestamptz[]) AS s(cause, subject_id, at)"""


async def of_attempts(
    connection: Connection, cohort: date, attempt_ids: Iterable[UUID], now: datetime
) -> None:
    """Note what became of tries of one cohort that this transaction settled at `now`."""
    params = {"id": array(id.hex for id in attempt_ids), "cohort": cohort, "now": now}
    await connection.execute(within(_HEARD + _SETTLED + _PUT, cohort), params)


async def of_receipts(
    connection: Connection, cohort: date, said: Sequence[tuple[UUID, str]], now: datetime
) -> None:
    """Note what receipts (attempt, status) of one cohort told that was not known before `now`.

    A receipt that is there before our own settling tells of both: that it was taken, and what it says.
    """
    params = {
        "id": array(id.hex for id, _ in said), "status": array(status for _, status in said),
        "cohort": cohort, "now": now,
    }  # fmt: skip
    await connection.execute(within(_HEARD + _SETTLED + _RECEIVED + _PUT, cohort), params)


async def of_ends(connection: Connection, ended: Sequence[tuple[UUID, date]], now: datetime) -> None:
    """Note which of these messages (id, cohort) this transaction took out of the queue at `now`."""
    for cohort in sorted({cohort for _, cohort in ended}):
        ids = [message_id for message_id, of in ended if of == cohort]
        params = {
            "id": array(id.hex for id in ids), "cause": array(uuid7(now).hex for _ in ids), "cohort": cohort,
            "now": now,
        }  # fmt: skip
        await connection.execute(within(_HEARD + _ENDED + _PUT, cohort), params)


async def of_skips(connection: Connection, run_id: UUID, now: datetime) -> None:
    """Note who was skipped by the chunk of a run that was written at `now`."""
    cursor = await connection.execute("SELECT cohort FROM run WHERE id = %s", (run_id,))
    found = await cursor.fetchone()
    if found is None:
        return
    cohort: date = found[0]
    end = floor7(now + timedelta(milliseconds=1))
    params = {"run": run_id, "first": floor7(now), "end": end, "cohort": cohort, "now": now}
    await connection.execute(within(_HEARD + _SKIPPED + _PUT, cohort), params)


async def of_inbound(connection: Connection, heard: Sequence[tuple[UUID, datetime]], now: datetime) -> None:
    """Note messages in: (id, when the person wrote)."""
    await _happened(connection, "inbound.received", [(id, id, at) for id, at in heard], now)


async def of_consent(connection: Connection, event_ids: Sequence[UUID], state: str, now: datetime) -> None:
    """Note entries of the consent ledger; `state` is out or in."""
    await _happened(connection, f"consent.{state}", [(id, id, now) for id in event_ids], now)


async def of_campaign(
    connection: Connection, campaign_id: UUID, state: str, now: datetime, reason: str = ""
) -> None:
    """Note that a campaign is in this state now."""
    await _happened(connection, f"campaign.{state}", [(uuid7(now), campaign_id, now)], now, reason)


async def of_channels(
    connection: Connection, channel_ids: Sequence[UUID], state: str, now: datetime, reason: str = ""
) -> None:
    """Note that channels are in this state now."""
    changes = [(uuid7(now), channel_id, now) for channel_id in channel_ids]
    await _happened(connection, f"channel.{state}", changes, now, reason)


async def of_test(connection: Connection, subscription_id: UUID, now: datetime) -> UUID:
    """Let one subscription hear a test; the event's identifier."""
    event_id = uuid7(now)
    await connection.execute(
        """INSERT INTO event (subscription_id, id, workspace_id, type, subject_id, at, due_at)
           VALUES (%s, %s, clarion_workspace(), 'subscription.test', %s, %s, %s)""",
        (subscription_id, event_id, subscription_id, now, now),
    )
    return event_id


async def _happened(
    connection: Connection,
    kind: str,
    causes: Sequence[tuple[UUID, UUID, datetime]],
    now: datetime,
    reason: str | None = None,
) -> None:
    """(what makes it this event, what it is about, when)."""
    if not causes:
        return
    params = {
        "type": kind, "reason": reason, "cohort": None, "now": now,
        "cause": [cause for cause, _, _ in causes],
        "subject": [subject for _, subject, _ in causes],
        "at": [at for _, _, at in causes],
    }  # fmt: skip
    await connection.execute(_HEARD + _HAPPENED + _PUT, params)
