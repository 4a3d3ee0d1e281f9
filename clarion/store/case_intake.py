"""Words about cases, thousands at a time: each is met with what is known, and all are written in sets.

The same as taking them one after the other. Writers of one workspace's cases take turns (an advisory lock
until the transaction ends), so that none of two batches brings a parent round to its own child. Whoever
also needs the turn of the people takes it after this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import LiteralString, NamedTuple
from uuid import UUID, uuid4

import orjson

from clarion.domain.case import MOST_BYTES, MOST_PROPERTIES, CaseType
from clarion.domain.case_values import Case
from clarion.domain.case_word import ROUND
from clarion.domain.person import Finding
from clarion.kit.db import Connection, array
from clarion.kit.ids import ascending7
from clarion.store import case_above, case_link
from clarion.store import case_sql as sql
from clarion.store.staging import line, stage


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
    """What needs no database: the rest of a line of `staged_case`."""
    return line(
        case.type.id.hex,
        case.name,
        case.state,
        case.owner,
        case.modified_by,
        case.parent,
        case.host,
        None if case.opened_at is None else case.opened_at.isoformat(),
        None if case.modified_at is None else case.modified_at.isoformat(),
        "t" if case.replace else "f",
        case.document,
        orjson.dumps(case.numbers).decode() if case.numbers else "{}",
        orjson.dumps(case.dates).decode() if case.dates else "{}",
    )


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
    if any(map(case_link.names_somebody, cases)):
        linked, findings = await case_link.link(connection, pepper, cases, batch.places(), now)
    return [batch.result(n, n in linked, findings.get(n, ())) for n in range(len(cases))]


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
        self.connection, self.cases, self.lines = connection, cases, lines
        self.now, self.values = now, {"now": now, "noise": uuid4(), "how": how, "by": by, **sql.LIMITS}
        ids = ascending7(now)
        self.new = [next(ids) for _ in cases]
        self.ids: list[UUID | None] = list(self.new)
        self.external = [one.external_id or str(id) for one, id in zip(cases, self.new, strict=True)]
        self.outcomes = [Outcome.CREATED] * len(cases)
        self.why: dict[int, Finding] = {}
        self.met: set[int] = set()

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
        new, external, lines = self.new, self.external, self.lines
        ordered = sorted(rows, key=external.__getitem__)  # locked in this order, and indexes stay warm
        await stage(
            self.connection,
            "staged_case",
            sql.STAGED,
            (f"{n}\t{new[n].hex}\t{line(external[n])}\t{lines[n]}" for n in ordered),
        )
        met, left = await self._meet()
        self.met |= met
        round_about = await self._round_about([n for n in rows if n not in left])
        if left or round_about:
            await self._execute(sql.LEAVE, left | round_about)
        if met or round_about:
            await self._execute(sql.LEAVE_STAGED, met | round_about)
        if met - left - round_about:
            await self._change(met - left - round_about)
        if len(met | round_about) < len(rows):
            await self.connection.execute(sql.INSERT, {"now": self.now}, prepare=True)

    async def _meet(self) -> tuple[set[int], set[int]]:
        """Lock the cases that are known; which words they are, and which of them change nothing."""
        await stage(self.connection, "met_case", sql.MET, ())
        cursor = await self.connection.execute(sql.MEET, self.values, prepare=True)
        if not cursor.rowcount:
            return set(), set()
        cursor = await self.connection.execute(sql.SEEN, prepare=True)
        met: set[int] = set()
        left: set[int] = set()
        for n, identifier, other_type, type_id, stale, large in await cursor.fetchall():
            met.add(n)
            self.ids[n] = identifier
            if other_type:
                self._refuse(n, "type", f"this case is of another type{self._of(type_id)}, which it keeps")
            elif stale:
                self.outcomes[n] = Outcome.STALE
            elif large:
                self._refuse(n, "properties", _LARGE)
            if other_type or stale or large:
                left.add(n)
        return met, left

    def _of(self, type_id: UUID) -> str:
        names: dict[UUID, CaseType] = {one.type.id: one.type for one in self.cases}
        return f" ({names[type_id].name})" if type_id in names else ""

    async def _round_about(self, rows: list[int]) -> set[int]:
        """Words whose parent or host comes round to the case itself: refused."""
        found: set[int] = set()
        for which in ("parent", "host"):
            said = [
                (n, self.external[n], above)
                for n in rows
                if n not in found and (above := getattr(self.cases[n], which)) is not None
            ]
            if said:
                for n in await case_above.coming_round(self.connection, which, said):
                    self._refuse(n, which, ROUND)
                    found.add(n)
        for n in found - self.met:
            self.ids[n] = None
        return found

    async def _change(self, rows: set[int]) -> None:
        cursor = await self.connection.execute(sql.CHANGE, self.values, prepare=True)
        changed = {n for (n,) in await cursor.fetchall()}
        for n in rows:
            self.outcomes[n] = Outcome.UPDATED if n in changed else Outcome.UNCHANGED

    def _refuse(self, n: int, where: str, why: str) -> None:
        self.outcomes[n] = Outcome.REFUSED
        self.why[n] = Finding(where, why, "refused")

    async def _execute(self, statement: LiteralString, rows: set[int]) -> None:
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

    def result(self, n: int, linked: bool, findings: Sequence[Finding]) -> Taken:
        outcome = self.outcomes[n]
        if linked and outcome is Outcome.UNCHANGED:
            outcome = Outcome.UPDATED
        why = (self.why[n],) if n in self.why else ()
        return Taken(outcome, self.ids[n], self.external[n] if self.ids[n] else None, (*findings, *why))


_LARGE = (
    f"with what is known already, more than {MOST_PROPERTIES:,} properties or {MOST_BYTES // 1024} KiB; "
    "take some away first"
)
