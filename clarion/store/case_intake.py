"""Words about cases, thousands at a time: each is met with what is known, and all are written in sets.

The same as taking them one after the other. Writers of one workspace's cases take turns (an advisory lock
until the transaction ends), so that none of two batches brings a parent round to its own child. Whoever
also needs the turn of the people takes it after this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import LiteralString, NamedTuple
from uuid import UUID

import orjson

from clarion.domain.case import MOST_BYTES, MOST_PROPERTIES, CaseType
from clarion.domain.case_values import Case
from clarion.domain.case_word import ROUND
from clarion.domain.person import Finding
from clarion.kit.db import Connection, array
from clarion.kit.ids import ascending7_numbers
from clarion.store import case_above, case_link
from clarion.store import case_sql as sql
from clarion.store.staging import NULL, line, stage


class Outcome(StrEnum):
    """What became of one word."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    STALE = "stale"
    REFUSED = "refused"


class Taken(NamedTuple):
    """One word's result. No id: it was refused, and nobody has that external id."""

    outcome: Outcome
    case_id: UUID | None
    external_id: str | None
    findings: tuple[Finding, ...] = ()


def written(case: Case) -> str:
    """What needs no database: a line of `said_case` from the external id on."""
    return line(
        case.external_id or None,
        case.type.id.hex,
        case.name,
        case.state,
        case.owner,
        case.modified_by,
        case.parent,
        case.host,
        None if case.opened_at is None else _moment(case.opened_at),
        None if case.modified_at is None else _moment(case.modified_at),
        "t" if case.replace else "f",
        case.document,
        "{" + ",".join([f'"{key}"' for key in case.gone]) + "}" if case.gone else "{}",
        orjson.dumps(case.numbers).decode() if case.numbers else "{}",
        orjson.dumps(case.dates).decode() if case.dates else "{}",
    )


def _moment(moment: datetime) -> str:
    # the same, and it takes a third of the time
    return orjson.dumps(moment)[1:-1].decode() if moment.tzinfo is UTC else moment.isoformat()


async def take_turn(connection: Connection) -> None:
    """Wait until nobody else writes this workspace's cases; held until the transaction ends."""
    await connection.execute(sql.TURN, prepare=True)


async def upsert(
    connection: Connection,
    pepper: bytes,
    cases: Sequence[Case],
    now: datetime,
    *,
    lines: Sequence[str] | None = None,
    how: str = "import",
    by: str = "",
) -> list[Taken]:
    """Store words about cases; one result each, in order. `now` is when they are stored, and when they were
    written where they do not say.

    A word older than what is stored is `stale` and changes nothing. `lines` are what `written` makes of
    them, where somebody has made it ready; `how` and `by` (where a word does not say who) go into the
    history. People whom addresses name are found, or made with the case's name.
    """
    if not cases:
        return []
    await take_turn(connection)
    batch = _Batch(connection, cases, lines or [written(one) for one in cases], now, how, by)
    for rows in batch.rounds():
        await batch.write(rows)
    linked: set[int] = set()
    findings: dict[int, list[Finding]] = {}
    if any(one.addresses or one.people or one.contacts or one.replace for one in cases):
        linked, findings = await case_link.link(connection, pepper, cases, batch.places(), now)
    return batch.results(linked, findings)


class _Batch:
    """The words of one call. Whatever is kept here is by a word's number."""

    def __init__(
        self,
        connection: Connection,
        cases: Sequence[Case],
        lines: Sequence[str],
        now: datetime,
        how: str,
        by: str,
    ) -> None:
        self.connection, self.cases = connection, cases
        self.now, self.values = now, {"now": now, "how": how, "by": by, **sql.LIMITS}
        self.new = list(islice(ascending7_numbers(now), len(cases)))  # identifiers, as far as they are needed
        self.ids: list[UUID | None] = [None] * len(cases)
        self.external = [
            one.external_id or str(UUID(int=new)) for one, new in zip(cases, self.new, strict=True)
        ]
        self.lines = [
            line if one.external_id else external + line.removeprefix(NULL)
            for one, external, line in zip(cases, self.external, lines, strict=True)
        ]
        self.outcomes = [Outcome.CREATED] * len(cases)
        self.why: dict[int, Finding] = {}

    def rounds(self) -> list[list[int]]:
        """The words in as many rounds as one case has words: each case once a round, in their order."""
        if len(set(self.external)) == len(self.external):
            return [list(range(len(self.external)))]
        found: list[list[int]] = []
        times: dict[str, int] = {}
        for n, external in enumerate(self.external):
            nth = times[external] = times.get(external, -1) + 1
            if nth == len(found):
                found.append([])
            found[nth].append(n)
        return found

    async def write(self, rows: list[int]) -> None:
        """Store one round."""
        ordered = sorted(rows, key=self.external.__getitem__)  # locked in this order, and indexes stay warm
        new, lines = self.new, self.lines
        staged = (f"{n}\t{new[n]:032x}\t{lines[n]}" for n in ordered)
        await stage(self.connection, "said_case", sql.STAGED, staged)
        met = await self._meet()
        left = {n for n, flags in met.items() if flags & sql.LEFT}
        refused = await self._round_about([n for n in rows if n not in left], met)
        if met.keys() & refused:
            await self._execute(sql.LEAVE, refused)
        if any(flags & sql.DIFFERS for flags in met.values()):
            await self.connection.execute(sql.CHANGE, self.values, prepare=True)
        known = met.keys() | refused
        if len(known) < len(rows):
            if known:
                await self._execute(sql.LEAVE_STAGED, known)
            await self._insert([n for n in rows if n not in known] if known else rows)

    async def _insert(self, rows: list[int]) -> None:
        if len(rows) > sql.FEW:
            await self.connection.execute(sql.ONE_PLAN, prepare=True)
        await self.connection.execute(sql.INSERT, {"now": self.now}, prepare=True)
        if len(rows) > sql.FEW:
            await self.connection.execute(sql.PLANS_AS_EVER, prepare=False)
        for n in rows:
            self.ids[n] = UUID(int=self.new[n])

    async def _meet(self) -> dict[int, int]:
        """Lock the cases that are known. Which words are about them, and what `sql.MET` tells of each."""
        await stage(self.connection, "met_case", sql.MET, ())
        cursor = await self.connection.execute(sql.MEET, self.values, prepare=True)
        met: dict[int, int] = {}
        for n, identifier, flags in await cursor.fetchall():
            met[n] = flags
            self.ids[n] = identifier
            self.outcomes[n] = Outcome.UPDATED if flags & sql.DIFFERS else Outcome.UNCHANGED
        await self._leave(met)
        return met

    async def _leave(self, met: dict[int, int]) -> None:
        other = [n for n, flags in met.items() if flags & sql.OTHER_TYPE]
        types: dict[int, UUID] = {}
        if other:
            cursor = await self.connection.execute(sql.TYPES, prepare=True)
            types = dict(await cursor.fetchall())
        for n in other:
            self._refuse(n, "type", f"this case is of another type{self._of(types[n])}, which it keeps")
        for n, flags in met.items():
            if flags & sql.OTHER_TYPE:
                continue
            if flags & sql.STALE:
                self.outcomes[n] = Outcome.STALE
            elif flags & sql.LARGE:
                self._refuse(n, "properties", _LARGE)

    def _of(self, type_id: UUID) -> str:
        names: dict[UUID, CaseType] = {one.type.id: one.type for one in self.cases}
        return f" ({names[type_id].name})" if type_id in names else ""

    async def _round_about(self, rows: list[int], met: dict[int, int]) -> set[int]:
        """Words whose parent or host comes round to the case itself: refused. Those that change nothing
        above a case cannot."""
        said = {
            which: [
                (n, self.external[n], over)
                for n in rows
                if (over := getattr(self.cases[n], which)) is not None
                and (met[n] & other if n in met else over)
            ]
            for which, other in (("parent", sql.OTHER_PARENT), ("host", sql.OTHER_HOST))
        }
        fresh = {self.external[n] for n in rows if n not in met}
        found = await case_above.coming_round(self.connection, said, fresh)
        for n, which in found.items():
            self._refuse(n, which, ROUND)
        return set(found)

    def _refuse(self, n: int, where: str, why: str) -> None:
        self.outcomes[n] = Outcome.REFUSED
        self.why[n] = Finding(where, why, "refused")

    async def _execute(self, statement: LiteralString, rows: Iterable[int]) -> None:
        await self.connection.execute(statement, (array(map(str, rows)),), prepare=True)

    def places(self) -> dict[int, tuple[UUID, bool]]:
        """Of every word that counts, its case, and whether that was known before this batch."""
        left = (Outcome.STALE, Outcome.REFUSED)
        new = {self.ids[n] for n, outcome in enumerate(self.outcomes) if outcome is Outcome.CREATED}
        return {
            n: (identifier, identifier not in new)
            for n, identifier in enumerate(self.ids)
            if identifier is not None and self.outcomes[n] not in left
        }

    def results(self, linked: set[int], findings: Mapping[int, list[Finding]]) -> list[Taken]:
        """Of each word, in order; `linked` are those that changed whom their case names."""
        if not linked and not findings and not self.why:  # nearly always, and of thousands
            return list(map(Taken, self.outcomes, self.ids, self.external))
        return [self._result(n, n in linked, findings.get(n, ())) for n in range(len(self.cases))]

    def _result(self, n: int, linked: bool, findings: Sequence[Finding]) -> Taken:
        outcome = self.outcomes[n]
        if linked and outcome is Outcome.UNCHANGED:
            outcome = Outcome.UPDATED
        why = (self.why[n],) if n in self.why else ()
        return Taken(outcome, self.ids[n], self.external[n] if self.ids[n] else None, (*findings, *why))


_LARGE = (
    f"with what is known already, more than {MOST_PROPERTIES:,} properties or {MOST_BYTES // 1024} KiB; "
    "take some away first"
)
