"""People who enter a campaign, put together into lots of those who are alike: of one zone, with the same
values of the fields that matter.

Of a schedule that draws nothing the same comes next for all of a lot. They are written in one statement, and
nothing of each of them passes through this process. Of one that draws times, what comes next of each does,
and nothing else: the rest is their lot's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import LiteralString
from uuid import UUID, uuid4

from psycopg.rows import tuple_row

from clarion.domain.message import cohort_of
from clarion.kit.db import Connection, array, texts
from clarion.store import reach
from clarion.store.entering import VALUES
from clarion.store.expansion import Meant
from clarion.store.staging import stage


@dataclass(frozen=True, slots=True)
class Lot:
    """Some people who enter alike: those of `number` among who was looked at. `told`: what the schedule reads
    of the cases that they enter for."""

    number: int
    zone: str
    values: list[str | None]
    opted_out: bool
    told: list[str | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Newcomers:
    """The next people of a stretch: how many, the last of them, who is enrolled already, and the others by
    lots."""

    people: int
    last: UUID | None
    known: list[UUID]
    lots: list[Lot]


_STAGED = """CREATE TEMPORARY TABLE IF NOT EXISTS staged_newcomer
  (contact_id uuid, known boolean, zone text, told text[], opted_out boolean, lot int) ON COMMIT DROP"""


def _looking(meant: LiteralString) -> LiteralString:
    return f"""INSERT INTO staged_newcomer
SELECT id, known, zone, told, opted_out, dense_rank() OVER (ORDER BY zone, told, opted_out) FROM (
  SELECT c.id, e.id IS NOT NULL AS known, coalesce(c.timezone, '') AS zone, {VALUES} AS told,
    {reach.opted_out("a.consent_key")} AS opted_out
  FROM contact c CROSS JOIN LATERAL (SELECT ({meant}) AS meant) w
  LEFT JOIN LATERAL (
    SELECT id FROM enrollment WHERE campaign_id = %(campaign)s AND subject_id = c.id LIMIT 1) e ON true
  LEFT JOIN LATERAL ({reach.address("c.id")}) a ON true
  WHERE c.workspace_id = clarion_workspace() AND c.id > %(after)s AND c.id <= %(until)s
    AND (w.meant OR e.id IS NOT NULL)
  ORDER BY c.id LIMIT %(limit)s) found"""


async def look(
    connection: Connection,
    campaign_id: UUID,
    meant: Meant,
    between: tuple[UUID, UUID],
    limit: int,
    *,
    keys: Sequence[str],
    schemes: Sequence[str],
) -> Newcomers:
    """The next people after the first identifier up to the second whom a campaign means, or who are enrolled
    in it. They are kept for `enter` until the transaction ends."""
    params = {
        **meant.params, "campaign": campaign_id, "after": between[0], "until": between[1],
        "keys": list(keys), "schemes": list(schemes), "limit": limit,
    }  # fmt: skip
    await connection.execute(_STAGED)
    await connection.execute("TRUNCATE staged_newcomer")
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_looking(meant.predicate), params)
        await cursor.execute(
            """SELECT (SELECT count(*) FROM staged_newcomer),
                 (SELECT contact_id FROM staged_newcomer ORDER BY contact_id DESC LIMIT 1),
                 ARRAY(SELECT contact_id FROM staged_newcomer WHERE known)"""
        )
        found = await cursor.fetchone()
        assert found is not None
        await cursor.execute(
            """SELECT DISTINCT ON (lot) lot, zone, told, opted_out FROM staged_newcomer WHERE NOT known
               ORDER BY lot"""
        )
        lots = [Lot(*one) for one in await cursor.fetchall()]
    people, last, known = found
    return Newcomers(people, last, known, lots)


async def people(connection: Connection) -> list[tuple[str, int]]:
    """Those who were looked at and are not enrolled, in order, each with the number of their lot."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            "SELECT contact_id::text, lot FROM staged_newcomer n WHERE NOT known ORDER BY n.contact_id"
        )
        return await cursor.fetchall()


LINES = {"lot": "int", "state": "text", "reason": "text", "ahead": "bigint[]"}
_EACH = {"contact_id": "uuid", "place": "int", **LINES}


def line(lot: int, state: str, reason: str, ahead: Iterable[int]) -> str:
    """How those of a lot stand, why, and what comes next (`domain.enrollment.packed`), for `enter`."""
    return f"{lot}\t{state}\t{reason}\t{array(map(str, ahead))}"


def each_line(contact_id: str, place: int, line: str) -> str:
    """The same of one of them, at a place in the audience, for `enter_each`."""
    return f"{contact_id}\t{place}\t{line}"


async def enter(
    connection: Connection, campaign_id: UUID, revision: int, bases: Mapping[int, str], lines: Iterable[str],
    now: datetime,
) -> int:  # fmt: skip
    """Enroll everybody of these lots, each of whom day 0 is counted from the same; how many were not yet. In
    the transaction in which they were looked at."""
    await stage(connection, "staged_lot", LINES, lines)
    await by_hash(connection)
    people: LiteralString = f"""SELECT n.contact_id AS subject_id, {_NO_CASE}, 0 AS place, s.*, b.basis
      FROM staged_lot s JOIN staged_newcomer n ON n.lot = s.lot AND NOT n.known {BASES} ON b.lot = s.lot"""
    return await write(connection, people, campaign_id, revision, now, params(bases))


async def enter_each(
    connection: Connection, campaign_id: UUID, revision: int, bases: Mapping[int, str], lines: Iterable[str],
    now: datetime,
) -> int:  # fmt: skip
    """The same of people one by one."""
    await stage(connection, "staged_each", _EACH, lines)
    await by_hash(connection)
    people: LiteralString = f"""SELECT n.contact_id AS subject_id, {_NO_CASE}, n.place, n.state, n.reason,
        n.ahead, b.basis
      FROM staged_each n {BASES} ON b.lot = n.lot"""
    return await write(connection, people, campaign_id, revision, now, params(bases))


_NO_CASE: LiteralString = "NULL::uuid AS case_id, NULL::uuid AS contact_id"
# Joins to who was staged what day 0 of their lot is counted from (`params`).
BASES: LiteralString = "JOIN unnest(%(lots)s::int[], %(bases)s::text[]) AS b(lot, basis)"


def params(bases: Mapping[int, str]) -> dict[str, str | None]:
    """The values of `BASES`."""
    return {"lots": array(map(str, bases)), "bases": texts(list(bases.values()))}


async def by_hash(connection: Connection) -> None:
    """Of some thousand people in some lots a hash is the cheap way; nothing is looked up by key from here."""
    await connection.execute("SELECT set_config('enable_hashjoin', 'on', true)", prepare=True)


async def write(
    connection: Connection, people: LiteralString, campaign_id: UUID, revision: int, now: datetime,
    params: Mapping[str, object],
) -> int:  # fmt: skip
    """Enroll who is in the rows of the query `people` (subject_id, case_id, contact_id, place, basis, state,
    reason, ahead; `params` are its values), since `now`; how many were not yet."""
    cursor = await connection.execute(
        f"""INSERT INTO enrollment (id, workspace_id, campaign_id, subject_id, generation, iteration, state,
              reason, cohort, next_due, created_at, began_at, place, basis, ahead, revision, case_id,
              contact_id)
            SELECT clarion_uuid7_nth(%(now)s, row_number() OVER (ORDER BY p.subject_id), %(noise)s),
              clarion_workspace(), %(campaign)s, p.subject_id, 1, 0, p.state, p.reason, %(cohort)s,
              to_timestamp(p.ahead[1]), %(now)s, %(now)s, p.place, p.basis, p.ahead, %(revision)s, p.case_id,
              p.contact_id
            FROM ({people}) p
            ON CONFLICT (campaign_id, subject_id) DO NOTHING""",
        {
            **params, "campaign": campaign_id, "revision": revision, "now": now, "noise": uuid4(),
            "cohort": cohort_of(now),
        },
    )  # fmt: skip
    return cursor.rowcount
