"""How a channel does: what its owner judges, what an operator is told once, what a campaign waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from clarion.domain.message import Outcome, State, Verdict
from clarion.flow import waits
from clarion.flow.dispatch.breaker import Breaker
from clarion.flow.dispatch.health import LASTING, OVER, Health
from clarion.flow.services import Services
from clarion.providers.contract import Answered, Fault, Told
from clarion.store import channel as channels
from clarion.store import owner
from tests.flow import desks
from tests.flow.desks import Process, numbers

MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
YES = Told(Answered.ACCEPTED)
NOT_THERE = Told(Answered.REFUSED, fault=Fault.PERSON, code="131026")
SILENCE = Told(Answered.UNKNOWN, code="unanswered")
FAILED = Told(Answered.LATER, fault=Fault.PROVIDER, code="131016")


def of(*ends: Told, breaker: Breaker | None = None) -> Health:
    health = Health(breaker or Breaker())
    for told in ends:
        health.heard(told)
    health.look(MORNING)
    return health


def silent() -> Breaker:
    breaker = Breaker(3)
    for _ in range(3):
        breaker.heard(Verdict(UUID(int=7), Outcome.UNKNOWN, State.UNKNOWN), SILENCE, 1000.0)
    return breaker


@pytest.mark.parametrize(
    ("health", "word"),
    [
        (of(), "up"),
        (of(*[YES] * 40), "up"),
        (of(*[NOT_THERE] * 40), "up"),
        (of(*[YES] * 40, *[FAILED] * 9), "up"),
        (of(*[YES] * 30, *[FAILED] * 11), "degraded"),
        (of(*[FAILED] * 9), "up"),
        (of(*[FAILED] * 11, *[YES] * 50), "up"),
        (of(breaker=silent()), "down"),
    ],
    ids=["new", "taken", "refusals of people", "a few", "a fifth", "too few to say", "long ago", "silent"],
)
def test_a_channel_is_up_degraded_or_down(health: Health, word: str) -> None:
    assert health.word == word


def test_it_says_why() -> None:
    assert of(*[FAILED] * 20).why == "20 of the last 20 calls failed (131016)"
    assert of(SILENCE, breaker=silent()).why == "3 calls in a row were not answered (unanswered)"


def test_an_operator_hears_once_that_it_stays_down_and_once_that_it_is_over() -> None:
    breaker = silent()
    health = Health(breaker)

    def news(n: int) -> str | None:
        told = health.news(MORNING + n * SECOND)
        if told:
            health.was_told()
        return told

    heard = [news(n) for n in range(0, 120, 10)]
    breaker.heard(Verdict(UUID(int=7), Outcome.ACCEPTED, State.ACCEPTED), YES, 1100.0)
    after = [news(n) for n in range(120, 300, 10)]

    assert heard == [None] * 3 + ["down"] + [None] * 8
    assert [one for one in after if one] == ["up"]
    assert after.index("up") * 10 * SECOND == OVER
    assert LASTING == 30 * SECOND


@pytest.fixture
async def process(services: Services, workspace: UUID, tmp_path: Path) -> AsyncIterator[Process]:
    async with desks.process(services, workspace, tmp_path / "flight") as here:
        yield here


async def test_what_a_channel_waits_for_is_told_with_its_owners_beat(process: Process) -> None:
    channel_id = await process.channel("1001", capacity=5)
    sent = await process.tell(channel_id, numbers("+254712", 10))
    tree = await process.own(sent)
    await process.until_all_settled(sent, 5)
    now = process.services.clock.now()
    assert tree.news(now) == []
    async with process.services.db.tenant(process.workspace) as connection:
        assert await owner.beat(connection, channel_id, sent.worker_id, sent.epoch, now, tree.sights(now))
        told = await channels.get(connection, channel_id)
        await owner.release(connection, channel_id, sent.worker_id, sent.epoch)
        released = await channels.get(connection, channel_id)

    assert waits.of_channel(told, now) == "waits: 5 of 5 are outstanding"
    assert (told["sight"]["health"], released["sight"]) == ("up", None)


async def test_a_provider_that_cannot_be_reached_is_down_and_loses_nobody(process: Process) -> None:
    channel_id = await process.channel("1001", base_url="http://127.0.0.1:9")
    sent = await process.tell(channel_id, numbers("+254712", 40))
    tree = await process.own(sent)
    desk = tree.working[channel_id].desk
    async with asyncio.timeout(30):
        while True:
            if desk.breaker.open:
                break
            await asyncio.sleep(0.02)
    desk.health.look(process.services.clock.now())

    assert desk.health.word == "down"
    assert desk.health.why.startswith("the provider cannot be reached")
    assert set(await process.states(sent)) == {"ready"}
