"""Who is outside the service window: looked at once more when it is decided, and woken by who writes.

What waits for somebody to write stays in the queue under their address (`awaits`), due when it expires, so
that no lane is read through it; its message says why (`outside_window`). Who writes makes it due again, found
by their address.

Deciding and writing cannot miss each other. Whoever decides keeps the address as it is (FOR SHARE) until it
is written down; what somebody writes changes that row first, and looks for what waits after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import tuple_row

from clarion.domain.outside import REASON
from clarion.kit.db import Connection, array
from clarion.store import tally
from clarion.store.cohort import within
from clarion.store.queue import LOCK, PLACED, Place, places

# In the order of the addresses' values: so they are changed for those who write.
_KEEP = """
SELECT count(*) FROM (
  SELECT a.id FROM unnest(%(lane)s::uuid[], %(due)s::timestamptz[], %(message)s::uuid[])
    AS w(lane_id, due_at, message_id)
  CROSS JOIN LATERAL (
    SELECT queue.address_id FROM queue
    WHERE queue.lane_id = w.lane_id AND queue.due_at = w.due_at AND queue.message_id = w.message_id LIMIT 1) q
  CROSS JOIN LATERAL (SELECT d.id, d.value FROM address d WHERE d.id = q.address_id LIMIT 1) a
  ORDER BY a.value, a.id) k
CROSS JOIN LATERAL (SELECT a.id FROM address a WHERE a.id = k.id LIMIT 1 FOR SHARE) a
"""

# Whoever changes what a campaign declares changes its lanes, and then looks for what waits.
_KEEP_LANES = """
SELECT count(*) FROM (SELECT DISTINCT id FROM unnest(%(lane)s::uuid[]) AS w(id) ORDER BY 1) k
CROSS JOIN LATERAL (SELECT l.id FROM lane l WHERE l.id = k.id LIMIT 1 FOR SHARE) l
"""

_OUTSIDE = """
SELECT w.message_id FROM unnest(%(lane)s::uuid[], %(due)s::timestamptz[], %(message)s::uuid[])
  AS w(lane_id, due_at, message_id)
CROSS JOIN LATERAL (
  SELECT queue.address_id FROM queue
  WHERE queue.lane_id = w.lane_id AND queue.due_at = w.due_at AND queue.message_id = w.message_id LIMIT 1) q
CROSS JOIN LATERAL (
  SELECT a.id FROM address a
  WHERE a.id = q.address_id AND (a.window_channel_id = %(channel)s AND a.window_at > %(since)s) IS NOT TRUE
  LIMIT 1) a
CROSS JOIN LATERAL (
  SELECT l.id FROM lane l WHERE l.id = w.lane_id AND l.outside_window = %(declared)s LIMIT 1) l
"""


async def outside(
    connection: Connection, rows: Sequence[Place], channel_id: UUID, since: datetime, declared: str
) -> set[UUID]:
    """Whose person has not written to this channel after `since`, and whose campaign still declares this
    (`domain.outside.Outside`), of what waits: messages. They, their addresses and their lanes stay as they
    are until the transaction ends."""
    found: set[UUID] = set()
    for cohort, some in _by_cohort(rows):
        params = {**places(some, cohort), "channel": channel_id, "since": since, "declared": declared}
        for statement in (within(LOCK, cohort), _KEEP, _KEEP_LANES):
            await connection.execute(statement, params)
        async with connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_OUTSIDE, params)
            found.update(one[0] for one in await cursor.fetchall())
    return found


_OPENED = """
SELECT a.id FROM unnest(%(address)s::uuid[]) AS w(id) CROSS JOIN LATERAL (
  SELECT d.id FROM address d
  WHERE d.id = w.id AND d.window_channel_id = %(channel)s AND d.window_at > %(since)s LIMIT 1) a
"""


async def opened(
    connection: Connection, address_ids: Iterable[UUID], channel_id: UUID, since: datetime
) -> set[UUID]:
    """Which of these addresses wrote to this channel after `since`."""
    params = {"address": array(one.hex for one in address_ids), "channel": channel_id, "since": since}
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_OPENED, params, prepare=True)
        return {one[0] for one in await cursor.fetchall()}


# Each place goes onto a lane, with the message, whose moment and reason follow.
_MOVE: LiteralString = (
    """
WITH waiting AS MATERIALIZED (
  SELECT q.place AS queued, m.place AS kept, w.onto
  FROM unnest(%(lane)s::uuid[], %(due)s::timestamptz[], %(message)s::uuid[], %(onto)s::uuid[])
    AS w(lane_id, due_at, message_id, onto)
"""
    + PLACED
    + """), gone AS (
  DELETE FROM queue USING waiting w WHERE queue.ctid = w.queued RETURNING w.kept, w.onto, queue.*
), moved AS (
  UPDATE {message} m SET was = m.state, was_reason = m.reason, reason = %(reason)s, lane_id = g.onto,
    due_at = coalesce(%(again_at)s::timestamptz, g.expires_at)
  FROM gone g WHERE m.ctid = g.kept
  RETURNING m.run_id, m.was, m.was_reason, m.state, m.reason
), queued AS (
  INSERT INTO queue (lane_id, due_at, message_id, cohort, workspace_id, contact_id, address_id, consent_key,
    content_version_id, expires_at, tries, variables, held_until, again, awaits)
  SELECT onto, coalesce(%(again_at)s::timestamptz, expires_at), message_id, cohort, workspace_id, contact_id,
    address_id, consent_key, content_version_id, expires_at, tries, variables, held_until,
    CASE WHEN %(again_at)s::timestamptz IS NOT NULL THEN onto END,
    CASE WHEN %(again_at)s::timestamptz IS NULL THEN address_id END
  FROM gone
), counted AS ("""
    + tally.ADD
    + """) SELECT count(*) FROM moved"""
)


async def wait(connection: Connection, rows: Sequence[Place]) -> None:
    """Let messages that `outside` found wait until their people write, or until they expire; no try is
    counted."""
    for cohort, some in _by_cohort(rows):
        onto = array(found[0].hex for found in some)
        await _move(connection, some, cohort, onto, None)


async def _move(
    connection: Connection, some: Sequence[Place], cohort: date, onto: str, again_at: datetime | None
) -> int:
    """Onto these lanes: due at a moment, or to wait for who writes."""
    params: dict[str, Any] = {
        **places(some, cohort), "onto": onto, "again_at": again_at,
        "reason": REASON if again_at is None else None,
    }  # fmt: skip
    cursor = await connection.execute(within(_MOVE, cohort), params)
    found = await cursor.fetchone()
    return int(found[0]) if found else 0


# Of those who wrote, what waits for them, and the campaign's lane on the channel that they wrote to: of a
# pool it may be another than the one on which it waits.
_AWAITING: LiteralString = """
SELECT q.lane_id, q.due_at, q.message_id, q.cohort, t.id AS onto
FROM unnest(%(address)s::uuid[]) AS p(id)
CROSS JOIN LATERAL (
  SELECT d.id FROM address d
  WHERE d.id = p.id AND d.window_channel_id = %(channel)s AND d.window_at > %(since)s LIMIT 1) a
CROSS JOIN LATERAL (
  SELECT lane_id, due_at, message_id, cohort FROM queue WHERE awaits = a.id OFFSET 0) q
CROSS JOIN LATERAL (
  SELECT campaign_id, priority, next_lane_id FROM lane WHERE id = q.lane_id LIMIT 1) l
CROSS JOIN LATERAL (
  SELECT t.id FROM lane t
  WHERE t.channel_id = %(channel)s AND t.campaign_id = l.campaign_id AND t.priority = l.priority
    AND (t.id = q.lane_id OR t.state IN ('open', 'paused') AND t.outside_window = 'wait'
      AND t.next_lane_id IS NOT DISTINCT FROM l.next_lane_id)
  LIMIT 1) t
"""
_OF_LANES: LiteralString = """
SELECT q.lane_id, q.due_at, q.message_id, q.cohort, q.lane_id AS onto
FROM queue q WHERE q.lane_id = ANY (%(lanes)s::uuid[]) AND q.awaits IS NOT NULL
"""
_OF_CONTACT: LiteralString = """
SELECT q.lane_id, q.due_at, q.message_id, q.cohort, q.lane_id AS onto
FROM (SELECT id FROM address WHERE contact_id = %(contact)s
      UNION ALL SELECT %(contact)s::uuid OFFSET 0) a
CROSS JOIN LATERAL (
  SELECT lane_id, due_at, message_id, cohort FROM queue WHERE awaits = a.id OFFSET 0) q
"""


async def wake(
    connection: Connection, channel_id: UUID, address_ids: Iterable[UUID], since: datetime, now: datetime
) -> int:
    """Let what waited for somebody to write from these addresses be due now; how many messages. Only who
    wrote to this channel, after `since`, is answered.

    Over this channel it goes, also where it waited on another of the same pool. To be called after their
    words were kept (`inbound.hear`), in the same transaction.
    """
    wrote = array(one.hex for one in sorted(set(address_ids)))
    params = {"address": wrote, "channel": channel_id, "since": since}
    return await make_due(connection, _AWAITING, params, now)


async def decide_again(connection: Connection, lane_ids: Sequence[UUID], now: datetime) -> int:
    """Let everything that waits for somebody to write, in these lanes, be due now: what the campaign declares
    has changed. How many messages."""
    return await make_due(connection, _OF_LANES, {"lanes": list(lane_ids)}, now)


async def look_again(connection: Connection, contact_id: UUID, now: datetime) -> int:
    """The same of whatever waits for this person, also for a value: what is known of them has changed."""
    return await make_due(connection, _OF_CONTACT, {"contact": contact_id}, now)


async def make_due(
    connection: Connection, waiting: LiteralString, params: dict[str, Any], now: datetime
) -> int:
    """Let what waits be due now. `waiting` selects places `q` of the queue, each with the lane onto which it
    goes."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        order: LiteralString = " ORDER BY q.lane_id, q.due_at, q.message_id FOR UPDATE OF q"
        await cursor.execute(waiting + order, params)
        found = await cursor.fetchall()
    onto = {one[2]: one[4] for one in found}
    woken = 0
    for cohort, some in _by_cohort([(one[0], one[1], one[2], one[3]) for one in found]):
        await connection.execute(within(LOCK, cohort), places(some, cohort))
        lanes = array(onto[place[2]].hex for place in some)
        woken += await _move(connection, some, cohort, lanes, now)
    return woken


def _by_cohort(rows: Iterable[Place]) -> list[tuple[date, list[Place]]]:
    rows = list(rows)
    return [(one, [found for found in rows if found[3] == one]) for one in sorted({r[3] for r in rows})]
