"""What people write to us, once each, and what their words are taken for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row, tuple_row

from clarion.kit.db import Connection, Row, rows
from clarion.kit.ids import floor7, uuid7


@dataclass(frozen=True, slots=True)
class Said:
    """A message in. `urn` is the sender's address, `path` its value; `meaning` is a
    `domain.consent_words.Meaning`, or empty; `payload` is what a reply that they tapped brings back, `also`
    another value of the same scheme by which the provider knows them."""

    provider_id: str
    urn: str
    path: str
    text: str
    at: datetime
    meaning: str
    payload: str = ""
    also: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message in that was not there before; `address_ids` are those of whoever has the address."""

    id: UUID
    contact_id: UUID | None
    urn: str
    provider_id: str
    at: datetime
    meaning: str
    address_ids: list[UUID]


_HEAR = """
WITH heard AS (
  INSERT INTO inbound (id, workspace_id, channel_id, contact_id, address, provider_id, text, at,
    received_at, meaning, payload)
  SELECT s.id, clarion_workspace(), %(channel)s, c.contact_id,
    CASE WHEN c.value = s.also THEN split_part(s.urn, ':', 1) || ':' || s.also ELSE s.urn END,
    s.provider_id, s.text, s.at, %(now)s, s.meaning, s.payload
  FROM unnest(%(id)b::uuid[], %(urn)b::text[], %(path)b::text[], %(provider)b::text[], %(text)b::text[],
    %(at)b::timestamptz[], %(meaning)b::text[], %(payload)b::text[],
    %(also)b::text[]) AS s(id, urn, path, provider_id, text, at, meaning, payload, also)
  LEFT JOIN LATERAL (
    SELECT a.contact_id, a.value FROM address a
    WHERE a.workspace_id = clarion_workspace() AND a.value = ANY (ARRAY[s.path, s.also])
      AND a.scheme = ANY (%(schemes)s)
    ORDER BY a.value <> s.path, a.status <> 'active', array_position(%(schemes)s, a.scheme), a.id
    LIMIT 1) c ON true
  ON CONFLICT (channel_id, provider_id) DO NOTHING
  RETURNING id, contact_id, address, provider_id, at, meaning
), latest AS MATERIALIZED (
  SELECT substr(address, strpos(address, ':') + 1) AS path, max(at) AS at FROM heard
  GROUP BY 1 ORDER BY 1
), opened AS (
  UPDATE address a SET last_inbound_at = greatest(a.last_inbound_at, l.at),
    last_channel_id = CASE WHEN a.last_inbound_at > l.at THEN a.last_channel_id ELSE %(channel)s END,
    window_at = CASE WHEN %(windowed)s THEN greatest(a.window_at, l.at) ELSE a.window_at END,
    window_channel_id = CASE WHEN %(windowed)s AND (a.window_at > l.at) IS NOT TRUE THEN %(channel)s
      ELSE a.window_channel_id END
  FROM latest l
  WHERE a.workspace_id = clarion_workspace() AND a.value = l.path AND a.scheme = ANY (%(schemes)s)
  RETURNING l.path, a.id
), theirs AS MATERIALIZED (
  SELECT path, array_agg(id) AS ids FROM opened GROUP BY path
)
SELECT h.id, h.contact_id, h.address AS urn, h.provider_id, h.at, h.meaning,
  coalesce(t.ids, ARRAY[]::uuid[]) AS address_ids
FROM heard h LEFT JOIN theirs t ON t.path = substr(h.address, strpos(h.address, ':') + 1) ORDER BY h.at, h.id
"""


async def hear(
    connection: Connection,
    channel_id: UUID,
    schemes: Sequence[str],
    said: Sequence[Said],
    now: datetime,
    *,
    windowed: bool = False,
) -> list[Heard]:
    """Keep messages in; those that were new, in the order in which they were written.

    A message told again (the same channel and provider's id) changes nothing. Its writer is the contact
    who has the address under one of the channel's `schemes`, or else has what they are known by `also`, which
    is then the message's address; whoever shares it, a pool speaks to all of them over this channel from now
    on (`store.routes`), and where it is `windowed` their service window is opened, over this channel alone.
    """
    async with connection.cursor(row_factory=class_row(Heard)) as cursor:
        await cursor.execute(
            _HEAR,
            {
                "channel": channel_id,
                "schemes": list(schemes),
                "windowed": windowed,
                "now": now,
                "id": [uuid7(now) for _ in said],
                "urn": [s.urn for s in said],
                "path": [s.path for s in said],
                "provider": [s.provider_id for s in said],
                "text": [s.text for s in said],
                "at": [s.at for s in said],
                "meaning": [s.meaning for s in said],
                "payload": [s.payload for s in said],
                "also": [s.also for s in said],
            },
            prepare=True,
        )
        return await cursor.fetchall()


async def is_news(connection: Connection, consent_key: bytes, state: str, at: datetime) -> bool:
    """Whether a wish (`state` is in or out) that was uttered at `at` changes what holds for an address.

    Later words count, whatever order they are told in. Until the transaction ends no other wish for
    this address is weighed.
    """
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT pg_advisory_xact_lock(hashtextextended(
                 'clarion consent ' || clarion_workspace() || encode(%s, 'hex'), 0))""",
            (consent_key,),
        )
        await cursor.execute(
            """SELECT state, at FROM consent WHERE workspace_id = clarion_workspace() AND consent_key = %s""",
            (consent_key,),
        )
        found = await cursor.fetchone()
        if found is None or (found[0] != state and found[1] <= at):
            return True
        if found[0] == state and found[1] < at:
            # said again: an older word of the other kind that is told later must not count
            await cursor.execute(
                """UPDATE consent SET at = %s
                   WHERE workspace_id = clarion_workspace() AND consent_key = %s AND at < %s""",
                (at, consent_key, at),
            )
    return False


async def is_outdated(connection: Connection, one: Heard, meaning: str) -> bool:
    """Whether the same address has later said something else of this meaning, which was told sooner."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT EXISTS (SELECT FROM inbound WHERE contact_id = %s AND id >= %s AND at > %s
                 AND address = %s AND meaning = %s OFFSET 0)""",
            (one.contact_id, floor7(one.at), one.at, one.urn, meaning),
        )
        found = await cursor.fetchone()
        return bool(found and found[0])


async def mean(connection: Connection, inbound_id: UUID, meaning: str) -> None:
    """Keep what a message in was taken for."""
    await connection.execute("UPDATE inbound SET meaning = %s WHERE id = %s", (meaning, inbound_id))


async def page(
    connection: Connection, before: UUID | None, limit: int, contact_id: UUID | None = None
) -> list[Row]:
    """Messages in, newest first, before the given one, optionally of one contact."""
    return await rows(
        connection,
        """SELECT id, channel_id, contact_id, address, provider_id, text, at, received_at, meaning,
             payload
           FROM inbound
           WHERE workspace_id = clarion_workspace() AND (%(before)s::uuid IS NULL OR id < %(before)s)
             AND (%(contact)s::uuid IS NULL OR contact_id = %(contact)s)
           ORDER BY id DESC LIMIT %(limit)s""",
        {"before": before, "limit": limit, "contact": contact_id},
    )
