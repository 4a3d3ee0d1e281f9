"""Pools: channels that stand for one another, so that each person hears from one of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer, Body
from clarion.api.pages import Ask, Page, asked
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.pool import LONGEST_NAME, MOST, PoolMember
from clarion.domain.scope import Scope
from clarion.flow import pooling
from clarion.store import pool as pools

router = new_router("pools", "Channels that stand for one another; each person hears from one of them.")

Reader = Annotated[Edge, needs(Scope.CHANNELS_WRITE, Scope.ANNOUNCEMENTS_READ, Scope.ANNOUNCEMENTS_WRITE)]
Writer = Annotated[Edge, needs(Scope.CHANNELS_WRITE)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Members = Annotated[list[PoolMember], Field(min_length=1, max_length=MOST)]
SKIP = "whether who would hear from a paused channel goes to another; else they wait for it"
_EXAMPLE: JsonDict = {
    "name": "East Africa",
    "channels": [
        {"channel_id": "0190c2d4-7e00-7000-8000-000000000002", "prefixes": ["+254"], "weight": 2},
        {"channel_id": "0190c2d4-7e00-7000-8000-000000000003"},
    ],
}


class PoolBody(Body):
    """A pool to be made; the first channel leads."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    channels: Members
    skip_paused: bool = Field(default=False, description=SKIP)


class PoolChange(Body):
    """What shall be different; what is absent stays. It holds for whoever is written down from now on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"skip_paused": True}]})

    name: Name | None = None
    channels: Members | None = Field(default=None, description="all of them")
    skip_paused: bool | None = Field(default=None, description=SKIP)


class MemberAnswer(Answer):
    """A channel of a pool."""

    channel_id: UUID
    name: str = Field(description="the channel's")
    provider: str
    state: Literal["active", "paused"]
    prefixes: list[str] = Field(description="of the numbers that it takes; none: any address")
    weight: int


class Pool(Answer):
    """A pool, with its channels as they are now."""

    id: UUID
    name: str
    channels: list[MemberAnswer]
    skip_paused: bool
    created_at: datetime
    modified_at: datetime


@router.post("", status_code=201, summary="Make a pool", responses=responses(409))
async def create(body: PoolBody, edge: Writer) -> Pool:
    """Everything that keeps its channels from standing for one another is told at once."""
    async with edge.transaction() as connection:
        pool_id = await pooling.create(
            connection, edge.services, name=body.name, members=body.channels, skip_paused=body.skip_paused
        )
        return Pool.model_validate(await pools.get(connection, pool_id))


@router.get("", summary="List pools")
async def listed(edge: Reader, ask: Annotated[Ask, asked()]) -> Page[Pool]:
    async with edge.transaction() as connection:
        return ask.page(Pool, await pools.page(connection, ask.after, ask.fetch))


@router.get("/{pool_id}", summary="Show a pool", responses=responses(404))
async def show(pool_id: UUID, edge: Reader) -> Pool:
    async with edge.transaction() as connection:
        return Pool.model_validate(await pools.get(connection, pool_id))


@router.patch("/{pool_id}", summary="Change a pool", responses=responses(404, 409))
async def change(pool_id: UUID, body: PoolChange, edge: Writer) -> Pool:
    """What waits already stays where it is."""
    async with edge.transaction() as connection:
        await pooling.change(
            connection, edge.services, pool_id, name=body.name, members=body.channels,
            skip_paused=body.skip_paused,
        )  # fmt: skip
        return Pool.model_validate(await pools.get(connection, pool_id))


@router.delete("/{pool_id}", status_code=204, summary="Remove a pool", responses=responses(404, 409))
async def remove(pool_id: UUID, edge: Writer) -> None:
    """Not while an announcement goes over it that has not ended."""
    async with edge.transaction() as connection:
        await pooling.remove(connection, pool_id)
