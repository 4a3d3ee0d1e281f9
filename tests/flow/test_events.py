"""What happens becomes events, each once, in the transaction of what happened."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest

from clarion.domain.message import Outcome, State, Verdict
from clarion.flow import announce, configure, consent, fire, subscribe, unknowns
from clarion.flow.dispatch import account
from clarion.flow.dispatch.beyond import Beyonder
from clarion.flow.dispatch.breaker import Breaker
from clarion.flow.dispatch.health import Health, Word
from clarion.flow.dispatch.settler import Ended, Settler
from clarion.flow.erase import erase_contact
from clarion.flow.services import Services
from clarion.flow.tell.forget import forget
from clarion.flow.tell.listening import Listening
from clarion.kit.db import Connection, rows
from clarion.store import attempt, event
from tests.flow.announcing import (
    HOUR,
    NOON,
    Dispatch,
    at,
    channel,
    launched,
    people,
    sent_out,
    written,
)
from tests.flow.receiving import Receiving, status, webhook
from tests.flow.telling import Subscriber, kept, subscribed, subscriber, tell
from tests.store.people import ABEBE, AMINA, NOW, person, store
from tests.store.sent import announce as announce_to

NOWHERE = "http://127.0.0.1:9/"


async def types(services: Services, workspace: UUID, family: str = "") -> Counter[str]:
    """How often each type was noted."""
    found = [one["type"] for one in await kept(services, workspace)]
    return Counter(kind for kind in found if kind.startswith(family))


async def told(services: Services, workspace: UUID, portal_id: UUID) -> Subscriber:
    """What the subscription hears when it is told everything, at an address that is there."""
    async with subscriber() as portal:
        async with services.db.tenant(workspace) as connection:
            await subscribe.change(connection, services, portal_id, url=portal.url)
        await tell(services, workspace)
        return portal


@pytest.fixture
async def portal_id(services: Services, workspace: UUID) -> UUID:
    """A subscription to everything, made before anything happens."""
    return (await subscribed(services, workspace, NOWHERE))[0]


@pytest.fixture
async def receiving(services: Services, workspace: UUID, portal_id: UUID) -> Receiving:
    """A message to Amina, whose try is in flight."""
    assert portal_id
    async with services.db.tenant(workspace) as connection:
        sent = await announce_to(connection, workspace, services.clock.now(), [AMINA])
        await sent.begin(connection)
    at(services).advance(1)
    return Receiving(services, workspace, sent)


# --- receipts


async def test_receipts_of_one_batch_tell_of_every_state_also_of_that_it_was_taken(
    services: Services, workspace: UUID, receiving: Receiving
) -> None:
    (begun,) = receiving.sent.attempts
    reference = receiving.sent.reference(begun)
    moments = [receiving.ago(2), receiving.ago(1)]
    words = zip(("delivered", "read"), moments, strict=True)
    await receiving.tell(webhook(statuses=[status(reference, word, when) for word, when in words]))
    assert await types(services, workspace, "message") == {
        "message.accepted": 1, "message.delivered": 1, "message.read": 1,
    }  # fmt: skip
    found = {one["type"]: one["at"] for one in await kept(services, workspace)}
    assert [found["message.delivered"], found["message.read"]] == moments


async def test_a_receipt_that_is_told_again_is_no_news(
    services: Services, workspace: UUID, receiving: Receiving
) -> None:
    (begun,) = receiving.sent.attempts
    for word in ("sent", "delivered", "sent", "delivered", "delivered"):
        at(services).advance(1)
        await receiving.tell_of(begun, word)
    assert await types(services, workspace, "message") == {"message.accepted": 1, "message.delivered": 1}


async def test_what_is_repeated_after_its_event_was_forgotten_is_no_news(
    services: Services, workspace: UUID, portal_id: UUID, receiving: Receiving
) -> None:
    (begun,) = receiving.sent.attempts
    await receiving.tell_of(begun, "delivered")
    assert len((await told(services, workspace, portal_id)).of("message.delivered")) == 1
    at(services).advance(86_401)
    await forget(services)
    assert await kept(services, workspace) == []
    reference, now = receiving.sent.reference(begun), services.clock.now()
    await receiving.tell(webhook(statuses=[status(reference, word, now) for word in ("delivered", "read")]))
    async with services.db.tenant(workspace) as connection:
        late = Verdict(begun, Outcome.ACCEPTED, State.ACCEPTED)
        await attempt.settle(connection, receiving.sent.cohort, [late], services.clock.now())
        await event.of_attempts(connection, receiving.sent.cohort, [begun], services.clock.now())
    assert await types(services, workspace) == {"message.read": 1}


async def test_delivered_that_comes_after_read_is_told_too(
    services: Services, workspace: UUID, receiving: Receiving
) -> None:
    (begun,) = receiving.sent.attempts
    for word in ("read", "delivered"):
        at(services).advance(1)
        await receiving.tell_of(begun, word)
    assert (await types(services, workspace))["message.delivered"] == 1


async def test_what_did_not_arrive_is_told_with_the_providers_code(
    services: Services, workspace: UUID, portal_id: UUID, receiving: Receiving
) -> None:
    (begun,) = receiving.sent.attempts
    await receiving.tell_of(begun, "sent")
    at(services).advance(1)
    await receiving.tell_of(begun, "failed", code=131026)
    (one,) = (await told(services, workspace, portal_id)).of("message.undelivered")
    assert (one["state"], one["reason"]) == ("undelivered", "131026")


# --- tries and their ends


async def test_every_end_of_a_try_is_told_once(services: Services, workspace: UUID, portal_id: UUID) -> None:
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    begun = await dispatch.begin()
    outcomes = (Outcome.ACCEPTED, Outcome.REFUSED, Outcome.UNKNOWN, Outcome.UNSENT)
    for one, outcome in zip(begun, outcomes, strict=True):
        more = {"retry_at": NOON + HOUR} if outcome is Outcome.UNSENT else {}
        await dispatch.end([one], outcome, code="131026", **more)
        at(services).advance(1)
        await dispatch.end([one], outcome, code="131026", **more)  # a commit that nobody heard of is repeated
    assert await types(services, workspace, "message") == {
        "message.accepted": 1, "message.failed": 1, "message.unknown": 1,
    }  # fmt: skip
    (failed,) = (await told(services, workspace, portal_id)).of("message.failed")
    assert (failed["reason"], failed["code"]) == ("refused", "131026")


async def test_what_a_person_settles_is_told(services: Services, workspace: UUID, portal_id: UUID) -> None:
    assert portal_id
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    begun = await dispatch.begin()
    await dispatch.end(begun, Outcome.UNKNOWN)
    at(services).advance(60)
    async with services.db.tenant(workspace) as connection:
        for (_, one), as_ in zip(begun, (unknowns.As.SENT, unknowns.As.NOT_SENT), strict=False):
            await unknowns.settle(connection, services, [one], as_, by="Rosa")
    assert await types(services, workspace, "message") == {
        "message.unknown": 4, "message.accepted": 1, "message.failed": 1,
    }  # fmt: skip


async def test_who_was_skipped_is_told_with_the_reason(
    services: Services, workspace: UUID, portal_id: UUID
) -> None:
    async with services.db.tenant(workspace) as connection:
        cast = [person("Amina", AMINA, external_id="E-1"), person("Abebe", external_id="E-2")]
        await store(connection, cast, NOW)
    await consent.opt_out(services.db, services.clock, workspace, AMINA)
    await sent_out(services, workspace)
    portal = await told(services, workspace, portal_id)
    assert sorted((one["reason"], one["external_id"]) for one in portal.of("message.skipped")) == [
        ("no_address", "E-2"), ("opted_out", "E-1"),
    ]  # fmt: skip


async def test_what_a_cancellation_ends_is_told(services: Services, workspace: UUID, portal_id: UUID) -> None:
    assert portal_id
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    async with services.db.tenant(workspace) as connection:
        await announce.cancel(connection, services, campaign_id)
    at(services).advance(1)
    assert await announce.withdraw_cancelled(services, workspace, campaign_id) == 4
    found = await types(services, workspace)
    assert (found["message.cancelled"], found["campaign.cancelled"]) == (4, 1)


async def test_what_expires_in_a_paused_campaign_is_told(
    services: Services, workspace: UUID, portal_id: UUID
) -> None:
    assert portal_id
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    async with services.db.tenant(workspace) as connection:
        await announce.pause(connection, services, campaign_id)
    at(services).advance(25 * 3600)
    await fire.finish(services, workspace)
    assert (await types(services, workspace))["message.expired"] == 4
    async with services.db.tenant(workspace) as connection:
        ended = await rows(connection, "SELECT id, cohort FROM message")
        again = [(one["id"], one["cohort"]) for one in ended]  # by a worker that was a moment too late
        await event.of_ends(connection, again, NOON + 26 * HOUR)
    assert (await types(services, workspace))["message.expired"] == 4


async def test_the_settler_of_a_worker_notes_what_it_settles(
    services: Services, workspace: UUID, portal_id: UUID
) -> None:
    await settled(services, workspace, Listening())
    assert portal_id
    assert await types(services, workspace, "message") == {"message.accepted": 4}


async def test_a_worker_that_has_seen_that_nobody_listens_asks_the_database_nothing(
    services: Services, workspace: UUID, portal_id: UUID
) -> None:
    """What was seen stands until the next look, so a subscription of this moment hears nothing yet."""
    assert portal_id
    listening = Listening()
    listening.learn([])
    await settled(services, workspace, listening)
    assert await types(services, workspace, "message") == {}
    listening.learn([(workspace, ["campaign.paused", "message.read"])])
    assert listening.wants(workspace, {"message.read", "message.failed"})
    assert not listening.wants(workspace, {"message.failed"})
    assert not listening.wants(portal_id, {"message.read"})


async def settled(services: Services, workspace: UUID, listening: Listening) -> None:
    """Four messages, sent and settled as a worker does."""
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    begun = await Dispatch(services, workspace, campaign_id).begin()
    settler = Settler(services.db, services.clock, listening)
    for waiting, one in begun:
        verdict = Verdict(one, Outcome.ACCEPTED, State.ACCEPTED)
        settler.put(Ended(workspace, waiting.cohort, verdict, lambda _: None))
    settler.close()
    await settler.run()


async def test_an_event_is_there_exactly_when_what_it_tells_of_is(
    services: Services, workspace: UUID, portal_id: UUID
) -> None:
    """One transaction: undone together."""
    assert portal_id
    channel_id = await channel(services, workspace)

    async def undone(connection: Connection) -> None:
        await configure.pause_channel(connection, channel_id, "", NOON)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        async with services.db.tenant(workspace) as connection:
            await undone(connection)
    assert await types(services, workspace) == {}


# --- people


async def test_what_a_person_writes_is_told_with_its_text_and_without_the_number(
    services: Services, workspace: UUID, portal_id: UUID, receiving: Receiving
) -> None:
    await receiving.write(AMINA, "Is it open on Tuesday?", receiving.ago(1))
    portal = await told(services, workspace, portal_id)
    (one,) = portal.of("inbound.received")
    assert (one["text"], one["cut"], one["meaning"]) == ("Is it open on Tuesday?", False, "")
    assert one["contact_id"]
    assert one["channel_id"] == str(receiving.channel_id)
    assert AMINA.removeprefix("+254") not in b"".join(each.body for each in portal.told).decode()


async def test_a_long_text_is_cut_and_says_so(
    services: Services, workspace: UUID, portal_id: UUID, receiving: Receiving
) -> None:
    await receiving.write(AMINA, "a" * 5_001, receiving.ago(1))
    (one,) = (await told(services, workspace, portal_id)).of("inbound.received")
    assert (len(one["text"]), one["cut"]) == (5_000, True)


async def test_what_an_erased_person_wrote_is_told_no_more(
    services: Services, workspace: UUID, portal_id: UUID, receiving: Receiving
) -> None:
    await receiving.write(AMINA, "Is it open on Tuesday?", receiving.ago(1))
    (found,) = await receiving.look("SELECT contact_id FROM inbound")
    await erase_contact(services.db, services.clock, workspace, found["contact_id"])
    portal = await told(services, workspace, portal_id)
    assert portal.of("inbound.received") == []
    (noted,) = [one for one in await kept(services, workspace) if one["type"] == "inbound.received"]
    assert (noted["state"], noted["answer"]) == ("given_up", "nothing left to tell")


async def test_a_stop_is_told_as_words_and_as_an_opt_out_and_a_start_as_an_opt_in(
    services: Services, workspace: UUID, portal_id: UUID, receiving: Receiving
) -> None:
    await receiving.write(AMINA, "STOP", receiving.ago(2))
    at(services).advance(60)
    await receiving.write(AMINA, "start", receiving.ago(1))
    portal = await told(services, workspace, portal_id)
    assert [one["meaning"] for one in portal.of("inbound.received")] == ["stop", "start"]
    (out,), (back,) = portal.of("consent.out"), portal.of("consent.in")
    assert (out["state"], out["how"], len(out["contacts"])) == ("out", "reply", 1)
    assert back["contacts"] == out["contacts"]


async def test_an_opt_out_is_told_once_with_everybody_who_shares_the_address(
    services: Services, workspace: UUID, portal_id: UUID
) -> None:
    async with services.db.tenant(workspace) as connection:
        shared = [person("Amina", ABEBE, external_id="E-1"), person("Abebe", ABEBE, external_id="E-2")]
        await store(connection, shared, NOW)
    await sent_out(services, workspace)
    for _ in range(2):
        await consent.opt_out(services.db, services.clock, workspace, ABEBE)
    portal = await told(services, workspace, portal_id)
    (out,) = portal.of("consent.out")
    assert sorted(one["external_id"] for one in out["contacts"]) == ["E-1", "E-2"]
    assert {one["reason"] for one in portal.of("message.skipped")} == {"opted_out"}


# --- campaigns and channels


async def test_a_campaigns_way_is_told(services: Services, workspace: UUID, portal_id: UUID) -> None:
    await people(services, workspace)
    channel_id = await channel(services, workspace)
    campaign_id = await written(services, workspace, channel_id)
    run_id = await launched(services, workspace, campaign_id)
    await fire.fire(services, workspace, run_id)
    async with services.db.tenant(workspace) as connection:
        await announce.pause(connection, services, campaign_id, reason="a wrong date")
    at(services).advance(1)
    async with services.db.tenant(workspace) as connection:
        await announce.resume(connection, services, campaign_id)
    await Dispatch(services, workspace, campaign_id).all()
    at(services).advance(1)
    await fire.finish(services, workspace)
    portal = await told(services, workspace, portal_id)
    way = [one for one in portal.told if one.type.startswith("campaign")]
    assert sorted(one.data["state"] for one in way) == [
        "completed", "paused", "running", "running", "scheduled",
    ]  # fmt: skip
    (paused,) = portal.of("campaign.paused")
    assert (paused["name"], paused["reason"]) == ("Closed on Monday", "a wrong date")


async def test_a_channel_that_is_down_is_told_once_and_that_it_is_up_only_after_that(
    services: Services, workspace: UUID, portal_id: UUID
) -> None:
    loaded = await account.load(services, workspace, await channel(services, workspace))
    beyonder = Beyonder(services)
    words: list[Word] = ["up", "down", "down", "degraded", "up"]
    for word in words:
        at(services).advance(60)
        health = Health(Breaker(), word=word, why="20 calls were not answered")
        async with services.db.tenant(workspace) as connection:
            await beyonder.tell_health(connection, loaded, health)
    portal = await told(services, workspace, portal_id)
    assert [one.type for one in portal.told] == ["channel.down", "channel.up"]
    assert portal.of("channel.down")[0]["reason"] == "20 calls were not answered"


async def test_a_channels_state_is_told_when_it_changes_and_why(
    services: Services, workspace: UUID, portal_id: UUID
) -> None:
    channel_id = await channel(services, workspace)
    for moment in (NOON, NOON + timedelta(seconds=1)):
        async with services.db.tenant(workspace) as connection:
            await configure.pause_channel(connection, channel_id, "number is being moved", moment)
    async with services.db.tenant(workspace) as connection:
        await configure.resume_channel(connection, channel_id, NOON + HOUR)
    at(services).advance(3600)
    portal = await told(services, workspace, portal_id)
    (paused,), (active,) = portal.of("channel.paused"), portal.of("channel.active")
    assert (paused["name"], paused["reason"]) == ("WhatsApp", "number is being moved")
    assert (active["channel_id"], active["reason"]) == (str(channel_id), "")
