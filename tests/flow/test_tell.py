"""Subscribers hear what happened: once where all is well, again where it is not, and nobody else's."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from aiohttp import web

from clarion.domain.subscription import FAILING_FOR, WAITS
from clarion.flow import subscribe
from clarion.flow.erase import erase_contact
from clarion.flow.services import Services
from clarion.flow.tell.forget import forget
from clarion.flow.tell.teller import FIRST_REST, KNOWN, LEASE, Teller
from clarion.kit.http import Http
from clarion.kit.secrets import SecretBox
from clarion.store import event, telling
from clarion.store import subscription as subscriptions
from tests.flow.announcing import NOON, Dispatch, at, people, sent_out
from tests.flow.telling import Told, a_test, kept, notices, shown, subscribed, subscriber, tell, until
from tests.kit.logged import captured
from tests.store.people import AMINA

JITTER = 1.1  # a wait may be longer by so much


# --- what is told, and to whom


async def test_a_message_is_told_by_what_you_call_its_person_and_without_number_name_or_text(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    async with subscriber() as portal:
        await subscribed(services, workspace, portal.url, "message.accepted")
        campaign_id, _ = await sent_out(services, workspace)
        await Dispatch(services, workspace, campaign_id).all()
        await tell(services, workspace)
    assert sorted(one["external_id"] for one in portal.of("message.accepted")) == ["E-1", "E-2", "E-3", "E-4"]
    one = portal.told[0]
    assert (one.event["timestamp"], one.event["workspace_id"]) == ("2026-03-02T12:00:00Z", str(workspace))
    assert (one.data["state"], one.data["campaign_id"]) == ("accepted", str(campaign_id))
    whole = b"".join(told.body for told in portal.told).decode()
    for word in (AMINA.removeprefix("+254"), "Amina", "clinic is closed"):
        assert word not in whole


async def test_each_hears_the_types_that_it_asked_for_under_the_same_identifier(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    async with subscriber() as portal, subscriber() as archive:
        await subscribed(services, workspace, portal.url, "message.accepted", "campaign.running")
        await subscribed(services, workspace, archive.url, "message.accepted", name="archive")
        campaign_id, _ = await sent_out(services, workspace)
        await Dispatch(services, workspace, campaign_id).all()
        await tell(services, workspace)
    assert portal.types() == ["campaign.running", *["message.accepted"] * 4]
    assert archive.types() == ["message.accepted"] * 4
    assert {one.id for one in archive.told} < {one.id for one in portal.told}


async def test_what_happens_in_a_workspace_is_told_to_its_own_subscribers_alone(
    services: Services, workspace: UUID, another_workspace: UUID
) -> None:
    await people(services, workspace)
    async with subscriber() as portal, subscriber() as stranger:
        await subscribed(services, workspace, portal.url)
        await subscribed(services, another_workspace, stranger.url)
        campaign_id, _ = await sent_out(services, workspace)
        await Dispatch(services, workspace, campaign_id).all()
        await tell(services, workspace)
        await tell(services, another_workspace)
    assert portal.told
    assert stranger.told == []
    assert await kept(services, another_workspace) == []


async def test_where_nobody_listens_nothing_is_kept(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    await Dispatch(services, workspace, campaign_id).all()
    assert await kept(services, workspace) == []


async def test_what_waits_for_an_erased_person_says_nothing_of_them(
    services: Services, workspace: UUID
) -> None:
    amina, *_ = await people(services, workspace)
    async with subscriber() as portal:
        await subscribed(services, workspace, portal.url, "message.accepted")
        campaign_id, _ = await sent_out(services, workspace)
        await Dispatch(services, workspace, campaign_id).all()
        await erase_contact(services.db, services.clock, workspace, amina)
        await tell(services, workspace)
    (theirs,) = [one for one in portal.of("message.accepted") if one["contact_id"] == str(amina)]
    assert theirs["external_id"] is None
    assert len(portal.told) == 4


# --- again, and no more


async def test_what_fails_is_told_again_under_the_same_identifier_for_three_days_and_then_given_up(
    services: Services, workspace: UUID
) -> None:
    async with subscriber() as portal:
        portal.usually = 500
        portal_id, _ = await subscribed(services, workspace, portal.url)
        test_id = await a_test(services, workspace, portal_id)
        for tries, wait in enumerate(WAITS, start=1):
            await tell(services, workspace)
            assert len(portal.told) == tries
            at(services).advance(wait - 1)
            await tell(services, workspace)
            assert len(portal.told) == tries  # not before its time
            at(services).advance(1 + wait * (JITTER - 1))
        assert (await shown(services, workspace, portal_id))["given_up"] == 0
        await tell(services, workspace)
        at(services).advance(10 * 86_400)
        await tell(services, workspace)
    assert len(portal.told) == len(WAITS) + 1 == 10
    assert {one.id for one in portal.told} == {str(test_id)}
    (one,) = await kept(services, workspace)
    assert (one["state"], one["tries"], one["answer"]) == ("given_up", 10, "500")
    assert (await shown(services, workspace, portal_id))["given_up"] == 1
    assert "can be told again" in (await notices(services, workspace))["given_up"]


async def test_what_was_given_up_can_be_told_again(services: Services, workspace: UUID) -> None:
    async with subscriber() as portal:
        portal.usually = 404
        portal_id, _ = await subscribed(services, workspace, portal.url)
        await a_test(services, workspace, portal_id)
        for wait in (*WAITS, 1):
            await tell(services, workspace)
            at(services).advance(wait * JITTER)
        portal.usually = 200
        async with services.db.tenant(workspace) as connection:
            assert await subscribe.again(connection, services, portal_id) == 1
        await tell(services, workspace)
    assert [one["state"] for one in await kept(services, workspace)] == ["told"]
    assert len({one.id for one in portal.told}) == 1
    assert await notices(services, workspace) == {}


async def test_a_subscriber_that_names_its_time_is_not_called_before(
    services: Services, workspace: UUID
) -> None:
    async with subscriber() as portal:
        portal.answers = [web.Response(status=503, headers={"Retry-After": "120"})]
        portal_id, _ = await subscribed(services, workspace, portal.url)
        await a_test(services, workspace, portal_id)
        await tell(services, workspace)
        at(services).advance(119)
        await tell(services, workspace)
        assert len(portal.told) == 1
        at(services).advance(1)
        await tell(services, workspace)
        assert len(portal.told) == 2


async def test_a_redirect_is_a_failure_and_is_not_followed(services: Services, workspace: UUID) -> None:
    async with subscriber() as portal, subscriber() as elsewhere:
        portal.answers = [web.Response(status=307, headers={"Location": elsewhere.url})]
        portal_id, _ = await subscribed(services, workspace, portal.url)
        await a_test(services, workspace, portal_id)
        await tell(services, workspace)
    assert (len(portal.told), elsewhere.told) == (1, [])
    (one,) = await kept(services, workspace)
    assert (one["state"], one["answer"]) == ("waiting", "307")


async def test_a_subscriber_that_is_gone_is_paused_and_what_waits_is_told_when_it_is_back(
    services: Services, workspace: UUID
) -> None:
    async with subscriber() as portal:
        portal.answers = [410]
        portal_id, _ = await subscribed(services, workspace, portal.url)
        test_id = await a_test(services, workspace, portal_id)
        await tell(services, workspace)
        found = await shown(services, workspace, portal_id)
        assert (found["state"], found["waiting"]) == ("paused", 1)
        assert "410" in found["reason"]
        assert "is paused" in (await notices(services, workspace))["paused"]
        await tell(services, workspace)
        assert len(portal.told) == 1
        async with services.db.tenant(workspace) as connection:
            await subscribe.resume(connection, portal_id, services.clock.now())
        await tell(services, workspace)
    assert [one.id for one in portal.told] == [str(test_id)] * 2
    assert await notices(services, workspace) == {}


async def test_a_subscriber_that_fails_for_days_is_paused_with_a_notice(
    services: Services, workspace: UUID
) -> None:
    async with subscriber() as portal:
        portal.usually = 503
        portal_id, _ = await subscribed(services, workspace, portal.url)
        await a_test(services, workspace, portal_id)
        await tell(services, workspace)
        assert (await shown(services, workspace, portal_id))["failing_since"] == NOON
        at(services).advance(FAILING_FOR.total_seconds() - 60)
        await tell(services, workspace)
        assert (await shown(services, workspace, portal_id))["state"] == "active"
        at(services).advance(WAITS[1] * JITTER)
        await tell(services, workspace)
    found = await shown(services, workspace, portal_id)
    assert (found["state"], found["waiting"]) == ("paused", 1)
    assert "5 days" in (await notices(services, workspace))["paused"]


async def test_one_success_ends_a_failure(services: Services, workspace: UUID) -> None:
    async with subscriber() as portal:
        portal.answers = [500]
        portal_id, _ = await subscribed(services, workspace, portal.url)
        await a_test(services, workspace, portal_id)
        await tell(services, workspace)
        at(services).advance(WAITS[0] * JITTER)
        await tell(services, workspace)
        at(services).advance(2 * FAILING_FOR.total_seconds())
        portal.answers = [500]
        await a_test(services, workspace, portal_id)
        await tell(services, workspace)
    found = await shown(services, workspace, portal_id)
    assert (found["state"], found["failing_since"]) == ("active", services.clock.now())


async def test_while_it_is_paused_nothing_is_told_and_nothing_new_is_kept(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    async with subscriber() as portal:
        portal_id, _ = await subscribed(services, workspace, portal.url)
        await a_test(services, workspace, portal_id)
        async with services.db.tenant(workspace) as connection:
            assert await subscribe.pause(connection, portal_id, "being moved", NOON)
        await sent_out(services, workspace)
        await tell(services, workspace)
        assert portal.told == []
        assert [one["type"] for one in await kept(services, workspace)] == ["subscription.test"]
        async with services.db.tenant(workspace) as connection:
            assert await subscribe.resume(connection, portal_id, NOON)
        await tell(services, workspace)
    assert portal.types() == ["subscription.test"]


async def test_what_waits_goes_to_the_new_address(services: Services, workspace: UUID) -> None:
    async with subscriber() as before, subscriber() as after:
        portal_id, _ = await subscribed(services, workspace, before.url)
        await a_test(services, workspace, portal_id)
        async with services.db.tenant(workspace) as connection:
            await subscribe.change(connection, services, portal_id, url=after.url)
        await tell(services, workspace)
    assert (before.told, len(after.told)) == ([], 1)


# --- addresses that nobody may be led to


async def test_a_private_address_is_never_connected_to_whatever_name_leads_there(
    services: Services, workspace: UUID
) -> None:
    async with subscriber() as portal, Http(allow_private=False) as http:
        portal_id, _ = await subscribed(services, workspace, portal.url.replace("127.0.0.1", "localhost"))
        await a_test(services, workspace, portal_id)
        await tell(services, workspace, http)
    assert portal.told == []
    (one,) = await kept(services, workspace)
    assert one["answer"].startswith("not reached")


# --- several at a time


async def test_a_slow_subscriber_keeps_nobody_else_waiting(services: Services, workspace: UUID) -> None:
    release = asyncio.Event()

    async def slowly(_: Told) -> web.Response:
        await release.wait()
        return web.Response(status=204)

    async with subscriber() as slow, subscriber() as quick, Http() as http:
        slow.behave = slowly
        slow_id, _ = await subscribed(services, workspace, slow.url, name="slow")
        quick_id, _ = await subscribed(services, workspace, quick.url, name="quick")
        for _ in range(5):
            await a_test(services, workspace, slow_id)
            await a_test(services, workspace, quick_id)
        teller = Teller(services, http)
        serving = asyncio.gather(teller.serve(workspace, slow_id), teller.serve(workspace, quick_id))
        await until(lambda: len(quick.told) == 5)
        assert len(slow.told) == 1
        release.set()
        await serving
        assert len(slow.told) == 5


async def test_two_workers_share_what_waits_and_tell_each_event_once(
    services: Services, workspace: UUID
) -> None:
    async with subscriber() as portal, Http() as http:
        portal_id, _ = await subscribed(services, workspace, portal.url)
        for _ in range(150):
            await a_test(services, workspace, portal_id)
        await asyncio.gather(*(Teller(services, http).serve(workspace, portal_id) for _ in range(3)))
        told = [one.id for one in portal.told]
    assert len(told) == len(set(told)) == 150


async def test_a_subscriber_that_fails_is_left_alone_for_a_while_by_the_worker_that_saw_it(
    services: Services, workspace: UUID
) -> None:
    async with subscriber() as portal, Http() as http:
        portal.usually = 502
        portal_id, _ = await subscribed(services, workspace, portal.url)
        for _ in range(20):
            await a_test(services, workspace, portal_id)
        teller = Teller(services, http)
        tries = []
        for _ in range(8):
            await teller.serve(workspace, portal_id)
            tries.append(len(portal.told))
            at(services).advance(FIRST_REST)
        assert tries == [1, 2, 2, 3, 3, 3, 3, 4]


# --- a worker that ends


async def test_an_event_whose_worker_died_is_told_by_another_under_the_same_identifier(
    services: Services, workspace: UUID
) -> None:
    never = asyncio.Event()

    async def never_answers(_: Told) -> web.Response:
        await never.wait()
        return web.Response(status=204)

    async with subscriber() as portal, Http() as http:
        portal.behave = never_answers
        portal_id, _ = await subscribed(services, workspace, portal.url)
        await a_test(services, workspace, portal_id)
        dying = asyncio.create_task(Teller(services, http).serve(workspace, portal_id))
        await until(lambda: len(portal.told) == 1)
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        portal.behave = None
        at(services).advance(LEASE.total_seconds() - 1)
        await tell(services, workspace)
        assert len(portal.told) == 1  # its worker may be alive, and slow
        at(services).advance(1)
        await tell(services, workspace)
    assert len(portal.told) == 2
    assert len({one.id for one in portal.told}) == 1
    assert [one["state"] for one in await kept(services, workspace)] == ["told"]


async def test_a_worker_that_wakes_too_late_does_not_undo_what_another_told(
    services: Services, workspace: UUID
) -> None:
    async with subscriber() as portal:
        portal_id, _ = await subscribed(services, workspace, portal.url)
        await a_test(services, workspace, portal_id)
        now = services.clock.now()
        async with services.db.tenant(workspace) as connection:
            (late,) = await telling.take(
                connection, portal_id, types=KNOWN, limit=1, now=now, until=now + LEASE
            )
        at(services).advance(LEASE.total_seconds())
        await tell(services, workspace)
        async with services.db.tenant(workspace) as connection:
            ended = telling.Told(late.id, False, "no answer", now + timedelta(hours=1))
            await telling.settle(connection, portal_id, [ended], services.clock.now())
    (one,) = await kept(services, workspace)
    assert (one["state"], one["tries"]) == ("told", 1)


async def test_what_only_a_newer_version_can_tell_waits_for_it_and_holds_up_nothing(
    services: Services, workspace: UUID
) -> None:
    async with subscriber() as portal:
        portal_id, _ = await subscribed(services, workspace, portal.url)
        newer = await a_test(services, workspace, portal_id)
        async with services.db.tenant(workspace) as connection:
            await connection.execute("UPDATE event SET type = 'channel.degraded' WHERE id = %s", (newer,))
        at(services).advance(1)
        ours = await a_test(services, workspace, portal_id)
        await tell(services, workspace)
    assert [one.id for one in portal.told] == [str(ours)]
    assert {one["id"]: one["state"] for one in await kept(services, workspace)} == {
        newer: "waiting", ours: "told",
    }  # fmt: skip


async def test_a_worker_that_leaves_lets_its_calls_end(services: Services, workspace: UUID) -> None:
    release = asyncio.Event()

    async def slowly(_: Told) -> web.Response:
        await release.wait()
        return web.Response(status=204)

    stop = asyncio.Event()
    async with subscriber() as portal, Http() as http:
        portal.behave = slowly
        portal_id, _ = await subscribed(services, workspace, portal.url)
        for _ in range(3):
            await a_test(services, workspace, portal_id)
        running = asyncio.create_task(Teller(services, http).run(stop))
        await until(lambda: len(portal.told) == 1)
        stop.set()
        release.set()
        await running
    states = sorted(one["state"] for one in await kept(services, workspace))
    assert states == ["told", "waiting", "waiting"]


_CHILD = """
import asyncio, sys
from datetime import datetime
from pathlib import Path
from uuid import UUID
from clarion.flow.services import Services
from clarion.flow.tell.teller import Teller
from clarion.kit.clock import FakeClock
from clarion.kit.db import Database
from clarion.kit.http import Http
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings

async def tell(url, state, moment, workspace, subscription):
    settings = Settings(state_dir=Path(state), allow_private_addresses=True)
    async with Database(url, size=2) as db, Http() as http:
        clock = FakeClock(datetime.fromisoformat(moment))
        services = Services(db, clock, settings, SecretBox.from_settings(settings))
        await Teller(services, http).serve(UUID(workspace), UUID(subscription))

asyncio.run(tell(*sys.argv[1:]))
"""


async def test_an_event_whose_process_was_killed_is_told_by_the_next(
    services: Services, workspace: UUID, database_url: str
) -> None:
    never = asyncio.Event()

    async def never_answers(_: Told) -> web.Response:
        await never.wait()
        return web.Response(status=204)

    async with subscriber() as portal:
        portal.behave = never_answers
        portal_id, _ = await subscribed(services, workspace, portal.url)
        await a_test(services, workspace, portal_id)
        state = str(services.settings.state_dir)
        words = [database_url, state, NOON.isoformat(), str(workspace), str(portal_id)]
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", _CHILD, *words)
        await until(lambda: len(portal.told) == 1)
        child.kill()
        assert await child.wait() == -9
        portal.behave = None
        at(services).advance(LEASE.total_seconds())
        await tell(services, workspace)
    assert len(portal.told) == 2
    assert len({one.id for one in portal.told}) == 1


# --- what is kept, and for how long


async def test_told_events_are_forgotten_after_a_day_and_given_up_ones_after_thirty(
    services: Services, workspace: UUID
) -> None:
    async with subscriber() as portal:
        portal_id, _ = await subscribed(services, workspace, portal.url)
        await a_test(services, workspace, portal_id)
        await tell(services, workspace)
        async with services.db.tenant(workspace) as connection:
            given_up = await event.of_test(connection, portal_id, NOON)
            await telling.settle(connection, portal_id, [telling.Told(given_up, False, "500")], NOON)
    at(services).advance(86_400 - 1)
    await forget(services)
    assert len(await kept(services, workspace)) == 2
    at(services).advance(2)
    await forget(services)
    assert [one["id"] for one in await kept(services, workspace)] == [given_up]
    at(services).advance(30 * 86_400)
    await forget(services)
    assert await kept(services, workspace) == []


async def test_what_has_waited_for_days_without_being_told_is_given_up_visibly(
    services: Services, workspace: UUID
) -> None:
    portal_id, _ = await subscribed(services, workspace, "http://127.0.0.1:9/")
    await a_test(services, workspace, portal_id)
    async with services.db.tenant(workspace) as connection:
        await subscribe.pause(connection, portal_id, "", NOON)
    at(services).advance(telling.WAITS_AT_MOST.total_seconds() + 1)
    await forget(services)
    assert (await shown(services, workspace, portal_id))["given_up"] == 1
    assert "can be told again" in (await notices(services, workspace))["given_up"]


async def test_of_a_removed_subscription_nothing_is_told_and_nothing_stays(
    services: Services, workspace: UUID
) -> None:
    async with subscriber() as portal:
        portal_id, _ = await subscribed(services, workspace, portal.url)
        await a_test(services, workspace, portal_id)
        async with services.db.tenant(workspace) as connection:
            await subscribe.remove(connection, portal_id, NOON)
            assert await subscriptions.page(connection, None, 10) == []
        await Teller(services, Http()).serve(workspace, portal_id)
        await forget(services)
        await forget(services)
    assert (portal.told, await kept(services, workspace)) == ([], [])
    async with services.db.tenant(workspace) as connection:
        left = await telling.listed(connection, NOON)
    assert portal_id not in {one.subscription_id for one in left}


# --- secrets


async def test_a_secret_that_does_not_open_pauses_the_subscription_and_says_what_to_do(
    services: Services, workspace: UUID
) -> None:
    async with subscriber() as portal:
        portal_id, _ = await subscribed(services, workspace, portal.url)
        await a_test(services, workspace, portal_id)
        await tell(replace(services, box=SecretBox(["another key, of thirty-two letters"])), workspace)
        assert portal.told == []
    found = await shown(services, workspace, portal_id)
    assert (found["state"], found["waiting"]) == ("paused", 1)
    assert "new secret" in found["reason"]


async def test_the_log_holds_no_secret_and_no_address(services: Services, workspace: UUID) -> None:
    with captured() as log:
        portal_id, secret = await subscribed(
            services, workspace, "http://127.0.0.1:9/hook?key=canary-of-an-address"
        )
        await a_test(services, workspace, portal_id)
        await tell(services, workspace)
        broken = replace(services, box=SecretBox(["another key, of thirty-two letters"]))
        at(services).advance(WAITS[0] * JITTER)
        await tell(broken, workspace)
    assert "canary-of-an-address" not in log.getvalue()
    assert secret.removeprefix("whsec_") not in log.getvalue()


async def test_how_it_went_is_counted(services: Services, workspace: UUID) -> None:
    async with subscriber() as portal:
        portal.answers = [500]
        portal_id, _ = await subscribed(services, workspace, portal.url)
        await a_test(services, workspace, portal_id)
        for _ in range(2):
            await tell(services, workspace)
            at(services).advance(WAITS[0] * JITTER)
    shown_as = services.metrics.render().decode()
    for outcome in ("told", "failed"):
        line = f'clarion_events_total{{outcome="{outcome}",subscription="{portal_id}"}} 1.0'
        assert line in shown_as
