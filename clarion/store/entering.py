"""Entering: whom a campaign that follows people means, who is enrolled, and the writing of both, in sets.

What becomes of them is decided in `domain.enrollment`. Rows are locked in the order of their subjects before
they are looked at, so that what is decided is decided of what is there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import LiteralString
from uuid import UUID

from psycopg.rows import args_row, tuple_row

from clarion.domain.enrollment import subject_of
from clarion.kit.db import Connection, array, row
from clarion.store import reach
from clarion.store.cohort import within
from clarion.store.expansion import Meant
from clarion.store.staging import line, source


@dataclass(frozen=True, slots=True)
class Looked:
    """Somebody whom a campaign means, or who is enrolled in it. `values` are of the contact's fields that
    were asked for. What begins with `id` is the enrollment's, None where there is none. The fields stand in
    the order in which the statement names them, but for the last two: of an alert the case that it is about,
    and what its schedule reads of that."""

    contact_id: UUID
    meant: bool
    opted_out: bool
    zone: str
    values: list[str | None]
    id: UUID | None
    generation: int
    state: str
    reason: str
    cohort: date
    began_at: datetime
    place: int
    basis: str
    moves: Mapping[str, int] | None
    next_due: datetime | None
    ahead: list[int] | None
    revision: int
    case_id: UUID | None = field(default=None, kw_only=True)
    properties: Mapping[str, str | None] = field(default_factory=dict, kw_only=True)


VALUES: LiteralString = """ARRAY(SELECT CASE k.key WHEN 'created_at' THEN c.created_at::text
      ELSE c.fields->>k.key END FROM unnest(%(keys)s::text[]) WITH ORDINALITY k(key, n) ORDER BY k.n)"""


# These contacts and no others, each by its key: of `id = ANY` PostgreSQL 15 may read the whole workspace.
_THESE: LiteralString = """unnest(%(ids)s::uuid[]) AS k(id)
CROSS JOIN LATERAL (SELECT * FROM contact WHERE contact.id = k.id LIMIT 1) c"""


def looking(
    meant: LiteralString, whom: LiteralString, *, more: LiteralString = "", told: LiteralString = "",
    joined: LiteralString = "", among: LiteralString = "contact c",
) -> LiteralString:  # fmt: skip
    """The query of `Looked`. `more` columns may follow it, of what is `joined` to contact `c`, enrollment `e`
    and address `a`, of which more columns are `told`; `among` are the contacts that are looked at."""
    return f"""SELECT c.id, w.meant, {reach.opted_out("a.consent_key")}, coalesce(c.timezone, ''), {VALUES},
  e.id, e.generation, e.state, e.reason, e.cohort, coalesce(e.began_at, e.created_at), e.place,
  coalesce(e.basis, ''), e.moves, e.next_due, e.ahead, e.revision{more}
FROM {among} CROSS JOIN LATERAL (SELECT ({meant}) AS meant) w
LEFT JOIN LATERAL (
  SELECT * FROM enrollment WHERE campaign_id = %(campaign)s AND subject_id = c.id LIMIT 1) e ON true
LEFT JOIN LATERAL ({reach.address("c.id", told)}) a ON true {joined}
WHERE c.workspace_id = clarion_workspace() AND {whom}"""


BY_KEY: LiteralString = """
set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)"""


async def by_key(connection: Connection) -> None:
    """For the rest of this transaction, rows are found by key, whatever the statistics say."""
    await connection.execute(f"SELECT {BY_KEY}", prepare=True)


async def look(
    connection: Connection,
    campaign_id: UUID,
    meant: Meant,
    contact_ids: Sequence[UUID],
    *,
    keys: Sequence[str],
    schemes: Sequence[str],
) -> list[Looked]:
    """These contacts, those of them who are enrolled locked until the transaction ends."""
    await connection.execute(
        """SELECT FROM unnest(%s::uuid[]) AS k(id) CROSS JOIN LATERAL (
             SELECT FROM enrollment WHERE campaign_id = %s AND subject_id = k.id
             LIMIT 1 FOR NO KEY UPDATE) e""",
        (array(one.hex for one in sorted(contact_ids)), campaign_id),
    )
    params = {
        **meant.params, "campaign": campaign_id, "ids": sorted(set(contact_ids)), "keys": list(keys),
        "schemes": list(schemes),
    }  # fmt: skip
    async with connection.cursor(row_factory=args_row(Looked)) as cursor:
        await cursor.execute(looking(meant.predicate, "true", among=_THESE) + " ORDER BY c.id", params)
        return await cursor.fetchall()


async def newcomers(
    connection: Connection,
    campaign_id: UUID,
    meant: Meant,
    between: tuple[UUID, UUID],
    limit: int,
    *,
    keys: Sequence[str],
    schemes: Sequence[str],
) -> list[Looked]:
    """The next people after the first identifier up to the second whom a campaign means and who are not
    enrolled in it; and those who are, only by their identifiers (`look` at these)."""
    whom: LiteralString = "c.id > %(after)s AND c.id <= %(until)s AND (w.meant OR e.id IS NOT NULL)"
    params = {
        **meant.params, "campaign": campaign_id, "after": between[0], "until": between[1],
        "keys": list(keys), "schemes": list(schemes), "limit": limit,
    }  # fmt: skip
    async with connection.cursor(row_factory=args_row(Looked)) as cursor:
        await cursor.execute(looking(meant.predicate, whom) + " ORDER BY c.id LIMIT %(limit)s", params)
        return await cursor.fetchall()


async def said(
    connection: Connection, some: Iterable[tuple[UUID, date, int]]
) -> dict[UUID, set[tuple[int, int]]]:
    """Of each enrollment (id, cohort, generation) the last occurrences (iteration, step) of that generation
    that a message was written for; none for one that has none. Looked up in the one partition there is."""
    cohorts: dict[date, list[tuple[UUID, int]]] = defaultdict(list)
    for identifier, cohort, generation in some:
        cohorts[cohort].append((identifier, generation))
    found: dict[UUID, set[tuple[int, int]]] = {}
    for cohort, wanted in cohorts.items():
        async with connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(
                within(
                    """SELECT k.id, m.iteration, m.step_id
                       FROM unnest(%s::uuid[], %s::int[]) AS k(id, generation) CROSS JOIN LATERAL (
                         SELECT iteration, step_id FROM {message}
                         WHERE enrollment_id = k.id AND generation = k.generation
                         ORDER BY enrollment_id DESC, generation DESC, iteration DESC, step_id DESC
                         LIMIT 64) m""",
                    cohort,
                ),
                ([one for one, _ in wanted], [generation for _, generation in wanted]),
            )
            for identifier, iteration, step in await cursor.fetchall():
                found.setdefault(identifier, set()).add((iteration, step))
    return found


@dataclass(frozen=True, slots=True)
class Written:
    """An enrollment as it is to be. `next_due` is the first of `ahead` (`domain.enrollment.packed`)."""

    id: UUID
    contact_id: UUID
    state: str
    reason: str
    generation: int
    cohort: date
    began_at: datetime
    basis: str
    next_due: datetime | None
    ahead: Sequence[int]
    place: int = 0
    case_id: UUID | None = None


_STAGED = {
    "id": "uuid",
    "subject_id": "uuid",
    "state": "text",
    "reason": "text",
    "generation": "int",
    "cohort": "date",
    "began_at": "timestamptz",
    "basis": "text",
    "next_due": "timestamptz",
    "ahead": "bigint[]",
    "place": "int",
    "case_id": "uuid",
    "contact_id": "uuid",
}


def _line(one: Written) -> str:
    """As a line of `staged_enrollment`; only what day 0 is counted from was written by people."""
    due = r"\N" if one.next_due is None else one.next_due.isoformat()
    return "\t".join(
        (
            one.id.hex, _subject(one).hex, one.state, one.reason, str(one.generation),
            one.cohort.isoformat(), one.began_at.isoformat(), line(one.basis), due,
            array(map(str, one.ahead)), str(one.place), _about(one),
        )
    )  # fmt: skip


def _subject(one: Written) -> UUID:
    return one.contact_id if one.case_id is None else subject_of(one.case_id, one.contact_id)


def _about(one: Written) -> str:
    return r"\N	\N" if one.case_id is None else f"{one.case_id.hex}\t{one.contact_id.hex}"


async def enter(
    connection: Connection, campaign_id: UUID, revision: int, some: Sequence[Written], now: datetime
) -> int:
    """Enroll these people; how many were not yet."""
    if not some:
        return 0
    coming = await source(connection, "staged_enrollment", _STAGED, map(_line, some))
    cursor = await connection.execute(
        f"""WITH entered AS (
           INSERT INTO enrollment (id, workspace_id, campaign_id, subject_id, generation, iteration, state,
             reason, cohort, next_due, created_at, began_at, place, basis, ahead, revision, case_id,
             contact_id)
           SELECT id, clarion_workspace(), %(campaign)s, subject_id, generation, 0, state, reason, cohort,
             next_due, %(now)s, began_at, place, basis, ahead, %(revision)s, case_id, contact_id
           FROM {coming.text} s ON CONFLICT (campaign_id, subject_id) DO NOTHING RETURNING 1)
           SELECT count(*) FROM entered""",
        {**coming.values, "campaign": campaign_id, "now": now, "revision": revision},
    )
    found = await cursor.fetchone()
    return int(found[0]) if found else 0


async def change(connection: Connection, revision: int, some: Sequence[Written]) -> None:
    """Write what became of these; those that the transaction has locked."""
    if not some:
        return
    after = await source(connection, "staged_enrollment", _STAGED, map(_line, some))
    await connection.execute(
        f"""UPDATE enrollment e SET state = s.state, reason = s.reason, generation = s.generation,
             cohort = s.cohort, began_at = s.began_at, basis = s.basis, next_due = s.next_due,
             ahead = s.ahead, revision = %(revision)s,
             moves = CASE WHEN s.generation = e.generation THEN e.moves END
           FROM {after.text} s WHERE e.id = s.id""",
        {**after.values, "revision": revision},
    )


async def open_cohorts(connection: Connection, cohorts: Iterable[date]) -> None:
    """Make the partitions of these months where they are not yet."""
    for cohort in sorted(set(cohorts)):
        await connection.execute("SELECT clarion_ensure_cohort(%s)", (cohort,))


async def places(connection: Connection, run_id: UUID, count: int) -> int:
    """Give so many people a place in an audience that is spread, one after the other; the first of them.
    Others wait until the transaction ends. It is the run's row, which chunks lock after their part: an edit
    holds the campaign's while it waits for the parts."""
    found = await row(
        connection,
        "UPDATE run SET enrolled = enrolled + %s WHERE id = %s RETURNING enrolled - %s AS first",
        (count, run_id, count),
    )
    assert found is not None
    first: int = found["first"]
    return first
