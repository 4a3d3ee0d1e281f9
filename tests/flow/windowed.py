"""A worker at work for a channel whose provider has a service window, and people who write to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, cast
from uuid import UUID

from clarion.api.app import create_app
from clarion.domain.person import Given, Person, read_person
from clarion.flow import announce, configure, draft, explain, fire
from clarion.flow.dispatch.dispatcher import Dispatcher
from clarion.flow.progress import Progress, progress
from clarion.flow.receive import Receiver
from clarion.flow.services import Services
from clarion.kit.db import Row, rows
from clarion.kit.ids import uuid7
from clarion.sandbox.client import SandboxProcess
from tests.api.client import serving
from tests.flow.announcing import announcement
from tests.flow.desks import dispatching
from tests.store.people import KENYA, store

TEXT = {"variants": [{"inside": {"kind": "text", "text": "Hello {{ contact.name }}"}}]}
OUTSIDE = {"kind": "template", "name": "closed", "language": "en", "parameters": ["Monday"]}
BOTH = {"variants": [{**TEXT["variants"][0], "outside": OUTSIDE}]}


def reached(name: str, scheme: str, path: str) -> Person:
    read, _ = read_person(Given(name=name, addresses=[(scheme, scheme, path)]), KENYA)
    assert read is not None
    return read


@dataclass
class Windowed:
    """One channel at a sandbox that enforces the window."""

    services: Services
    workspace: UUID
    sandbox: SandboxProcess
    channel_id: UUID
    number: str

    async def tell(self, **how: Any) -> UUID:
        """An announcement to everybody, at once; its identifier."""
        async with self.services.db.tenant(self.workspace) as connection:
            campaign_id = await draft.create(
                connection, self.services, name=f"Closed {uuid7(self.services.clock.now())}",
                channel_id=how.pop("channel_id", self.channel_id), definition=announcement(**how),
            )  # fmt: skip
            launched = await announce.launch(connection, self.services, campaign_id, confirm_similar=True)
        await fire.fire(self.services, self.workspace, launched.run_id)
        return campaign_id

    async def write(self, person: str, text: str = "hello") -> None:
        """Somebody writes to the number."""
        await asyncio.to_thread(self.sandbox.inbound, person, text, self.number)

    async def became(self, campaign_id: UUID) -> list[Row]:
        """{name, state, reason, tries, queued, awaits} of each message, by name."""
        async with self.services.db.tenant(self.workspace) as connection:
            return await rows(
                connection,
                """SELECT c.name, m.id, m.state::text, m.reason, m.tries, m.lane_id,
                     q.message_id IS NOT NULL AS queued, q.awaits IS NOT NULL AS awaits,
                     (SELECT count(*) FROM attempt a WHERE a.message_id = m.id) AS attempts
                   FROM enrollment e JOIN message m ON m.enrollment_id = e.id
                   JOIN contact c ON c.id = m.recipient_key LEFT JOIN queue q ON q.message_id = m.id
                   WHERE e.campaign_id = %s ORDER BY c.name""",
                (campaign_id,),
            )

    async def states(self, campaign_id: UUID) -> list[tuple[str, str, str | None]]:
        """(name, state, reason); whoever waits for their word is "waits"."""
        found = await self.became(campaign_id)
        return [(one["name"], "waits" if one["awaits"] else one["state"], one["reason"]) for one in found]

    async def until(self, campaign_id: UUID, *expected: tuple[str, str, str | None]) -> None:
        """Until that is what became of them; receipts may have come too."""

        async def there() -> bool:
            return [_heard(one) for one in await self.states(campaign_id)] == list(expected)

        try:
            await until(there)
        except TimeoutError:
            raise AssertionError(await self.states(campaign_id)) from None

    async def explained(self, campaign_id: UUID, name: str) -> str:
        (one,) = [found for found in await self.became(campaign_id) if found["name"] == name]
        async with self.services.db.tenant(self.workspace) as connection:
            told = await explain.message(connection, one["id"], self.services.clock.now())
        return " ".join(told.sentences)

    async def progress(self, campaign_id: UUID) -> Progress:
        async with self.services.db.tenant(self.workspace) as connection:
            return await progress(connection, campaign_id, self.services.clock.now())

    def on(self, person: str) -> list[str]:
        """What they were told: each message that was taken, by its kind."""
        return [one["kind"] for one in self.sandbox.accepted() if one["to"] == person.removeprefix("+")]

    def phones(self, *people: str) -> list[int]:
        """How many messages each of these has on their phone."""
        return [len(self.on(one)) for one in people]


def _heard(one: tuple[str, str, str | None]) -> tuple[str, str, str | None]:
    name, state, reason = one
    return name, "accepted" if state in ("delivered", "read") else state, reason


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.05)


@asynccontextmanager
async def windowed(
    services: Services, workspace: UUID, sandbox: SandboxProcess, provider: str, people: list[Person],
    **config: Any,
) -> AsyncIterator[Windowed]:  # fmt: skip
    """People, a channel, and a worker: it dispatches, and reads what comes to our hooks."""
    nudged: list[Dispatcher] = []

    def nudge(kind: str, rest: str = "") -> None:
        for one in nudged:
            if kind == "due":
                one.wake()

    services = replace(services, nudge=nudge)
    number = str(uuid7(services.clock.now()).int)[:20]
    stop, receiver = asyncio.Event(), Receiver(services)
    async with serving(create_app(services)) as hooks:
        here = await _opened(services, workspace, sandbox, provider, number, people, hooks, config)
        async with dispatching(services) as dispatcher:
            nudged.append(dispatcher)
            reading = asyncio.create_task(receiver.run(stop))
            try:
                yield here
            finally:
                stop.set()
                receiver.wake()
                await reading


async def _opened(
    services: Services, workspace: UUID, sandbox: SandboxProcess, provider: str, number: str,
    people: list[Person], hooks: str, config: dict[str, Any],
) -> Windowed:  # fmt: skip
    async with services.db.tenant(workspace) as connection:
        channel_id = await configure.create_channel(
            connection, services, workspace, name=provider, provider=provider,
            config={"base_url": sandbox.url, "sender": number, **config},
            credentials={"token": "sandbox-token", "app_secret": "sandbox-secret", "verify_token": "v"},
        )  # fmt: skip
        await store(connection, people, services.clock.now())
    own = {"provider": provider, "window": "enforced", "callback_url": f"{hooks}/hooks/{channel_id}"}
    sandbox.configure(numbers={number: cast("dict[str, object]", own)})
    return Windowed(services, workspace, sandbox, channel_id, number)
