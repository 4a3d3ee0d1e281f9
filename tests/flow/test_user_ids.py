"""People on WhatsApp without a telephone number, or who show it only now and then: by their user id."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from uuid import UUID

import pytest

from clarion.api.app import create_app
from clarion.domain.address import Address
from clarion.domain.identity import consent_hash
from clarion.domain.part import Button
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.http import Http
from clarion.providers.contract import Interactive
from clarion.sandbox.client import SandboxProcess
from clarion.store import consent
from clarion.store import workspace as workspaces
from tests.api.client import serving
from tests.flow.provided import Provided
from tests.store.people import AMINA

HIDDEN = "US.13491208655302741918"
SHOWN = AMINA.lstrip("+")
OF_AMINA = f"US.{int(SHOWN) * 7 + 13}"  # the sandbox's user id of her number
QUICKLY = {"sent_after": 0.0, "delivered_after": 0.01, "read_share": 0.0, "batch_within": 0.005}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
async def provided(services: Services, workspace: UUID, sandbox: SandboxProcess) -> AsyncIterator[Provided]:
    """One person who never shows a number, and Amina, whom we know by her user id alone."""
    sandbox.reset(config=True)
    sandbox.configure(window="open", receipts=QUICKLY)
    present = replace(services, clock=Clock())
    people = [f"whatsapp:{HIDDEN}", f"whatsapp:{OF_AMINA}"]
    async with serving(create_app(present)) as hooks, Http() as http:
        made = await Provided.make(present, workspace, sandbox, http, hooks, people)
        made.content = Interactive("Will you come?", buttons=(Button(id="y", title="Yes"),))
        yield made


async def opted_out(provided: Provided, address: str) -> bool:
    async with provided.services.db.tenant(provided.workspace_id) as connection:
        pepper = bytes((await workspaces.get(connection))["pepper"])
        return await consent.is_out(connection, consent_hash(pepper, Address("whatsapp", address)))


async def test_who_has_no_number_is_sent_to_and_their_receipt_is_understood(provided: Provided) -> None:
    told = await provided.send()
    await provided.hear()
    assert {one.code for one in told.values()} == {None}
    assert await provided.states() == [("delivered", None)] * 2
    assert provided.sandbox.people() == {HIDDEN: 1, OF_AMINA: 1}


async def test_what_they_tap_is_theirs_and_its_payload_is_kept(provided: Provided) -> None:
    await provided.send()
    provided.sandbox.tap(HIDDEN, "Yes")
    await provided.hear()
    (heard,) = await provided.look(
        """SELECT i.address, i.text, i.payload, c.id IS NOT NULL AS known FROM inbound i
           LEFT JOIN contact c ON c.id = i.contact_id"""
    )
    assert tuple(heard.values()) == (f"whatsapp:{HIDDEN}", "Yes", "y", True)
    (opened,) = await provided.look(
        "SELECT value FROM address WHERE last_inbound_at IS NOT NULL ORDER BY value"
    )
    assert opened["value"] == HIDDEN


async def test_their_stop_counts(provided: Provided) -> None:
    await provided.send()
    provided.sandbox.inbound(HIDDEN, "STOP")
    await provided.hear()
    assert await opted_out(provided, HIDDEN)
    assert not await opted_out(provided, OF_AMINA)


async def test_who_is_known_by_user_id_and_writes_with_a_number_is_the_same(
    provided: Provided,
) -> None:
    await provided.send()
    number = (await provided.look("SELECT config ->> 'sender' AS sender FROM channel"))[0]["sender"]
    provided.sandbox.inbound(AMINA, "STOP", number)
    await provided.hear()
    (heard,) = await provided.look("SELECT address, contact_id IS NOT NULL AS known FROM inbound")
    assert tuple(heard.values()) == (f"whatsapp:{OF_AMINA}", True)
    assert await opted_out(provided, OF_AMINA)
    assert await opted_out(provided, f"+{SHOWN}")
    provided.sandbox.inbound(AMINA, "START", number)
    await provided.hear()
    assert not await opted_out(provided, OF_AMINA)
    assert not await opted_out(provided, f"+{SHOWN}")
