"""Types of cases, and the properties that they declare."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer, Body
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.case import CaseProperty, Kind, declared, type_name
from clarion.domain.scope import Scope
from clarion.kit.db import Connection
from clarion.store import case_type as types

router = new_router("case-types", "Types of cases, and what is declared of their properties.")

Reader = Annotated[Edge, needs(Scope.CASES_READ)]
Writer = Annotated[Edge, needs(Scope.CASES_WRITE)]


class PropertyBody(Body):
    """One property that cases of a type have."""

    key: str = Field(min_length=1, max_length=200, examples=["edd"])
    kind: str = Field(default="text", max_length=50, description=f"one of {', '.join(Kind)}")
    scheme: str | None = Field(default=None, max_length=50, description="of an address; absent: tel")
    label: str = Field(default="", max_length=200)


def properties(given: Sequence[PropertyBody]) -> list[CaseProperty]:
    """As the domain declares them. Raises Invalid."""
    return declared((one.key, one.kind, one.scheme, one.label) for one in given)


class CaseTypeBody(Body):
    """A type of cases to be made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "pregnancy", "properties": [{"key": "edd", "kind": "date"}]}]
        }
    )

    name: str = Field(min_length=1, max_length=200, description="letters, digits, _, - and .")
    label: str = Field(default="", max_length=200)
    declared_only: bool = Field(default=False, description="cases with other properties are refused")
    properties: list[PropertyBody] = Field(default=[], max_length=1_000)


class CaseTypeChange(Body):
    """What shall be different; what is absent stays. What cases have stays with them."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"add": [{"key": "phone", "kind": "address"}], "remove": ["old"]}]}
    )

    label: str | None = Field(default=None, max_length=200)
    declared_only: bool | None = None
    add: list[PropertyBody] = Field(
        default=[], max_length=1_000, description="one that is there is of this kind from now on"
    )
    remove: list[str] = Field(default=[], max_length=1_000, description="goes before `add`")


class PropertyAnswer(Answer):
    """A declared property."""

    key: str
    kind: Kind
    scheme: str | None
    label: str


class CaseTypeAnswer(Answer):
    """A type of cases."""

    id: UUID
    name: str
    label: str
    declared_only: bool
    properties: list[PropertyAnswer]
    open: int = Field(description="how many cases of it are open")
    closed: int
    created_at: datetime
    modified_at: datetime


class CaseTypesAnswer(Answer):
    """All types, by name."""

    items: list[CaseTypeAnswer]


@router.post("", status_code=201, summary="Make a type", responses=responses(409))
async def create(body: CaseTypeBody, edge: Writer) -> CaseTypeAnswer:
    """What is wrong with its properties is told all at once."""
    name, declaring = type_name(body.name), properties(body.properties)
    async with edge.transaction() as connection:
        await types.create(
            connection, name, edge.now(), label=body.label, declared_only=body.declared_only,
            properties=declaring,
        )  # fmt: skip
        return await _shown(connection, name)


@router.get("", summary="List types")
async def listed(edge: Reader) -> CaseTypesAnswer:
    async with edge.transaction() as connection:
        return CaseTypesAnswer.model_validate({"items": await types.shown(connection)})


@router.get("/{name}", summary="Show a type", responses=responses(404))
async def show(name: str, edge: Reader) -> CaseTypeAnswer:
    async with edge.transaction() as connection:
        return await _shown(connection, name)


@router.patch("/{name}", summary="Edit a type", responses=responses(404))
async def change(name: str, body: CaseTypeChange, edge: Writer) -> CaseTypeAnswer:
    """Cases are read by it from their next word on; what they have stays with them."""
    declaring = properties(body.add)
    async with edge.transaction() as connection:
        found = await types.named(connection, name)
        await types.change(
            connection, found.id, edge.now(), label=body.label, declared_only=body.declared_only,
            add=declaring, remove=body.remove,
        )  # fmt: skip
        return await _shown(connection, name)


async def _shown(connection: Connection, name: str) -> CaseTypeAnswer:
    found = await types.named(connection, name)
    (one,) = await types.shown(connection, [found.name])
    return CaseTypeAnswer.model_validate(one)
