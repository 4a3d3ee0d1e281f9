"""Intent: what makes tries ours alone, before the first byte of any leaves (DESIGN, ledger rule 3).

One statement deletes the queue rows and inserts the attempts, of one channel or of several, after checking
each owner's epoch, the lanes, the expiry and the consent. An opt-out lets one message pass: the one that
confirms it, named in its own row (`consent.let_pass`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg.rows import tuple_row

from clarion.domain.caps import Cap
from clarion.kit.db import Connection, array, texts
from clarion.store.queue import Waiting


@dataclass(slots=True)
class Intended:
    """One try about to be made: which queue row it takes, and the attempt that it becomes."""

    waiting: Waiting
    lane_epoch: int
    attempt_id: UUID
    variables: dict[str, Any] | None
    units: int = 1  # of the channel's limits
    counted: bool = False  # whether its person hears so much at most (`domain.caps`)
    cap: Cap | None = None  # how much, where it may be held for that
    zone: str = "UTC"  # whose days are theirs


@dataclass(slots=True)
class Intent:
    """The tries of one channel, which is owned under `epoch`."""

    channel_id: UUID
    epoch: int
    tries: Sequence[Intended]


_INTEND = """
WITH owner AS MATERIALIZED (
  SELECT x.id, x.epoch FROM unnest(%(channels)s::uuid[], %(epochs)s::bigint[]) AS x(id, epoch)
  CROSS JOIN LATERAL (
    SELECT FROM channel c JOIN channel_owner o ON o.channel_id = coalesce(c.account_id, c.id)
    WHERE c.id = x.id AND o.epoch = x.epoch AND o.worker_id = %(worker)s AND c.state = 'active'
    LIMIT 1 FOR KEY SHARE) c
), allowed AS MATERIALIZED (
  SELECT x.nth, l.id, w.id AS channel_id, w.epoch
  FROM unnest(%(lanes)s::uuid[], %(lane_epochs)s::int[], %(lane_channels)s::uuid[],
      %(lane_owners)s::bigint[]) WITH ORDINALITY AS x(id, epoch, channel_id, owner_epoch, nth)
  JOIN owner w ON w.id = x.channel_id AND w.epoch = x.owner_epoch
  CROSS JOIN LATERAL (
    SELECT lane.id FROM lane WHERE lane.id = x.id AND lane.epoch = x.epoch AND lane.state = 'open'
    LIMIT 1 FOR KEY SHARE) l
), taken AS MATERIALIZED (
  SELECT q.place, q.message_id, q.cohort, q.lane_id, q.address_id, q.tries, w.attempt_id, w.said, w.units,
    l.channel_id, l.epoch
  FROM unnest(%(lane)s::int[], %(due)s::timestamptz[], %(message)s::uuid[], %(attempt)s::uuid[],
              %(said)s::jsonb[], %(units)s::smallint[])
    AS w(lane, due_at, message_id, attempt_id, said, units)
  JOIN allowed l ON l.nth = w.lane
  CROSS JOIN LATERAL (
    SELECT queue.ctid AS place, queue.message_id, queue.cohort, queue.lane_id, queue.address_id, queue.tries
    FROM queue
    WHERE queue.lane_id = l.id AND queue.due_at = w.due_at AND queue.message_id = w.message_id
      AND queue.due_at <= %(now)s AND queue.expires_at > %(now)s
      AND NOT EXISTS (SELECT FROM consent c WHERE c.workspace_id = queue.workspace_id
                      AND c.consent_key = queue.consent_key AND c.state = 'out'
                      AND c.farewell_id IS DISTINCT FROM queue.message_id)
    LIMIT 1 FOR NO KEY UPDATE) q
), gone AS (
  DELETE FROM queue USING taken t WHERE queue.ctid = t.place RETURNING t.*
)
INSERT INTO attempt (id, cohort, workspace_id, message_id, channel_id, lane_id, worker_id, epoch, number,
  state, effective, address_id, variables, units)
SELECT attempt_id, cohort, clarion_workspace(), message_id, channel_id, lane_id, %(worker)s,
  epoch, tries + 1, 'in_flight', true, address_id, said, units
FROM gone
ON CONFLICT DO NOTHING
RETURNING id
"""


async def intend(
    connection: Connection, *, worker_id: UUID, intents: Sequence[Intent], now: datetime
) -> set[UUID]:
    """Commit to trying: those attempts that are now ours, by id. The others must not be sent.

    Left out are rows that somebody withdrew, a lane paused since, an address that opted out, what
    has expired, and everything of a channel that this worker no longer owns. The caller commits
    before the first byte leaves.
    """
    owners = sorted({(intent.channel_id, intent.epoch) for intent in intents})
    tries = [(intent, one) for intent in intents for one in intent.tries]
    if not tries:
        return set()
    # In the order in which a pause locks them.
    lanes = sorted({_lane(intent, one) for intent, one in tries})
    places = {lane: str(nth) for nth, lane in enumerate(lanes, 1)}
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            _INTEND,
            {
                "worker": worker_id,
                "now": now,
                "channels": array(channel.hex for channel, _ in owners),
                "epochs": array(str(epoch) for _, epoch in owners),
                "lanes": array(lane[0].hex for lane in lanes),
                "lane_epochs": array(str(lane[1]) for lane in lanes),
                "lane_channels": array(lane[2].hex for lane in lanes),
                "lane_owners": array(str(lane[3]) for lane in lanes),
                "lane": array(places[_lane(intent, one)] for intent, one in tries),
                "due": array(f'"{one.waiting.due_at.isoformat()}"' for _, one in tries),
                "message": array(one.waiting.message_id.hex for _, one in tries),
                "attempt": array(one.attempt_id.hex for _, one in tries),
                "said": texts([_json(one.variables) for _, one in tries]),
                "units": array(str(one.units) for _, one in tries),
            },
            prepare=True,
        )
        return {found[0] for found in await cursor.fetchall()}


def _lane(intent: Intent, one: Intended) -> tuple[UUID, int, UUID, int]:
    return one.waiting.lane_id, one.lane_epoch, intent.channel_id, intent.epoch


def _json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
