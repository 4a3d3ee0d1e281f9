"""Every provider that tells of a number by our reference: over the wire, by our hooks, into the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from importlib import import_module
from uuid import UUID

import pytest

from clarion.api.app import create_app
from clarion.flow.dispatch import account
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.http import Http
from clarion.providers import registry
from clarion.providers.contract import Answered, Fault, Parcel, Text
from clarion.sandbox import twins
from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.dialect import Example
from tests.api.client import serving
from tests.flow.provided import Provided
from tests.store.people import ABEBE, AMINA, JOHN, ROSA

PEOPLE = [AMINA, ABEBE, JOHN, ROSA]


def example(name: str) -> Example:
    found: Example = import_module(f"{twins.__name__}.{name}").TWIN.example
    return found


def who_may(*faults: str) -> list[str]:
    """Providers that reach numbers, and whose protocol has words for all these."""
    return [
        name
        for name, provider in sorted(registry.known().items())
        if "tel" in provider.schemes and not example(name).never & set(faults)
    ]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
async def provided(
    request: pytest.FixtureRequest, services: Services, workspace: UUID, sandbox: SandboxProcess
) -> AsyncIterator[Provided]:
    """Four people on a channel of this provider; our hooks are served, under the name that it is given."""
    sandbox.reset(config=True)
    sandbox.configure(receipts={"sent_after": 0.0, "delivered_after": 0.02, "read_share": 0.0})
    present = replace(services, clock=Clock())
    app = create_app(present)
    async with serving(app) as hooks, Http() as http:
        settings = present.settings.model_copy(update={"public_url": hooks})
        present = app.state.services = replace(present, settings=settings)
        name = request.param
        yield await Provided.by(name, example(name), present, workspace, sandbox, http, hooks, PEOPLE)


@pytest.mark.parametrize("provided", who_may("settle"), indirect=True)
async def test_what_was_sent_is_delivered_in_the_ledger(provided: Provided) -> None:
    await provided.send()
    await provided.hear()
    assert await provided.states() == [("delivered", None)] * 4
    assert provided.sandbox.summary()["people"] == 4
    assert await provided.notices() == []


@pytest.mark.parametrize("provided", who_may("settle"), indirect=True)
async def test_what_nobody_knew_is_settled_by_what_the_provider_tells(provided: Provided) -> None:
    provided.sandbox.fault("drop_after_accept", count=None)
    await provided.send()
    assert {state for state, _ in await provided.states()} == {"unknown"}
    await provided.hear()
    assert await provided.states() == [("delivered", None)] * 4
    assert {(t["state"], t["unknown_since"]) for t in await provided.tries()} == {("accepted", None)}


@pytest.mark.parametrize("provided", who_may("write", "call"), indirect=True)
async def test_whoever_writes_stop_is_heard(provided: Provided) -> None:
    (channel,) = await provided.look("SELECT provider FROM channel")
    sender = example(channel["provider"]).sender
    await asyncio.to_thread(provided.sandbox.inbound, AMINA, "STOP", sender)
    await provided.hear()
    names = 2 if channel["provider"] == "whatsapp" else 1  # it tells the number and the user id
    assert await provided.consent() == [("out", "reply")] * names


@pytest.mark.parametrize("provided", ["twilio"], indirect=True)
async def test_whoever_stops_at_twilio_is_answered_there_and_nothing_of_ours_follows(
    provided: Provided,
) -> None:
    """Were anything sent all the same, Twilio would refuse it."""
    await provided.send()
    for word in ("Stop", "HELP"):
        await asyncio.to_thread(provided.sandbox.inbound, AMINA, word, example("twilio").sender)
    await provided.hear()
    owed = await provided.look("SELECT id FROM campaign WHERE kind = 'courtesy'")
    channel = await account.load(provided.services, provided.workspace_id, provided.channel_id)
    sender = channel.provider.sender(channel.account, provided.http)
    told = await sender.send(Parcel(provided.sent.reference(provided.sent.run_id), "tel", AMINA, Text("Bye")))

    assert (await provided.consent(), owed) == ([("out", "reply")], [])
    assert (told.answered, told.fault, told.code) == (Answered.REFUSED, Fault.OPTED_OUT, "21610")
    await asyncio.to_thread(provided.sandbox.inbound, AMINA, "unstop", example("twilio").sender)
    again = await sender.send(
        Parcel(provided.sent.reference(provided.sent.lane_id), "tel", AMINA, Text("Hi"))
    )
    assert again.answered is Answered.ACCEPTED
