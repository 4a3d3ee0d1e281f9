"""What providers tell, put into the inbox as the door does, and read as a worker does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from clarion.flow.receive import Drained, Receiver
from clarion.flow.services import Services
from clarion.kit.db import rows
from clarion.kit.ids import uuid7
from clarion.store import inbox
from clarion.store.inbox import Body
from tests.store.sent import Sent


def webhook(**value: Any) -> bytes:
    """A WhatsApp webhook with `statuses` or `messages`."""
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", **value}}
    entry = {"id": "1", "changes": [change]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def status(reference: str | None, word: str, at: datetime, code: int | None = None) -> dict[str, Any]:
    """A status of the message with this reference."""
    told: dict[str, Any] = {"id": "wamid.1", "status": word, "timestamp": str(int(at.timestamp()))}
    if reference is not None:
        told["biz_opaque_callback_data"] = reference
    return told | ({"errors": [{"code": code, "title": "No"}]} if code is not None else {})


def message(number: str, text: str, at: datetime, identifier: str) -> dict[str, Any]:
    """Something that a person wrote."""
    return {
        "from": number.removeprefix("+"), "id": identifier, "timestamp": str(int(at.timestamp())),
        "type": "text", "text": {"body": text},
    }  # fmt: skip


@dataclass
class Receiving:
    """A workspace's channel, of which messages were sent, and a worker that reads its inbox."""

    services: Services
    workspace_id: UUID
    sent: Sent
    receiver: Receiver = field(init=False)

    def __post_init__(self) -> None:
        self.receiver = Receiver(self.services)

    @property
    def channel_id(self) -> UUID:
        return self.sent.channel_id

    def ago(self, seconds: float) -> datetime:
        return self.services.clock.now() - timedelta(seconds=seconds)

    async def store(self, *bodies: bytes) -> None:
        """The provider calls, once for each body."""
        now = self.services.clock.now()
        async with self.services.db.tenant(self.workspace_id) as connection:
            await inbox.put(connection, [Body(uuid7(now), self.channel_id, now, body) for body in bodies])

    async def tell(self, *bodies: bytes) -> Drained:
        """The provider calls, and a worker reads it."""
        await self.store(*bodies)
        return await self.receiver.drain_once(self.workspace_id, self.channel_id)

    async def tell_of(
        self, attempt_id: UUID, word: str, code: int | None = None, at: datetime | None = None
    ) -> Drained:
        """The provider tells a status of one try."""
        reference = self.sent.reference(attempt_id)
        return await self.tell(
            webhook(statuses=[status(reference, word, at or self.services.clock.now(), code)])
        )

    async def write(self, number: str, text: str, at: datetime, identifier: str | None = None) -> Drained:
        """A person writes to the channel."""
        name = identifier or f"wamid.{uuid7(at).hex}"
        return await self.tell(webhook(messages=[message(number, text, at, name)]))

    # --- looking

    async def look(self, query: Any, *params: object) -> list[dict[str, Any]]:
        async with self.services.db.tenant(self.workspace_id) as connection:
            return await rows(connection, query, params)

    async def states(self) -> list[tuple[str, str | None]]:
        """State and reason of every message, in order."""
        async with self.services.db.tenant(self.workspace_id) as connection:
            return [(m["state"], m["reason"]) for m in await self.sent.messages(connection)]

    async def begin(self, number: str) -> UUID:
        """Try everything that waits; the try at the person with this number."""
        async with self.services.db.tenant(self.workspace_id) as connection:
            await self.sent.begin(connection)
        found = await self.look(
            "SELECT a.id FROM attempt a JOIN address d ON d.id = a.address_id WHERE d.value = %s", number
        )
        attempt_id: UUID = found[0]["id"]
        return attempt_id

    async def waiting(self) -> int:
        """How many messages are in the queue."""
        async with self.services.db.tenant(self.workspace_id) as connection:
            return await self.sent.waiting(connection)

    async def notices(self) -> list[str]:
        """The causes of open notices."""
        return [one["cause"] for one in await self.look("SELECT cause FROM notice WHERE cleared_at IS NULL")]

    async def consent(self) -> list[tuple[str, str]]:
        """What holds for every address, and who said so, oldest first."""
        found = await self.look("SELECT state, how FROM consent_event ORDER BY at, id")
        return [(one["state"], one["how"]) for one in found]
