"""Cases: what is tracked, its properties, whom it names, and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path, Query
from pydantic import AwareDatetime

from clarion.api.auth import needs
from clarion.api.case_shapes import (
    CaseAnswer,
    CaseChange,
    CaseChangeAnswer,
    CasesAnswer,
    CasesBody,
    told,
)
from clarion.api.edge import Edge
from clarion.api.model import unstorable
from clarion.api.pages import Ask, Page, asked
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.scope import Scope
from clarion.errors import Invalid
from clarion.flow import cases as flow
from clarion.store import case as cases
from clarion.store import case_type as types

router = new_router("cases", "What is tracked: its properties, whom it names, what became of it.")

Reader = Annotated[Edge, needs(Scope.CASES_READ)]
Writer = Annotated[Edge, needs(Scope.CASES_WRITE)]
Which = Annotated[str, Path(min_length=1, max_length=200, description="its id or its external id")]
Id = Annotated[str | None, Query(min_length=1, max_length=200)]


@router.post("", summary="Open and update cases")
async def upsert(body: CasesBody, edge: Writer) -> CasesAnswer:
    """One, or up to 10,000 in one transaction; the external id decides which is which. Each has an answer,
    in order; one that is refused does not stop the others. A word that was written before what is known
    (`modified_at`) is stale."""
    services, save = edge.services, flow.upsert_cases
    if not edge.kept:
        services, save = edge.apart, edge.apart.saves.save
    taken = await save(services.db, services.clock, edge.workspace_id, body.documents(), by=edge.caller.name)
    services.nudge("cases")
    return told(taken)


@router.get("", summary="List and find cases", responses=responses(404))
async def listed(
    edge: Reader,
    ask: Annotated[Ask, asked()],
    type: Annotated[str | None, Query(max_length=200, description="the type's name")] = None,
    state: Annotated[
        Literal["open", "closed", "deleted"] | None, Query(description="absent: open and closed ones")
    ] = None,
    owner: Id = None,
    parent: Id = None,
    host: Id = None,
    external_id: Id = None,
    contact_id: Annotated[UUID | None, Query(description="that name this contact")] = None,
    property: Annotated[
        str | None, Query(max_length=10_200, description="`village=Kisumu`: a property that is equal to this")
    ] = None,
    modified_since: AwareDatetime | None = None,
) -> Page[CaseAnswer]:
    async with edge.transaction() as connection:
        wanted = cases.Wanted(
            type_id=(await types.named(connection, type)).id if type is not None else None,
            state=state, owner=_plain(owner), parent=_plain(parent), host=_plain(host),
            external_id=_plain(external_id), contact_id=contact_id, modified_since=_moment(modified_since),
            **_property(property),
        )  # fmt: skip
        return ask.page(CaseAnswer, await cases.page(connection, wanted, ask.after, ask.fetch))


@router.get("/{case}", summary="Show a case", responses=responses(404))
async def show(case: Which, edge: Reader) -> CaseAnswer:
    async with edge.transaction() as connection:
        return CaseAnswer.model_validate(await cases.get(connection, _plain(case) or ""))


@router.patch("/{case}", summary="Change a case", responses=responses(404, 409))
async def change(case: Which, body: CaseChange, edge: Writer) -> CaseAnswer:
    """All or nothing: what cannot be read is told, each with its place, and nothing is changed."""
    services, which = edge.services, _plain(case) or ""
    changed = await flow.change_case(
        services.db, services.clock, edge.workspace_id, which, body.root, by=edge.caller.name
    )
    services.nudge("cases")
    return CaseAnswer.model_validate(changed)


@router.post("/{case}/close", summary="Close a case", responses=responses(404, 409))
async def close(case: Which, edge: Writer) -> CaseAnswer:
    """One that is closed stays as it is."""
    services, which = edge.services, _plain(case) or ""
    closed = await flow.close_case(services.db, services.clock, edge.workspace_id, which, by=edge.caller.name)
    services.nudge("cases")
    return CaseAnswer.model_validate(closed)


@router.post("/{case}/reopen", summary="Open it again", responses=responses(404, 409))
async def reopen(case: Which, edge: Writer) -> CaseAnswer:
    """Whether it was closed or deleted."""
    services, which = edge.services, _plain(case) or ""
    opened = await flow.reopen_case(
        services.db, services.clock, edge.workspace_id, which, by=edge.caller.name
    )
    services.nudge("cases")
    return CaseAnswer.model_validate(opened)


@router.delete("/{case}", status_code=204, summary="Delete a case", responses=responses(404))
async def delete(case: Which, edge: Writer) -> None:
    """It is kept with its history, and no campaign speaks about it. A newer word opens it again."""
    services, which = edge.services, _plain(case) or ""
    await flow.delete_case(services.db, services.clock, edge.workspace_id, which, by=edge.caller.name)
    services.nudge("cases")


@router.get("/{case}/history", summary="What became of it, newest first", responses=responses(404))
async def history(case: Which, edge: Reader, ask: Annotated[Ask, asked()]) -> Page[CaseChangeAnswer]:
    async with edge.transaction() as connection:
        kept = await cases.get(connection, _plain(case) or "")
        found = await cases.history(connection, kept["id"], ask.after, ask.fetch)
        return ask.page(CaseChangeAnswer, found)


def _plain(text: str | None) -> str | None:
    """As it is. Raises Invalid for what no database would store."""
    if text is not None and unstorable(text):
        raise Invalid("holds a character that cannot be stored", where="the address")
    return text


def _property(text: str | None) -> dict[str, str | None]:
    if text is None:
        return {}
    key, sign, value = (_plain(text) or "").partition("=")
    if not key or not sign:
        raise Invalid("a property is looked for as KEY=VALUE", where="query.property", hint="village=Kisumu")
    return {"key": key, "value": value}


def _moment(moment: datetime | None) -> datetime | None:
    """Raises Invalid for one that no calendar has in UTC."""
    if moment is not None and not 1 < moment.year < 9999:
        raise Invalid("a year that is not of this age", where="query.modified_since")
    return moment
