"""The door for providers' calls: who calls is checked, what they say is made durable, and that is all.

Channels and their credentials are known for a few seconds, so that the hot path asks the database
nothing: one call costs a signature and its part of a shared commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from clarion.errors import Forbidden, Misconfigured, NotFound, Unauthorized, Unavailable
from clarion.flow.dispatch import account
from clarion.flow.dispatch.account import Channel
from clarion.flow.receive.batcher import Batcher
from clarion.flow.services import Services
from clarion.kit.db import AWAY
from clarion.kit.ids import uuid7
from clarion.kit.log import logger
from clarion.store import inbox
from clarion.store.inbox import Body

KNOWN_FOR = 5.0  # seconds until a change of a channel (other credentials, say) is seen here
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
        self._batcher = Batcher(services.db)
        self._known: dict[UUID, _Known] = {}

    async def take(self, channel_id: UUID, headers: Mapping[str, str], body: bytes) -> None:
        """Check that the provider itself calls, and store the body; it is durable when this returns.

        `headers` are looked up by lower-case names. Raises NotFound, Unauthorized (the signature is not
        the provider's) and Unavailable (nothing was stored, it may call again).
        """
        channel = await self._channel(channel_id)
        if not channel.provider.verified(channel.account, headers, body):
            log.warning("a call to a hook was not signed by its provider", channel=str(channel_id))
            raise Unauthorized(
                "this call is not signed by the channel's provider",
                hint="The channel's credentials must hold the provider's signing secret.",
            )
        now = self._services.clock.now()
        await self._batcher.put(channel.workspace_id, Body(uuid7(now), channel_id, now, body))
        self._services.nudge("inbox")

    async def challenge(self, channel_id: UUID, query: Mapping[str, str]) -> str:
        """The answer to the question by which a provider verifies the address. Raises NotFound, Forbidden."""
        channel = await self._channel(channel_id)
        answer = channel.provider.challenge(channel.account, query)
        if answer is None:
            raise Forbidden(
                "this is not the provider's question, or its token is not this channel's",
                hint="The channel's credentials must hold the verify token that was given to the provider.",
            )
        return answer

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
