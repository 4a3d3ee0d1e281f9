"""Aliases: what a provider calls a try of ours, where its receipts bring no reference of ours.

Settling notes the name that the answer gave; a receipt finds its try by it. Either may come first: both
write the one row of (channel, name), so the later one waits for the earlier and sees what it left. A receipt
that comes first leaves its body there, and who notes the name then puts the body back into the inbox, to be
read again with all its consequences; so nothing is known of receipts here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from psycopg.rows import class_row, tuple_row

from clarion.kit.db import Connection

_LONGEST = 200  # characters of a name that go into the index as they are
_MOST_BODIES = 100  # of one name: a stranger's receipts, told for ever, must not grow a row for ever


@dataclass(frozen=True, slots=True)
class Alias:
    """That a channel's provider calls this try so."""

    channel_id: UUID
    provider_id: str
    attempt_id: UUID
    cohort: date


@dataclass(frozen=True, slots=True)
class Known:
    """Whose name it is."""

    provider_id: str
    attempt_id: UUID
    cohort: date


def key(provider_id: str) -> str:
    """A provider's identifier as it is kept: one that fits into an index."""
    return provider_id if len(provider_id) <= _LONGEST else hashlib.sha256(provider_id.encode()).hexdigest()


# One order of locks for everybody: names first, in their order, and attempts after them.
_NOTE = """
INSERT INTO alias AS a (channel_id, provider_id, workspace_id, attempt_id, cohort, noted_at)
SELECT n.channel_id, n.provider_id, clarion_workspace(), n.attempt_id, n.cohort, %(now)s
FROM unnest(%(channel)b::uuid[], %(provider)b::text[], %(attempt)b::uuid[], %(cohort)b::date[])
  AS n(channel_id, provider_id, attempt_id, cohort)
ORDER BY n.channel_id, n.provider_id
ON CONFLICT (channel_id, provider_id) DO UPDATE SET attempt_id = excluded.attempt_id,
  cohort = excluded.cohort, noted_at = excluded.noted_at,
  bodies = CASE WHEN a.attempt_id IS NULL THEN a.bodies ELSE '{}' END
  WHERE a.attempt_id IS DISTINCT FROM excluded.attempt_id
RETURNING a.bodies
"""

# Whoever has a body locked reads it at present, and will ask for the name after us.
_REOPEN = """
UPDATE inbox SET done_at = NULL WHERE id IN (
  SELECT id FROM inbox WHERE id = ANY (%b) AND done_at IS NOT NULL AND problem IS NULL
  FOR UPDATE SKIP LOCKED)
"""


async def note(connection: Connection, named: Sequence[Alias], now: datetime) -> int:
    """Remember what the provider calls these tries, before anything of them is locked; how many bodies
    that waited for it are to be read again. A name that is given again is the newer try's."""
    last = {(one.channel_id, key(one.provider_id)): one for one in named}
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            _NOTE,
            {
                "now": now,
                "channel": [channel_id for channel_id, _ in last],
                "provider": [name for _, name in last],
                "attempt": [one.attempt_id for one in last.values()],
                "cohort": [one.cohort for one in last.values()],
            },
            prepare=True,
        )
        bodies = [body for (some,) in await cursor.fetchall() for body in some]
        if not bodies:
            return 0
        await cursor.execute(_REOPEN, (bodies,))
        return cursor.rowcount


_FIND = """
SELECT a.provider_id, a.attempt_id, a.cohort FROM unnest(%b::text[]) AS n(name)
CROSS JOIN LATERAL (
  SELECT t.provider_id, t.attempt_id, t.cohort FROM alias t
  WHERE t.channel_id = %b AND t.provider_id = n.name AND t.attempt_id IS NOT NULL LIMIT 1) a
"""

_WAIT = """
INSERT INTO alias AS a (channel_id, provider_id, workspace_id, bodies, noted_at)
SELECT %(channel)s, n.name, clarion_workspace(), array_agg(n.body), %(now)s
FROM unnest(%(name)b::text[], %(body)b::uuid[]) AS n(name, body) GROUP BY n.name ORDER BY n.name
ON CONFLICT (channel_id, provider_id) DO UPDATE SET bodies =
  CASE WHEN a.attempt_id IS NULL AND cardinality(a.bodies) < %(most)s THEN a.bodies || excluded.bodies
       ELSE a.bodies END
RETURNING a.provider_id, a.attempt_id, a.cohort
"""


async def find(
    connection: Connection, channel_id: UUID, told: Mapping[str, Sequence[UUID]], now: datetime
) -> dict[str, Known]:
    """Whose these names are, each with the bodies of the inbox that told it; by name, as `key` gives it.

    Those that are nobody's yet wait: their bodies are read again once somebody notes the name.
    """
    async with connection.cursor(row_factory=class_row(Known)) as cursor:
        await cursor.execute(_FIND, (sorted(told), channel_id), prepare=True)
        known = {one.provider_id: one for one in await cursor.fetchall()}
    pairs = [(name, body) for name, bodies in told.items() if name not in known for body in bodies]
    if not pairs:
        return known
    async with connection.cursor(row_factory=tuple_row) as cursor:
        params = {
            "channel": channel_id, "now": now, "most": _MOST_BODIES,
            "name": [name for name, _ in pairs], "body": [body for _, body in pairs],
        }  # fmt: skip
        await cursor.execute(_WAIT, params, prepare=True)
        meanwhile = [Known(*found) for found in await cursor.fetchall() if found[1] is not None]
    return known | {one.provider_id: one for one in meanwhile}
