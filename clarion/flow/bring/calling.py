"""A client of RapidPro's, made of a channel: its address and its token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from clarion.connectors.rapidpro.client import LARGEST_PAGE, Client
from clarion.connectors.rapidpro.people import SOURCE
from clarion.errors import Invalid
from clarion.flow.dispatch import account
from clarion.flow.dispatch.account import Channel
from clarion.flow.services import Services
from clarion.kit.http import Http


@asynccontextmanager
async def opened(
    services: Services, workspace_id: UUID, channel_id: UUID, waiting: Callable[[float], None],
    client: Client | None = None,
) -> AsyncIterator[tuple[Channel, Client]]:  # fmt: skip
    """The channel, and a client of its workspace there unless one is given. `waiting` is told of every wait,
    in seconds. Raises NotFound, Invalid (no channel of RapidPro, or not whole)."""
    channel = await account.load(services, workspace_id, channel_id)
    if channel.provider.name != SOURCE:
        raise Invalid(
            f"the channel {channel.name} is of {channel.provider.name}",
            where="channel",
            hint="Name one whose provider is rapidpro.",
        )
    private = services.settings.allow_private_addresses
    async with Http(connections=2, allow_private=private, largest=LARGEST_PAGE) as http:
        yield channel, client or _client(services, channel, http, waiting)


def _client(services: Services, channel: Channel, http: Http, waiting: Callable[[float], None]) -> Client:
    token = channel.account.credentials.get("token")
    if not channel.account.base_url or not token:
        raise Invalid(
            "a RapidPro channel needs base_url and credentials.token",
            where="channel",
            hint="`clarion channel set NAME --set base_url=https://… --credential token=@FILE` writes them.",
        )
    return Client(http, services.clock, channel.account.base_url, token, waiting=waiting)
