"""Words about cases come in, from a program or by hand; and one case is changed, closed, opened, deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from clarion.domain.case_values import Case, CaseCustoms
from clarion.domain.case_word import read_case
from clarion.domain.person import Finding
from clarion.errors import Conflict, Invalid, Problem
from clarion.kit.clock import Clock
from clarion.kit.db import Connection, Database, Row
from clarion.store import case as cases
from clarion.store import case_intake, case_type, workspace
from clarion.store.case_intake import Outcome, Taken

MOST_AT_ONCE = 10_000
FEW = 100  # documents that are read at once, and not by another thread, and written in few round trips


async def upsert_cases(
    db: Database,
    clock: Clock,
    workspace_id: UUID,
    given: Sequence[Mapping[str, Any]],
    *,
    how: str = "api",
    by: str = "",
) -> list[Taken]:
    """Take up to 10,000 documents (`domain.case_word`) in one transaction; one answer each, in order. One
    that is refused does not stop the others. Raises Invalid for more."""
    if len(given) > MOST_AT_ONCE:
        raise Invalid(f"{len(given):,} cases at once; at most {MOST_AT_ONCE:,}", hint="send them in parts")
    async with db.tenant(workspace_id) as connection:
        return await upsert_within(connection, clock, given, how, by)


async def upsert_within(
    connection: Connection, clock: Clock, given: Sequence[Mapping[str, Any]], how: str, by: str
) -> list[Taken]:
    """The same in the caller's transaction, however many."""
    async with connection.pipeline() if len(given) <= FEW else nullcontext():
        return await _within(connection, clock, given, how, by)


async def _within(
    connection: Connection, clock: Clock, given: Sequence[Mapping[str, Any]], how: str, by: str
) -> list[Taken]:
    home = await workspace.get(connection)
    customs = await customs_of(connection, home, clock)
    if len(given) <= FEW:
        read, lines = _read(given, customs)
    else:
        read, lines = await asyncio.to_thread(_read, given, customs)
    words = [case for case, _ in read if case is not None]
    taken = iter(
        await case_intake.upsert(
            connection, bytes(home["pepper"]), words, customs.now, lines=lines, how=how, by=by
        )
    )
    return [_told(given[n], one, taken) for n, one in enumerate(read)]


_Read = tuple[Case | None, list[Finding]]


def _read(given: Sequence[Mapping[str, Any]], customs: CaseCustoms) -> tuple[list[_Read], list[str]]:
    read: list[_Read] = []
    lines: list[str] = []
    for document in given:  # each is written while it is at hand, as a processor counts that
        one = read_case(document, customs)
        read.append(one)
        if one[0] is not None:
            lines.append(case_intake.written(one[0]))
    return read, lines


def _told(given: Mapping[str, Any], read: _Read, taken: Any) -> Taken:
    case, findings = read
    if case is None:
        named = given.get("external_id")
        return Taken(Outcome.REFUSED, None, named if isinstance(named, str) else None, tuple(findings))
    result: Taken = next(taken)
    return result._replace(findings=(*findings, *result.findings)) if findings else result


async def customs_of(connection: Connection, home: Row, clock: Clock) -> CaseCustoms:
    """How the workspace reads cases now."""
    return CaseCustoms(
        await case_type.known(connection), clock.now(), home["country"], ZoneInfo(home["timezone"])
    )


async def change_case(
    db: Database,
    clock: Clock,
    workspace_id: UUID,
    case: str,
    said: Mapping[str, Any],
    *,
    by: str = "",
    how: str = "api",
) -> Row:
    """Say something of one case (by its id or external id), as a document without its type and external id
    does; the case as it is then.

    All or nothing: raises Invalid with what cannot be read, Conflict for one that was deleted or a word
    that comes too late, and NotFound.
    """
    async with db.tenant(workspace_id) as connection:
        kept = await cases.get(connection, case)
        if kept["state"] == "deleted" and said.get("closed") is not False:
            raise Conflict("this case was deleted", where="case", hint="Reopen it first.")
        word = {**said, "type": kept["type"], "external_id": kept["external_id"]}
        (taken,) = await upsert_within(connection, clock, [word], how, by)
        _refuse(taken)
        return await cases.get(connection, str(kept["id"]))


def _refuse(taken: Taken) -> None:
    """Raises Invalid or Conflict where one word by hand cannot be taken as it is."""
    if taken.outcome is Outcome.STALE:
        raise Conflict(
            "the case was changed since", where="modified_at", hint="Look at it again, and say it anew."
        )
    if taken.findings:
        wrong = tuple(Problem(f"body.{one.field}", one.reason) for one in taken.findings)
        raise Invalid("the case cannot be changed so; nothing was changed", problems=wrong)


async def close_case(db: Database, clock: Clock, workspace_id: UUID, case: str, *, by: str = "") -> Row:
    """Close a case; one that is closed stays as it is. Raises NotFound, Conflict (it was deleted)."""
    return await change_case(db, clock, workspace_id, case, {"closed": True}, by=by)


async def reopen_case(db: Database, clock: Clock, workspace_id: UUID, case: str, *, by: str = "") -> Row:
    """Open a case that was closed or deleted. Raises NotFound."""
    return await change_case(db, clock, workspace_id, case, {"closed": False}, by=by)


async def delete_case(db: Database, clock: Clock, workspace_id: UUID, case: str, *, by: str = "") -> None:
    """Delete a case: it is kept, with its history, and no campaign speaks about it. A newer word about it
    opens it again. Deleting again changes nothing. Raises NotFound."""
    async with db.tenant(workspace_id) as connection:
        home = await workspace.get(connection)
        kept = await cases.get(connection, case)
        types = await case_type.known(connection)
        word = Case(types[kept["type"]], external_id=kept["external_id"], state="deleted")
        await case_intake.upsert(connection, bytes(home["pepper"]), [word], clock.now(), how="api", by=by)
