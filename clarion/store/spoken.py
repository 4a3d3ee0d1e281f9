"""What each person heard of a workspace that has caps (`domain.caps`): one small row a person.

Whoever is about to speak to somebody locks their row first, in the transaction of the intent, so that two
channels that want to at once take their turns. A row says what was meant to be heard; whether it was is asked
of the ledger, and only of who has heard enough: what is proven unsent does not count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from psycopg.rows import tuple_row

from clarion.kit.db import Connection, array, texts
from clarion.store.cohort import within

KEPT = timedelta(days=9)  # seven days in a row of whatever zone
MOST = 600  # of one person


@dataclass(frozen=True, slots=True)
class Word:
    """A message that somebody was meant to hear: when its intent was committed."""

    message_id: UUID
    cohort: date
    at: datetime


_NEW = """
INSERT INTO spoken (contact_id, workspace_id)
SELECT w.id, clarion_workspace() FROM unnest(%(contact)s::uuid[]) AS w(id)
LEFT JOIN LATERAL (SELECT true AS there FROM spoken WHERE spoken.contact_id = w.id LIMIT 1) s ON true
WHERE s.there IS NULL
ORDER BY w.id ON CONFLICT DO NOTHING
"""
_LOCK = """
SELECT s.contact_id, s.message_ids, s.cohorts, s.at
FROM unnest(%(contact)s::uuid[]) AS w(id)
CROSS JOIN LATERAL (
  SELECT spoken.* FROM spoken WHERE spoken.contact_id = w.id LIMIT 1 FOR NO KEY UPDATE) s
"""


async def lock(
    connection: Connection, contact_ids: Collection[UUID], now: datetime
) -> dict[UUID, list[Word]]:
    """What each of these heard of late, in order; their rows stay as they are until the transaction ends."""
    params = {"contact": array(one.hex for one in sorted(contact_ids))}
    found: dict[UUID, list[Word]] = {one: [] for one in contact_ids}
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_NEW, params, prepare=True)
        await cursor.execute(_LOCK, params, prepare=True)
        for contact_id, *words in await cursor.fetchall():
            every = map(Word, *words)
            found[contact_id] = [one for one in every if one.at > now - KEPT]
    return found


_EFFECTIVE = """
SELECT w.id, a.state <> 'in_flight' FROM unnest(%(message)s::uuid[]) AS w(id) CROSS JOIN LATERAL (
  SELECT a.state FROM {attempt} a WHERE a.message_id = w.id AND a.effective LIMIT 1) a
"""


async def effective(connection: Connection, words: Iterable[Word]) -> dict[UUID, bool]:
    """Which of these messages were heard or may have been, and whether that is decided: the call is over."""
    found: dict[UUID, bool] = {}
    by_cohort: dict[date, list[UUID]] = {}
    for one in words:
        by_cohort.setdefault(one.cohort, []).append(one.message_id)
    for cohort, some in by_cohort.items():
        async with connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(within(_EFFECTIVE, cohort), {"message": array(one.hex for one in some)})
            found.update(await cursor.fetchall())
    return found


_SET = """
WITH said AS MATERIALIZED (
  SELECT s.place, w.* FROM unnest(
      %(contact)s::uuid[], %(message_ids)s::text[], %(cohorts)s::text[], %(at)s::text[])
    AS w(contact_id, message_ids, cohorts, at)
  CROSS JOIN LATERAL (
    SELECT t.ctid AS place FROM spoken t WHERE t.contact_id = w.contact_id LIMIT 1) s
)
UPDATE spoken SET message_ids = w.message_ids::uuid[], cohorts = w.cohorts::date[], at = w.at::timestamptz[]
FROM said w WHERE spoken.ctid = w.place
"""


async def keep(connection: Connection, heard: Mapping[UUID, Sequence[Word]]) -> None:
    """This is what these people heard, whose rows are locked."""
    some = {contact_id: words[-MOST:] for contact_id, words in heard.items()}
    await connection.execute(
        _SET,
        {
            "contact": array(one.hex for one in some),
            "message_ids": texts([array(one.message_id.hex for one in words) for words in some.values()]),
            "cohorts": texts([array(one.cohort.isoformat() for one in words) for words in some.values()]),
            "at": texts([array(f'"{one.at.isoformat()}"' for one in words) for words in some.values()]),
        },
        prepare=True,
    )


async def merge(connection: Connection, winner: UUID, loser: UUID) -> None:
    """What the one heard, the other heard: they are the same person. Before anything of their queue is
    touched, as an intent does."""
    heard = await lock(connection, [winner, loser], datetime.min.replace(tzinfo=UTC) + KEPT)
    if words := heard.pop(loser):
        both = sorted([*heard[winner], *words], key=lambda one: one.at)
        await keep(connection, {winner: both})
    await forget(connection, [loser])


async def forget(connection: Connection, contact_ids: Sequence[UUID]) -> None:
    """Nothing is known any more of what these heard."""
    await connection.execute("DELETE FROM spoken WHERE contact_id = ANY (%s)", (list(contact_ids),))
