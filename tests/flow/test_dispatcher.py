"""A worker's dispatch: it takes an account when something is due there, and only then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from clarion.flow import configure
from clarion.flow.dispatch import dispatcher
from clarion.flow.dispatch.dispatcher import Dispatcher
from clarion.flow.services import Services
from clarion.kit.db import rows
from clarion.store import campaign
from tests.flow.announcing import saying
from tests.flow.desks import Provider, dispatching, numbers
from tests.store.sent import Sent, announce


@dataclass
class Work:
    """A worker alone in its database, one channel, and a provider that counts."""

    services: Services
    workspace: UUID
    provider: Provider
    dispatcher: Dispatcher
    channel_id: UUID

    async def tell(self, people: list[str]) -> Sent:
        """An announcement that waits; nobody owns the channel for that."""
        now = self.services.clock.now()
        body = saying("Closed on Monday").model_dump(mode="json", exclude_none=True)
        async with self.services.db.tenant(self.workspace) as connection:
            sent = await announce(connection, self.workspace, now, people, self.channel_id, epoch=1)
            await connection.execute(
                "UPDATE content_version SET body = %s WHERE campaign_id = %s", (Jsonb(body), sent.campaign_id)
            )
        self.dispatcher.wake()
        return sent

    async def states(self, sent: Sent) -> set[str]:
        async with self.services.db.tenant(self.workspace) as connection:
            return {row["state"] for row in await sent.messages(connection)}

    async def owned(self) -> bool:
        async with self.services.db.tenant(self.workspace) as connection:
            return bool(await rows(connection, "SELECT FROM channel_owner WHERE worker_id IS NOT NULL"))

    async def pause(self, reason: str = "") -> None:
        """The channel is paused for a reason, or goes on."""
        now = self.services.clock.now()
        async with self.services.db.tenant(self.workspace) as connection:
            if reason:
                await configure.pause_channel(connection, self.channel_id, reason, now)
            else:
                await configure.resume_channel(connection, self.channel_id, now)
        self.dispatcher.wake()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.05)


@pytest.fixture
async def work(alone: tuple[Services, UUID], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Work]:
    services, workspace = alone
    monkeypatch.setattr(dispatcher, "IDLE", 0.5)  # seconds; it is a minute
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(Provider().open())
        async with services.db.tenant(workspace) as connection:
            channel_id = await configure.create_channel(
                connection, services, workspace, name="staff", provider="whatsapp", rate=20,
                config={"base_url": provider.url, "sender": "1001"},
                credentials={"token": "a token", "app_secret": "a secret"},
            )  # fmt: skip
        working = await stack.enter_async_context(dispatching(services))
        yield Work(services, workspace, provider, working, channel_id)


async def test_an_account_with_nothing_to_send_is_given_up_and_taken_again_when_something_is_due(
    work: Work,
) -> None:
    for round, people in enumerate((numbers("+254712", 3), numbers("+251911", 2)), 1):
        sent = await work.tell(people)
        await until(partial(_all, work, sent, {"accepted"}))
        await until(lambda: _not(work.owned()))
        async with work.services.db.tenant(work.workspace) as connection:
            (found,) = await rows(connection, "SELECT epoch FROM channel_owner")
        assert found["epoch"] == round, "it was taken once for each"
    assert len(work.provider.heard) == 5


async def test_a_paused_channel_sends_nothing_drains_nothing_and_loses_nobody(work: Work) -> None:
    everybody = numbers("+254712", 60)
    sent = await work.tell(everybody)
    await until(lambda: _heard(work, 10))
    await work.pause("the number is being moved")
    await until(lambda: _not(work.owned()))
    before = len(work.provider.heard)
    later = await work.tell(numbers("+251911", 5))
    await asyncio.sleep(1.0)
    assert len(work.provider.heard) == before < 60
    assert await work.states(later) == {"ready"}
    assert await work.states(sent) == {"accepted", "ready"}
    await work.pause()
    await until(lambda: _all(work, sent, {"accepted"}))
    await until(lambda: _all(work, later, {"accepted"}))
    assert len(work.provider.to) == len(set(work.provider.to)) == 65


async def test_what_people_write_takes_of_a_rate_that_counts_both_ways(work: Work) -> None:
    sent = await work.tell(numbers("+254712", 40))
    await until(lambda: _heard(work, 5))
    work.dispatcher.freed(f"{work.channel_id} 60")  # as a receiver tells it: three seconds' worth
    before = len(work.provider.heard)
    await asyncio.sleep(1.5)
    assert len(work.provider.heard) - before <= 5, "no more than was on its way"
    await until(partial(_all, work, sent, {"accepted"}))


async def test_of_a_cancelled_announcement_nothing_is_tried_again(work: Work) -> None:
    work.provider.says = {"error": {"code": 2, "message": "Service temporarily unavailable"}}
    sent = await work.tell(numbers("+254712", 5))
    await until(lambda: _heard(work, 5))
    async with work.services.db.tenant(work.workspace) as connection:
        await campaign.set_lanes(connection, sent.campaign_id, "cancelled")
    await until(lambda: _not(work.owned()))
    before = len(work.provider.heard)
    await asyncio.sleep(1.0)
    assert len(work.provider.heard) == before


async def _all(work: Work, sent: Sent, states: set[str]) -> bool:
    return await work.states(sent) == states


async def _heard(work: Work, count: int) -> bool:
    return len(work.provider.heard) >= count


async def _not(some: Awaitable[bool]) -> bool:
    return not await some
