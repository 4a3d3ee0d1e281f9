"""Episodes: how cases stand in an alert, looked at and written in sets.

Whether there is anything to do of a case is told by the database alone, by a hash of all that it would be
settled by: going again over a million cases of which nothing has changed reads them, and no more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from psycopg.rows import args_row, tuple_row

from clarion.kit.db import Connection, array
from clarion.store.entering import Looked
from clarion.store.staging import line, source


@dataclass(frozen=True, slots=True)
class Sight:
    """How an alert looks at a case `k`: whether it meets the criteria, before which day the calendar alone
    changes nothing, and whom it is told to (`store.recipient.people`), with the values of all three.
    `properties` are those that its schedule reads, `restart_on` the one that begins it anew; `replies`: it
    looks at who has replied, too."""

    campaign_id: UUID
    revision: int
    type_id: UUID
    meets: LiteralString
    next_turn: LiteralString
    people: LiteralString
    params: Mapping[str, Any]
    properties: Sequence[str]
    restart_on: str
    keys: Sequence[str]
    schemes: Sequence[str]
    replies: bool = False

    def values(self) -> dict[str, Any]:
        """The parameters of its statements."""
        return {
            **self.params, "campaign": self.campaign_id, "revision": self.revision, "type": self.type_id,
            "properties": list(self.properties), "restart": self.restart_on, "keys": list(self.keys),
            "schemes": list(self.schemes),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """A case as an alert sees it. `told` are the properties that its schedule reads; `people`: contact, zone,
    whether they opted out, the values of their fields that matter; `replied`: contact, and to which
    generation they replied. What begins with `phase` is the episode's, None where there is none. The fields
    stand in the order in which the statement names them."""

    case_id: UUID
    meets: bool
    state: str
    next_turn: date | None
    told: list[str | None]
    restart: str
    people: list[tuple[str, str, bool, list[str | None]]]
    replied: list[tuple[str, int]]
    hash: int
    stored_at: datetime
    phase: str | None
    reason: str
    times: int
    since: datetime
    began_at: datetime | None
    restarted_by: str


def judging(sight: Sight) -> LiteralString:
    """Joins to a case `k` whether it meets the criteria and when it turns (`w`), computed once (OFFSET 0)."""
    return f"""CROSS JOIN LATERAL (
  SELECT ({sight.meets}) AS meets, ({sight.next_turn}) AS next_turn OFFSET 0) w"""


def columns(sight: Sight) -> LiteralString:
    """What is seen of a judged case `k`: the columns that `HASH` is made of. Whom it is told to only where it
    meets the criteria. They are asked for in a query's own list: joined, PostgreSQL would keep each to meet
    it again (Memoize), and none comes twice."""
    told: LiteralString = ", ".join(
        f"coalesce(k.dates->>{key}, k.properties->>{key})" for key in _keys(len(sight.properties))
    )
    replied: LiteralString = _REPLIED if sight.replies else "NULL::jsonb"
    return f"""w.meets, w.next_turn, k.state, coalesce(k.properties->>%(restart)s::text, '') AS restart,
  ARRAY[{told}]::text[] AS told, CASE WHEN w.meets THEN ({sight.people}) END AS people,
  {replied} AS replied"""


def _keys(count: int) -> list[LiteralString]:
    return [f"(%(properties)s::text[])[{n + 1}]" for n in range(count)]


# All that a case `q` (`columns`) would be settled by.
HASH: LiteralString = """hashtextextended(CASE
  WHEN q.meets THEN concat_ws(E'\\x1e', q.next_turn, q.restart, q.told, q.people, q.replied)
  ELSE concat_ws(E'\\x1e', q.next_turn, q.state) END, 0)"""

_EPISODE: LiteralString = """LEFT JOIN LATERAL (
  SELECT * FROM episode
  WHERE episode.campaign_id = %(campaign)s AND episode.case_id = k.id LIMIT 1) e ON true"""

_REPLIED: LiteralString = """CASE WHEN w.meets THEN (
    SELECT jsonb_agg(jsonb_build_array(contact_id, generation) ORDER BY contact_id) FROM replied
    WHERE replied.campaign_id = %(campaign)s AND replied.case_id = k.id) END"""


class Page(NamedTuple):
    """Some cases of a type that were gone over: how many, the last of them (None: there are no more), and the
    identifiers of those of which there may be something to do: such as the alert knows, and such as it does
    not."""

    cases: int
    last: UUID | None
    changed: list[str]
    new: list[str]


async def page(
    connection: Connection, sight: Sight, between: tuple[UUID, UUID], limit: int, most: int | None = None
) -> Page:
    """The next cases of the alert's type after the first identifier up to the second; no more than those up
    to the one with which there are `most` to touch."""
    params = {**sight.values(), "after": between[0], "limit": limit}
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_LAST, {**params, "until": between[1], "before": limit - 1})
        end = await cursor.fetchone()
        last = end[0] if end else None
        await cursor.execute(_page(sight), {**params, "until": last or between[1]})
        found = await cursor.fetchone()
        assert found is not None
        cases, changed, new = found[0], _split(found[1]), _split(found[2])
        if most is None or len(changed) + len(new) <= most:
            return Page(cases, last, changed, new)
        least = sorted([*changed, *new])[most - 1]
        await cursor.execute(_COUNT, {**params, "until": least})
        counted = await cursor.fetchone()
        assert counted is not None
    changed, new = ([one for one in some if one <= least] for some in (changed, new))
    return Page(counted[0], UUID(least), changed, new)


def _split(ids: str | None) -> list[str]:
    return ids.split(",") if ids else []


_STRETCH: LiteralString = """FROM "case" WHERE type_id = %(type)s AND id > %(after)s AND id <= %(until)s"""
_LAST: LiteralString = f"SELECT id {_STRETCH} ORDER BY id OFFSET %(before)s LIMIT 1"
_COUNT: LiteralString = f"SELECT count(*) {_STRETCH}"


def _page(sight: Sight) -> LiteralString:
    """Episodes are read in one go and met by a hash (IN, in a query's list): most cases have none, and to
    look for each took longer than to judge it. The limit is for the planner, which makes a hash only of what
    it believes to be little; a case whose episode was left out is taken for new, and looked at. Identifiers
    are texts: to make values of them would take Python longer than all the rest."""
    return f"""WITH known AS MATERIALIZED (
  SELECT case_id, CASE WHEN revision = %(revision)s THEN seen END AS seen FROM episode
  WHERE campaign_id = %(campaign)s AND case_id > %(after)s AND case_id <= %(until)s LIMIT 2 * %(limit)s)
SELECT count(*), string_agg(c.id::text, ',') FILTER (WHERE c.touched AND c.known),
  string_agg(c.id::text, ',') FILTER (WHERE c.touched AND NOT c.known)
FROM (
  SELECT k.id, k.known, CASE WHEN NOT k.known THEN w.meets OR w.next_turn IS NOT NULL
    ELSE ((k.id, (SELECT {HASH} FROM (SELECT {columns(sight)} OFFSET 0) q))
      IN (SELECT case_id, seen FROM known WHERE seen IS NOT NULL)) IS NOT TRUE END AS touched
  FROM (SELECT k.*, w.*, k.id IN (SELECT case_id FROM known) AS known
        FROM (SELECT * {_STRETCH} OFFSET 0) k {judging(sight)} OFFSET 0) k
  CROSS JOIN LATERAL (SELECT k.meets, k.next_turn) w OFFSET 0) c"""


async def lock(connection: Connection, case_ids: Iterable[str]) -> None:
    """Keep these cases as they are until the transaction ends. They are locked in the order of their external
    ids, as whoever writes several does (`case_sql.MEET`): so nobody dead-locks."""
    await connection.execute(
        """SELECT FROM unnest(%s::uuid[]) AS i(id) JOIN "case" k ON k.id = i.id
           ORDER BY k.external_id COLLATE "C" FOR NO KEY UPDATE OF k""",
        (array(case_ids),),
    )


async def look(
    connection: Connection, sight: Sight, case_ids: Iterable[UUID], *, whatever: bool = False
) -> list[Seen]:
    """These cases, of the alert's type, and how they stand. Those of which nothing has changed are left out,
    but `whatever` it is."""
    async with connection.cursor(row_factory=args_row(Seen)) as cursor:
        await cursor.execute(
            f"""SELECT q.id, q.meets, q.state, q.next_turn, q.told, q.restart, coalesce(q.people, '[]'),
                  coalesce(q.replied, '[]'), q.hash, q.stored_at, q.phase, coalesce(q.reason, ''),
                  coalesce(q.times, 0), coalesce(q.since, q.stored_at), q.began_at,
                  coalesce(q.restarted_by, '')
                FROM (SELECT q.*, {HASH} AS hash FROM (
                  SELECT k.id, {columns(sight)}, k.stored_at, e.phase, e.reason, e.times, e.since, e.began_at,
                    e.restart AS restarted_by, e.seen, e.revision
                  FROM unnest(%(ids)s::uuid[]) AS i(id) CROSS JOIN LATERAL (
                    SELECT * FROM "case" WHERE "case".id = i.id AND "case".type_id = %(type)s LIMIT 1) k
                  {judging(sight)} {_EPISODE}
                  WHERE w.meets OR w.next_turn IS NOT NULL OR e.case_id IS NOT NULL OFFSET 0) q OFFSET 0) q
                WHERE %(whatever)s OR (q.seen, q.revision) IS DISTINCT FROM (q.hash, %(revision)s)
                ORDER BY q.id""",
            {**sight.values(), "ids": array(one.hex for one in case_ids), "whatever": whatever},
        )
        return await cursor.fetchall()


async def standing(
    connection: Connection, campaign_id: UUID, case_ids: Iterable[UUID], *, keep: bool = True
) -> dict[UUID, list[Looked]]:
    """Who is enrolled in the alert of each of these cases; `keep`: locked until the transaction ends. Whether
    they are meant, and what is known of them, the caller adds."""
    found: dict[UUID, list[Looked]] = defaultdict(list)
    locked: LiteralString = "FOR NO KEY UPDATE" if keep else "OFFSET 0"
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            f"""SELECT e.case_id, e.contact_id, false, false, '', ARRAY[]::text[], e.id, e.generation,
                 e.state, e.reason, e.cohort, coalesce(e.began_at, e.created_at), e.place,
                 coalesce(e.basis, ''), e.moves, e.next_due, e.ahead, e.revision
               FROM unnest(%s::uuid[]) AS i(id) CROSS JOIN LATERAL (
                 SELECT * FROM enrollment WHERE case_id = i.id AND campaign_id = %s
                 ORDER BY enrollment.id {locked}) e""",
            (array(one.hex for one in case_ids), campaign_id),
        )
        for case_id, *looked in await cursor.fetchall():
            found[case_id].append(Looked(*looked, case_id=case_id))
    return found


async def turning(
    connection: Connection, campaign_id: UUID, today: date, after: tuple[date, UUID], limit: int
) -> list[tuple[date, UUID]]:
    """Cases of which the calendar may change something by this day, after a place in their order: a reader
    that goes forward meets each only once."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT next_turn, case_id FROM episode
               WHERE campaign_id = %s AND next_turn <= %s AND (next_turn, case_id) > (%s, %s)
               ORDER BY next_turn, case_id LIMIT %s""",
            (campaign_id, today, *after, limit),
        )
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class Written:
    """An episode as it is to be."""

    case_id: UUID
    phase: str
    reason: str
    times: int
    since: datetime
    began_at: datetime | None
    restart: str
    next_turn: date | None
    seen: int


_STAGED = {
    "case_id": "uuid", "phase": "text", "reason": "text", "times": "int", "since": "timestamptz",
    "began_at": "timestamptz", "restart": "text", "next_turn": "date", "seen": "bigint",
}  # fmt: skip


def _line(one: Written) -> str:
    return line(
        one.case_id.hex, one.phase, one.reason, str(one.times), one.since.isoformat(),
        None if one.began_at is None else one.began_at.isoformat(), one.restart,
        None if one.next_turn is None else one.next_turn.isoformat(), str(one.seen),
    )  # fmt: skip


async def write(connection: Connection, sight: Sight, some: Sequence[Written]) -> None:
    """Write how these stand; the transaction has their cases locked."""
    if not some:
        return
    after = await source(connection, "staged_episode", _STAGED, map(_line, some))
    await connection.execute(
        f"""INSERT INTO episode AS e (workspace_id, campaign_id, case_id, phase, reason, times, since,
             began_at, restart, next_turn, seen, revision)
           SELECT clarion_workspace(), %(campaign)s, s.*, %(revision)s FROM {after.text} s
           ON CONFLICT (campaign_id, case_id) DO UPDATE SET phase = excluded.phase, reason = excluded.reason,
             times = excluded.times, since = excluded.since, began_at = excluded.began_at,
             restart = excluded.restart, next_turn = excluded.next_turn, seen = excluded.seen,
             revision = excluded.revision""",
        {**after.values, "campaign": sight.campaign_id, "revision": sight.revision},
    )
