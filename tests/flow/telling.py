"""A subscriber at the other end: a real server that keeps what it is told and answers as the test wishes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from aiohttp import web

from clarion.domain.event import EventType
from clarion.flow import subscribe
from clarion.flow.services import Services
from clarion.flow.tell.teller import Teller
from clarion.kit.db import Row, rows
from clarion.kit.http import Http
from clarion.store import notice
from clarion.store import subscription as subscriptions

Behave = Callable[["Told"], Awaitable[web.Response]]
EVERYTHING = [kind for kind in EventType if kind is not EventType.SUBSCRIPTION_TEST]


@dataclass(frozen=True, slots=True)
class Told:
    """One request as it came. Header names are lower-case."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def type(self) -> str:
        return str(self.event["type"])

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = self.event["data"]
        return found


@dataclass
class Subscriber:
    """Answers 204, unless `answers` has something else for the next requests, or `behave` is set."""

    url: str = ""
    told: list[Told] = field(default_factory=list)
    answers: list[web.Response | int] = field(default_factory=list)
    usually: int = 204
    behave: Behave | None = None

    async def take(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        told = Told(headers, await request.read())
        self.told.append(told)
        if self.behave is not None:
            return await self.behave(told)
        answer = self.answers.pop(0) if self.answers else self.usually
        return web.Response(status=answer) if isinstance(answer, int) else answer

    def types(self) -> list[str]:
        """The types that it was told, sorted."""
        return sorted(one.type for one in self.told)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The data of every event of a type, in the order in which they came."""
        return [one.data for one in self.told if one.type == kind]


@asynccontextmanager
async def subscriber() -> AsyncIterator[Subscriber]:
    """Serves on loopback, at any path."""
    made = Subscriber()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    made.url = f"http://127.0.0.1:{port}/clarion"
    try:
        yield made
    finally:
        await runner.cleanup()


async def subscribed(
    services: Services, workspace: UUID, url: str, *types: str, name: str = "portal"
) -> tuple[UUID, str]:
    """A subscription to these types (all, when none is named): its identifier and secret."""
    async with services.db.tenant(workspace) as connection:
        return await subscribe.create(
            connection, services, workspace, name=name, url=url, types=types or EVERYTHING
        )


async def tell(services: Services, workspace: UUID, http: Http | None = None) -> None:
    """Let a teller that has just begun tell this workspace's subscriptions everything that is due now."""
    if http is None:
        async with Http() as own:
            await tell(services, workspace, own)
        return
    teller = Teller(services, http)
    async with services.db.tenant(workspace) as connection:
        found = await subscriptions.page(connection, None, 100)
    await asyncio.gather(*(teller.serve(workspace, one["id"]) for one in found))


async def shown(services: Services, workspace: UUID, subscription_id: UUID) -> Row:
    """The subscription as people see it."""
    async with services.db.tenant(workspace) as connection:
        return await subscriptions.get(connection, subscription_id)


async def a_test(services: Services, workspace: UUID, subscription_id: UUID) -> UUID:
    """Something to tell: a test; the event's identifier."""
    async with services.db.tenant(workspace) as connection:
        return await subscribe.test(connection, services, subscription_id)


async def notices(services: Services, workspace: UUID) -> dict[str, str]:
    """What operators are to know, by the last word of its cause."""
    async with services.db.tenant(workspace) as connection:
        return {one["cause"].rpartition(":")[2]: one["text"] for one in await notice.untold(connection)}


async def kept(services: Services, workspace: UUID) -> list[Row]:
    """Every event of the workspace that is kept, in the order in which they were noted."""
    async with services.db.tenant(workspace) as connection:
        return await rows(connection, "SELECT * FROM event ORDER BY at, type, id")


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another task or process does."""
    async with asyncio.timeout(20):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)
