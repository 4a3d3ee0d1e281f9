"""The queue: what waits, and nothing else; small and hot.

A channel's owner reads ahead along each lane by a cursor, which needs no claim. What makes a try
ours alone is the intent (`store.intent`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import args_row, tuple_row

from clarion.domain.message import State
from clarion.kit.db import Connection, array
from clarion.store import fallback, tally
from clarion.store.cohort import within

# Libpq options for connections that run these statements: whatever the statistics say (empty, stale,
# of ten million rows), a look-up by key is a look-up by key.
PLANNER = (
    "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
    " -c enable_sort=on -c jit=off"
)


Place = tuple[UUID, datetime, UUID, date]
"""Of a waiting message: lane, due moment, message, cohort."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A campaign × priority on a channel, as the owner reads it."""

    id: UUID
    campaign_id: UUID
    priority: int
    epoch: int
    weight: int
    next_after: int | None = None  # seconds without delivery after which it goes on over the next lane
    hours: str | None = None  # at which its people may be told: `domain.schedule.hours.Hours` as JSON
    outside: str | None = None  # what becomes of who is outside the service window: `domain.outside.Outside`
    home_hours: str | None = None  # those of the workspace, as `hours`
    hours_field: str | None = None  # in which people have hours of their own
    caps: str | None = None  # how much its people hear at most: `domain.caps.Caps` as JSON

    @property
    def all_hours(self) -> tuple[str, ...]:
        """All that hold."""
        return tuple(one for one in (self.hours, self.home_hours) if one is not None)


@dataclass(slots=True)
class Waiting:
    """One queue row with what is needed to say it: the address and the person as they are now.

    `window_at`: when the person last wrote where a service window counts, over `window_channel_id`.
    `erased`: the address was forgotten while the row was being written; there is nobody to send it to.
    `held_until`: it waits, or waited, for a value that its text shows, until then at most.
    The fields stand in the order in which the statements name them, but for `case`: of an alert what is known
    of the case that it is about (`store.told_case`).
    """

    lane_id: UUID
    due_at: datetime
    message_id: UUID
    cohort: date
    contact_id: UUID
    address_id: UUID
    consent_key: bytes
    content_version_id: UUID
    expires_at: datetime
    tries: int
    variables: dict[str, Any] | None
    scheme: str
    address: str
    window_at: datetime | None
    window_channel_id: UUID | None
    name: str
    language: str | None
    country: str | None
    timezone: str | None
    external_id: str | None
    fields: dict[str, Any]
    opted_out: bool
    erased: bool
    held_until: datetime | None = None
    case: dict[str, Any] | None = None


async def open_lanes(connection: Connection, channel_ids: Sequence[UUID]) -> dict[UUID, list[Lane]]:
    """The open lanes of each of these channels, most urgent first; needs no tenant."""
    found: dict[UUID, list[Lane]] = {channel_id: [] for channel_id in channel_ids}
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT channel_id, id, campaign_id, priority, epoch, weight, next_after, hours,
                 outside_window, home_hours, hours_field, caps
               FROM clarion_lanes(%s)""",
            (list(found),),
            prepare=True,
        )
        for channel_id, *lane in await cursor.fetchall():
            found[channel_id].append(Lane(*lane))
    return found


def _reading(found: LiteralString) -> LiteralString:
    # each with the address and the person as they are now
    return f"""SELECT q.lane_id, q.due_at, q.message_id, q.cohort, q.contact_id, q.address_id,
  q.consent_key, q.content_version_id, q.expires_at, q.tries, q.variables,
  coalesce(a.scheme, '') AS scheme, coalesce(a.value, '') AS address, a.window_at,
  a.window_channel_id, c.name, c.language, c.country, c.timezone, c.external_id, c.fields,
  o.consent_key IS NOT NULL AS opted_out, a.id IS NULL AS erased, q.held_until
FROM ({found}) q
LEFT JOIN LATERAL (SELECT * FROM address WHERE id = q.address_id LIMIT 1) a ON true
CROSS JOIN LATERAL (SELECT * FROM contact WHERE id = q.contact_id LIMIT 1) c
LEFT JOIN LATERAL (SELECT consent_key FROM consent
  WHERE workspace_id = q.workspace_id AND consent_key = q.consent_key AND state = 'out'
    AND farewell_id IS DISTINCT FROM q.message_id
  LIMIT 1) o ON true
ORDER BY q.due_at, q.message_id"""


_READ_AHEAD = _reading(
    """SELECT * FROM queue WHERE lane_id = %s AND (due_at, message_id) > (%s, %s) AND due_at <= %s
       ORDER BY due_at, message_id LIMIT %s"""
)
_READ_AGAIN = _reading(
    "SELECT * FROM queue WHERE again = %s AND due_at <= %s ORDER BY due_at, message_id LIMIT %s"
)


async def read_ahead(
    connection: Connection, lane_id: UUID, after: tuple[datetime, UUID], now: datetime, limit: int
) -> list[Waiting]:
    """What is due in a lane after the cursor `(due_at, message_id)`, in order, at most `limit`."""
    async with connection.cursor(row_factory=args_row(Waiting)) as cursor:
        await cursor.execute(_READ_AHEAD, (lane_id, after[0], after[1], now, limit), prepare=True)
        return await cursor.fetchall()


async def read_again(connection: Connection, lane_id: UUID, now: datetime, limit: int) -> list[Waiting]:
    """What of a lane was put back and is due again, in order, wherever the cursor is."""
    async with connection.cursor(row_factory=args_row(Waiting)) as cursor:
        await cursor.execute(_READ_AGAIN, (lane_id, now, limit), prepare=True)
        return await cursor.fetchall()


# Keeps places in the queue and their messages as they are until the transaction ends.
LOCK = """
SELECT count(*) FROM unnest(%(lane)s::uuid[], %(due)s::timestamptz[], %(message)s::uuid[])
  AS w(lane_id, due_at, message_id)
CROSS JOIN LATERAL (
  SELECT q.message_id FROM queue q
  WHERE q.lane_id = w.lane_id AND q.due_at = w.due_at AND q.message_id = w.message_id
  LIMIT 1 FOR UPDATE) q
CROSS JOIN LATERAL (
  SELECT m.id FROM {message} m WHERE m.id = w.message_id LIMIT 1 FOR NO KEY UPDATE) m
"""

# The place in the queue (`q`) and the message (`m`) of each `w` that still waits.
PLACED: LiteralString = """  CROSS JOIN LATERAL (
    SELECT queue.ctid AS place FROM queue
    WHERE queue.lane_id = w.lane_id AND queue.due_at = w.due_at AND queue.message_id = w.message_id
      AND queue.cohort = %(cohort)s LIMIT 1) q
  CROSS JOIN LATERAL (
    SELECT t.ctid AS place FROM {message} t WHERE t.id = w.message_id AND t.state = 'ready' LIMIT 1) m
"""
_END = (
    """
WITH waiting AS MATERIALIZED (
  SELECT q.place AS queued, m.place AS kept
  FROM unnest(%(lane)s::uuid[], %(due)s::timestamptz[], %(message)s::uuid[])
    AS w(lane_id, due_at, message_id)
"""
    + PLACED
    + """), gone AS (
  DELETE FROM queue USING waiting w WHERE queue.ctid = w.queued RETURNING w.kept
), moved AS (
  UPDATE {message} m SET was = m.state, was_reason = m.reason, state = %(state)s, settled_at = %(now)s,
    reason = CASE WHEN %(kept)s::boolean THEN coalesce(m.reason, %(reason)s) ELSE %(reason)s END
  FROM gone WHERE m.ctid = gone.kept
  RETURNING m.run_id, m.was, m.was_reason, m.state, m.reason
), counted AS ("""
    + tally.ADD
    + """) SELECT count(*) FROM moved"""
)


async def end(
    connection: Connection,
    rows: Sequence[Place],
    state: str,
    reason: str | None,
    now: datetime,
) -> int:
    """Take waiting messages `(lane_id, due_at, message_id, cohort)` out of the queue into an end state.

    Only those whose queue row this deletes are ended: a try that began first stands.
    """
    ended = 0
    for cohort in sorted({found[3] for found in rows}):
        some = [found for found in rows if found[3] == cohort]
        params = {**places(some, cohort), "state": state, "reason": reason, "now": now}
        params["kept"] = state == State.EXPIRED  # what it waited for until then
        await connection.execute(within(LOCK, cohort), params)
        cursor = await connection.execute(within(_END, cohort), params)
        done = await cursor.fetchone()
        ended += int(done[0]) if done else 0
        if reason in fallback.UNREACHED:
            await fallback.note_messages(connection, cohort, [found[2] for found in some], now)
    return ended


def places(some: Sequence[Place], cohort: date | None = None) -> dict[str, Any]:
    """Waiting messages, all of `cohort` where the statement works within one, as its parameters."""
    return {
        "lane": array(found[0].hex for found in some),
        "due": array(f'"{found[1].isoformat()}"' for found in some),
        "message": array(found[2].hex for found in some),
        "cohort": cohort,
    }


async def empty_lane(connection: Connection, lane_id: UUID, state: str, now: datetime, limit: int) -> int:
    """End what waits in a lane that was cancelled, a chunk at a time; returns how many. 0 = empty."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT lane_id, due_at, message_id, cohort FROM queue WHERE lane_id = %s
               ORDER BY due_at, message_id LIMIT %s""",
            (lane_id, limit),
        )
        waiting = await cursor.fetchall()
    if waiting:
        await end(connection, waiting, state, None, now)
    return len(waiting)
