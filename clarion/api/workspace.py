"""The caller's own workspace. Others cannot be seen; a new one is made by `clarion workspace create`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer, Body
from clarion.api.routers import new_router
from clarion.domain.caps import Caps, caps_of
from clarion.domain.schedule.hours import Hours
from clarion.domain.scope import Scope
from clarion.flow import configure, pooling, route
from clarion.flow.caps import set_caps
from clarion.flow.home_hours import home_hours, hours_field, set_home_hours, set_hours_field
from clarion.kit.db import Connection
from clarion.store import workspace as workspaces

router = new_router("workspace", "The tenant that the key belongs to.")
DEFAULT = "over this go announcements that name neither; one of the two; null: none"


class Workspace(Answer):
    """A tenant. `country` says how national numbers are read, `timezone` when local times are."""

    id: UUID
    name: str = Field(examples=["Selam Clinic"])
    country: str = Field(examples=["KE"])
    language: str = Field(examples=["en"])
    timezone: str = Field(examples=["Africa/Nairobi"])
    operator_address: str | None = Field(examples=["mailto:it@selam.example"])
    default_channel_id: UUID | None = Field(description="what announcements go over that name nothing")
    default_pool_id: UUID | None = Field(description="the same, where it is a pool")
    hours: Hours | None = Field(description="at which campaigns may speak to people, by their own clocks")
    hours_field: str | None = Field(description="the contacts' field in which people have hours of their own")
    caps: Caps | None = Field(description="how much one person hears of all campaigns together")
    created_at: datetime


class WorkspaceChange(Body):
    """What shall be different; what is absent stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"timezone": "Africa/Nairobi"}]})

    name: str | None = Field(default=None, max_length=200)
    country: str | None = Field(default=None, max_length=100, description="ISO 3166 code or English name")
    language: str | None = Field(default=None, max_length=100, description="BCP 47")
    timezone: str | None = Field(default=None, max_length=100, description="IANA name")
    operator_address: str | None = Field(
        default=None,
        max_length=500,
        description="who is told when something needs a person: mailto: or https:; empty takes it away",
    )
    default_channel_id: UUID | None = Field(default=None, description=DEFAULT)
    default_pool_id: UUID | None = Field(default=None, description=DEFAULT)
    hours: Hours | None = Field(
        default=None, description="at which campaigns may speak to people, by their own clocks; null: at any"
    )
    hours_field: str | None = Field(
        default=None,
        max_length=63,
        description="in this field people have hours of their own; null: none has",
    )
    caps: Caps | None = Field(
        default=None,
        description="how much one person hears of all campaigns, from now on; null: as much as comes",
    )


@router.get("", summary="Show the workspace")
async def show(edge: Annotated[Edge, needs()]) -> Workspace:
    async with edge.transaction() as connection:
        return await _shown(connection)


@router.patch("", summary="Change the workspace")
async def change(body: WorkspaceChange, edge: Annotated[Edge, needs(Scope.ADMIN)]) -> Workspace:
    async with edge.transaction() as connection:
        given = body.model_dump(
            exclude={"default_channel_id", "default_pool_id", "hours", "hours_field", "caps"}
        )
        await configure.change_workspace(connection, **given)
        if body.model_fields_set & {"default_channel_id", "default_pool_id"}:
            await pooling.set_default(
                connection, channel_id=body.default_channel_id, pool_id=body.default_pool_id
            )
        if "hours" in body.model_fields_set:
            await set_home_hours(connection, edge.services, body.hours)
        if "hours_field" in body.model_fields_set:
            await set_hours_field(connection, edge.services, body.hours_field or "")
        if "caps" in body.model_fields_set:
            await set_caps(connection, body.caps)
        return await _shown(connection)


async def _shown(connection: Connection) -> Workspace:
    row = await workspaces.get(connection)
    channel_id, pool_id = route.named_default(row["settings"])
    own: dict[str, object] = {"default_channel_id": channel_id, "default_pool_id": pool_id}
    settings = row["settings"]
    own |= {"hours": home_hours(settings), "hours_field": hours_field(settings) or None}
    return Workspace.model_validate({**row, **own, "caps": caps_of(settings)})
