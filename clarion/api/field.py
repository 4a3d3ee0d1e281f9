"""Fields: what a workspace keeps of its people beside name and address, and of which type."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer, Body
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain import field as domain
from clarion.domain.field import FieldType, field_key
from clarion.domain.refusal import Refusal
from clarion.domain.scope import Scope
from clarion.store import field as fields

router = new_router("fields", "Typed fields of people: for filters and for what is said to them.")

Reader = Annotated[Edge, needs(Scope.CONTACTS_READ, Scope.ANNOUNCEMENTS_READ)]
Writer = Annotated[Edge, needs(Scope.CONTACTS_WRITE)]


class FieldBody(Body):
    """A field to be declared."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Start Date", "type": "date"}]})

    name: str = Field(min_length=1, max_length=100, description="its key is made of it: start_date")
    type: FieldType


class FieldAnswer(Answer):
    """A declared field."""

    key: str = Field(examples=["start_date"], description="in `fields`, filters and templates")
    name: str
    type: FieldType


class FieldsAnswer(Answer):
    """All of them, by key."""

    items: list[FieldAnswer]


@router.post("", status_code=201, summary="Declare a field", responses=responses(409))
async def declare(body: FieldBody, edge: Writer) -> FieldAnswer:
    """One that is there already, of the same type, stays as it is."""
    key = field_key(body.name)
    if isinstance(key, Refusal):
        raise key.error("body.name")
    async with edge.transaction() as connection:
        await fields.declare(connection, domain.Field(key=key, name=body.name, type=body.type))
        return FieldAnswer.model_validate((await fields.declared(connection))[key])


@router.get("", summary="List fields")
async def listed(edge: Reader) -> FieldsAnswer:
    async with edge.transaction() as connection:
        declared = await fields.declared(connection)
        return FieldsAnswer(items=[FieldAnswer.model_validate(one) for one in declared.values()])
