"""What was sent lately over some channels: what their limits must still count, whoever sent it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from psycopg.rows import class_row, tuple_row

from clarion.kit.db import Connection, array
from clarion.kit.ids import floor7
from clarion.store.cohort import within


@dataclass(slots=True)
class Recent:
    """A try that left, or may have; nothing of it left after `ended_at` (None: it may leave yet).
    `window_at`: when its person last wrote to this very number. `out`: the provider may be busy with it."""

    id: UUID
    cohort: date
    channel_id: UUID
    units: int
    ended_at: datetime | None
    consent_key: bytes | None
    window_at: datetime | None
    out: bool


PAGE = 5_000  # tries read at a time

# A try is over when it had no effect, or when its message is told to have ended.
_OUT = """a.state IN ('in_flight', 'unknown', 'accepted') AND m.delivered_at IS NULL AND m.read_at IS NULL
  AND m.state IN ('ready', 'unknown', 'accepted')"""


async def since(
    connection: Connection, channel_ids: Sequence[UUID], moment: datetime
) -> AsyncIterator[list[Recent]]:
    """These channels' tries that were begun after `moment`, the oldest first, some at a time, but for those
    of which nothing left.

    Reads what all channels sent since: a range of the ledger's newest rows.
    """
    after = floor7(moment)
    while True:
        async with connection.cursor(row_factory=class_row(Recent)) as cursor:
            await cursor.execute(_SINCE, (after, list(channel_ids), PAGE))
            page = await cursor.fetchall()
        yield page
        if len(page) < PAGE:
            return
        after = page[-1].id


_SINCE = (
    """SELECT a.id, a.cohort, a.channel_id, a.units, a.settled_at AS ended_at, d.consent_key,
         CASE WHEN d.window_channel_id = a.channel_id THEN d.window_at END AS window_at, coalesce("""
    + _OUT
    + """, false) AS out
       FROM attempt a
       LEFT JOIN LATERAL (SELECT consent_key, window_at, window_channel_id FROM address
         WHERE id = a.address_id LIMIT 1) d ON true
       LEFT JOIN LATERAL (SELECT state, delivered_at, read_at FROM message
         WHERE id = a.message_id AND cohort = a.cohort LIMIT 1) m ON true
       WHERE a.id > %s AND a.channel_id = ANY (%s) AND a.state <> 'unsent' ORDER BY a.id LIMIT %s"""
)


async def over(connection: Connection, attempts: Mapping[date, Sequence[UUID]]) -> list[UUID]:
    """Those of these tries, by cohort, that the provider is busy with no longer."""
    ended: list[UUID] = []
    async with connection.cursor(row_factory=tuple_row) as cursor:
        for cohort, ids in attempts.items():
            await cursor.execute(within(_OVER, cohort), {"id": array(one.hex for one in ids)}, prepare=True)
            ended += [found[0] for found in await cursor.fetchall()]
    return ended


_OVER = (
    """
SELECT a.id FROM unnest(%(id)s::uuid[]) AS s(id)
CROSS JOIN LATERAL (SELECT t.id, t.state, t.message_id FROM {attempt} t WHERE t.id = s.id LIMIT 1) a
CROSS JOIN LATERAL (
  SELECT t.state, t.delivered_at, t.read_at FROM {message} t WHERE t.id = a.message_id LIMIT 1) m
WHERE NOT ("""
    + _OUT
    + ")"
)
