"""What RapidPro never answered: found among what was made since, or sent again where nothing was."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from uuid import UUID

import pytest

from clarion.flow import reconcile
from clarion.flow.dispatch import account
from clarion.flow.reconcile import Reconciled
from clarion.flow.services import Services
from clarion.kit.clock import Clock, FakeClock
from clarion.kit.http import Http
from clarion.providers.contract import Content, FlowStart, Parcel, Text
from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.twins.rapidpro import TWIN
from tests.flow.provided import Provided
from tests.store.people import ABEBE, AMINA, ROSA

LONG = 600.0  # more than lease, the longest call and the provider's lag together
START, WORDS = FlowStart("welcome", (("name", "Amina"),)), Text("We are open")


class Asked(Provided):
    """A channel of RapidPro that is asked about its unknown tries."""

    async def reconcile(self, after: float = 0.0) -> Reconciled:
        assert isinstance(self.services.clock, FakeClock)
        self.services.clock.advance(after)
        return await reconcile.reconcile(self.services, self.http, self.workspace_id, self.channel_id)

    async def unanswered(self, content: Content, fault: str) -> None:
        """Everybody's try ends so."""
        self.content = content
        self.sandbox.fault(fault, count=2)
        await self.send()
        assert await self.states() == [("unknown", None)] * 2


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
async def asked(services: Services, workspace: UUID, sandbox: SandboxProcess) -> AsyncIterator[Asked]:
    sandbox.reset(config=True)
    sandbox.configure(receipts={"mode": "none"})
    present = replace(services, clock=FakeClock(Clock().now()))
    async with Http() as http:
        yield await Asked.by("rapidpro", TWIN.example, present, workspace, sandbox, http, "", [AMINA, ABEBE])


async def test_a_flow_start_that_was_made_is_accepted_at_once(asked: Asked) -> None:
    await asked.unanswered(START, "drop_after_accept")
    assert await asked.reconcile() == Reconciled(asked=2, found=2)
    assert await asked.states() == [("accepted", None)] * 2
    assert asked.sandbox.summary()["people_with_two"] == 0


@pytest.mark.parametrize("content", [START, WORDS], ids=["flow", "text"])
async def test_what_was_not_made_is_sent_again_after_all_patience_and_once(
    asked: Asked, content: Content
) -> None:
    await asked.unanswered(content, "drop_before_accept")
    assert await asked.reconcile() == Reconciled(asked=2, missing=2)
    assert await asked.reconcile(LONG) == Reconciled(asked=2, missing=2, returned=2)
    await asked.send()
    assert await asked.states() == [("accepted", None)] * 2
    assert asked.sandbox.people() == {number.removeprefix("+"): 1 for number in (AMINA, ABEBE)}


async def test_a_text_that_may_have_been_made_is_for_a_person_to_decide(asked: Asked) -> None:
    """A broadcast keeps nothing of ours: any to one person since then may be it."""
    await asked.unanswered(WORDS, "drop_after_accept")
    assert await asked.reconcile(LONG) == Reconciled(asked=2, silent=2)
    assert await asked.states() == [("unknown", None)] * 2


async def test_somebody_elses_text_meanwhile_leaves_a_flow_start_that_is_missing_unknown(
    asked: Asked,
) -> None:
    """Nobody can say that the try was no text; and never is anything sent twice."""
    await asked.unanswered(START, "drop_before_accept")
    channel = await account.load(asked.services, asked.workspace_id, asked.channel_id)
    somebody = channel.provider.sender(channel.account, asked.http)
    await somebody.send(Parcel("theirs", "tel", ROSA, WORDS))
    assert await asked.reconcile(LONG) == Reconciled(asked=2, silent=2)
    assert await asked.states() == [("unknown", None)] * 2
