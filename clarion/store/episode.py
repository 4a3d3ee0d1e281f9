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
from clarion.store.staging import line, stage


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


def _judging(sight: Sight) -> LiteralString:
    """Joins to a case `k` whether it meets the criteria and when it turns (`w`), computed once (OFFSET 0)."""
    return f"""CROSS JOIN LATERAL (
  SELECT ({sight.meets}) AS meets, ({sight.next_turn}) AS next_turn OFFSET 0) w"""


def _telling(sight: Sight) -> LiteralString:
    """One row: whom a judged case `k` is told to (`r`), only where it meets the criteria; what is told of it
    (`t`); the hash of all (`s`)."""
    replied: LiteralString = _REPLIED if sight.replies else "NULL::jsonb"
    also: LiteralString = ", t.replied" if sight.replies else ""
    return f"""(SELECT CASE WHEN w.meets THEN ({sight.people}) END AS people OFFSET 0) r
CROSS JOIN LATERAL (SELECT coalesce(k.properties->>%(restart)s::text, '') AS restart,
  ARRAY(SELECT coalesce(k.dates->>p.key, k.properties->>p.key)
        FROM unnest(%(properties)s::text[]) WITH ORDINALITY p(key, n) ORDER BY p.n) AS told,
  {replied} AS replied OFFSET 0) t
CROSS JOIN LATERAL (SELECT hashtextextended(CASE
  WHEN w.meets THEN concat_ws(E'\\x1e', w.next_turn, t.restart, t.told, r.people{also})
  ELSE concat_ws(E'\\x1e', w.next_turn, k.state) END, 0) AS hash OFFSET 0) s"""


_EPISODE: LiteralString = """LEFT JOIN LATERAL (
  SELECT * FROM episode
  WHERE episode.campaign_id = %(campaign)s AND episode.case_id = k.id LIMIT 1) e ON true"""


def seeing(sight: Sight) -> LiteralString:
    """Joins to a case `k` all that is seen of it and its episode (`e`)."""
    return f"{_judging(sight)} CROSS JOIN LATERAL {_telling(sight)} {_EPISODE}"


_REPLIED: LiteralString = """CASE WHEN w.meets THEN (
    SELECT jsonb_agg(jsonb_build_array(contact_id, generation) ORDER BY contact_id) FROM replied
    WHERE replied.campaign_id = %(campaign)s AND replied.case_id = k.id) END"""


class Page(NamedTuple):
    """Some cases of a type that were gone over: how many, the last of them, and those of which there may be
    something to do: such as the alert knows, and such as it does not."""

    cases: int
    last: UUID | None
    changed: list[UUID]
    new: list[UUID]


async def page(connection: Connection, sight: Sight, between: tuple[UUID, UUID], limit: int) -> Page:
    """The next cases of the alert's type after the first identifier up to the second."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            f"""WITH picked AS MATERIALIZED (
                  SELECT * FROM "case" WHERE type_id = %(type)s AND id > %(after)s AND id <= %(until)s
                  ORDER BY id LIMIT %(limit)s)
                SELECT (SELECT count(*) FROM picked), (SELECT id FROM picked ORDER BY id DESC LIMIT 1),
                  coalesce(array_agg(c.id) FILTER (WHERE c.known), '{{}}'),
                  coalesce(array_agg(c.id) FILTER (WHERE NOT c.known), '{{}}')
                FROM (SELECT k.id, e.case_id IS NOT NULL AS known
                  FROM picked k {_judging(sight)} {_EPISODE}
                  WHERE (w.meets OR w.next_turn IS NOT NULL OR e.case_id IS NOT NULL)
                    AND CASE WHEN e.revision = %(revision)s
                          THEN e.seen <> (SELECT s.hash FROM {_telling(sight)}) ELSE true END) c""",
            {**sight.values(), "after": between[0], "until": between[1], "limit": limit},
        )
        found = await cursor.fetchone()
        assert found is not None
        return Page(*found)


async def lock(connection: Connection, case_ids: Iterable[UUID]) -> None:
    """Keep these cases as they are until the transaction ends. They are locked in the order of their external
    ids, as whoever writes several does (`case_sql.MEET`): so nobody dead-locks."""
    await connection.execute(
        """SELECT FROM (
             SELECT k.id FROM unnest(%s::uuid[]) AS i(id) CROSS JOIN LATERAL (
               SELECT id, external_id FROM "case" WHERE "case".id = i.id LIMIT 1) k
             ORDER BY k.external_id COLLATE "C" OFFSET 0) o
           CROSS JOIN LATERAL (
             SELECT FROM "case" WHERE "case".id = o.id LIMIT 1 FOR NO KEY UPDATE) l""",
        (array(one.hex for one in case_ids),),
    )


async def look(
    connection: Connection, sight: Sight, case_ids: Iterable[UUID], *, whatever: bool = False
) -> list[Seen]:
    """These cases, of the alert's type, and how they stand. Those of which nothing has changed are left out,
    but `whatever` it is."""
    async with connection.cursor(row_factory=args_row(Seen)) as cursor:
        await cursor.execute(
            f"""SELECT k.id, w.meets, k.state, w.next_turn, t.told, t.restart, coalesce(r.people, '[]'),
                  coalesce(t.replied, '[]'), s.hash, k.stored_at, e.phase, coalesce(e.reason, ''),
                  coalesce(e.times, 0), coalesce(e.since, k.stored_at), e.began_at, coalesce(e.restart, '')
                FROM unnest(%(ids)s::uuid[]) AS i(id) CROSS JOIN LATERAL (
                  SELECT * FROM "case" WHERE "case".id = i.id AND "case".type_id = %(type)s LIMIT 1) k
                {seeing(sight)}
                WHERE (w.meets OR w.next_turn IS NOT NULL OR e.case_id IS NOT NULL)
                  AND (%(whatever)s OR (e.seen, e.revision) IS DISTINCT FROM (s.hash, %(revision)s))
                ORDER BY k.id""",
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
    await stage(connection, "staged_episode", _STAGED, map(_line, some))
    await connection.execute(
        """INSERT INTO episode AS e (workspace_id, campaign_id, case_id, phase, reason, times, since,
             began_at, restart, next_turn, seen, revision)
           SELECT clarion_workspace(), %s, s.*, %s FROM staged_episode s
           ON CONFLICT (campaign_id, case_id) DO UPDATE SET phase = excluded.phase, reason = excluded.reason,
             times = excluded.times, since = excluded.since, began_at = excluded.began_at,
             restart = excluded.restart, next_turn = excluded.next_turn, seen = excluded.seen,
             revision = excluded.revision""",
        (sight.campaign_id, sight.revision),
    )
