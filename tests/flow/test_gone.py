"""An address that leads nowhere any more: whoever has it, it is used no more, and no consent changes."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from clarion.flow import configure, fall_back, fire
from clarion.flow.dispatch import account
from clarion.flow.dispatch.beyond import Beyonder
from clarion.flow.dispatch.judge import Beyond
from clarion.flow.explain import explain
from clarion.flow.receive import consequences
from clarion.flow.receive.consequences import Failure
from clarion.flow.services import Services
from clarion.kit.db import rows
from clarion.providers.contract import Answered, Fault, Told
from clarion.store import contact, queue
from clarion.store.queue import Waiting
from clarion.store.receipt import Said
from tests.flow.announcing import channel as another_channel
from tests.flow.announcing import counted, launched, people, written
from tests.store.people import AMINA, person
from tests.store.sent import announce

DEVICE, OTHER = f"fcm:{'d' * 40}", f"fcm:{'e' * 40}"
PUSH = {"variants": [{"content": {"kind": "push", "title": "Closed", "body": "The clinic is closed"}}]}
EPOCH = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))


async def channel(services: Services, workspace: UUID) -> UUID:
    async with services.db.tenant(workspace) as connection:
        return await configure.create_channel(
            connection, services, workspace, name="App", provider="fcm", config={}
        )


async def announced(services: Services, workspace: UUID, channel_id: UUID, name: str) -> UUID:
    """The run of a push message to everyone."""
    campaign_id = await written(services, workspace, channel_id, name, content=PUSH)
    run_id = await launched(services, workspace, campaign_id, confirm_similar=True)
    await fire.fire(services, workspace, run_id)
    return run_id


async def waiting(services: Services, workspace: UUID, channel_id: UUID, urn: str) -> Waiting:
    """The first message in the queue for this address."""
    async with services.db.tenant(workspace) as connection:
        found = [
            one
            for lane in (await queue.open_lanes(connection, [channel_id]))[channel_id]
            for one in await queue.read_ahead(connection, lane.id, EPOCH, services.clock.now(), 100)
        ]
    return next(one for one in found if f"{one.scheme}:{one.address}" == urn)


async def gone(services: Services, workspace: UUID, channel_id: UUID, urn: str) -> None:
    """What the dispatch does when FCM says of somebody's token that it is no more; twice, as after a kill."""
    loaded = await account.load(services, workspace, channel_id)
    whose = await waiting(services, workspace, channel_id, urn)
    told = Told(
        Answered.REFUSED, fault=Fault.GONE, code="UNREGISTERED", detail="Requested entity was not found."
    )
    for _ in range(2):
        await Beyonder(services).follow(loaded, whose, Beyond.FORGET, told)


async def test_a_device_that_is_gone_is_used_no_more_and_what_waits_for_it_is_withdrawn(
    services: Services, workspace: UUID
) -> None:
    amina, rosa, _ = await people(
        services, workspace,
        [person("Amina", DEVICE), person("Rosa", DEVICE, external_id="E-3"), person("Abebe", OTHER)],
    )  # fmt: skip
    channel_id = await channel(services, workspace)
    runs = [await announced(services, workspace, channel_id, name) for name in ("Monday", "Tuesday")]

    await gone(services, workspace, channel_id, DEVICE)
    after = await announced(services, workspace, channel_id, "Wednesday")

    for run_id in runs:
        assert await counted(services, workspace, run_id) == {"ready": 1, "address_gone": 2}
    assert await counted(services, workspace, after) == {"ready": 1, "no_address": 2}
    async with services.db.tenant(workspace) as connection:
        for who in (amina, rosa):
            (address,) = (await contact.get(connection, who))["addresses"]
            assert (address["status"], address["reason"]) == ("invalid", "fcm says UNREGISTERED")
            told = (await explain(connection, who, services.clock.now())).sentences
            assert f"{DEVICE} leads nowhere any more and is not used (fcm says UNREGISTERED, " in " ".join(
                told
            )
        assert await rows(connection, "SELECT * FROM consent_event") == []


async def test_a_list_that_names_it_again_does_not_make_it_good_and_another_one_does(
    services: Services, workspace: UUID
) -> None:
    (amina,) = await people(services, workspace, [person("Amina", DEVICE, external_id="E-1")])
    channel_id = await channel(services, workspace)
    await announced(services, workspace, channel_id, "Monday")
    await gone(services, workspace, channel_id, DEVICE)

    await people(services, workspace, [person("Amina", DEVICE, external_id="E-1")])
    same = await announced(services, workspace, channel_id, "Tuesday")
    await people(services, workspace, [person("Amina", OTHER, external_id="E-1")])
    another = await announced(services, workspace, channel_id, "Wednesday")

    assert await counted(services, workspace, same) == {"no_address": 1}
    assert await counted(services, workspace, another) == {"ready": 1}
    async with services.db.tenant(workspace) as connection:
        shown = {one["urn"]: one["status"] for one in (await contact.get(connection, amina))["addresses"]}
    assert shown == {DEVICE: "invalid", OTHER: "active"}


async def test_a_receipt_may_say_it_too_and_only_of_the_address_that_was_used(
    services: Services, workspace: UUID
) -> None:
    (amina,) = await people(services, workspace, [person("Amina", f"tel:{AMINA}", f"whatsapp:{AMINA}")])
    now = services.clock.now()
    async with services.db.tenant(workspace) as connection:
        channel_id = await configure.create_channel(
            connection, services, workspace, name="WhatsApp", provider="whatsapp", config={"sender": "1"}
        )
        sent = await announce(
            connection, workspace, now, [f"whatsapp:{AMINA}"], channel_id, schemes=("whatsapp",)
        )
        (attempt_id,) = await sent.begin(connection, now)
    failure = Failure(Fault.GONE, sent.cohort, Said(attempt_id, "failed", now, "131026", None))
    for _ in range(2):
        async with services.db.tenant(workspace) as connection:
            await consequences.heed_provider(connection, "whatsapp", [failure])
    async with services.db.tenant(workspace) as connection:
        shown = {one["urn"]: one["status"] for one in (await contact.get(connection, amina))["addresses"]}
        assert await rows(connection, "SELECT * FROM consent_event") == []
    assert shown == {f"tel:{AMINA}": "active", f"whatsapp:{AMINA}": "invalid"}


async def test_who_has_no_device_any_more_is_told_over_the_next_channel(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace, [person("Amina", DEVICE, AMINA), person("Abebe", OTHER)])
    app = await channel(services, workspace)
    sms = await another_channel(services, workspace, "SMS", "kannel", base_url="https://sms.example.org")
    words = {"content": {"kind": "text", "text": "The clinic is closed"}}
    content = {"variants": [{**PUSH["variants"][0], "channel_kind": "fcm"}, words]}
    campaign_id = await written(
        services, workspace, app, content=content, fallback=[{"channel_id": str(sms)}]
    )
    run_id = await launched(services, workspace, campaign_id)
    await fire.fire(services, workspace, run_id)

    await gone(services, workspace, app, DEVICE)
    went = await fall_back.fall_back(services, workspace)

    assert went == 1
    assert await counted(services, workspace, run_id) == {"ready": 2}
    assert (await waiting(services, workspace, sms, f"tel:{AMINA}")).name == "Amina"
