"""The door for providers' calls: who calls is checked, what they say is made durable, and that is all.

Channels and their credentials are known for a few seconds, so that the hot path asks the database
nothing: one call costs a signature and its part of a shared commit.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from uuid import UUID

from clarion.errors import Forbidden, Misconfigured, NotFound, Unauthorized, Unavailable
from clarion.flow.dispatch import account
from clarion.flow.dispatch.account import Channel
from clarion.flow.receive.ear import Ear
from clarion.flow.services import Services
from clarion.kit.db import AWAY
from clarion.kit.log import logger
from clarion.providers.abilities import Facing
from clarion.providers.contract import Call
from clarion.store import inbox

KNOWN_FOR = 5.0  # seconds until a change of a channel (other credentials, say) is seen here
HTML = "text/html; charset=utf-8"
_MOST_KNOWN = 10_000
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    channel: asyncio.Task[Channel]
    until: float


class Door:
    """One a process. Calls for a channel that does not exist and for another's channel end the same."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._ear = Ear(services)
        self._known: dict[UUID, _Known] = {}

    async def take(self, channel_id: UUID, call: Call) -> tuple[str, str]:
        """Check that the provider itself calls, and store the call; it is durable when this returns.

        The address of `call` is as it was requested; the provider knows us by our public one. Gives what
        to answer, its type first: the challenge, where a GET asks for it, or the page that a person asks for
        (neither is stored), else what who called wants to read, mostly nothing. Raises NotFound,
        Unauthorized (the call is not the provider's; Forbidden for a GET) and Unavailable (nothing was
        stored, it may call again).
        """
        channel = await self._channel(channel_id)
        _, _, query = call.url.partition("?")
        if channel.account.hook:
            call = replace(call, url=f"{channel.account.hook}?{query}" if query else channel.account.hook)
        if call.method == "GET":
            answer = channel.provider.challenge(channel.account, call)
            if answer is not None:
                return "text/plain; charset=utf-8", answer
        page = None
        if isinstance(channel.provider, Facing):
            page = channel.provider.page(channel.account, call)
            if page is not None and call.method == "GET":
                return HTML, page
        if not channel.provider.verified(channel.account, call):
            log.warning("a call to a hook was not its provider's", channel=str(channel_id))
            raise _refusal(call.method)
        await self._ear.hear(channel.workspace_id, channel_id, call)
        return channel.provider.thanks if page is None else (HTML, page)

    async def _channel(self, channel_id: UUID) -> Channel:
        ticks = self._services.clock.monotonic()
        known = self._known.get(channel_id)
        if known is None or known.until < ticks:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            # those who ask meanwhile wait for the same answer
            known = _Known(asyncio.create_task(self._load(channel_id)), ticks + KNOWN_FOR)
            self._known[channel_id] = known
        try:
            return await asyncio.shield(known.channel)
        except Exception:
            if self._known.get(channel_id) is known:
                del self._known[channel_id]
            raise

    async def _load(self, channel_id: UUID) -> Channel:
        try:
            async with self._services.db.system() as connection:
                workspace_id = await inbox.workspace_of(connection, channel_id)
            if workspace_id is None:
                raise NotFound("there is no such channel")
            return await account.load(self._services, workspace_id, channel_id)
        except AWAY as error:
            raise Unavailable("the database is away", extra={"retry_after": 5}) from error
        except Misconfigured as error:
            log.error("a channel's credentials cannot be opened", channel=str(channel_id), why=error.what)
            raise


def _refusal(method: str) -> Exception:
    """One that calls by GET either asks its question or reports; which, cannot be told."""
    if method == "GET":
        return Forbidden(
            "this is not the provider's question or report, or its token is not this channel's",
            hint="The channel's credentials must hold the token or secret that was given to the provider.",
        )
    return Unauthorized(
        "this call is not signed by the channel's provider",
        hint="The channel's credentials must hold the provider's signing secret.",
    )
