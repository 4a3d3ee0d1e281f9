"""Unknown tries are settled by what the provider says, and by its silence about them only when that
proves something."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from uuid import UUID

import pytest

from clarion.domain.message import Outcome, State, Verdict
from clarion.flow import configure, reconcile
from clarion.flow.reconcile import Reconciled
from clarion.flow.services import Services
from clarion.kit import process
from clarion.kit.clock import FakeClock
from clarion.kit.http import Http
from clarion.sandbox.client import SandboxProcess
from clarion.store import attempt, worker
from clarion.store.worker import Worker
from tests.flow.provided import Provided
from tests.store.people import ABEBE, AMINA

LONG = 60.0  # more than lease, the longest call and the provider's lag together


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


class Asked(Provided):
    """A channel that is asked about its unknown tries; it tells nothing by itself."""

    async def reconcile(self, after: float = 0.0) -> Reconciled:
        assert isinstance(self.services.clock, FakeClock)
        self.services.clock.advance(after)
        return await reconcile.reconcile(self.services, self.http, self.workspace_id, self.channel_id)

    async def vanish(self, host: str, pid: int, boot: str, born: str) -> None:
        """The tries under way were those of this process, and another one took its channel over."""
        now = self.services.clock.now()
        async with self.services.db.tenant(self.workspace_id) as connection:
            await worker.enter(connection, dead(self.sent.worker_id, host, pid, boot, born, now))
            begun = await self.sent.begin(connection, now)
            gone = [Verdict(one, Outcome.UNKNOWN, State.UNKNOWN, code="owner_vanished") for one in begun]
            await attempt.settle(connection, self.sent.cohort, gone, now)


def dead(id: UUID, host: str, pid: int, boot: str, born: str, now: datetime) -> Worker:
    return Worker(id, host, pid, boot, born, "", "0", now, now, None, {})


@pytest.fixture
async def asked(services: Services, workspace: UUID, sandbox: SandboxProcess) -> AsyncIterator[Asked]:
    sandbox.reset(config=True)
    sandbox.configure(receipts={"mode": "none"})
    async with Http() as http:
        numbers = [AMINA, ABEBE]
        made = await Asked.make(services, workspace, sandbox, http, "http://127.0.0.1:9", numbers)
        assert isinstance(made, Asked)
        yield made


async def test_what_the_provider_took_is_accepted_at_once(asked: Asked) -> None:
    asked.sandbox.fault("drop_after_accept", count=None)
    await asked.send()
    assert await asked.states() == [("unknown", None)] * 2
    assert await asked.reconcile() == Reconciled(asked=2, found=2)
    assert await asked.states() == [("accepted", None)] * 2
    assert {t["provider_id"] for t in await asked.tries()} == {m["wamid"] for m in asked.sandbox.accepted()}
    assert await asked.reconcile(LONG) == Reconciled()


async def test_what_the_provider_knows_to_be_delivered_is_delivered(asked: Asked) -> None:
    asked.sandbox.configure(
        receipts={"mode": "normal", "sent_after": 0, "delivered_after": 0, "read_share": 0}
    )
    asked.sandbox.fault("drop_after_accept", to=AMINA)
    await asked.send()
    for _ in range(1000):
        if ("unknown", None) not in await asked.states():
            break
        if asked.sandbox.messages(to=AMINA.removeprefix("+"))[0]["status"] == "delivered":
            await asked.reconcile()
        await asyncio.sleep(0.01)
    assert sorted(await asked.states()) == [("accepted", None), ("delivered", None)]


async def test_what_the_provider_does_not_have_is_sent_again_only_after_all_patience(asked: Asked) -> None:
    asked.sandbox.fault("drop_before_accept", count=2)
    await asked.send()
    assert await asked.reconcile() == Reconciled(asked=2, missing=2)
    # lease 5, the longest call 2, the provider's lag 1, the clocks' tolerance 2
    assert await asked.reconcile(9.9) == Reconciled(asked=2, missing=2)
    assert await asked.states() == [("unknown", None)] * 2
    assert await asked.reconcile(0.1) == Reconciled(asked=2, missing=2, returned=2)
    assert (await asked.states(), await asked.waiting()) == ([("ready", None)] * 2, 2)
    await asked.send()
    assert await asked.states() == [("accepted", None)] * 2
    assert asked.sandbox.people() == {number.removeprefix("+"): 1 for number in (AMINA, ABEBE)}


async def test_a_provider_that_cannot_say_settles_nothing_however_long_it_takes(asked: Asked) -> None:
    asked.sandbox.fault("drop_before_accept", count=2)
    await asked.send()
    asked.sandbox.configure(lookup={"mode": "off"})
    assert await asked.reconcile(LONG) == Reconciled(asked=2, silent=2)
    assert await asked.states() == [("unknown", None)] * 2


async def test_a_channel_whose_provider_answers_no_look_ups_is_not_asked(asked: Asked) -> None:
    asked.sandbox.fault("drop_before_accept", count=2)
    await asked.send()
    async with asked.services.db.tenant(asked.workspace_id) as connection:
        await configure.change_channel(connection, asked.services, asked.channel_id, config={"options": None})
    assert await asked.reconcile(LONG) == Reconciled()
    assert asked.sandbox.summary()["lookups"] == 0


async def test_without_tries_left_what_had_no_effect_has_failed(asked: Asked) -> None:
    async with asked.services.db.tenant(asked.workspace_id) as connection:
        await configure.change_channel(connection, asked.services, asked.channel_id, config={"attempts": 1})
    asked.sandbox.fault("drop_before_accept", count=2)
    await asked.send()
    assert (await asked.reconcile(LONG)).returned == 2
    assert await asked.states() == [("failed", "attempts_used_up")] * 2


# --- whose owner did not say how the call ended


@pytest.fixture
def another_process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as started:
        yield started
        started.kill()


async def test_while_the_owner_may_live_nothing_is_sent_again(
    asked: Asked, another_process: subprocess.Popen[bytes]
) -> None:
    pid = another_process.pid
    await asked.vanish(process.host(), pid, process.boot(), process.born(pid))
    os.kill(pid, signal.SIGSTOP)
    assert await asked.reconcile(LONG) == Reconciled(asked=2, missing=2)
    os.kill(pid, signal.SIGKILL)
    another_process.wait()
    # It may have woken and sent just before: patience runs from the proof of its death.
    assert await asked.reconcile() == Reconciled(asked=2, missing=2)
    assert await asked.reconcile(9.9) == Reconciled(asked=2, missing=2)
    assert await asked.reconcile(0.1) == Reconciled(asked=2, missing=2, returned=2)
    assert await asked.waiting() == 2


async def test_a_death_that_one_machine_proved_is_known_to_all(asked: Asked) -> None:
    await asked.vanish("elsewhere", 1, "its boot", "12345")
    assert (await asked.reconcile(LONG)).returned == 0
    async with asked.services.db.tenant(asked.workspace_id) as connection:
        await worker.bury(connection, [asked.sent.worker_id], asked.services.clock.now())
    assert (await asked.reconcile()).returned == 0
    assert (await asked.reconcile(LONG)).returned == 2


@pytest.mark.parametrize(("host", "boot", "returned"), [("elsewhere", None, 0), (None, "another boot", 2)])
async def test_only_its_own_machine_can_tell_that_an_owner_is_dead(
    asked: Asked, host: str | None, boot: str | None, returned: int
) -> None:
    await asked.vanish(host or process.host(), 1, boot or process.boot(), "12345")
    assert (await asked.reconcile(LONG)).returned == 0  # a copy of this machine may have its name
    await asked.reconcile(LONG)
    assert (await asked.reconcile(LONG)).returned == returned


async def test_an_owner_that_left_in_order_makes_no_calls_any_more(asked: Asked) -> None:
    await asked.vanish("elsewhere", 1, "its boot", "12345")
    async with asked.services.db.tenant(asked.workspace_id) as connection:
        await worker.leave(connection, asked.sent.worker_id, asked.services.clock.now())
    assert (await asked.reconcile(LONG)).returned == 2


# --- all of a workspace


async def test_paused_channels_are_asked_too(asked: Asked) -> None:
    asked.sandbox.fault("drop_after_accept", count=None)
    await asked.send()
    async with asked.services.db.tenant(asked.workspace_id) as connection:
        await configure.pause_channel(connection, asked.channel_id, "restored", asked.services.clock.now())
    await reconcile.workspace(asked.services, asked.http, asked.workspace_id)
    assert await asked.states() == [("accepted", None)] * 2


async def test_a_workspace_without_unknowns_asks_nobody(asked: Asked) -> None:
    await asked.send()
    await reconcile.workspace(asked.services, asked.http, asked.workspace_id)
    assert asked.sandbox.summary()["lookups"] == 0
