"""Unknown attempts that may be repeated under their own reference, where the provider knows it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import tuple_row

from clarion.kit.db import Connection
from clarion.kit.ids import floor7
from clarion.store.ordered import keep_order
from clarion.store.queue import Waiting


@dataclass(slots=True)
class Unanswered:
    """An attempt of which nobody knows, with what is needed to say the same again."""

    attempt_id: UUID
    worker_id: UUID
    code: str | None
    waiting: Waiting


LOOKED_AT = 20  # unknowns for each that may be repeated, at most: there may be very many, and none that may
CLAIMED = "asked_again"  # the code of an attempt for which the same call is being made once more


async def unanswered(
    connection: Connection, channel_id: UUID, since: datetime, now: datetime, limit: int
) -> list[Unanswered]:
    """A channel's unknown attempts begun since then, of messages that may still be sent: not expired, not
    paused or cancelled, to people who have not asked for no more. In no order, so that no few stand before
    all others."""
    await keep_order(connection)
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT a.id, a.worker_id, a.code, m.lane_id, m.due_at, m.id, a.cohort, d.contact_id, d.id,
                 d.consent_key, m.content_version_id, m.expires_at, a.number - 1, a.variables, d.scheme,
                 d.value, d.window_at, d.window_channel_id, c.name, c.language, c.country,
                 c.timezone, c.external_id, c.fields, false AS opted_out, false AS erased
               FROM (
                 SELECT t.* FROM attempt t
                 WHERE t.workspace_id = clarion_workspace() AND t.unknown_since IS NOT NULL
                   AND t.channel_id = %(channel)s AND t.id >= %(since)s
                 ORDER BY random() LIMIT %(looked)s) a
               CROSS JOIN LATERAL (
                 SELECT t.* FROM message t WHERE t.id = a.message_id AND t.cohort = a.cohort LIMIT 1) m
               CROSS JOIN LATERAL (SELECT t.* FROM address t WHERE t.id = a.address_id LIMIT 1) d
               CROSS JOIN LATERAL (SELECT t.* FROM contact t WHERE t.id = d.contact_id LIMIT 1) c
               CROSS JOIN LATERAL (
                 SELECT FROM lane t WHERE t.id = a.lane_id AND t.state = 'open' LIMIT 1) l
               WHERE m.expires_at > %(now)s
                 AND NOT EXISTS (SELECT FROM consent o WHERE o.workspace_id = clarion_workspace()
                                 AND o.consent_key = d.consent_key AND o.state = 'out')
               LIMIT %(limit)s""",
            {
                "channel": channel_id,
                "since": floor7(since),
                "now": now,
                "limit": limit,
                "looked": LOOKED_AT * limit,
            },
        )
        return [
            Unanswered(found[0], found[1], found[2], Waiting(*found[3:])) for found in await cursor.fetchall()
        ]


async def claim(
    connection: Connection,
    channel_id: UUID,
    worker_id: UUID,
    epoch: int,
    some: Sequence[Unanswered],
    now: datetime,
) -> set[UUID]:
    """Write down that these are asked about again, before any byte of that; those that may be.

    None where this worker owns the channel no more, or it is paused. Who is settled, paused, expired or opted
    out meanwhile is left out, as by an intent; afterwards a person has to wait a little before deciding
    (`flow.unknowns`).
    """
    some = sorted(some, key=lambda one: one.attempt_id)  # settling and receipts lock rows in this order too
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """WITH owner AS MATERIALIZED (
                 SELECT c.id FROM channel c
                 JOIN channel_owner o ON o.channel_id = coalesce(c.account_id, c.id)
                 WHERE c.id = %(channel)s AND o.epoch = %(epoch)s AND o.worker_id = %(worker)s
                   AND c.state = 'active'
                 FOR KEY SHARE
               ), held AS MATERIALIZED (
                 SELECT t.id, t.cohort
                 FROM owner, unnest(%(ids)s::uuid[], %(cohorts)s::date[]) AS s(id, cohort)
                 CROSS JOIN LATERAL (
                   SELECT a.id, a.cohort, a.message_id, a.lane_id, a.address_id FROM attempt a
                   WHERE a.id = s.id AND a.cohort = s.cohort AND a.state = 'unknown'
                   LIMIT 1 FOR NO KEY UPDATE) t
                 CROSS JOIN LATERAL (
                   SELECT FROM lane l WHERE l.id = t.lane_id AND l.state = 'open' LIMIT 1 FOR KEY SHARE) l
                 CROSS JOIN LATERAL (
                   SELECT FROM message m WHERE m.id = t.message_id AND m.cohort = t.cohort
                     AND m.expires_at > %(now)s LIMIT 1) m
                 WHERE NOT EXISTS (
                   SELECT FROM address d JOIN consent o ON o.workspace_id = d.workspace_id
                     AND o.consent_key = d.consent_key AND o.state = 'out' WHERE d.id = t.address_id))
               UPDATE attempt a SET code = %(code)s, settled_at = %(now)s FROM held
               WHERE a.id = held.id AND a.cohort = held.cohort RETURNING a.id""",
            {
                "channel": channel_id, "epoch": epoch, "worker": worker_id, "code": CLAIMED, "now": now,
                "ids": [one.attempt_id for one in some], "cohorts": [one.waiting.cohort for one in some],
            },
        )  # fmt: skip
        return {found[0] for found in await cursor.fetchall()}
