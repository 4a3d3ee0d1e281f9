"""Push messages by our real hooks into the ledger: what a device tells is evidence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from importlib import import_module
from uuid import UUID

import pytest

from clarion.api.app import create_app
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.http import Http
from clarion.sandbox import twins
from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.twins.fcm import device
from clarion.sandbox.twins.webpush import subscription
from tests.api.client import serving
from tests.flow.provided import Provided
from tests.store.people import AMINA, JOHN

PEOPLE = {
    "fcm": [f"fcm:{device(number)}" for number in (AMINA, JOHN)],
    "webpush": [f"webpush:{subscription(number)}" for number in (AMINA, JOHN)],
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture(params=sorted(PEOPLE))
async def provided(
    request: pytest.FixtureRequest, services: Services, workspace: UUID, sandbox: SandboxProcess
) -> AsyncIterator[Provided]:
    """Two people with a device, or a browser; our hooks are served, under the name that they are given."""
    sandbox.reset(config=True)
    sandbox.configure(receipts={"sent_after": 0.0, "delivered_after": 0.02, "read_share": 0.0})
    present = replace(services, clock=Clock())
    app = create_app(present)
    async with serving(app) as hooks, Http() as http:
        settings = present.settings.model_copy(update={"public_url": hooks})
        present = app.state.services = replace(present, settings=settings)
        name, example = request.param, import_module(f"{twins.__name__}.{request.param}").TWIN.example
        yield await Provided.by(
            name, example, present, workspace, sandbox, http, hooks, PEOPLE[request.param]
        )


async def test_what_a_device_has_shown_is_delivered_in_the_ledger(provided: Provided) -> None:
    await provided.send()
    before = await provided.states()
    await provided.hear()
    assert {state for state, _ in before} <= {"accepted", "delivered"}
    assert await provided.states() == [("delivered", None)] * 2
    assert provided.sandbox.summary()["people"] == 2


async def test_what_somebody_opened_is_read(provided: Provided) -> None:
    provided.sandbox.configure(receipts={"read_share": 1.0, "read_after": 0.03})
    await provided.send()
    await provided.hear()
    assert await provided.states() == [("read", None)] * 2


async def test_what_nobody_knew_is_settled_by_the_device(provided: Provided) -> None:
    provided.sandbox.fault("drop_after_accept", count=None)
    await provided.send()
    assert {state for state, _ in await provided.states()} == {"unknown"}
    await provided.hear()
    assert await provided.states() == [("delivered", None)] * 2


async def test_a_device_that_never_tells_anything_leaves_its_message_accepted(provided: Provided) -> None:
    provided.sandbox.configure(receipts={"mode": "none"})
    await provided.send()
    await provided.hear()
    assert await provided.states() == [("accepted", None)] * 2
