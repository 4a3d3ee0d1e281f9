"""Some of whom an audience means, as the dispatch would read them, and how many of all are in the window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg.rows import class_row

from clarion.kit.db import Connection, Row, row, rows
from clarion.store.expansion import Meant
from clarion.store.queue import Waiting
from clarion.store.routes import ROUTES, Route, chosen, params

# The person's best address, as the expansion chooses it, where it has not opted out.
_BEST: LiteralString = """CROSS JOIN LATERAL (
  SELECT address.id, address.scheme, address.value, address.consent_key, address.last_channel_id,
    address.window_at, address.window_channel_id
  FROM address
  WHERE address.contact_id = c.id AND address.status = 'active' AND address.scheme = ANY (%(schemes)s)
  ORDER BY array_position(%(schemes)s, address.scheme), address.position, address.id LIMIT 1) a """
_WHO: LiteralString = """WHERE c.workspace_id = clarion_workspace() AND c.status = 'active' AND NOT EXISTS (
  SELECT FROM consent o WHERE o.workspace_id = c.workspace_id AND o.consent_key = a.consent_key
    AND o.state = 'out') AND ("""
_REACHED = _BEST + _WHO


async def some(
    connection: Connection,
    meant: Meant,
    schemes: Sequence[str],
    content_id: UUID,
    limit: int,
    now: datetime,
    routes: Sequence[Route] | None = None,
) -> list[Waiting]:
    """The first who would be reached, in the form of queue rows; nothing is queued. Given `routes`, those
    for whom one fits, with its lane."""
    pooled = routes is not None
    before: LiteralString = f"WITH {ROUTES} " if pooled else ""
    lane: LiteralString = "r.lane_id" if pooled else "%(content)s::uuid"
    join: LiteralString = f"CROSS JOIN LATERAL ({chosen('c.channel_id')}) r " if pooled else ""
    async with connection.cursor(row_factory=class_row(Waiting)) as cursor:
        await cursor.execute(
            f"""{before}SELECT {lane} AS lane_id, %(now)s::timestamptz AS due_at, c.id AS message_id,
                 %(now)s::date AS cohort, c.id AS contact_id, a.id AS address_id, a.consent_key,
                 %(content)s::uuid AS content_version_id, %(now)s::timestamptz AS expires_at, 0 AS tries,
                 NULL::jsonb AS variables, a.scheme, a.value AS address, a.window_at,
                 a.window_channel_id, c.name, c.language, c.country, c.timezone, c.external_id, c.fields,
                 false AS opted_out, false AS erased
               FROM contact c """
            + _BEST
            + join
            + _WHO
            + meant.predicate
            + ") ORDER BY c.id LIMIT %(limit)s",
            {
                **meant.params, **params(routes or ()), "schemes": list(schemes), "content": content_id,
                "now": now, "limit": limit,
            },
        )  # fmt: skip
        return await cursor.fetchall()


async def in_window(
    connection: Connection, meant: Meant, schemes: Sequence[str], channel_id: UUID, since: datetime
) -> int:
    """How many of those who would be reached wrote to this channel after `since`."""
    found = await row(
        connection,
        "SELECT count(*) AS n FROM contact c "
        + _REACHED
        + meant.predicate
        + ") AND a.window_at > %(since)s AND a.window_channel_id = %(channel)s",
        {**meant.params, "schemes": list(schemes), "channel": channel_id, "since": since},
    )
    return int(found["n"]) if found else 0


async def by_prefix(
    connection: Connection,
    meant: Meant,
    schemes: Sequence[str],
    prefixes: Mapping[UUID, Sequence[str]],
    *,
    once_an_address: bool,
    lead: UUID,
    routes: Sequence[Route] | None = None,
) -> list[Row]:
    """How many messages would go over each channel to the numbers that begin with each of its `prefixes`:
    {channel_id, prefix (the longest; None: none fits), messages}. Without `routes` all go over the `lead`;
    whom no route fits is in no row."""
    pooled = routes is not None
    before: LiteralString = f"WITH {ROUTES} " if pooled else ""
    over: LiteralString = "r.channel_id" if pooled else "%(lead)s::uuid"
    join: LiteralString = f"CROSS JOIN LATERAL ({chosen('c.channel_id')}) r " if pooled else ""
    flat = [(channel, prefix) for channel, some in prefixes.items() for prefix in some]
    return await rows(
        connection,
        f"""{before}SELECT channel_id, prefix,
              CASE WHEN %(once)s THEN count(DISTINCT consent_key) ELSE count(*) END AS messages
            FROM (SELECT {over} AS channel_id, a.consent_key, (
                SELECT n.prefix FROM unnest(%(channels)s::uuid[], %(prefixes)s::text[]) AS n(channel, prefix)
                WHERE n.channel = {over} AND starts_with(a.value, n.prefix)
                ORDER BY length(n.prefix) DESC LIMIT 1) AS prefix
              FROM contact c """
        + _BEST
        + join
        + _WHO
        + meant.predicate
        + ")) told GROUP BY channel_id, prefix",
        {
            **meant.params, **params(routes or ()), "schemes": list(schemes), "lead": lead,
            "once": once_an_address, "channels": [channel for channel, _ in flat],
            "prefixes": [prefix for _, prefix in flat],
        },
    )  # fmt: skip


_BY_CHANNEL: LiteralString = """), apart AS (
  SELECT w.*, row_number() OVER (PARTITION BY consent_key, channel_id IS NULL ORDER BY id) AS nth FROM who w
)
SELECT channel_id, count(*) AS people, count(*) FILTER (WHERE nth = 1) AS addresses,
  count(*) FILTER (WHERE window_at > %(since)s AND window_channel_id = channel_id
    AND (nth = 1 OR NOT %(once)s)) AS in_window,
  count(*) FILTER (WHERE channel_id IS NULL AND EXISTS (
    SELECT FROM address d WHERE d.contact_id = apart.id AND d.status = 'active'
      AND d.scheme = ANY (%(further)s::text[]) AND NOT EXISTS (
        SELECT FROM consent o WHERE o.consent_key = d.consent_key AND o.state = 'out'))) AS by_fallback
FROM apart GROUP BY channel_id ORDER BY people DESC, channel_id"""


async def by_channel(
    connection: Connection,
    meant: Meant,
    schemes: Sequence[str],
    routes: Sequence[Route],
    since: datetime,
    *,
    once_an_address: bool,
    further: Sequence[str] = (),
) -> list[Row]:
    """Over which channels of a pool those would hear it who have an address and have not opted out.

    {channel_id, people, addresses (different ones), in_window (wrote to that channel after `since`),
    by_fallback}; the row without a channel is those whom none fits, with how many of these `further` schemes
    reach.
    """
    return await rows(
        connection,
        f"WITH {ROUTES}, who AS (SELECT c.id, a.consent_key, a.window_at, a.window_channel_id, r.channel_id "
        "FROM contact c "
        + _BEST
        + f"LEFT JOIN LATERAL ({chosen('c.channel_id')}) r ON true "
        + _WHO
        + meant.predicate
        + ")"
        + _BY_CHANNEL,
        {
            **meant.params, **params(routes), "schemes": list(schemes), "since": since,
            "once": once_an_address, "further": list(further),
        },
    )  # fmt: skip
