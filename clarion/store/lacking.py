"""What waits for a value that its text shows: kept in the queue under the contact or the case that lacks it
(`awaits`), due when it is waited for no longer (`held_until`), so that no lane is read through it.

Its message says which value (`domain.missing`) and until when. Whoever is touched is looked for here by what
takes the notes of that (`flow.enroll.match`), and what waits for them is due now.

Holding and saving cannot miss each other. Whoever holds keeps the people and cases as they are until it is
written down, and holds only where they are as they were read; what is saved after that leaves its note after
it, too. A case that a link names and that is being made in this very moment is not kept: what waits for it
goes at its limit at the latest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import tuple_row

from clarion.kit.db import Connection, array, texts
from clarion.store import tally, window
from clarion.store.cohort import within
from clarion.store.queue import LOCK, PLACED, Place, places

Known = tuple[str, str | None, str | None, str | None, str | None, dict[str, Any]]
"""Of a contact what templates read: name, language, country, timezone, external id, fields."""


@dataclass(frozen=True, slots=True)
class Wait:
    """One waiting message, until when it waits, for whose value (a contact or a case), and why."""

    place: Place
    until: datetime
    whose: UUID
    reason: str


async def lock(connection: Connection, rows: Sequence[Place]) -> None:
    """Keep these places and their messages as they are; to be called before `people` and `told_case.keep`,
    so that nobody is waited for while people are kept."""
    for cohort in sorted({found[3] for found in rows}):
        some = [found for found in rows if found[3] == cohort]
        await connection.execute(within(LOCK, cohort), places(some, cohort))


_PEOPLE = """
SELECT c.* FROM unnest(%s::uuid[]) AS i(id) CROSS JOIN LATERAL (
  SELECT k.id, k.name, k.language, k.country, k.timezone, k.external_id, k.fields FROM contact k
  WHERE k.id = i.id LIMIT 1 FOR SHARE SKIP LOCKED) c
"""


async def people(connection: Connection, contact_ids: Collection[UUID]) -> dict[UUID, Known]:
    """These contacts as they are, and stay until the transaction ends; whoever is being written just now is
    left out."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_PEOPLE, (sorted(contact_ids),))
        return {one[0]: one[1:] for one in await cursor.fetchall()}


_WAIT: LiteralString = (
    """
WITH waiting AS MATERIALIZED (
  SELECT q.place AS queued, m.place AS kept, w.until, w.whose, w.reason
  FROM unnest(%(lane)s::uuid[], %(due)s::timestamptz[], %(message)s::uuid[], %(until)s::timestamptz[],
      %(whose)s::uuid[], %(reason)s::text[]) AS w(lane_id, due_at, message_id, until, whose, reason)
"""
    + PLACED
    + """), gone AS (
  DELETE FROM queue USING waiting w WHERE queue.ctid = w.queued
  RETURNING w.kept, w.until, w.whose, w.reason AS why, queue.*
), moved AS (
  UPDATE {message} m SET was = m.state, was_reason = m.reason, reason = g.why, due_at = g.until
  FROM gone g WHERE m.ctid = g.kept
  RETURNING m.run_id, m.was, m.was_reason, m.state, m.reason
), queued AS (
  INSERT INTO queue (lane_id, due_at, message_id, cohort, workspace_id, contact_id, address_id, consent_key,
    content_version_id, expires_at, tries, variables, held_until, awaits)
  SELECT lane_id, until, message_id, cohort, workspace_id, contact_id, address_id, consent_key,
    content_version_id, expires_at, tries, variables, until, whose
  FROM gone
), counted AS ("""
    + tally.ADD
    + """) SELECT count(*) FROM moved"""
)


async def wait(connection: Connection, waits: Sequence[Wait]) -> None:
    """Let messages that are locked wait for a value; no try is counted. One that somebody withdrew meanwhile
    is left as it is."""
    for cohort in sorted({one.place[3] for one in waits}):
        some = [one for one in waits if one.place[3] == cohort]
        params = {
            **places([one.place for one in some], cohort),
            "until": array(f'"{one.until.isoformat()}"' for one in some),
            "whose": array(one.whose.hex for one in some),
            "reason": texts([one.reason for one in some]),
        }
        await connection.execute(within(_WAIT, cohort), params)


_OF_TOUCHED: LiteralString = """
SELECT q.lane_id, q.due_at, q.message_id, q.cohort, q.lane_id AS onto
FROM unnest(%(ids)s::uuid[]) AS p(id)
CROSS JOIN LATERAL (
  SELECT lane_id, due_at, message_id, cohort FROM queue WHERE awaits = p.id OFFSET 0) q
"""


async def wake(connection: Connection, ids: Collection[UUID], now: datetime) -> int:
    """Let what waits for a value of these contacts, or cases, be due now; how many messages. Where the value
    is still not there they wait again, until the same moment."""
    wanted = array(one.hex for one in sorted(ids))
    return await window.make_due(connection, _OF_TOUCHED, {"ids": wanted}, now)
