"""Several desks of one process: what they share, they share fairly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import pytest
from aiohttp import web
from psycopg.types.json import Jsonb

from clarion.flow import configure
from clarion.flow.compose import Composer
from clarion.flow.dispatch import account
from clarion.flow.dispatch.desk import Desk
from clarion.flow.dispatch.settler import Settler
from clarion.flow.dispatch.shared import Shared
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.flight import FlightRecorder
from clarion.kit.http import Http
from clarion.kit.ids import uuid7
from tests.flow.announcing import saying
from tests.store.sent import Sent, announce

PLACES = 4
PEOPLE = 30


@dataclass
class Provider:
    """Takes everything, a moment later; it counts who is being served at once, by sending number."""

    url: str = ""
    here: list[str] = field(default_factory=list)
    seen: list[tuple[str, ...]] = field(default_factory=list)
    busy: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        sender = request.match_info["sender"]
        self.here.append(sender)
        self.seen.append(tuple(self.here))
        self.busy.set()
        await asyncio.sleep(0.02)
        self.here.remove(sender)
        return web.json_response({"messages": [{"id": f"wamid.{len(self.seen)}"}]})

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Provider]:
        app = web.Application()
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

    async def announce(self, sender: str, prefix: str) -> Sent:
        """A channel of its own, and people to hear something over it."""
        numbers = [f"{prefix}{n:06}" for n in range(PEOPLE)]
        now = self.services.clock.now()
        async with self.services.db.tenant(self.workspace) as connection:
            channel_id = await configure.create_channel(
                connection, self.services, self.workspace, name=sender, provider="whatsapp",
                config={"base_url": self.provider.url, "sender": sender},
                credentials={"token": "a token", "app_secret": "a secret"},
            )  # fmt: skip
            sent = await announce(connection, self.workspace, now, numbers, channel_id, self.shared.worker_id)
            body = saying("Closed on Monday").model_dump(mode="json", exclude_none=True)
            await connection.execute(
                "UPDATE content_version SET body = %s WHERE campaign_id = %s", (Jsonb(body), sent.campaign_id)
            )
        return sent

    async def work(self, sent: Sent) -> None:
        """Open the desk of that channel."""
        channel = await account.load(self.services, self.workspace, sent.channel_id)
        sender = channel.provider.sender(channel.account, self.http)
        desk = Desk(self.shared, channel, sender, sent.epoch)
        desk.valid_until = float("inf")
        self.working.append((desk, asyncio.create_task(desk.run())))

    async def until_all_heard(self, *announcements: Sent) -> None:
        async with asyncio.timeout(60):
            while True:
                async with self.services.db.tenant(self.workspace) as connection:
                    found = [row for sent in announcements for row in await sent.messages(connection)]
                if {row["state"] for row in found} == {"accepted"}:
                    return
                await asyncio.sleep(0.05)

    async def leave(self) -> None:
        for desk, task in self.working:
            desk.stop()
            await task
            await desk.drain(5)


@pytest.fixture
async def process(services: Services, workspace: UUID, tmp_path: Path) -> AsyncIterator[Process]:
    """A process that may have few calls under way, and a provider of its own."""
    own = replace(services, clock=Clock())
    recorder = FlightRecorder(tmp_path / "flight", PLACES * 4)
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


async def test_all_desks_together_have_no_more_calls_under_way_than_the_process_may(
    process: Process,
) -> None:
    amina, bekele = await process.announce("1001", "+254712"), await process.announce("1002", "+251911")
    await process.work(amina)
    await process.work(bekele)
    await process.until_all_heard(amina, bekele)

    assert max(len(here) for here in process.provider.seen) == PLACES


async def test_every_try_that_was_committed_to_has_a_place_for_its_mark(process: Process) -> None:
    """More than there are places for is never intended, so nobody's try is undone for want of one."""
    announced = [await process.announce(str(n), f"+25471{n}") for n in range(6)]
    for sent in announced:
        await process.work(sent)
    await process.until_all_heard(*announced)
    async with process.services.db.tenant(process.workspace) as connection:
        tries = [row for sent in announced for row in await sent.tries(connection)]

    assert [row["code"] for row in tries if row["state"] != "accepted"] == []
    assert len(tries) == 6 * PEOPLE
    assert (process.shared.recorder.free, process.shared.busy) == (PLACES * 4, set())


async def test_channels_that_are_busy_have_equal_shares_of_the_places(process: Process) -> None:
    """Who came first does not keep everything; a share of each is under way when both have work."""
    first, second = await process.announce("1001", "+254712"), await process.announce("1002", "+251911")
    await process.work(first)
    await process.provider.busy.wait()
    await process.work(second)
    await process.until_all_heard(first, second)
    both = [here for here in process.provider.seen if set(here) == {"1001", "1002"}]

    assert ("1001",) * PLACES in {tuple(sorted(here)) for here in process.provider.seen}
    assert ("1001",) * (PLACES // 2) + ("1002",) * (PLACES // 2) in {tuple(sorted(here)) for here in both}
