"""Taking waiting messages back: the person was erased, merged or opted out before anything was sent, or the
address is no more.

Only messages that still wait are touched. One whose try has begun has no queue row; it ends by its own
evidence. The rows are locked and ended by `queue.end`, in the order in which the dispatch takes them, so
that neither waits for the other for ever. What was taken in between is looked for once more: one that was
being held for a later moment has another place by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import tuple_row

from clarion.kit.db import Connection
from clarion.store import event, queue

# A queue row is found by the message it is for: they agree on lane and due moment. One key after the
# other (OFFSET 0 keeps them apart), whatever the statistics say of the tables.
_WAITING: LiteralString = """
SELECT q.lane_id, q.due_at, q.message_id, q.cohort
FROM unnest(%(people)s::uuid[]) AS p(id)
CROSS JOIN LATERAL (
  SELECT id FROM enrollment WHERE subject_id = p.id
  UNION ALL SELECT id FROM enrollment WHERE contact_id = p.id OFFSET 0) e
CROSS JOIN LATERAL (
  SELECT id, lane_id, due_at, run_id FROM message WHERE enrollment_id = e.id AND state = 'ready' OFFSET 0) m
CROSS JOIN LATERAL (
  SELECT lane_id, due_at, message_id, cohort, consent_key, address_id FROM queue
  WHERE lane_id = m.lane_id AND due_at = m.due_at AND message_id = m.id LIMIT 1) q
"""


_OF_ENROLLMENTS: LiteralString = """
SELECT q.lane_id, q.due_at, q.message_id, q.cohort
FROM unnest(%(ids)s::uuid[]) AS e(id)
CROSS JOIN LATERAL (
  SELECT id, lane_id, due_at FROM message WHERE enrollment_id = e.id AND state = 'ready' OFFSET 0) m
CROSS JOIN LATERAL (
  SELECT lane_id, due_at, message_id, cohort FROM queue
  WHERE lane_id = m.lane_id AND due_at = m.due_at AND message_id = m.id LIMIT 1) q
"""


# Of these places, those that are still taken; they stay as they are until the transaction ends.
_LOCK: LiteralString = """
SELECT q.* FROM unnest(%(lane)s::uuid[], %(due)s::timestamptz[], %(message)s::uuid[])
  AS w(lane_id, due_at, message_id)
CROSS JOIN LATERAL (
  SELECT lane_id, due_at, message_id, cohort FROM queue
  WHERE lane_id = w.lane_id AND due_at = w.due_at AND message_id = w.message_id LIMIT 1 FOR UPDATE) q
"""


async def withdraw(
    connection: Connection, contact_ids: Sequence[UUID], state: str, reason: str | None, now: datetime
) -> int:
    """End what waits for these contacts in `state` with `reason`, with its tally; how many messages."""
    return await _end(connection, _WAITING, {"people": list(contact_ids)}, state, reason, now)


async def from_addresses(connection: Connection, keys: Sequence[bytes], now: datetime) -> int:
    """End what waits for addresses that opted out, whoever's they are, but what confirms it (`let_pass`); how
    many messages."""
    people = await connection.execute(
        "SELECT DISTINCT contact_id FROM address WHERE consent_key = ANY (%s::bytea[])", (list(keys),)
    )
    contacts = [found[0] for found in await people.fetchall()]
    if not contacts:
        return 0
    params = {"people": contacts, "keys": list(keys)}
    only_these = (
        _WAITING
        + """WHERE q.consent_key = ANY (%(keys)s::bytea[]) AND NOT EXISTS (
             SELECT FROM consent o WHERE o.workspace_id = clarion_workspace()
               AND o.consent_key = q.consent_key AND o.state = 'out' AND o.farewell_id = q.message_id)"""
    )
    return await _end(connection, only_these, params, "skipped", "opted_out", now)


async def from_places(
    connection: Connection, address_ids: Sequence[UUID], contact_ids: Iterable[UUID], now: datetime
) -> int:
    """End what waits for addresses that lead nowhere any more, of these contacts; how many messages."""
    only_these = _WAITING + "WHERE q.address_id = ANY (%(places)s::uuid[])"
    params = {"people": list(contact_ids), "places": list(address_ids)}
    return await _end(connection, only_these, params, "skipped", "address_gone", now)


async def from_enrollments(
    connection: Connection, enrollment_ids: Sequence[UUID], reason: str, now: datetime
) -> int:
    """End what waits of these enrollments, of whichever generation; how many messages."""
    return await _end(connection, _OF_ENROLLMENTS, {"ids": list(enrollment_ids)}, "skipped", reason, now)


async def farewells(connection: Connection, keys: Sequence[bytes], now: datetime) -> int:
    """End what still waits to confirm opt-outs that are about to be taken back; how many messages."""
    waiting: LiteralString = """SELECT q.lane_id, q.due_at, q.message_id, q.cohort
      FROM unnest(%(keys)s::bytea[]) AS k(key)
      JOIN consent o ON o.workspace_id = clarion_workspace() AND o.consent_key = k.key AND o.state = 'out'
      CROSS JOIN LATERAL (
        SELECT id, lane_id, due_at FROM message WHERE id = o.farewell_id AND state = 'ready' OFFSET 0) m
      CROSS JOIN LATERAL (
        SELECT lane_id, due_at, message_id, cohort FROM queue
        WHERE lane_id = m.lane_id AND due_at = m.due_at AND message_id = m.id LIMIT 1) q"""
    return await _end(connection, waiting, {"keys": list(keys)}, "skipped", "superseded", now)


async def from_second_self(connection: Connection, loser: UUID, winner: UUID, now: datetime) -> int:
    """End what waits for `loser` in runs that have a message for `winner` too; how many messages."""
    also = (
        _WAITING
        + """WHERE EXISTS (SELECT FROM enrollment we JOIN message wm ON wm.enrollment_id = we.id
              WHERE we.subject_id = %(winner)s AND wm.run_id = m.run_id AND wm.state <> 'skipped')"""
    )
    return await _end(
        connection, also, {"people": [loser], "winner": winner}, "skipped", "duplicate_person", now
    )


async def _end(
    connection: Connection,
    waiting: LiteralString,
    params: dict[str, Any],
    state: str,
    reason: str | None,
    now: datetime,
) -> int:
    ended = 0
    async with connection.cursor(row_factory=tuple_row) as cursor:
        while True:
            await cursor.execute(waiting + " ORDER BY q.lane_id, q.due_at, q.message_id", params)
            if not (found := await cursor.fetchall()):
                return ended
            await cursor.execute(_LOCK, queue.places(found))
            ours = await cursor.fetchall()
            ended += await queue.end(connection, ours, state, reason, now)
            await event.of_ends(connection, [(one[2], one[3]) for one in ours], now)
            if len(ours) == len(found):
                return ended
