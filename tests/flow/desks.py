"""Desks at work in one process, each for a channel of its own, at a provider that takes everything."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from aiohttp import web
from psycopg.types.json import Jsonb

from clarion.flow import configure
from clarion.flow.compose import Composer
from clarion.flow.dispatch import account
from clarion.flow.dispatch.account import Siblings
from clarion.flow.dispatch.desk import Desk
from clarion.flow.dispatch.dispatcher import Dispatcher
from clarion.flow.dispatch.settler import Settler
from clarion.flow.dispatch.shared import Shared
from clarion.flow.dispatch.tree import Tree
from clarion.flow.receive import Ear
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.flight import FlightRecorder
from clarion.kit.http import Http
from clarion.kit.ids import uuid7
from clarion.store import owner
from clarion.store.owner import Holding
from tests.flow.announcing import saying
from tests.store.sent import Sent, announce

PLACES = 4
PEOPLE = 30


def numbers(prefix: str, count: int = PEOPLE) -> list[str]:
    return [f"{prefix}{n:06}" for n in range(count)]


@dataclass
class Provider:
    """Takes everything, a moment later; it counts who is being served at once, by sending number, and
    remembers when (monotonic) it was asked to send to whom."""

    url: str = ""
    here: list[str] = field(default_factory=list)
    seen: list[tuple[str, ...]] = field(default_factory=list)
    heard: list[tuple[float, str]] = field(default_factory=list)
    by: list[str] = field(default_factory=list)  # the sending numbers, in the same order
    kinds: list[str] = field(default_factory=list)  # of what it was asked to send: "text", "template"
    says: dict[str, Any] | None = None  # a refusal, in place of taking it
    questions: int = 0
    busy: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Condition = field(default_factory=asyncio.Condition)
    held: asyncio.Event | None = None  # it answers nobody until this is set

    async def take(self, request: web.Request) -> web.Response:
        sender = request.match_info["sender"]
        self.here.append(sender)
        self.seen.append(tuple(self.here))
        body = await request.json()
        self.heard.append((time.monotonic(), body["to"]))
        self.kinds.append(body["type"])
        self.by.append(sender)
        self.busy.set()
        async with self.asked:
            self.asked.notify_all()
        if self.held is not None:
            await self.held.wait()
        await asyncio.sleep(0.02)
        self.here.remove(sender)
        if self.says is not None:
            return web.Response(status=400, text=json.dumps(self.says), content_type="application/json")
        return web.json_response({"messages": [{"id": f"wamid.{len(self.seen)}"}]})

    async def have(self, request: web.Request) -> web.Response:
        """A look-up: it has everything, and never tells the end."""
        self.questions += 1
        return web.json_response({"data": [{"id": "wamid.1", "status": "sent"}]})

    @property
    def to(self) -> list[str]:
        """Whom it was asked to send to, in order."""
        return [f"+{to}" for _, to in self.heard]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Provider]:
        app = web.Application()
        app.router.add_get("/{version}/{sender}/messages", self.have)
        app.router.add_post("/{version}/{sender}/messages", self.take)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()


@dataclass
class Process:
    """Parts that the desks of one process share, and the desks."""

    services: Services
    workspace: UUID
    shared: Shared
    http: Http
    provider: Provider
    working: list[tuple[Desk, asyncio.Task[None]]] = field(default_factory=list)

    async def channel(
        self, sender: str, rate: float = 80, *, account_id: UUID | None = None, **config: Any
    ) -> UUID:
        async with self.services.db.tenant(self.workspace) as connection:
            return await configure.create_channel(
                connection, self.services, self.workspace, name=sender, provider="whatsapp", rate=rate,
                config={"base_url": self.provider.url, "sender": sender, **config},
                credentials={"token": "a token", "app_secret": "a secret"}, account_id=account_id,
            )  # fmt: skip

    async def tell(self, channel_id: UUID, people: Sequence[str], *, epoch: int = 0, **how: Any) -> Sent:
        """An announcement over a channel that is ours already (`epoch`) or becomes ours now."""
        now = self.services.clock.now()
        async with self.services.db.tenant(self.workspace) as connection:
            sent = await announce(
                connection, self.workspace, now, people, channel_id, self.shared.worker_id, epoch, **how
            )
            body = saying("Closed on Monday").model_dump(mode="json", exclude_none=True)
            await connection.execute(
                "UPDATE content_version SET body = %s WHERE campaign_id = %s", (Jsonb(body), sent.campaign_id)
            )
        return sent

    async def announce(self, sender: str, prefix: str) -> Sent:
        """A channel of its own, and people to hear something over it."""
        return await self.tell(await self.channel(sender), numbers(prefix))

    async def work(self, sent: Sent) -> Desk:
        """Open the desk of that channel."""
        channel = await account.load(self.services, self.workspace, sent.channel_id)
        sender = channel.provider.sender(channel.account, self.http)
        desk = Desk(self.shared, channel, sender, sent.epoch)
        desk.valid_until = float("inf")
        self.working.append((desk, asyncio.create_task(desk.run())))
        return desk

    async def own(self, sent: Sent) -> Tree:
        """Send for all channels of the account that this one leads."""
        tree = Tree.open(self.shared, self.http, await self.siblings(sent), sent.epoch, float("inf"))
        self.working += [(one.desk, one.task) for one in tree.working.values()]
        return tree

    async def siblings(self, sent: Sent) -> Siblings:
        """The account as it is now."""
        return await account.siblings(self.services, self.workspace, sent.channel_id)

    async def taken_over(self, sent: Sent) -> Desk:
        """Another owner of the channel comes, with a desk of its own."""
        async with self.services.db.tenant(self.workspace) as connection:
            row = await connection.execute(
                "SELECT worker_id, epoch, beat FROM channel_owner WHERE channel_id = %s", (sent.channel_id,)
            )
            worker, epoch, beat = (await row.fetchone()) or (None, 0, 0)
            became = await owner.take(
                connection, Holding(self.workspace, sent.channel_id, worker, epoch, beat, True),
                self.shared.worker_id, self.services.clock.now(),
            )  # fmt: skip
        assert became is not None
        return await self.work(replace(sent, epoch=became[0]))

    async def states(self, *announcements: Sent) -> list[str]:
        async with self.services.db.tenant(self.workspace) as connection:
            return [str(row["state"]) for sent in announcements for row in await sent.messages(connection)]

    async def until_all_heard(self, *announcements: Sent) -> None:
        async with asyncio.timeout(60):
            while True:
                if set(await self.states(*announcements)) == {"accepted"}:
                    return
                await asyncio.sleep(0.05)

    async def until_all_settled(self, sent: Sent, count: int) -> None:
        """Until so many wait no more, or have been tried."""
        async with asyncio.timeout(60):
            while True:
                states = await self.states(sent)
                if len(states) - states.count("ready") >= count:
                    return
                await asyncio.sleep(0.05)

    async def until_heard(self, count: int) -> None:
        """Until the provider was asked so often."""
        async with asyncio.timeout(60), self.provider.asked:
            await self.provider.asked.wait_for(lambda: len(self.provider.heard) >= count)

    async def leave(self) -> None:
        for desk, task in self.working:
            desk.stop()
            await task
            await desk.drain(5)
        self.working.clear()


@asynccontextmanager
async def process(services: Services, workspace: UUID, flight: Path) -> AsyncIterator[Process]:
    """A process that may have few calls under way, and a provider of its own."""
    own = replace(services, clock=Clock())
    recorder = FlightRecorder(flight, PLACES * 4)
    settler = Settler(own.db, own.clock)
    shared = Shared(
        own.db, own.clock, uuid7(own.clock.now()), recorder, settler, Composer(own), PLACES, lambda *_: None
    )
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(Http(allow_private=True))
        provider = await stack.enter_async_context(Provider().open())
        settling = asyncio.create_task(settler.run())
        here = Process(own, workspace, shared, http, provider)
        yield here
        await here.leave()
        settler.close()
        await settling


@asynccontextmanager
async def dispatching(services: Services) -> AsyncIterator[Dispatcher]:
    """A worker's dispatch at work, private addresses allowed."""
    async with Http(allow_private=True) as http:
        dispatcher = Dispatcher(services, http, Ear(services).hear)
        working = asyncio.create_task(dispatcher.run())
        try:
            yield dispatcher
        finally:
            dispatcher.stop()
            await working
