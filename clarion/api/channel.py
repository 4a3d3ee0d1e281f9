"""Channels: configured accounts at providers. Credentials go in and never come out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import ConfigDict, Field, JsonValue
from pydantic.config import JsonDict

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer, Body
from clarion.api.pages import Ask, Page, asked
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.scope import Scope
from clarion.flow import catalogue, configure
from clarion.store import channel as channels

router = new_router("channels", "Accounts at providers: where they are, how fast, paused or not.")

Reader = Annotated[Edge, needs(Scope.CHANNELS_WRITE, Scope.ANNOUNCEMENTS_READ, Scope.ANNOUNCEMENTS_WRITE)]
Writer = Annotated[Edge, needs(Scope.CHANNELS_WRITE)]
Config = dict[str, JsonValue]
Credentials = dict[str, JsonValue]

_EXAMPLE: JsonDict = {
    "name": "staff WhatsApp",
    "provider": "whatsapp",
    "config": {"sender": "106540352242922", "total_timeout": 30, "attempts": 5},
    "credentials": {"token": "EAAG…", "app_secret": "…"},
    "rate": 80,
}


class ChannelBody(Body):
    """A channel to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str = Field(min_length=1, max_length=100)
    provider: str = Field(min_length=1, max_length=50, pattern="^[a-z][a-z0-9_]*$")
    config: Config = Field(default_factory=dict, description="see docs: address, sender, time-outs, tries")
    credentials: Credentials | None = Field(default=None, description="stored sealed, never shown again")
    rate: float | None = Field(
        default=None, gt=0, le=100_000, description="messages a second; absent: what the provider allows"
    )
    account_id: UUID | None = Field(
        default=None,
        description="the channel that leads the account to which this one belongs too: they share one owner "
        "and the limits that it names in config.account; for good",
    )


class ChannelChange(Body):
    """What shall be different; what is absent stays. In `config`, null goes back to the default."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rate": 20, "config": {"attempts": 3}}]})

    name: str | None = Field(default=None, min_length=1, max_length=100)
    config: Config | None = None
    rate: float | None = Field(default=None, gt=0, le=100_000)


class CredentialsBody(Body):
    """Other credentials, whole; null takes them away."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"credentials": {"token": "EAAG…"}}]})

    credentials: Credentials | None


class PauseBody(Body):
    """Why, for whoever reads it later."""

    reason: str = Field(default="", max_length=200, examples=["number is being moved"])


class SightAnswer(Answer):
    """What the channel's owner sees of it, a few times a lease."""

    health: Literal["up", "degraded", "down"]
    why: str = Field(description="of degraded and down")
    since: datetime | None
    waits_for: Literal["rate", "capacity", "daily"] | None = Field(
        description="the limit that lets nobody go now"
    )
    aside: int = Field(description="how many wait for a limit of their own: pair or uniques")
    outstanding: int | None = Field(description="of the capacity, where there is one")
    capacity: int | None
    at: datetime = Field(description="when it told this; it does so every second or two while it lives")


class Channel(Answer):
    """A channel. Of its credentials, only whether there are any."""

    id: UUID
    name: str
    provider: str
    config: Config
    has_credentials: bool
    rate: float = Field(description="messages a second")
    state: Literal["active", "paused"]
    account_id: UUID | None = Field(description="the channel that leads its account, where another does")
    reason: str = Field(description="why it is paused")
    sight: SightAnswer | None = Field(description="null while nobody sends for it")
    created_at: datetime
    modified_at: datetime


class ShapeAnswer(Answer):
    """What a template takes."""

    parameters: int = Field(description="of its body")
    named: bool = Field(description="they have names in place of numbers: those cannot be filled")
    header: str = Field(description="what stands above: nothing (empty), text, image, video, document …")
    header_parameters: int
    buttons: list[str] = Field(description="by index, what each is filled with; empty for nothing")
    beyond: str = Field(description="parts that cannot be filled, such as a carousel")


class TemplateAnswer(Answer):
    """A template as the provider keeps it."""

    name: str
    language: str
    category: str = Field(examples=["UTILITY"])
    status: str = Field(examples=["APPROVED"])
    shape: ShapeAnswer


class CatalogueAnswer(Answer):
    """The templates of a channel, as they were at `read_at`."""

    channel_id: UUID
    told: bool = Field(description="whether the channel's options say whose templates it calls")
    read_at: datetime | None = Field(description="null where they were never read")
    problem: str = Field(description="why the last try brought none")
    templates: list[TemplateAnswer]


@router.post("", status_code=201, summary="Make a channel", responses=responses(404, 409))
async def create(body: ChannelBody, edge: Writer) -> Channel:
    async with edge.transaction() as connection:
        channel_id = await configure.create_channel(
            connection, edge.services, edge.workspace_id, **body.model_dump()
        )
        return Channel.model_validate(await channels.get(connection, channel_id))


@router.get("", summary="List channels")
async def listed(edge: Reader, ask: Annotated[Ask, asked()]) -> Page[Channel]:
    async with edge.transaction() as connection:
        return ask.page(Channel, await channels.page(connection, ask.after, ask.fetch))


@router.get("/{channel_id}", summary="Show a channel", responses=responses(404))
async def show(channel_id: UUID, edge: Reader) -> Channel:
    async with edge.transaction() as connection:
        return Channel.model_validate(await channels.get(connection, channel_id))


@router.get("/{channel_id}/templates", summary="List its templates", responses=responses(404))
async def templates(
    channel_id: UUID,
    edge: Reader,
    refresh: Annotated[bool, Query(description="ask the provider now")] = False,
) -> CatalogueAnswer:
    """Those that the provider keeps, where the channel's options name its `business_account_id`. The provider
    is asked where the last reading is older than an hour; where it cannot be reached, that reading is given
    with the `problem`."""
    found = await catalogue.read(edge.services, edge.workspace_id, channel_id, refresh=refresh)
    return CatalogueAnswer.model_validate(found)


@router.patch("/{channel_id}", summary="Configure a channel", responses=responses(404, 409))
async def change(channel_id: UUID, body: ChannelChange, edge: Writer) -> Channel:
    async with edge.transaction() as connection:
        await configure.change_channel(connection, edge.services, channel_id, **body.model_dump())
        return Channel.model_validate(await channels.get(connection, channel_id))


@router.put("/{channel_id}/credentials", status_code=204, summary="Set credentials", responses=responses(404))
async def credentials(channel_id: UUID, body: CredentialsBody, edge: Writer) -> None:
    async with edge.transaction() as connection:
        await configure.set_credentials(
            connection, edge.services, edge.workspace_id, channel_id, body.credentials
        )


@router.post("/{channel_id}/pause", summary="Pause a channel", responses=responses(404))
async def pause(channel_id: UUID, edge: Writer, body: PauseBody | None = None) -> Channel:
    """Nothing new is sent; calls under way end by themselves. Pausing again changes nothing."""
    async with edge.transaction() as connection:
        await configure.pause_channel(connection, channel_id, body.reason if body else "", edge.now())
        return Channel.model_validate(await channels.get(connection, channel_id))


@router.post("/{channel_id}/resume", summary="Resume a channel", responses=responses(404))
async def resume(channel_id: UUID, edge: Writer) -> Channel:
    """What waits is sent, unless it has expired meanwhile."""
    async with edge.transaction() as connection:
        await configure.resume_channel(connection, channel_id, edge.now())
        return Channel.model_validate(await channels.get(connection, channel_id))
