"""Members of the workspace."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer, Body
from clarion.api.pages import Ask, Page, asked
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.scope import Scope
from clarion.kit.ids import uuid7
from clarion.store import member as members

router = new_router("members", "The people who run the workspace.")

Role = Literal["owner", "editor", "viewer"]


class MemberBody(Body):
    """A member to be added."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Amina", "email": "amina@selam.example", "role": "editor"}]}
    )

    name: str = Field(min_length=1, max_length=200)
    email: str = Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    role: Role


class MemberChange(Body):
    """What shall be different; what is absent stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "owner"}]})

    name: str | None = Field(default=None, min_length=1, max_length=200)
    role: Role | None = None


class Member(Answer):
    """A person who runs the workspace."""

    id: UUID
    name: str
    email: str
    role: Role
    created_at: datetime


@router.post("", status_code=201, summary="Add a member", responses=responses(409))
async def create(body: MemberBody, edge: Annotated[Edge, needs(Scope.ADMIN)]) -> Member:
    member_id = uuid7(edge.now())
    async with edge.transaction() as connection:
        await members.create(connection, member_id, edge.workspace_id, now=edge.now(), **body.model_dump())
        return Member.model_validate(await members.get(connection, member_id))


@router.get("", summary="List members")
async def listed(edge: Annotated[Edge, needs(Scope.ADMIN)], ask: Annotated[Ask, asked()]) -> Page[Member]:
    async with edge.transaction() as connection:
        return ask.page(Member, await members.page(connection, ask.after, ask.fetch))


@router.get("/{member_id}", summary="Show a member", responses=responses(404))
async def show(member_id: UUID, edge: Annotated[Edge, needs(Scope.ADMIN)]) -> Member:
    async with edge.transaction() as connection:
        return Member.model_validate(await members.get(connection, member_id))


@router.patch("/{member_id}", summary="Change a member", responses=responses(404))
async def change(member_id: UUID, body: MemberChange, edge: Annotated[Edge, needs(Scope.ADMIN)]) -> Member:
    async with edge.transaction() as connection:
        await members.change(connection, member_id, name=body.name, role=body.role)
        return Member.model_validate(await members.get(connection, member_id))


@router.delete("/{member_id}", status_code=204, summary="Remove a member", responses=responses(404))
async def remove(member_id: UUID, edge: Annotated[Edge, needs(Scope.ADMIN)]) -> None:
    async with edge.transaction() as connection:
        await members.remove(connection, member_id)
