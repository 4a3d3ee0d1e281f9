"""Mail, by our real hooks into the ledger: what arrived, what came back, and who wants no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from uuid import UUID

import pytest

from clarion.api.app import create_app
from clarion.flow.dispatch import account
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.http import Http
from clarion.providers.letters import unsubscribing
from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.twins.smtp import TWIN
from tests.api.client import Api, Reply, serving
from tests.flow.provided import Provided

# The mailboxes of phones in the sandbox.
AMINA, ROSA = "254712000001@phone.example", "254712000003@phone.example"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@dataclass
class Mailing:
    """Two people on a channel of mail, and our hooks as anybody reaches them."""

    provided: Provided
    anybody: Api

    async def link(self, address: str) -> str:
        """Where whoever has this address leaves, as it stands in their mail; from its path on."""
        there = self.provided
        channel = await account.load(there.services, there.workspace_id, there.channel_id)
        return unsubscribing(channel.account, address).removeprefix(self.anybody.base)

    async def press(self, link: str) -> Reply:
        """The button of a mail program."""
        return await self.anybody.send("POST", link, data=ONE_CLICK)

    async def waiting(self) -> list[str]:
        """To whom something waits to be sent."""
        found = await self.provided.look(
            "SELECT d.value FROM queue q JOIN message m ON m.id = q.message_id "
            "JOIN address d ON d.id = m.address_id ORDER BY 1"
        )
        return [one["value"] for one in found]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
async def mailing(services: Services, workspace: UUID, sandbox: SandboxProcess) -> AsyncIterator[Mailing]:
    sandbox.reset(config=True)
    sandbox.configure(receipts={"sent_after": 0.0, "delivered_after": 0.02, "read_share": 0.0})
    present = replace(services, clock=Clock())
    app = create_app(present)
    async with serving(app) as hooks, Http() as http:
        settings = present.settings.model_copy(update={"public_url": hooks})
        present = app.state.services = replace(present, settings=settings)
        made = await Provided.by(
            "smtp", TWIN.example, present, workspace, sandbox, http, hooks, [AMINA, ROSA]
        )
        yield Mailing(made, Api(hooks))


async def test_what_was_delivered_is_delivered_in_the_ledger(mailing: Mailing) -> None:
    await mailing.provided.send()
    await mailing.provided.hear()
    assert await mailing.provided.states() == [("delivered", None)] * 2
    assert mailing.provided.sandbox.summary()["people"] == 2


async def test_what_came_back_is_undelivered_and_stops_nobody_else(mailing: Mailing) -> None:
    mailing.provided.sandbox.fault("receipts_failed", to=AMINA.partition("@")[0])
    await mailing.provided.send()
    await mailing.provided.hear()
    states = await mailing.provided.states()
    assert {state for state, _ in states} == {"undelivered", "delivered"}
    (channel,) = await mailing.provided.look("SELECT state FROM channel")
    assert channel["state"] == "active"
    assert await mailing.provided.notices() == []
    assert await mailing.provided.consent() == []


async def test_what_nobody_knew_is_settled_by_the_notification(mailing: Mailing) -> None:
    mailing.provided.sandbox.fault("drop_after_accept", count=None)
    await mailing.provided.send()
    assert {state for state, _ in await mailing.provided.states()} == {"unknown"}
    await mailing.provided.hear()
    assert await mailing.provided.states() == [("delivered", None)] * 2


async def test_one_click_takes_waiting_messages_out_and_stands_in_the_consent_ledger(
    mailing: Mailing,
) -> None:
    assert await mailing.waiting() == [AMINA, ROSA]
    first, again = [await mailing.press(await mailing.link(AMINA)) for _ in range(2)]
    await mailing.provided.hear()
    assert (first.status, again.status) == (200, 200)
    assert "Unsubscribed" in first.body.decode()
    assert await mailing.provided.consent() == [("out", "unsubscribe")]
    assert await mailing.waiting() == [ROSA]


async def test_a_look_at_the_link_changes_nothing(mailing: Mailing) -> None:
    reply = await mailing.anybody.get(await mailing.link(AMINA))
    await mailing.provided.hear()
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"<form" in reply.body
    assert await mailing.provided.look("SELECT id FROM inbox") == []
    assert await mailing.provided.consent() == []


async def test_a_forged_link_unsubscribes_nobody(mailing: Mailing) -> None:
    amina, rosa = await mailing.link(AMINA), await mailing.link(ROSA)
    for forged in (amina.partition("&")[0], f"{rosa.partition('&')[0]}&{amina.partition('&')[2]}"):
        assert (await mailing.press(forged)).status == 401
        assert (await mailing.anybody.get(forged)).status == 403
    await mailing.provided.hear()
    assert await mailing.provided.consent() == []
    assert await mailing.waiting() == [AMINA, ROSA]


async def test_whoever_asks_for_mails_again_may_leave_again_by_the_same_link(mailing: Mailing) -> None:
    there = mailing.provided
    link = await mailing.link(AMINA)
    await mailing.press(link)
    await there.hear()
    async with there.services.db.tenant(there.workspace_id) as connection:
        await connection.execute("UPDATE consent SET state = 'in', at = %s", (there.services.clock.now(),))
    await asyncio.sleep(0.01)
    await mailing.press(link)
    await there.hear()
    assert (await there.look("SELECT state FROM consent"))[0]["state"] == "out"
