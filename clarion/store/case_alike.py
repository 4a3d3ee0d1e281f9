"""Cases that an alert does not know yet, and their recipients: looked at and written in sets.

How a case stands then follows from little (`Kind`), and what comes next is the same for a lot of recipients
(`store.alike`): nothing of each of them passes through this process, but where their times are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

from psycopg.rows import args_row, tuple_row

from clarion.domain.episode import Episode
from clarion.kit.db import Connection, array
from clarion.store import alike
from clarion.store.alike import LINES, Lot
from clarion.store.episode import Sight, seeing
from clarion.store.staging import stage


class Kind(NamedTuple):
    """Cases that stand alike: whether they meet the criteria, are open, and were so already when the alert
    was launched."""

    number: int
    meets: bool
    open: bool
    existing: bool


_TABLES: tuple[LiteralString, ...] = (
    """CREATE TEMPORARY TABLE IF NOT EXISTS staged_case (case_id uuid, kind int, meets boolean, open boolean,
      existing boolean, next_turn date, told text[], restart text, seen bigint, people jsonb)
      ON COMMIT DROP""",
    """CREATE TEMPORARY TABLE IF NOT EXISTS staged_recipient (case_id uuid, contact_id uuid, lot int,
      zone text, told_of jsonb, opted_out boolean, told text[]) ON COMMIT DROP""",
    "TRUNCATE staged_case, staged_recipient",
)


async def look(
    connection: Connection, sight: Sight, case_ids: Iterable[UUID], launched_at: datetime | None
) -> tuple[int, list[Kind]]:
    """Of these cases those that the alert does not know, and that mean anything to it: how many, and their
    kinds. What is older than `launched_at` was there already; None: nothing is. They are kept until the
    transaction ends, which has locked them."""
    for statement in _TABLES:
        await connection.execute(statement)
    found = await connection.execute(
        f"""INSERT INTO staged_case
            SELECT k.id, w.meets::int * 4 + (k.state = 'open')::int * 2 + x.existing::int, w.meets,
              k.state = 'open', x.existing, w.next_turn, t.told, t.restart, s.hash, r.people
            FROM unnest(%(ids)s::uuid[]) AS i(id) CROSS JOIN LATERAL (
              SELECT * FROM "case" WHERE "case".id = i.id AND "case".type_id = %(type)s LIMIT 1) k
            CROSS JOIN LATERAL (
              SELECT coalesce(k.stored_at <= %(launched)s::timestamptz, false) AS existing) x
            {seeing(sight)}
            WHERE e.case_id IS NULL AND (w.meets OR w.next_turn IS NOT NULL)""",
        {**sight.values(), "ids": array(one.hex for one in case_ids), "launched": launched_at},
    )
    async with connection.cursor(row_factory=args_row(Kind)) as cursor:
        await cursor.execute("SELECT DISTINCT kind, meets, open, existing FROM staged_case ORDER BY kind")
        return found.rowcount, await cursor.fetchall()


async def write_episodes(connection: Connection, sight: Sight, episodes: Mapping[int, Episode]) -> None:
    """How they stand from now on, by the numbers of their kinds."""
    if not episodes:
        return
    some = episodes.values()
    await connection.execute(
        """INSERT INTO episode (workspace_id, campaign_id, case_id, phase, reason, times, since, began_at,
             restart, next_turn, seen, revision)
           SELECT clarion_workspace(), %s, c.case_id, b.phase, b.reason, b.times, b.since, b.began_at,
             c.restart, c.next_turn, c.seen, %s
           FROM unnest(%s::int[], %s::text[], %s::text[], %s::int[], %s::timestamptz[], %s::timestamptz[])
             AS b(kind, phase, reason, times, since, began_at)
           JOIN staged_case c USING (kind)""",
        (
            sight.campaign_id, sight.revision, list(episodes), [one.phase.value for one in some],
            [str(one.reason) for one in some], [one.times for one in some], [one.since for one in some],
            [one.began_at for one in some],
        ),
    )  # fmt: skip


async def recipients(connection: Connection, kinds: Sequence[int]) -> list[Lot]:
    """Whom the cases of these kinds are told to, by lots."""
    await connection.execute(
        """INSERT INTO staged_recipient
           SELECT case_id, contact_id, dense_rank() OVER (ORDER BY told, zone, told_of, opted_out), zone,
             told_of, opted_out, told
           FROM (SELECT c.case_id, (p.one->>0)::uuid AS contact_id, p.one->>1 AS zone,
                   (p.one->>2)::boolean AS opted_out, p.one->3 AS told_of, c.told
                 FROM staged_case c CROSS JOIN LATERAL jsonb_array_elements(c.people) AS p(one)
                 WHERE c.kind = ANY (%s)) each""",
        (list(kinds),),
    )
    async with connection.cursor(row_factory=args_row(Lot)) as cursor:
        await cursor.execute(
            "SELECT DISTINCT ON (lot) lot, zone, told_of, opted_out, told FROM staged_recipient ORDER BY lot"
        )
        return await cursor.fetchall()


async def people(connection: Connection) -> list[tuple[str, str, int]]:
    """Each of these (case, contact) in order, with the number of their lot."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT case_id::text, contact_id::text, lot FROM staged_recipient r
               ORDER BY r.case_id, r.contact_id"""
        )
        return await cursor.fetchall()


_EACH = {"case_id": "uuid", "contact_id": "uuid", "place": "int", **LINES}
# as `domain.enrollment.subject_of` makes it
_SUBJECT: LiteralString = """encode(substring(uuid_send(n.case_id) FOR 8) || substring(
  sha256(uuid_send(n.case_id) || uuid_send(n.contact_id)) FOR 8), 'hex')::uuid AS subject_id"""


def each_line(case_id: str, contact_id: str, place: int, line: str) -> str:
    """How one of them stands (`alike.line`), at a place in the audience, for `enter_each`."""
    return f"{case_id}\t{contact_id}\t{place}\t{line}"


async def enter(
    connection: Connection, sight: Sight, bases: Mapping[int, str], lines: Iterable[str], now: datetime
) -> int:
    """Enroll everybody of these lots; how many that were."""
    await stage(connection, "staged_lot", LINES, lines)
    who: LiteralString = f"""SELECT {_SUBJECT}, n.case_id, n.contact_id, 0 AS place, s.*
      FROM staged_lot s JOIN staged_recipient n USING (lot)"""
    return await alike.write(connection, who, sight.campaign_id, sight.revision, bases, now)


async def enter_each(
    connection: Connection, sight: Sight, bases: Mapping[int, str], lines: Iterable[str], now: datetime
) -> int:
    """The same of recipients one by one."""
    await stage(connection, "staged_case_each", _EACH, lines)
    who: LiteralString = f"SELECT {_SUBJECT}, n.* FROM staged_case_each n"
    return await alike.write(connection, who, sight.campaign_id, sight.revision, bases, now)
