"""Courtesies in the ledger: messages that answer a person's word about consent, or a time that they chose.

Each channel has one campaign of them, with one lane; both are named after the channel, so that they need
not be looked for. They have no run: nobody plans them. Somebody's courtesies are generations of one
enrollment, and each bears the identifier of the message in that it answers, so that nothing is answered
twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, LiteralString, NamedTuple
from uuid import UUID, uuid5

from psycopg.rows import args_row, tuple_row
from psycopg.types.json import Jsonb

from clarion.kit.db import Connection, row
from clarion.kit.ids import uuid7
from clarion.store import campaign as campaigns
from clarion.store.cohort import within


class Writer(NamedTuple):
    """Who wrote a message in, and from where: the address as their contact has it, and its consent key."""

    contact_id: UUID
    address_id: UUID
    consent_key: bytes
    language: str | None


class Place(NamedTuple):
    """The campaign and lane of a channel's courtesies."""

    campaign_id: UUID
    lane_id: UUID


class Paused(NamedTuple):
    """A channel's courtesies that are paused, and why."""

    campaign_id: UUID
    channel_id: UUID
    channel: str
    reason: str


def place_of(channel_id: UUID) -> Place:
    """Named after the channel (RFC 9562, version 5)."""
    return Place(uuid5(channel_id, "courtesies"), uuid5(channel_id, "lane of courtesies"))


async def writer(connection: Connection, inbound_id: UUID, schemes: Sequence[str]) -> Writer | None:
    """Who wrote this, by the address that a channel of these schemes reaches them at; None where nobody
    has it."""
    async with connection.cursor(row_factory=args_row(Writer)) as cursor:
        await cursor.execute(
            """SELECT c.id, a.id, a.consent_key, c.language FROM inbound i
               JOIN contact c ON c.id = i.contact_id AND c.status = 'active'
               CROSS JOIN LATERAL (
                 SELECT address.id, address.consent_key FROM address
                 WHERE address.contact_id = c.id AND address.scheme = ANY (%(schemes)s)
                   AND address.value = substr(i.address, strpos(i.address, ':') + 1)
                 ORDER BY address.status <> 'active', array_position(%(schemes)s, address.scheme), address.id
                 LIMIT 1) a
               WHERE i.id = %(id)s""",
            {"id": inbound_id, "schemes": list(schemes)},
        )
        return await cursor.fetchone()


async def open_place(
    connection: Connection, channel_id: UUID, *, kind: str, name: str, priority: int, now: datetime
) -> Place:
    """The campaign and lane of a channel's courtesies, made where they are not yet."""
    place = place_of(channel_id)
    if await row(connection, "SELECT id FROM lane WHERE id = %s", (place.lane_id,)):
        return place
    await connection.execute(
        """INSERT INTO campaign (id, workspace_id, kind, name, state, definition, channel_id, created_at,
             modified_at)
           VALUES (%s, clarion_workspace(), %s, %s, 'running', '{}', %s, %s, %s) ON CONFLICT DO NOTHING""",
        (place.campaign_id, kind, name, channel_id, now, now),
    )
    await campaigns.open_lane(connection, place.lane_id, channel_id, place.campaign_id, priority)
    return place


async def content(
    connection: Connection, campaign_id: UUID, step: int, body: Mapping[str, Any], now: datetime
) -> UUID:
    """The version of a step that says this: the last that does, or a new one. Several may be in use at once:
    two sequences confirm what they take in words of their own."""
    same: LiteralString = """SELECT id FROM content_version
      WHERE campaign_id = %s AND step_id = %s AND body = %s ORDER BY version DESC LIMIT 1"""
    values = (campaign_id, step, Jsonb(dict(body)))
    found = await row(connection, same, values)
    if found is None:
        await campaigns.lock(connection, campaign_id)  # versions are counted: one at a time
        found = await row(connection, same, values)
    if found is None:
        content_id = uuid7(now)
        await campaigns.add_content(connection, content_id, campaign_id, step, body, now)
        return content_id
    said: UUID = found["id"]
    return said


async def claim(connection: Connection, key: bytes, meaning: str, now: datetime, again: timedelta) -> bool:
    """Whether this address may be answered this now: it was not within `again`. Then it counts as
    answered. Of several at once only one may."""
    cursor = await connection.execute(
        """INSERT INTO courtesy (workspace_id, consent_key, meaning, at)
           VALUES (clarion_workspace(), %(key)s, %(meaning)s, %(now)s)
           ON CONFLICT (workspace_id, consent_key, meaning) DO UPDATE SET at = excluded.at
           WHERE courtesy.at <= %(until)s RETURNING 1""",
        {"key": key, "meaning": meaning, "now": now, "until": now - again},
    )
    return await cursor.fetchone() is not None


_WRITE = """
WITH enrolled AS (
  INSERT INTO enrollment AS e (id, workspace_id, campaign_id, subject_id, state, cohort, created_at)
  VALUES (clarion_uuid7(%(now)s), clarion_workspace(), %(campaign)s, %(contact)s, 'finished', %(cohort)s,
    %(now)s)
  ON CONFLICT (campaign_id, subject_id) DO UPDATE SET generation = e.generation + 1, cohort = excluded.cohort
  RETURNING id, generation
), written AS (
  INSERT INTO {message} (id, cohort, workspace_id, enrollment_id, generation, iteration, step_id,
    recipient_key, address_id, lane_id, content_version_id, state, reason, due_at, expires_at, settled_at)
  SELECT %(id)s, %(cohort)s, clarion_workspace(), enrolled.id, generation, 1, %(step)s, %(contact)s,
    %(address)s, %(lane)s, %(content)s, CASE WHEN why IS NULL THEN 'ready' ELSE 'skipped' END::message_state,
    why, %(now)s, %(expires)s, CASE WHEN why IS NOT NULL THEN %(now)s::timestamptz END
  FROM enrolled, (SELECT CASE WHEN EXISTS (
      SELECT FROM consent o WHERE o.workspace_id = clarion_workspace() AND o.consent_key = %(key)s
        AND o.state = 'out' AND o.farewell_id IS DISTINCT FROM %(id)s) THEN 'opted_out' END AS why) judged
  ON CONFLICT DO NOTHING
  RETURNING id, due_at, expires_at, state
)
INSERT INTO queue (lane_id, due_at, message_id, cohort, workspace_id, contact_id, address_id, consent_key,
  content_version_id, expires_at, variables)
SELECT %(lane)s, due_at, id, %(cohort)s, clarion_workspace(), %(contact)s, %(address)s, %(key)s, %(content)s,
  expires_at, %(said)s
FROM written WHERE state = 'ready'
RETURNING 1
"""


async def write(
    connection: Connection,
    inbound_id: UUID,
    to: Writer,
    place: Place,
    *,
    content_id: UUID,
    step: int,
    cohort: date,
    variables: Mapping[str, Any] | None,
    expires_at: datetime,
    now: datetime,
) -> bool:
    """Owe somebody the answer to what they wrote. Whether it waits now: it is skipped where the address has
    opted out and this is not what may pass, and nothing happens where it is there already."""
    await connection.execute("SELECT clarion_ensure_cohort(%s)", (cohort,))
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            within(_WRITE, cohort),
            {
                "id": inbound_id, "contact": to.contact_id, "address": to.address_id, "key": to.consent_key,
                "campaign": place.campaign_id, "lane": place.lane_id, "content": content_id, "step": step,
                "cohort": cohort, "said": None if variables is None else Jsonb(dict(variables)),
                "expires": expires_at, "now": now,
            },
        )  # fmt: skip
        return await cursor.fetchone() is not None


async def paused(connection: Connection) -> list[Paused]:
    """The workspace's courtesies that are paused, by channel."""
    async with connection.cursor(row_factory=args_row(Paused)) as cursor:
        await cursor.execute(
            """SELECT g.id, c.id, c.name, g.reason FROM campaign g JOIN channel c ON c.id = g.channel_id
               WHERE g.workspace_id = clarion_workspace() AND g.kind = 'courtesy' AND g.state = 'paused'
               ORDER BY c.name"""
        )
        return await cursor.fetchall()
