"""What waits in the queue for a later moment of its own than it was due at: the next allowed hour, the next
day that has room. Its message says why; no try is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from clarion.kit.db import Connection, array, texts
from clarion.store import tally
from clarion.store.cohort import within
from clarion.store.queue import LOCK, PLACED, Place, places

_HOLD: LiteralString = (
    """
WITH waiting AS MATERIALIZED (
  SELECT q.place AS queued, m.place AS kept, w.later, w.reason
  FROM unnest(%(lane)s::uuid[], %(due)s::timestamptz[], %(message)s::uuid[], %(later)s::timestamptz[],
      %(reason)s::text[]) AS w(lane_id, due_at, message_id, later, reason)
"""
    + PLACED
    + """), gone AS (
  DELETE FROM queue USING waiting w WHERE queue.ctid = w.queued
  RETURNING w.kept, w.later, w.reason AS why, queue.*
), moved AS (
  UPDATE {message} m SET was = m.state, was_reason = m.reason, reason = g.why, due_at = g.later
  FROM gone g WHERE m.ctid = g.kept
  RETURNING m.run_id, m.was, m.was_reason, m.state, m.reason
), queued AS (
  INSERT INTO queue (lane_id, due_at, message_id, cohort, workspace_id, contact_id, address_id, consent_key,
    content_version_id, expires_at, tries, variables, again, held_until)
  SELECT lane_id, later, message_id, cohort, workspace_id, contact_id, address_id, consent_key,
    content_version_id, expires_at, tries, variables, again, held_until
  FROM gone
), counted AS ("""
    + tally.ADD
    + """) SELECT count(*) FROM moved"""
)


@dataclass(frozen=True, slots=True)
class Hold:
    """One waiting message, when it is due instead, and why (`domain.message.Skip`)."""

    place: Place
    later: datetime
    reason: str


async def hold(connection: Connection, holds: Sequence[Hold]) -> None:
    """Let waiting messages be due later. One that somebody withdrew or began meanwhile is left as it is."""
    for cohort in sorted({one.place[3] for one in holds}):
        some = [one for one in holds if one.place[3] == cohort]
        params = {
            **places([one.place for one in some], cohort),
            "later": array(f'"{one.later.isoformat()}"' for one in some),
            "reason": texts([one.reason for one in some]),
        }
        await connection.execute(within(LOCK, cohort), params)
        await connection.execute(within(_HOLD, cohort), params)
