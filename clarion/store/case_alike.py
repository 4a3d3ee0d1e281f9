"""Cases that an alert does not know yet, and their recipients: looked at and written in sets.

How a case stands then follows from little (`Kind`), and what comes next is the same for a lot of recipients
(`store.alike`): nothing of each of them passes through this process, but where their times are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from psycopg.rows import tuple_row

from clarion.domain.episode import Episode, Facts
from clarion.kit.db import Connection, array
from clarion.store import alike
from clarion.store.alike import BASES, LINES, Lot
from clarion.store.episode import HASH, Sight, columns, judging
from clarion.store.staging import stage


class Kind(NamedTuple):
    """Cases that stand alike: whether they meet the criteria, are open, and were so already when the alert
    was launched; and how many they are. Of them all, in one order, arrays as PostgreSQL writes them: their
    identifiers, what the property that begins it anew says, when the calendar turns them, and the hashes of
    what was seen."""

    number: int
    cases: int
    ids: str
    restarts: str
    turns: str
    seen: str

    @property
    def facts(self) -> Facts:
        return Facts(bool(self.number & 4), bool(self.number & 2), existing=bool(self.number & 1))


class Group(NamedTuple):
    """Recipients of cases of a kind who are alike: which cases, and beside each which contact."""

    kind: int
    lot: Lot
    cases: str
    contacts: str


async def look(
    connection: Connection, sight: Sight, case_ids: Iterable[str], launched_at: datetime | None
) -> tuple[list[Kind], list[Group]]:
    """Of these cases those that the alert does not know, and that mean anything to it, by their kinds, and
    their recipients by lots. What is older than `launched_at` was there already; None: nothing is."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            _looking(sight), {**sight.values(), "ids": array(case_ids), "launched": launched_at}
        )
        found = await cursor.fetchall()
    kinds = [Kind(kind, *more) for kind, *more, lot in found if lot is None]
    lots = (one for one in found if one[-1] is not None)
    return kinds, [_group(number, *one) for number, one in enumerate(lots, 1)]


def _group(number: int, kind: int, _: None, cases: str, contacts: str, *more: Any) -> Group:
    _, (zone, opted_out, values), told = more[-1]
    return Group(kind, Lot(number, zone, values, opted_out, told), cases, contacts)


def _looking(sight: Sight) -> LiteralString:
    """A lot is told by one value: of several PostgreSQL believes that there are as many as there are rows."""
    return f"""WITH seen AS MATERIALIZED (
  SELECT q.*, {HASH} AS hash,
    q.meets::int * 4 + (q.state = 'open')::int * 2 + q.existing::int AS kind
  FROM (
    SELECT k.id, {columns(sight)},
      coalesce(k.stored_at <= %(launched)s::timestamptz, false) AS existing
    FROM unnest(%(ids)s::uuid[]) AS i(id) CROSS JOIN LATERAL (
      SELECT * FROM "case" WHERE "case".id = i.id AND "case".type_id = %(type)s LIMIT 1) k
    {judging(sight)}
    WHERE (w.meets OR w.next_turn IS NOT NULL) AND NOT EXISTS (
      SELECT FROM episode
      WHERE episode.campaign_id = %(campaign)s AND episode.case_id = k.id OFFSET 0)
    OFFSET 0) q)
SELECT kind, count(*), array_agg(id)::text, array_agg(restart)::text, array_agg(next_turn)::text,
  array_agg(hash)::text, NULL
FROM seen GROUP BY kind
UNION ALL
SELECT kind, NULL, array_agg(id)::text, array_agg(contact_id)::text, NULL, NULL, lot
FROM (SELECT s.kind, s.id, (p.one->>0)::uuid AS contact_id,
        jsonb_build_array(s.kind, p.one - 0, s.told) AS lot
      FROM seen s CROSS JOIN LATERAL jsonb_array_elements(s.people) AS p(one) OFFSET 0) each
GROUP BY lot, kind"""


async def write_episodes(connection: Connection, sight: Sight, kind: Kind, episode: Episode) -> None:
    """How those of a kind stand from now on."""
    await connection.execute(
        """INSERT INTO episode (workspace_id, campaign_id, case_id, phase, reason, times, since, began_at,
             restart, next_turn, seen, revision)
           SELECT clarion_workspace(), %s, c.id, %s, %s, %s, %s::timestamptz, %s::timestamptz, c.restart,
             c.next_turn, c.seen, %s
           FROM unnest(%s::uuid[], %s::text[], %s::date[], %s::bigint[])
             AS c(id, restart, next_turn, seen)""",
        (
            sight.campaign_id, episode.phase.value, str(episode.reason), episode.times, episode.since,
            episode.began_at, sight.revision, kind.ids, kind.restarts, kind.turns, kind.seen,
        ),
    )  # fmt: skip


def people(groups: Iterable[Group]) -> list[tuple[str, str, int]]:
    """Each of these (case, contact) in order, with the number of their lot."""
    return sorted(
        (case_id, contact_id, one.lot.number)
        for one in groups
        for case_id, contact_id in zip(_ids(one.cases), _ids(one.contacts), strict=True)
    )


def _ids(array: str) -> list[str]:
    return array[1:-1].split(",")


_EACH = {"case_id": "uuid", "contact_id": "uuid", "place": "int", **LINES}
# as `domain.enrollment.subject_of` makes it
_SUBJECT: LiteralString = """encode(substring(uuid_send(n.case_id) FOR 8) || substring(
  sha256(uuid_send(n.case_id) || uuid_send(n.contact_id)) FOR 8), 'hex')::uuid AS subject_id"""


def each_line(case_id: str, contact_id: str, place: int, line: str) -> str:
    """How one of them stands (`alike.line`), at a place in the audience, for `enter_each`."""
    return f"{case_id}\t{contact_id}\t{place}\t{line}"


_GROUPS: LiteralString = f"""SELECT {_SUBJECT}, n.case_id, n.contact_id, 0 AS place, s.basis, s.state,
    s.reason, s.ahead
  FROM (SELECT basis, state, reason, ahead::bigint[], cases::uuid[], contacts::uuid[]
        FROM unnest(%(bases)s::text[], %(states)s::text[], %(reasons)s::text[], %(aheads)s::text[],
          %(cases)s::text[], %(contacts)s::text[]) AS g(basis, state, reason, ahead, cases, contacts)
        OFFSET 0) s
  CROSS JOIN LATERAL unnest(s.cases, s.contacts) AS n(case_id, contact_id)"""


@dataclass(frozen=True, slots=True)
class Entering:
    """A group as it enters: what day 0 is counted from, how they stand, why, and what comes next of them
    (`domain.enrollment.packed`)."""

    group: Group
    basis: str
    state: str
    reason: str
    ahead: Sequence[int]


async def enter(connection: Connection, sight: Sight, some: Sequence[Entering], now: datetime) -> int:
    """Enroll everybody of these groups; how many that were."""
    params = {
        "bases": [one.basis for one in some], "states": [one.state for one in some],
        "reasons": [one.reason for one in some], "aheads": [array(map(str, one.ahead)) for one in some],
        "cases": [one.group.cases for one in some], "contacts": [one.group.contacts for one in some],
    }  # fmt: skip
    return await alike.write(connection, _GROUPS, sight.campaign_id, sight.revision, now, params)


async def enter_each(
    connection: Connection, sight: Sight, bases: Mapping[int, str], lines: Iterable[str], now: datetime
) -> int:
    """The same of recipients one by one."""
    await stage(connection, "staged_case_each", _EACH, lines)
    await alike.by_hash(connection)
    who: LiteralString = f"SELECT {_SUBJECT}, n.*, b.basis FROM staged_case_each n {BASES} ON b.lot = n.lot"
    return await alike.write(connection, who, sight.campaign_id, sight.revision, now, alike.params(bases))
