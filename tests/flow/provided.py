"""A channel to a sandbox in its own process, our hooks served to it, and tries made by hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

from clarion.domain.message import Outcome, State, Verdict
from clarion.flow import configure
from clarion.flow.dispatch import account
from clarion.flow.services import Services
from clarion.kit.http import Http
from clarion.kit.ids import uuid7
from clarion.providers import registry
from clarion.providers.contract import Answered, Content, Mail, Parcel, Template, Text, Told
from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.dialect import Example
from clarion.store import attempt
from tests.flow.receiving import Receiving
from tests.store.sent import announce

OUTCOMES = {
    Answered.ACCEPTED: (Outcome.ACCEPTED, State.ACCEPTED),
    Answered.UNKNOWN: (Outcome.UNKNOWN, State.UNKNOWN),
    Answered.REFUSED: (Outcome.REFUSED, State.FAILED),
}


@dataclass
class Provided(Receiving):
    """Messages over a channel whose provider is the sandbox."""

    sandbox: SandboxProcess
    http: Http
    content: Content = field(default_factory=lambda: Template("hello", "en"))

    @classmethod
    async def make(
        cls, services: Services, workspace: UUID, sandbox: SandboxProcess, http: Http, hooks: str,
        numbers: list[str], **config: Any,
    ) -> Self:  # fmt: skip
        """A channel with a sending number of its own, whose webhooks go to `hooks`, and people to send to."""
        number = str(uuid7(services.clock.now()).int)[:24]
        async with services.db.tenant(workspace) as connection:
            channel_id = await configure.create_channel(
                connection, services, workspace, name=f"WhatsApp {number}", provider="whatsapp",
                config={
                    "base_url": sandbox.url, "sender": number, "total_timeout": 2.0, "connect_timeout": 1.9,
                    "lookup_lag": 1.0, "options": {"look_up": True}, **config,
                },
                credentials={"token": "sandbox-token", "app_secret": "sandbox-secret"},
            )  # fmt: skip
            sent = await announce(connection, workspace, services.clock.now(), numbers, channel_id)
        sandbox.configure(numbers={number: {"callback_url": f"{hooks}/hooks/{channel_id}"}})
        return cls(services, workspace, sent, sandbox, http)

    @classmethod
    async def by(
        cls, provider: str, example: Example, services: Services, workspace: UUID, sandbox: SandboxProcess,
        http: Http, hooks: str, numbers: list[str],
    ) -> Self:  # fmt: skip
        """The same over any provider, as its twin is reached."""
        async with services.db.tenant(workspace) as connection:
            channel_id = await configure.create_channel(
                connection, services, workspace, name=provider, provider=provider,
                config={
                    "base_url": await asyncio.to_thread(sandbox.address, example.protocol),
                    "sender": example.sender, "total_timeout": 2.0,
                    "connect_timeout": 1.0, "options": dict(example.options),
                },
                credentials=example.credentials,
            )  # fmt: skip
            known = registry.get(provider)
            sent = await announce(
                connection, workspace, services.clock.now(), numbers, channel_id, schemes=known.schemes
            )
        callback = {"callback_url": f"{hooks}/hooks/{channel_id}"} if hooks else {}
        sandbox.configure(numbers={example.sender: {"provider": provider, **callback}}, window="open")
        words = "The clinic is closed on Monday"
        content: Content = Text(words) if "text" in known.kinds else Mail("Closed", words)
        return cls(services, workspace, sent, sandbox, http, content)

    async def send(self, settle: bool = True) -> dict[UUID, Told]:
        """Try everything that waits, each with one call; what each was told, settled by that."""
        channel = await account.load(self.services, self.workspace_id, self.channel_id)
        sender = channel.provider.sender(channel.account, self.http)
        async with self.services.db.tenant(self.workspace_id) as connection:
            begun = await self.sent.begin(connection, self.services.clock.now())
        addresses = await self._addresses()
        parcels = [
            Parcel(self.sent.reference(one), channel.provider.schemes[0], addresses[one], self.content)
            for one in begun
        ]
        told = dict(zip(begun, await asyncio.gather(*(sender.send(p) for p in parcels)), strict=True))
        if settle:
            await self.settle(told)
        return told

    async def settle(self, told: dict[UUID, Told]) -> None:
        """Write down what the calls were told, as their own process does."""
        verdicts = [
            Verdict(one, *OUTCOMES[answer.answered], provider_id=answer.provider_id, code=answer.code)
            for one, answer in told.items()
        ]
        async with self.services.db.tenant(self.workspace_id) as connection:
            await attempt.settle(connection, self.sent.cohort, verdicts, self.services.clock.now())

    async def hear(self) -> None:
        """Until the sandbox has told everything, and we have read it."""
        await asyncio.to_thread(self.sandbox.wait_for_webhooks)
        while (await self.receiver.drain_once(self.workspace_id, self.channel_id)).bodies:
            pass

    async def tries(self) -> list[dict[str, Any]]:
        async with self.services.db.tenant(self.workspace_id) as connection:
            return await self.sent.tries(connection)

    async def _addresses(self) -> dict[UUID, str]:
        found = await self.look(
            """SELECT a.id, d.value FROM attempt a JOIN address d ON d.id = a.address_id
               WHERE a.channel_id = %s""",
            self.channel_id,
        )
        return {one["id"]: one["value"] for one in found}
