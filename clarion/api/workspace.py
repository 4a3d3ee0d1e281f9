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
from clarion.domain.scope import Scope
from clarion.flow import configure
from clarion.store import workspace as workspaces

router = new_router("workspace", "The tenant that the key belongs to.")


class Workspace(Answer):
    """A tenant. `country` says how national numbers are read, `timezone` when local times are."""

    id: UUID
    name: str = Field(examples=["Selam Clinic"])
    country: str = Field(examples=["KE"])
    language: str = Field(examples=["en"])
    timezone: str = Field(examples=["Africa/Nairobi"])
    operator_address: str | None = Field(examples=["mailto:it@selam.example"])
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


@router.get("", summary="Show the workspace")
async def show(edge: Annotated[Edge, needs()]) -> Workspace:
    async with edge.transaction() as connection:
        return Workspace.model_validate(await workspaces.get(connection))


@router.patch("", summary="Change the workspace")
async def change(body: WorkspaceChange, edge: Annotated[Edge, needs(Scope.ADMIN)]) -> Workspace:
    async with edge.transaction() as connection:
        await configure.change_workspace(connection, **body.model_dump())
        return Workspace.model_validate(await workspaces.get(connection))
