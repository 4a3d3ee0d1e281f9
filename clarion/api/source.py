"""Sources: other systems that cases come from, pulled from CommCare or posted by whatever system."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.api.source_shapes import (
    NewSource,
    PullBody,
    Source,
    SourceBody,
    SourceChange,
    Sources,
    TryAnswer,
    TryBody,
    foreseen,
    shown,
)
from clarion.domain.scope import Scope
from clarion.domain.source import NAME, Mapped, mapping_of
from clarion.flow import source as flow
from clarion.flow.inbound import foresee_of
from clarion.kit.db import Row
from clarion.store import source as sources

router = new_router("sources", "Other systems that cases come from: CommCare, or whoever posts them.")

Reader = Annotated[Edge, needs(Scope.CASES_READ)]
Writer = Annotated[Edge, needs(Scope.CASES_WRITE)]
Holder = Annotated[Edge, needs(Scope.ADMIN)]
Name = Annotated[str, Path(pattern=f"^{NAME}$", description="its name", examples=["hmis"])]


@router.post("", status_code=201, summary="Make a source", responses=responses(409))
async def create(body: SourceBody, edge: Holder) -> NewSource:
    """The secret of one that posts is made where none is given, and shown this once."""
    async with edge.transaction() as connection:
        made = await flow.create(
            connection, edge.services, edge.workspace_id, name=body.name, kind=body.kind,
            settings=body.settings, secret=body.secret,
        )  # fmt: skip
        return _new(await sources.named(connection, body.name), edge, made)


@router.get("", summary="List sources")
async def listed(edge: Reader) -> Sources:
    async with edge.transaction() as connection:
        return Sources(items=[_shown(row, edge) for row in await sources.several(connection)])


@router.post("/try", summary="What a body would become by a mapping")
async def try_mapping(body: TryBody, edge: Reader) -> TryAnswer:
    """Nothing is kept; the mapping need not be in any source yet."""
    async with edge.transaction() as connection:
        return foreseen(await foresee_of(connection, edge.services, None, _mapping(body), body.body))


@router.get("/{name}", summary="Show a source", responses=responses(404))
async def show(name: Name, edge: Reader) -> Source:
    """Of one that is pulled also how far that is."""
    async with edge.transaction() as connection:
        return _shown(await sources.named(connection, name), edge)


@router.patch("/{name}", summary="Change a source", responses=responses(404, 409))
async def change(name: Name, body: SourceChange, edge: Holder) -> Source:
    """Where CommCare is asked for something else, the next pull reads everything."""
    async with edge.transaction() as connection:
        changed = await flow.change(
            connection, edge.services, edge.workspace_id, name, new_name=body.name, settings=body.settings,
            secret=body.secret,
        )  # fmt: skip
        return _shown(changed, edge)


@router.delete("/{name}", status_code=204, summary="Take a source away", responses=responses(404, 409))
async def remove(name: Name, edge: Holder) -> None:
    """The cases that came from it stay."""
    async with edge.transaction() as connection:
        await flow.remove(connection, name)


@router.post("/{name}/rotate", summary="Make a new secret", responses=responses(404))
async def rotate(name: Name, edge: Holder) -> NewSource:
    """Of one that posts. The one before is worth nothing from now on."""
    async with edge.transaction() as connection:
        made = await flow.rotate(connection, edge.services, edge.workspace_id, name)
        return _new(await sources.named(connection, name), edge, made)


@router.post("/{name}/pull", status_code=202, summary="Pull its cases", responses=responses(404))
async def pull(name: Name, edge: Writer, body: PullBody | None = None) -> Source:
    """A worker does it: what changed since the last time, from where the last pull stands. One that is under
    way goes on; look at the source to see how far it is."""
    anew = (body or PullBody()).anew
    async with edge.transaction() as connection:
        asked = await flow.ask_to_pull(connection, edge.services, edge.workspace_id, name, anew=anew)
        return _shown(asked, edge)


@router.post("/{name}/stop", summary="Stop the pull", responses=responses(404))
async def stop(name: Name, edge: Writer) -> Source:
    """Before its next page; what was stored stays, and the next pull goes on from there."""
    async with edge.transaction() as connection:
        return _shown(await flow.stop_pulling(connection, edge.services, name), edge)


@router.post("/{name}/try", summary="What a body would become", responses=responses(404))
async def try_source(name: Name, body: TryBody, edge: Reader) -> TryAnswer:
    """By the source's mapping, or by another in its place. Nothing is kept."""
    async with edge.transaction() as connection:
        return foreseen(await foresee_of(connection, edge.services, name, _mapping(body), body.body))


def _mapping(body: TryBody) -> Mapped | None:
    return None if body.mapping is None else mapping_of(body.mapping)


def _shown(row: Row, edge: Edge) -> Source:
    return Source.model_validate(shown(row, edge.workspace_id))


def _new(row: Row, edge: Edge, secret: str | None) -> NewSource:
    return NewSource.model_validate({**shown(row, edge.workspace_id), "secret": secret})
