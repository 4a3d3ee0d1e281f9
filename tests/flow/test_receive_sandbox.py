"""A provider that tells early, late, five times, backwards or not at all, over the wire to our hooks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from uuid import UUID

import pytest

from clarion.api.app import create_app
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.http import Http
from clarion.sandbox.client import SandboxProcess
from tests.api.client import serving
from tests.flow.provided import Provided
from tests.store.people import ABEBE, AMINA, JOHN, ROSA

PEOPLE = [AMINA, ABEBE, JOHN, ROSA]
QUICKLY = {
    "sent_after": 0.0, "delivered_after": 0.02, "read_after": 0.04, "read_share": 1.0, "batch_within": 0.005,
    "batch_size": 3, "late_by": 0.2, "missing_share": 1.0, "backoff": 0.05,
}  # fmt: skip


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
async def provided(services: Services, workspace: UUID, sandbox: SandboxProcess) -> AsyncIterator[Provided]:
    """Four people on a channel of their own; our hooks are served."""
    sandbox.reset(config=True)
    present = replace(services, clock=Clock())
    async with serving(create_app(present)) as hooks, Http() as http:
        yield await Provided.make(present, workspace, sandbox, http, hooks, PEOPLE)


@pytest.mark.parametrize("mode", ["normal", "early", "late", "five_times", "reversed"])
async def test_however_receipts_come_everybody_has_read_it_in_the_end(provided: Provided, mode: str) -> None:
    provided.sandbox.configure(receipts=QUICKLY | {"mode": mode})
    told = await provided.send(settle=False)
    if mode == "early":
        await provided.receiver.drain_once(provided.workspace_id, provided.channel_id)
        assert {state for state, _ in await provided.states()} <= {"delivered", "read"}
    await provided.settle(told)
    await provided.hear()
    assert await provided.states() == [("read", None)] * 4
    assert {(t["state"], t["effective"]) for t in await provided.tries()} == {("accepted", True)}
    receipts = await provided.look("SELECT status, count(*) AS n FROM receipt GROUP BY 1 ORDER BY 1")
    assert [(one["status"], one["n"]) for one in receipts] == [("accepted", 4), ("delivered", 4), ("read", 4)]
    accepted = {one["wamid"] for one in provided.sandbox.accepted()}
    assert {t["provider_id"] for t in await provided.tries()} == accepted
    assert await provided.notices() == []


async def test_without_receipts_everybody_stays_accepted(provided: Provided) -> None:
    provided.sandbox.configure(receipts=QUICKLY | {"mode": "missing"})
    await provided.send()
    await provided.hear()
    assert await provided.states() == [("accepted", None)] * 4


@pytest.mark.parametrize("fault", ["drop_after_accept", "error_after_accept", "malformed_json", "half_close"])
async def test_what_nobody_knew_is_settled_by_its_receipt(provided: Provided, fault: str) -> None:
    provided.sandbox.configure(receipts=QUICKLY)
    provided.sandbox.fault(fault, count=None)
    await provided.send()
    assert {state for state, _ in await provided.states()} == {"unknown"}
    await provided.hear()
    assert await provided.states() == [("read", None)] * 4
    assert {(t["state"], t["unknown_since"]) for t in await provided.tries()} == {("accepted", None)}
    assert provided.sandbox.people(more_than=1) == {}


async def test_a_message_that_was_taken_and_could_not_be_delivered_says_why(provided: Provided) -> None:
    provided.sandbox.configure(receipts=QUICKLY)
    provided.sandbox.fault("receipts_failed", 131026, to=AMINA)
    await provided.send()
    await provided.hear()
    assert sorted(await provided.states()) == [("read", None)] * 3 + [("undelivered", "131026")]


async def test_what_people_write_comes_in_over_the_wire(provided: Provided) -> None:
    await provided.send()
    provided.sandbox.inbound(AMINA, "Are you well?")
    provided.sandbox.inbound(ROSA, "STOP")
    await provided.hear()
    heard = await provided.look("SELECT address, text, meaning FROM inbound ORDER BY address DESC")
    assert [tuple(one.values()) for one in heard] == [
        (f"whatsapp:{ROSA}", "STOP", "stop"),
        (f"whatsapp:{AMINA}", "Are you well?", ""),
    ]
    assert await provided.consent() == [("out", "reply")] * 2  # by number, and by the user id told with it
