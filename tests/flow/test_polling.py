"""A provider that calls nobody is asked: what it tells counts once, and is not lost, whoever dies."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.message import Verdict
from clarion.flow import configure
from clarion.flow.dispatch.settler import Ended, Settler
from clarion.flow.receive import poller as polls
from clarion.flow.receive.poller import LEASE, Poller
from clarion.flow.services import Services
from clarion.kit.clock import Clock, FakeClock
from clarion.kit.http import Http
from clarion.providers.contract import Answered, FlowStart, Told
from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.twins.rapidpro import TWIN, WELCOME, WORKSPACE
from clarion.store import polling
from tests.flow.provided import OUTCOMES, Provided
from tests.kit.wire import Line, Wire, wire
from tests.providers.test_rapidpro import listed, message
from tests.store.people import ABEBE, AMINA, JOHN, ROSA

PEOPLE = [AMINA, ABEBE, JOHN, ROSA]
DELIVERED = [("delivered", None)] * 4
_CHILD = """
import asyncio, sys
from pathlib import Path
from uuid import UUID
from clarion.flow.receive.poller import Poller
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.http import Http
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings

async def do(url, folder, workspace, channel):
    settings = Settings(state_dir=Path(folder), allow_private_addresses=True)
    async with Database(url, size=4) as db, Http() as http:
        services = Services(db, Clock(), settings, SecretBox.from_settings(settings))
        await Poller(services, http).poll(UUID(workspace), UUID(channel))

asyncio.run(do(*sys.argv[1:]))
"""


class Asked(Provided):
    """Over RapidPro, which is asked by hand."""

    @property
    def clock(self) -> FakeClock:
        assert isinstance(self.services.clock, FakeClock)
        return self.services.clock

    def poller(self) -> Poller:
        """As another worker would, which remembers nothing of what was told."""
        return Poller(self.services, self.http)

    async def ask(self, poller: Poller | None = None) -> bool:
        """Ask, if it is due; whether anything was kept."""
        return await (poller or self.poller()).poll(self.workspace_id, self.channel_id) is not None

    async def settle(self, told: dict[UUID, Told]) -> None:
        """With what RapidPro calls each, as a desk does."""
        settler = Settler(self.services.db, self.services.clock)
        for one, answer in told.items():
            verdict = Verdict(one, *OUTCOMES[answer.answered], provider_id=answer.provider_id)
            settler.put(
                Ended(self.workspace_id, self.sent.cohort, verdict, lambda _: None, names_on=self.channel_id)
            )
        settler.close()
        await settler.run()

    async def happened(self) -> None:
        """Until the provider has nothing to add."""
        await asyncio.to_thread(self.sandbox.wait_for_webhooks)

    async def row(self) -> dict[str, Any]:
        (found,) = await self.look("SELECT cursor, watch, due_at, failures, problem FROM polling")
        return found

    async def bodies(self) -> int:
        (found,) = await self.look("SELECT count(*) AS n FROM inbox")
        return int(found["n"])

    async def receipts(self) -> list[str]:
        return [one["status"] for one in await self.look("SELECT status FROM receipt ORDER BY status")]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
async def asked(services: Services, workspace: UUID, sandbox: SandboxProcess) -> AsyncIterator[Asked]:
    """Four people on a channel of RapidPro."""
    sandbox.reset(config=True)
    sandbox.configure(receipts={"sent_after": 0.0, "delivered_after": 0.0, "read_share": 0.0})
    present = replace(services, clock=FakeClock(Clock().now()))
    async with Http() as http:
        yield await Asked.by("rapidpro", TWIN.example, present, workspace, sandbox, http, "", PEOPLE)


# --- what is told


async def test_what_was_sent_is_delivered_in_the_ledger(asked: Asked) -> None:
    await asked.send()
    await asked.happened()
    assert await asked.ask()
    await asked.hear()
    assert await asked.states() == DELIVERED
    assert asked.sandbox.summary()["people"] == 4
    assert await asked.notices() == []


async def test_a_flow_start_that_nobody_answered_is_settled_by_what_is_read_of_it(asked: Asked) -> None:
    asked.content = FlowStart("welcome", (("first_name", "Amina"),))
    asked.sandbox.fault("drop_after_accept", count=None)
    await asked.send()
    assert {state for state, _ in await asked.states()} == {"unknown"}
    await asked.ask()
    await asked.hear()
    assert await asked.states() == [("accepted", None)] * 4
    names = {one["provider_id"] for one in await asked.tries()}
    assert len(names) == 4
    assert None not in names


async def test_a_status_that_is_seen_twice_counts_once(asked: Asked) -> None:
    await asked.send()
    await asked.happened()
    for _ in range(3):  # each by a worker that knows nothing of the others
        await asked.ask()
        await asked.hear()
        asked.clock.advance(60)
    assert await asked.bodies() == 3, "it was told three times"
    assert (await asked.states(), await asked.receipts()) == (DELIVERED, ["delivered"] * 4)


async def test_who_asks_again_puts_nothing_into_the_inbox_that_is_no_news(asked: Asked) -> None:
    await asked.send()
    await asked.happened()
    poller = asked.poller()
    for _ in range(3):
        assert await asked.ask(poller)
        asked.clock.advance(60)
    assert await asked.bodies() == 1


async def test_a_status_that_is_seen_before_our_own_commit_waits_for_it(asked: Asked) -> None:
    told = await asked.send(settle=False)
    await asked.happened()
    await asked.ask()
    await asked.hear()
    assert await asked.receipts() == []
    await asked.settle(told)
    await asked.hear()
    assert await asked.states() == DELIVERED


async def test_whoever_writes_stop_is_heard_once(asked: Asked) -> None:
    await asyncio.to_thread(asked.sandbox.inbound, AMINA, "STOP", WORKSPACE)
    for _ in range(2):
        await asked.ask()
        await asked.hear()
        asked.clock.advance(60)
    written = await asked.look("SELECT address, text FROM inbound")
    assert await asked.consent() == [("out", "reply")]
    assert [(one["address"], one["text"]) for one in written] == [(f"tel:{AMINA}", "STOP")]


async def test_a_channel_that_is_paused_is_asked_all_the_same(asked: Asked) -> None:
    """A pause is ours: people go on writing."""
    async with asked.services.db.tenant(asked.workspace_id) as connection:
        await configure.pause_channel(connection, asked.channel_id, "it is being moved", asked.clock.now())
    await asyncio.to_thread(asked.sandbox.inbound, AMINA, "STOP", WORKSPACE)
    await asked.ask()
    await asked.hear()
    assert await asked.consent() == [("out", "reply")]


# --- who has the watch, and what a death leaves


async def test_it_is_asked_when_it_is_due_and_by_one_worker(asked: Asked) -> None:
    one, other = asked.poller(), asked.poller()
    assert sorted(await asyncio.gather(asked.ask(one), asked.ask(other))) == [False, True]
    row = await asked.row()
    assert (row["watch"], row["due_at"]) == (1, asked.clock.now() + timedelta(seconds=60))
    asked.clock.advance(59)
    assert not await asked.ask()
    asked.clock.advance(1)
    assert await asked.ask()


@pytest.mark.parametrize(("place", "bodies"), [
    ("poll.asked:1", 0), ("poll.before_commit:1", 0), ("poll.committed:1", 1)
])  # fmt: skip
async def test_a_worker_killed_while_it_asks_loses_nothing_and_repeats_nothing(
    asked: Asked, database_url: str, place: str, bodies: int
) -> None:
    await asked.send()
    await asked.happened()
    words = [sys.executable, "-c", _CHILD, database_url, str(asked.services.settings.state_dir)]
    ended = await asyncio.to_thread(
        subprocess.run, [*words, str(asked.workspace_id), str(asked.channel_id)], check=False,
        env={**os.environ, "CLARION_CRASH": place},
    )  # fmt: skip
    assert (ended.returncode, await asked.bodies()) == (-9, bodies)
    assert bool((await asked.row())["cursor"]) is bool(bodies), "both, or neither"
    asked.clock.advance(LEASE.total_seconds() + 60)
    assert await asked.ask()
    await asked.hear()
    assert (await asked.states(), await asked.receipts()) == (DELIVERED, ["delivered"] * 4)


class Slow:
    """A workspace's lists, which answer when they are let."""

    def __init__(self) -> None:
        self.asked, self.go = asyncio.Event(), asyncio.Event()
        self.rows = [message(1, "delivered")]

    async def __call__(self, line: Line) -> None:
        while True:
            request = await line.request()
            self.asked.set()
            await self.go.wait()
            await line.say(listed(self.rows if "messages" in request.path else [], at=None))


async def channel(services: Services, workspace: UUID, server: Wire, name: str = "RapidPro") -> UUID:
    async with services.db.tenant(workspace) as connection:
        return await configure.create_channel(
            connection, services, workspace, name=name, provider="rapidpro",
            config={"base_url": server.url}, credentials={"token": "t0ken"},
        )  # fmt: skip


async def test_who_dawdles_until_another_has_the_watch_writes_nothing(asked: Asked) -> None:
    slow = Slow()
    async with wire(slow) as server:
        services, workspace = asked.services, asked.workspace_id
        channel_id = await channel(services, workspace, server)
        dawdling = asyncio.create_task(asked.poller().poll(workspace, channel_id))
        await slow.asked.wait()
        assert await asked.poller().poll(workspace, channel_id) is None, "somebody asks"
        asked.clock.advance(LEASE.total_seconds())
        slow.asked.clear()
        another = asyncio.create_task(asked.poller().poll(workspace, channel_id))
        await slow.asked.wait()
        slow.go.set()
        first, second = await asyncio.gather(dawdling, another)
    assert (first, second is not None) == (None, True)
    assert await asked.bodies() == 1


async def test_every_channel_is_asked_in_its_turn_and_a_slow_one_keeps_no_other_waiting(
    alone: tuple[Services, UUID], http: Http
) -> None:
    clock = FakeClock(Clock().now())
    services, workspace = replace(alone[0], clock=clock), alone[1]
    slow, quick = Slow(), Slow()
    quick.go.set()
    async with wire(slow) as one, wire(quick) as other:
        await channel(services, workspace, one, "slow")
        await channel(services, workspace, other, "quick")
        poller = Poller(services, http)
        assert await poller.round() == 2
        await asyncio.gather(slow.asked.wait(), quick.asked.wait())
        await asyncio.wait(poller.asking.values(), return_when=asyncio.FIRST_COMPLETED)
        async with services.db.tenant(workspace) as connection:
            read = await polling.due(connection, services.clock.now(), 10)
        assert (read, await poller.round()) == ([], 0)
        clock.advance(60)
        assert await poller.round() == 1, "the quick one again"
        slow.go.set()
        await poller.settled()
        assert len(one.requests) == 2
        await poller.close()


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as http:
        yield http


async def test_who_leaves_while_it_asks_has_told_nothing(alone: tuple[Services, UUID], http: Http) -> None:
    services, workspace = alone
    slow = Slow()
    async with wire(slow) as server:
        await channel(services, workspace, server)
        poller = Poller(services, http)
        await poller.round()
        await slow.asked.wait()
        await poller.close()
        assert poller.asking == {}


# --- when it does not answer


async def test_a_workspace_that_is_throttled_is_left_alone_as_long_as_it_says(asked: Asked) -> None:
    asked.sandbox.configure(numbers={WORKSPACE: {"provider": "rapidpro", "rate": 0.001}})
    poller = asked.poller()
    assert await asked.ask(poller), "the first of two questions was answered"
    row = await asked.row()
    assert (row["problem"], row["failures"]) == ("throttled", 0)
    assert row["due_at"] == asked.clock.now() + timedelta(seconds=1000)
    asked.clock.advance(999)
    assert not await asked.ask(poller)
    asked.sandbox.configure(numbers={WORKSPACE: {"provider": "rapidpro"}})
    await asyncio.to_thread(asked.sandbox.inbound, AMINA, "STOP", WORKSPACE)
    asked.clock.advance(1)
    assert await asked.ask(poller)
    await asked.hear()
    assert await asked.consent() == [("out", "reply")]


async def test_who_refuses_us_is_asked_ever_more_rarely_and_somebody_is_told(asked: Asked) -> None:
    services, workspace, channel_id = asked.services, asked.workspace_id, asked.channel_id
    async with services.db.tenant(workspace) as connection:
        await configure.set_credentials(connection, services, workspace, channel_id, {"token": "old"})
    waits, poller = [], asked.poller()
    for _ in range(8):
        assert await asked.ask(poller)
        due: datetime = (await asked.row())["due_at"]
        waits.append((due - asked.clock.now()).total_seconds())
        asked.clock.advance(waits[-1])
    assert waits == [20, 40, 80, 160, 320, 640, 900, 900]
    assert (await asked.row())["problem"] == "http_403"
    assert await asked.notices() == [f"channel:{channel_id}:polling"]

    async with services.db.tenant(workspace) as connection:
        await configure.set_credentials(
            connection, services, workspace, channel_id, {"token": "sandbox-token"}
        )
    assert await asked.ask(poller), "with the new token"
    row = await asked.row()
    assert (row["failures"], row["problem"], await asked.notices()) == (0, "", [])


async def test_a_channel_that_lost_its_token_is_a_failure_like_another(asked: Asked) -> None:
    async with asked.services.db.tenant(asked.workspace_id) as connection:
        await configure.set_credentials(
            connection, asked.services, asked.workspace_id, asked.channel_id, None
        )
    assert await asked.ask()
    assert ((await asked.row())["failures"], (await asked.row())["problem"]) == (1, "misconfigured")


async def test_who_takes_too_long_is_given_up(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polls, "PATIENCE", 0.05)
    async with wire(Slow()) as server:
        channel_id = await channel(asked.services, asked.workspace_id, server)
        told = await asked.poller().poll(asked.workspace_id, channel_id)
    assert told is not None
    assert (told.problem, told.wait) == ("slow", None)


async def test_what_is_asked_changes_nothing_at_the_provider(asked: Asked) -> None:
    asked.content = FlowStart(WELCOME)
    told = await asked.send()
    for _ in range(3):
        await asked.ask()
        asked.clock.advance(60)
    assert {one.answered for one in told.values()} == {Answered.ACCEPTED}
    assert len(asked.sandbox.requests()) == 4
