"""Fallback: what did not arrive over a lane's channel goes on over the next (docs/decisions/fallback.md).

Whoever ends a message notes it here in the same transaction where its lane has a next one: settling
(`store.attempt`), receipts (`store.receipt`), what leaves the queue unsaid (`store.queue`), what never
enters it (`store.expansion`), and the intent, where a campaign goes on by time alone. So nothing is lost to
a crash. What is noted is moved on by `store.moving`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import LiteralString
from uuid import UUID

from psycopg.rows import class_row, tuple_row

from clarion.kit.db import Connection, Row, array, row, rows
from clarion.kit.ids import floor7
from clarion.store.cohort import within
from clarion.store.ordered import keep_order

# Reasons for which a person was not sent to that another channel may not have.
UNREACHED = (
    "no_address", "address_gone", "invalid_number", "no_route", "no_content", "outside_window", "too_long",
)  # fmt: skip

# Of a message `t`: known not to have arrived where it was.
FELL: LiteralString = """(t.state = 'undelivered'
  OR t.state = 'failed' AND t.reason IN ('refused', 'attempts_used_up', 'address_gone')
  OR t.state = 'skipped' AND t.reason = ANY (%(unreached)s))"""

_NOTE: LiteralString = (
    """, ended AS MATERIALIZED (
  SELECT m.id, m.lane_id FROM wanted w CROSS JOIN LATERAL (
    SELECT t.id, t.lane_id FROM {message} t WHERE t.id = w.id AND """
    + FELL
    + """ LIMIT 1) m)
INSERT INTO fallback AS f (message_id, lane_id, cohort, workspace_id, due_at)
SELECT e.id, e.lane_id, %(cohort)s, clarion_workspace(), %(now)s FROM ended e CROSS JOIN LATERAL (
  SELECT FROM lane l WHERE l.id = e.lane_id AND l.next_lane_id IS NOT NULL LIMIT 1) l
ORDER BY e.id
ON CONFLICT (message_id, lane_id) DO UPDATE SET due_at = least(f.due_at, excluded.due_at), late = false
"""
)

_OF_ATTEMPTS: LiteralString = """
WITH wanted AS MATERIALIZED (
  SELECT DISTINCT a.message_id AS id FROM unnest(%(id)s::uuid[]) AS s(id) CROSS JOIN LATERAL (
    SELECT t.message_id FROM {attempt} t WHERE t.id = s.id LIMIT 1) a)"""
_OF_MESSAGES: LiteralString = (
    "WITH wanted AS MATERIALIZED (SELECT DISTINCT id FROM unnest(%(id)s::uuid[]) AS s(id))"
)
# An expansion makes its enrollments' identifiers of the moment: those of one chunk stand together.
_OF_CHUNK: LiteralString = """
WITH wanted AS MATERIALIZED (
  SELECT m.id FROM enrollment e CROSS JOIN LATERAL (
    SELECT t.id FROM {message} t
    WHERE t.enrollment_id = e.id AND t.state = 'skipped' AND t.run_id = %(run)s LIMIT 1) m
  WHERE e.id >= %(first)s AND e.id < %(end)s)"""


async def note_attempts(
    connection: Connection, cohort: date, attempt_ids: Iterable[UUID], now: datetime
) -> None:
    """These attempts of one cohort ended without effect, or the provider says that they did not arrive."""
    await _note(connection, _OF_ATTEMPTS, cohort, now, id=array(id.hex for id in attempt_ids))


async def note_messages(
    connection: Connection, cohort: date, message_ids: Iterable[UUID], now: datetime
) -> None:
    """These messages of one cohort left the queue unsaid."""
    await _note(connection, _OF_MESSAGES, cohort, now, id=array(id.hex for id in message_ids))


async def note_chunk(connection: Connection, cohort: date, run_id: UUID, now: datetime) -> None:
    """Some of a run were skipped by the chunk written at `now`."""
    end = floor7(now + timedelta(milliseconds=1))
    await _note(connection, _OF_CHUNK, cohort, now, run=run_id, first=floor7(now), end=end)


async def _note(
    connection: Connection, wanted: LiteralString, cohort: date, now: datetime, **params: object
) -> None:
    await connection.execute(
        within(wanted + _NOTE, cohort),
        {**params, "cohort": cohort, "now": now, "unreached": list(UNREACHED)},
        prepare=True,
    )


async def watch(
    connection: Connection, lane_id: UUID, messages: Sequence[tuple[UUID, date]], due_at: datetime
) -> None:
    """Try these (id, cohort) over the next channel if they have not been delivered by `due_at`."""
    await connection.execute(
        """INSERT INTO fallback (message_id, lane_id, cohort, workspace_id, due_at, late)
           SELECT id, %s, cohort, clarion_workspace(), %s, true
           FROM unnest(%s::uuid[], %s::date[]) AS w(id, cohort) ORDER BY id
           ON CONFLICT (message_id, lane_id) DO UPDATE SET due_at = excluded.due_at, late = true""",
        (lane_id, due_at, [id for id, _ in messages], [cohort for _, cohort in messages]),
    )


@dataclass(frozen=True, slots=True)
class Fallen:
    """A message that may go on from a lane."""

    message_id: UUID
    lane_id: UUID
    cohort: date


async def workspaces(connection: Connection, now: datetime) -> list[UUID]:
    """Which have something to see to; needs no tenant."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute("SELECT workspace_id FROM clarion_fallbacks(%s)", (now,), prepare=True)
        return [found[0] for found in await cursor.fetchall()]


async def due(connection: Connection, now: datetime, limit: int) -> list[Fallen]:
    """What is to be seen to, the longest due first. Not locked: `move` does that in its order."""
    await keep_order(connection)
    async with connection.cursor(row_factory=class_row(Fallen)) as cursor:
        await cursor.execute(
            """SELECT message_id, lane_id, cohort FROM fallback
               WHERE workspace_id = clarion_workspace() AND due_at <= %s
               ORDER BY due_at, message_id LIMIT %s""",
            (now, limit),
        )
        return await cursor.fetchall()


async def pending(connection: Connection, campaign_id: UUID) -> bool:
    """Whether anything of a campaign is known not to have arrived and has not been seen to."""
    found = await row(
        connection,
        """SELECT EXISTS (SELECT FROM lane l CROSS JOIN LATERAL (
             SELECT FROM fallback f WHERE f.lane_id = l.id AND NOT f.late LIMIT 1) f
           WHERE l.campaign_id = %s) AS some""",
        (campaign_id,),
    )
    return bool(found and found["some"])


async def campaign_of(connection: Connection, lane_id: UUID) -> UUID | None:
    """Whose lane it is."""
    found = await row(connection, "SELECT campaign_id FROM lane WHERE id = %s", (lane_id,))
    return found["campaign_id"] if found else None


async def onward(connection: Connection, lane_id: UUID) -> list[Row]:
    """The lanes after one, in order: {id, provider}."""
    return await rows(
        connection,
        """WITH RECURSIVE onward(id, place) AS (
             SELECT next_lane_id, 1 FROM lane WHERE id = %s
             UNION ALL
             SELECT l.next_lane_id, o.place + 1 FROM onward o JOIN lane l ON l.id = o.id WHERE o.place < 20)
           SELECT l.id, c.provider FROM onward o JOIN lane l ON l.id = o.id
           JOIN channel c ON c.id = l.channel_id ORDER BY o.place""",
        (lane_id,),
    )
