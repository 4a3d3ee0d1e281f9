"""Groups of people. They nest: who is in a group is in every group above it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from clarion.api.auth import needs
from clarion.api.contact_shapes import ContactAnswer
from clarion.api.edge import Edge
from clarion.api.model import Answer, Body, unstorable
from clarion.api.pages import Ask, Page, asked
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.contact import LONGEST_EXTERNAL_ID
from clarion.domain.person import LONGEST_GROUP
from clarion.domain.scope import Scope
from clarion.errors import Invalid
from clarion.kit.db import Connection
from clarion.store import contact as contacts
from clarion.store import group as groups

router = new_router("groups", "Groups of people; they may be nested.")

Reader = Annotated[Edge, needs(Scope.CONTACTS_READ)]
Writer = Annotated[Edge, needs(Scope.CONTACTS_WRITE)]
Deep = Annotated[bool, Query(description="also those of the groups below it")]

ExternalId = Annotated[str | None, Query(min_length=1, max_length=200, description="the one of this id")]

_EXAMPLE: JsonDict = {
    "name": "Night nurses",
    "parent_id": "0190c2d4-7e00-7000-8000-000000000001",
    "external_id": "W-3-night",
}
_PERSON = "0190c2d4-7e00-7000-8000-000000000003"
MOST_MEMBERS = 10_000


class GroupBody(Body):
    """A group to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str = Field(min_length=1, max_length=LONGEST_GROUP, description="unlike any other, but for case")
    parent_id: UUID | None = Field(default=None, description="the group it lies in; null at the top")
    external_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=LONGEST_EXTERNAL_ID,
        description="unlike any other group's; a case whose `owner` it is belongs to the group, unless a "
        "contact has it too",
    )


class GroupChange(Body):
    """What shall be different; what is absent stays. `parent_id` null puts it at the top, `external_id` null
    takes its external id away."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Nurses"}, {"parent_id": None}]})

    name: str | None = Field(default=None, min_length=1, max_length=LONGEST_GROUP)
    parent_id: UUID | None = None
    external_id: str | None = Field(default=None, min_length=1, max_length=LONGEST_EXTERNAL_ID)


class MembersBody(Body):
    """Contacts to be put in and taken out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"add": [_PERSON], "remove": []}]})

    add: list[UUID] = Field(default=[], max_length=MOST_MEMBERS)
    remove: list[UUID] = Field(default=[], max_length=MOST_MEMBERS, description="goes before `add`")


class Group(Answer):
    """A group."""

    id: UUID
    name: str
    external_id: str | None = Field(description="what cases name as their owner")
    parent_id: UUID | None
    members: int = Field(description="its own, without those of the groups below it")
    created_at: datetime


class MembersAnswer(Answer):
    """What a change of members came to."""

    added: int = Field(description="who was not in it before")
    removed: int = Field(description="who was in it before")
    unknown: list[UUID] = Field(description="of `add`: no contacts here, or erased; left out")


@router.post("", status_code=201, summary="Make a group", responses=responses(404, 409))
async def create(body: GroupBody, edge: Writer) -> Group:
    async with edge.transaction() as connection:
        made = await groups.create(
            connection, body.name, edge.now(), body.parent_id, external_id=body.external_id
        )
        return await _shown(connection, made)


@router.get("", summary="List groups")
async def listed(edge: Reader, ask: Annotated[Ask, asked()], external_id: ExternalId = None) -> Page[Group]:
    if external_id is not None and unstorable(external_id):
        raise Invalid("holds a character that cannot be stored", where="query.external_id")
    async with edge.transaction() as connection:
        found = await groups.page(connection, ask.after, ask.fetch, external_id=external_id)
        return ask.page(Group, found)


@router.get("/{group_id}", summary="Show a group", responses=responses(404))
async def show(group_id: UUID, edge: Reader) -> Group:
    async with edge.transaction() as connection:
        return await _shown(connection, group_id)


@router.patch("/{group_id}", summary="Change a group", responses=responses(404, 409))
async def change(group_id: UUID, body: GroupChange, edge: Writer) -> Group:
    """A group cannot come to lie below itself."""
    async with edge.transaction() as connection:
        if body.name is not None:
            await groups.rename(connection, group_id, body.name)
        if "parent_id" in body.model_fields_set:
            await groups.move(connection, group_id, body.parent_id)
        if "external_id" in body.model_fields_set:
            await groups.know_as(connection, group_id, body.external_id)
        return await _shown(connection, group_id)


@router.delete("/{group_id}", status_code=204, summary="Take a group away", responses=responses(404))
async def remove(group_id: UUID, edge: Writer) -> None:
    """Its people stay contacts; the groups below it move up."""
    async with edge.transaction() as connection:
        await groups.remove(connection, group_id)


@router.get("/{group_id}/members", summary="Who is in it", responses=responses(404))
async def members(
    group_id: UUID, edge: Reader, ask: Annotated[Ask, asked()], deep: Deep = True
) -> Page[ContactAnswer]:
    async with edge.transaction() as connection:
        found = await groups.members(connection, group_id, ask.after, ask.fetch, deep=deep)
        return ask.page(ContactAnswer, await contacts.several(connection, found))


@router.post("/{group_id}/members", summary="Add and remove members", responses=responses(404))
async def change_members(group_id: UUID, body: MembersBody, edge: Writer) -> MembersAnswer:
    """Up to 10,000 each. Who is in it already stays; who was merged is taken for who they are now."""
    async with edge.transaction() as connection:
        removed = await groups.remove_members(connection, group_id, body.remove)
        added = await groups.add_members(connection, group_id, body.add)
        unknown = await contacts.missing(connection, body.add)
        return MembersAnswer(added=added, removed=removed, unknown=unknown)


async def _shown(connection: Connection, group_id: UUID) -> Group:
    return Group.model_validate(await groups.get(connection, group_id))
