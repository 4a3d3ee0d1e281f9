"""The ear: what providers tell, made durable, and that is all. Whoever tells is known to be the provider.

Calls to our hook come here through the door, which has checked them; what a provider tells over a connection
that we opened to it comes straight from the desk that holds the connection.
"""

from __future__ import annotations

from uuid import UUID

from clarion.flow.receive.batcher import Batcher
from clarion.flow.services import Services
from clarion.kit.ids import uuid7
from clarion.providers.contract import Call
from clarion.store.inbox import Body


class Ear:
    """One a process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._batcher = Batcher(services.db)

    async def hear(self, workspace_id: UUID, channel_id: UUID, call: Call) -> None:
        """Store a call; it is durable when this returns. Raises Unavailable: nothing was stored."""
        now = self._services.clock.now()
        query, kind = call.url.partition("?")[2], call.headers.get("content-type", "")
        body = Body(uuid7(now), channel_id, now, call.body, call.method, _fit(query), _fit(kind))
        await self._batcher.put(workspace_id, body)
        self._services.nudge("inbox")


def _fit(text: str) -> str:
    """Without the NUL character, which PostgreSQL's text cannot hold: one odd call must not stop a batch."""
    return text.replace("\x00", "") if "\x00" in text else text
