"""What people write about consent is heeded, and answered once, in their language, as any message goes."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clarion.domain.consent_words import Meaning
from clarion.domain.courtesy import AGAIN, PATIENCE, PRIORITY, STEPS
from clarion.domain.message import Outcome, State, Verdict
from clarion.flow import configure, consent, consent_rules, explain, fire
from clarion.flow.receive import Receiver
from clarion.flow.services import Services
from clarion.kit.db import Connection
from clarion.kit.ids import uuid7
from clarion.store import attempt, campaign, courtesy, inbox, intent, queue, withdraw
from clarion.store import consent as consents
from clarion.store import contact as contacts
from clarion.store import workspace as workspaces
from clarion.store.inbox import Body
from clarion.store.intent import Intended, Intent
from tests.flow.announcing import at
from tests.flow.receiving import Receiving, message, webhook
from tests.store.ledger.meeting import meet
from tests.store.people import ABEBE, AMINA, ROSA
from tests.store.sent import _START, announce


@pytest.fixture
async def receiving(services: Services, workspace: UUID) -> Receiving:
    """A message that waits for Amina and one for Abebe."""
    async with services.db.tenant(workspace) as connection:
        sent = await announce(connection, workspace, services.clock.now(), [AMINA, ABEBE])
    return Receiving(services, workspace, sent)


async def courtesies(receiving: Receiving) -> list[dict[str, Any]]:
    """Every courtesy that somebody was owed, oldest first."""
    return await receiving.look(
        """SELECT m.id, m.step_id AS step, m.state::text, m.reason, a.value AS number, v.body, g.kind,
             l.priority, l.channel_id, m.due_at, m.expires_at, q.variables
           FROM message m JOIN enrollment e ON e.id = m.enrollment_id
           JOIN campaign g ON g.id = e.campaign_id AND g.kind = 'courtesy'
           JOIN lane l ON l.id = m.lane_id JOIN content_version v ON v.id = m.content_version_id
           LEFT JOIN address a ON a.id = m.address_id LEFT JOIN queue q ON q.message_id = m.id
           ORDER BY m.generation, m.id"""
    )


async def owed(receiving: Receiving) -> list[tuple[int, str, str | None]]:
    """Step, state and reason of each."""
    return [(one["step"], one["state"], one["reason"]) for one in await courtesies(receiving)]


async def intended(receiving: Receiving, lane_id: UUID) -> list[Intended]:
    """Commit to everything that is due in a lane, as its channel's owner does; what was granted."""
    now = receiving.services.clock.now()
    async with receiving.services.db.tenant(receiving.workspace_id) as connection:
        channel_id = receiving.channel_id
        lanes = {one.id: one for one in (await queue.open_lanes(connection, [channel_id]))[channel_id]}
        if lane_id not in lanes:
            return []
        waiting = await queue.read_ahead(connection, lane_id, _START, now, 100)
        tries = [Intended(one, lanes[lane_id].epoch, uuid7(now), one.variables) for one in waiting]
        granted = await intent.intend(
            connection, worker_id=receiving.sent.worker_id, now=now,
            intents=[Intent(channel_id, receiving.sent.epoch, tries)],
        )  # fmt: skip
    return [one for one in tries if one.attempt_id in granted]


async def dispatch(receiving: Receiving, outcome: Outcome = Outcome.ACCEPTED) -> list[UUID]:
    """Send the courtesies that wait; the messages that were tried."""
    begun = await intended(receiving, courtesy.place_of(receiving.channel_id).lane_id)
    now = receiving.services.clock.now()
    state = State.ACCEPTED if outcome is Outcome.ACCEPTED else State.READY
    retry = None if state is State.ACCEPTED else now
    verdicts = [Verdict(one.attempt_id, outcome, state, retry_at=retry) for one in begun]
    if begun:
        async with receiving.services.db.tenant(receiving.workspace_id) as connection:
            await attempt.settle(connection, begun[0].waiting.cohort, verdicts, now)
    return [one.waiting.message_id for one in begun]


async def test_stop_in_amharic_is_confirmed_in_amharic_to_the_number_that_wrote_it(
    receiving: Receiving,
) -> None:
    drained = await receiving.write(AMINA, "አቁም", receiving.ago(1))
    (one,) = await courtesies(receiving)
    assert drained.courtesies == 1
    assert await receiving.consent() == [("out", "reply")]
    assert (one["step"], one["number"], one["priority"]) == (STEPS[Meaning.STOP], AMINA, PRIORITY)
    assert one["variables"] == {"language": "am"}
    assert one["channel_id"] == receiving.channel_id
    assert one["expires_at"] == receiving.ago(1) + PATIENCE
    said = {variant.get("language"): variant["content"]["text"] for variant in one["body"]["variants"]}
    assert said["am"].startswith("Selam Clinic")


async def test_a_persons_own_language_goes_before_the_words(receiving: Receiving) -> None:
    await receiving.look("UPDATE contact SET language = 'sw' RETURNING id")
    await receiving.write(AMINA, "አቁም", receiving.ago(1))
    (one,) = await courtesies(receiving)
    assert one["variables"] == {"language": "sw"}


async def test_a_language_that_we_do_not_speak_gives_way_to_the_words(receiving: Receiving) -> None:
    await receiving.look("UPDATE contact SET language = 'so' RETURNING id")
    await receiving.write(AMINA, "አቁም", receiving.ago(1))
    await receiving.write(ABEBE, "STOP", receiving.ago(1))
    found = {one["number"]: one["variables"] for one in await courtesies(receiving)}
    assert found == {AMINA: {"language": "am"}, ABEBE: None}


async def test_the_confirmation_passes_the_opt_out_and_nothing_else_does(receiving: Receiving) -> None:
    await receiving.write(AMINA, "STOP", receiving.ago(1))
    (confirmation,) = [one["id"] for one in await courtesies(receiving)]
    assert await dispatch(receiving) == [confirmation]
    assert await owed(receiving) == [(1, "accepted", None)]
    assert sorted(await receiving.states()) == [("ready", None), ("skipped", "opted_out")]


async def test_somebody_who_opts_the_same_address_out_by_hand_does_not_take_it_back(
    receiving: Receiving,
) -> None:
    services = receiving.services
    await receiving.write(AMINA, "STOP", receiving.ago(1))
    assert not await consent.opt_out(services.db, services.clock, receiving.workspace_id, AMINA)
    assert len(await dispatch(receiving)) == 1


async def test_a_confirmation_that_was_put_off_passes_no_later_opt_out(receiving: Receiving) -> None:
    services, workspace = receiving.services, receiving.workspace_id
    await receiving.write(AMINA, "STOP", receiving.ago(1))
    (tried,) = await intended(receiving, courtesy.place_of(receiving.channel_id).lane_id)
    assert await consent.opt_in(services.db, services.clock, workspace, AMINA)
    assert await consent.opt_out(services.db, services.clock, workspace, AMINA)
    async with services.db.tenant(workspace) as connection:
        put_off = Verdict(tried.attempt_id, Outcome.UNSENT, State.READY, retry_at=services.clock.now())
        await attempt.settle(connection, tried.waiting.cohort, [put_off], services.clock.now())
    assert await dispatch(receiving) == []


async def test_it_goes_once_also_when_the_try_was_put_off_before(receiving: Receiving) -> None:
    await receiving.write(AMINA, "STOP", receiving.ago(1))
    first = await dispatch(receiving, Outcome.UNSENT)
    assert await dispatch(receiving) == first
    assert await dispatch(receiving) == []
    assert await owed(receiving) == [(1, "accepted", None)]


async def test_stop_again_is_answered_by_nothing(receiving: Receiving) -> None:
    for ago in (50, 40, 30):
        await receiving.write(AMINA, "STOP", receiving.ago(ago))
    assert len(await courtesies(receiving)) == 1


async def test_start_is_confirmed_and_the_confirmation_of_stop_goes_no_more(receiving: Receiving) -> None:
    await receiving.write(AMINA, "STOP", receiving.ago(50))
    await receiving.write(AMINA, "START", receiving.ago(40))
    assert await owed(receiving) == [(1, "skipped", "superseded"), (2, "ready", None)]
    assert len(await dispatch(receiving)) == 1


async def test_stop_takes_the_confirmation_of_start_back(receiving: Receiving) -> None:
    await receiving.write(AMINA, "START", receiving.ago(50))
    await receiving.write(AMINA, "STOP", receiving.ago(40))
    assert await owed(receiving) == [(2, "skipped", "opted_out"), (1, "ready", None)]


async def test_a_program_that_answers_every_courtesy_is_answered_each_at_most_once_a_day(
    receiving: Receiving,
) -> None:
    for word in itertools.islice(itertools.cycle(["STOP", "START", "HELP"]), 30):
        at(receiving.services).advance(1)
        await receiving.write(AMINA, word, receiving.ago(0))
        await dispatch(receiving)
    assert sorted(step for step, _, _ in await owed(receiving)) == [1, 2, 3]
    at(receiving.services).advance(AGAIN.total_seconds())
    await receiving.write(AMINA, "STOP", receiving.ago(0))
    assert sorted(step for step, _, _ in await owed(receiving)) == [1, 1, 2, 3]


async def test_words_of_one_call_are_answered_as_if_they_had_come_one_by_one(receiving: Receiving) -> None:
    words = [("STOP", 50), ("START", 40), ("STOP", 30)]
    told = [message(AMINA, word, receiving.ago(ago), f"wamid.{ago}") for word, ago in words]
    await receiving.tell(webhook(messages=told))
    assert await receiving.consent() == [("out", "reply"), ("in", "reply"), ("out", "reply")]
    assert await owed(receiving) == [(1, "skipped", "superseded"), (2, "skipped", "opted_out")]
    assert await dispatch(receiving) == []


async def test_the_same_word_told_twice_is_answered_once(receiving: Receiving) -> None:
    for _ in range(2):
        await receiving.write(AMINA, "STOP", receiving.ago(1), "wamid.1")
    assert len(await courtesies(receiving)) == 1


async def test_help_is_answered_and_changes_nothing(receiving: Receiving) -> None:
    await receiving.write(AMINA, "Msaada", receiving.ago(1))
    assert await receiving.consent() == []
    assert await owed(receiving) == [(3, "ready", None)]
    assert sorted(await receiving.states()) == [("ready", None), ("ready", None)]


async def test_help_from_whoever_opted_out_passes_no_opt_out(receiving: Receiving) -> None:
    await receiving.write(AMINA, "STOP", receiving.ago(50))
    await dispatch(receiving)
    await receiving.write(AMINA, "HELP", receiving.ago(40))
    assert await owed(receiving) == [(1, "accepted", None), (3, "skipped", "opted_out")]


async def test_yes_starts_for_whoever_had_opted_out_and_is_a_mere_yes_else(receiving: Receiving) -> None:
    await receiving.write(AMINA, "Yes", receiving.ago(50))
    assert (await receiving.consent(), await owed(receiving)) == ([], [])
    await receiving.write(AMINA, "STOP", receiving.ago(40))
    await receiving.write(AMINA, "Yes!", receiving.ago(30))
    assert await receiving.consent() == [("out", "reply"), ("in", "reply")]
    heard = await receiving.look("SELECT meaning FROM inbound ORDER BY at")
    assert [one["meaning"] for one in heard] == ["yes", "stop", "yes"]


async def test_a_sentence_with_the_word_in_it_is_answered_by_nothing(receiving: Receiving) -> None:
    for text in ("please do not stop", "ne pas arrêter", "እባክዎ አያቁሙ", "when does it start?"):
        await receiving.write(AMINA, text, receiving.ago(1))
    assert (await receiving.consent(), await owed(receiving)) == ([], [])


async def test_whoever_is_in_nobodys_list_is_heeded_and_there_is_nobody_to_answer(
    receiving: Receiving,
) -> None:
    await receiving.write(ROSA, "STOP", receiving.ago(1))
    assert (await receiving.consent(), await owed(receiving)) == ([("out", "reply")], [])


async def test_an_answer_that_comes_too_late_is_not_given(receiving: Receiving) -> None:
    """The word comes in hours later: it counts, and nobody waits for its answer any more."""
    await receiving.write(AMINA, "STOP", receiving.ago(PATIENCE.total_seconds()))
    assert await receiving.consent() == [("out", "reply")]
    assert await dispatch(receiving) == []
    await fire.finish(receiving.services, receiving.workspace_id)
    assert await owed(receiving) == [(1, "expired", "expired")]


async def test_the_second_months_answer_is_a_generation_of_the_same_enrollment(receiving: Receiving) -> None:
    await receiving.write(AMINA, "HELP", receiving.ago(1))
    at(receiving.services).advance(timedelta(days=40).total_seconds())
    await receiving.write(AMINA, "HELP", receiving.ago(1))
    assert await owed(receiving) == [(3, "ready", None), (3, "ready", None)]
    async with receiving.services.db.tenant(receiving.workspace_id) as connection:
        found = await contacts.page(connection, None, 10)
        amina = next(one["id"] for one in found if one["name"].endswith(AMINA[-4:]))
        told = await explain.contact(connection, amina, receiving.services.clock.now())
    assert sum("Answers to STOP" in sentence for sentence in told.sentences) == 2


async def test_it_can_be_switched_off_and_changed_on_one_channel(receiving: Receiving) -> None:
    now = receiving.services.clock.now()
    async with receiving.services.db.tenant(receiving.workspace_id) as connection:
        channel = receiving.channel_id
        await consent_rules.change_answer(connection, Meaning.STOP, now, channel_id=channel, on=False)
        await consent_rules.change_answer(
            connection, Meaning.HELP, now, channel_id=channel, texts={"en": "Ask at the desk."}
        )
    await receiving.write(AMINA, "HELP", receiving.ago(50))
    await receiving.write(AMINA, "STOP", receiving.ago(40))
    (one,) = await courtesies(receiving)
    assert "Ask at the desk." in [variant["content"]["text"] for variant in one["body"]["variants"]]
    assert await receiving.consent() == [("out", "reply")]


async def test_a_workspaces_own_word_stops(receiving: Receiving) -> None:
    async with receiving.services.db.tenant(receiving.workspace_id) as connection:
        await consent_rules.add_word(connection, "sw", Meaning.STOP, "acha kabisa")
        await consent_rules.remove_word(connection, "es", "alto")
    await receiving.write(ABEBE, "Alto", receiving.ago(50))
    await receiving.write(AMINA, "Acha kabisa!!", receiving.ago(40))
    (one,) = await courtesies(receiving)
    assert (one["number"], one["variables"]) == (AMINA, {"language": "sw"})


async def test_what_a_provider_refuses_to_say_waits_until_it_is_said_otherwise(receiving: Receiving) -> None:
    await receiving.write(AMINA, "HELP", receiving.ago(1))
    services, workspace = receiving.services, receiving.workspace_id
    async with services.db.tenant(workspace) as connection:
        place = courtesy.place_of(receiving.channel_id)
        await campaign.pause_lane(connection, place.lane_id, "132000: no", services.clock.now())
        (paused,) = (await consent_rules.show(connection)).paused
    assert (paused.channel_id, paused.reason) == (receiving.channel_id, "132000: no")
    assert await dispatch(receiving) == []
    async with services.db.tenant(workspace) as connection:
        now = services.clock.now()
        await consent_rules.change_answer(connection, Meaning.HELP, now, texts={"en": "Ask."})
        assert (await consent_rules.show(connection)).paused == ()
    assert len(await dispatch(receiving)) == 1


async def test_an_opt_out_by_somebody_else_is_confirmed_to_nobody(receiving: Receiving) -> None:
    services, workspace = receiving.services, receiving.workspace_id
    assert await consent.opt_out(services.db, services.clock, workspace, AMINA)
    assert await owed(receiving) == []


# --- nothing goes round it

STEPS_OF_A_LIFE = st.lists(
    st.sampled_from(["STOP", "START", "HELP", "yes", "out", "in", "send", "put off", "hello"]),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(life=STEPS_OF_A_LIFE)
async def test_whatever_happens_an_opt_out_is_passed_at_most_once_and_by_its_confirmation_alone(
    services: Services, workspace: UUID, life: list[str]
) -> None:
    """Each life is a new person's; sending is tried after every step."""
    number = f"+2547{uuid7(services.clock.now()).int % 10**8:08}"
    async with services.db.tenant(workspace) as connection:
        sent = await announce(connection, workspace, services.clock.now(), [number])
    receiving = Receiving(services, workspace, sent)
    passed: dict[str, int] = {}
    change = 0
    for step in life:
        at(services).advance(1)
        before = len(await _changes(receiving, number))
        if step in ("out", "in"):
            verb = consent.opt_out if step == "out" else consent.opt_in
            await verb(services.db, services.clock, workspace, number)
        elif step in ("send", "put off"):
            outcome = Outcome.UNSENT if step == "put off" else Outcome.ACCEPTED
            tried = await dispatch(receiving, outcome)
            changes = await _changes(receiving, number)
            if changes and changes[-1] == "out":
                steps = {one["id"]: one["step"] for one in await courtesies(receiving)}
                assert all(steps[one] == STEPS[Meaning.STOP] for one in tried)
                if outcome is Outcome.ACCEPTED:
                    passed[f"{change}"] = passed.get(f"{change}", 0) + len(tried)
        else:
            await receiving.write(number, step, receiving.ago(0))
        change += len(await _changes(receiving, number)) - before
    assert all(times <= 1 for times in passed.values())


async def _changes(receiving: Receiving, number: str) -> list[str]:
    found = await receiving.look(
        """SELECT e.state FROM consent_event e WHERE e.consent_key IN (
             SELECT consent_key FROM address WHERE value = %s) ORDER BY e.at, e.id""",
        number,
    )
    return [one["state"] for one in found]


async def test_a_rule_that_lets_everything_of_that_person_pass_is_found(
    receiving: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mistake that is near: whoever was sent a confirmation may be sent the rest as well."""
    wider = intent._INTEND.replace(
        "AND c.farewell_id IS DISTINCT FROM queue.message_id", "AND c.farewell_id IS NULL"
    )
    assert wider != intent._INTEND
    monkeypatch.setattr(intent, "_INTEND", wider)

    async def nothing(*_: object) -> int:
        return 0

    monkeypatch.setattr(withdraw, "from_addresses", nothing)
    await receiving.write(AMINA, "STOP", receiving.ago(1))
    tried = await intended(receiving, receiving.sent.lane_id)
    assert {one.waiting.address for one in tried} == {AMINA, ABEBE}, "Amina, who opted out, is among them"


async def test_a_row_that_was_left_waiting_beside_the_confirmation_is_not_sent(
    receiving: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second line again: the intent itself keeps everything else from whoever opted out."""

    async def nothing(*_: object) -> int:
        return 0

    monkeypatch.setattr(withdraw, "from_addresses", nothing)
    await receiving.write(AMINA, "STOP", receiving.ago(1))
    tried = await intended(receiving, receiving.sent.lane_id)
    assert {one.waiting.address for one in tried} == {ABEBE}


# --- two that meet


def _intend(receiving: Receiving, waiting: list[Any]) -> Any:
    """The owner's intent for what it has read in the lane of courtesies."""
    now = receiving.services.clock.now()
    tries = [Intended(one, 1, uuid7(now), one.variables) for one in waiting]

    async def intend(connection: Connection) -> set[UUID]:
        return await intent.intend(
            connection, worker_id=receiving.sent.worker_id, now=now,
            intents=[Intent(receiving.channel_id, receiving.sent.epoch, tries)],
        )  # fmt: skip

    return intend


@pytest.fixture
async def farewell(receiving: Receiving) -> list[Any]:
    """The confirmation of Amina's opt-out, as its channel's owner has read it."""
    await receiving.write(AMINA, "STOP", receiving.ago(1))
    lane_id = courtesy.place_of(receiving.channel_id).lane_id
    async with receiving.services.db.tenant(receiving.workspace_id) as connection:
        waiting = await queue.read_ahead(connection, lane_id, _START, receiving.services.clock.now(), 10)
    assert [one.opted_out for one in waiting] == [False]
    return waiting


async def test_a_start_under_way_makes_the_intent_of_the_confirmation_wait_and_stops_it(
    receiving: Receiving, farewell: list[Any]
) -> None:
    async def start(connection: Connection) -> int:
        key = [farewell[0].consent_key]
        return await consents.opt_in(connection, key, receiving.services.clock.now(), how="reply")

    met = await meet(receiving.services.db, receiving.workspace_id, start, _intend(receiving, farewell))
    assert (met.waited, met.second) == (True, set())
    assert await owed(receiving) == [(1, "skipped", "superseded")]


async def test_an_intent_of_the_confirmation_under_way_makes_a_start_wait_and_stands(
    receiving: Receiving, farewell: list[Any]
) -> None:
    async def start(connection: Connection) -> int:
        key = [farewell[0].consent_key]
        return await consents.opt_in(connection, key, receiving.services.clock.now(), how="reply")

    met = await meet(receiving.services.db, receiving.workspace_id, _intend(receiving, farewell), start)
    assert (met.waited, len(met.first), met.second) == (True, 1, 1)
    assert await owed(receiving) == [(1, "ready", None)]


async def test_stop_that_comes_in_over_two_channels_at_once_is_confirmed_once(receiving: Receiving) -> None:
    services, workspace = receiving.services, receiving.workspace_id
    async with services.db.tenant(workspace) as connection:
        second = await announce(connection, workspace, services.clock.now(), [ROSA])
    other = Receiving(services, workspace, second)
    for n, place in enumerate((receiving, other)):
        said = [message(AMINA, "STOP", receiving.ago(1), f"wamid.{n}")]
        await place.store(webhook(messages=said))
    drained = await asyncio.gather(
        *(Receiver(services).drain_once(workspace, place.channel_id) for place in (receiving, other))
    )
    assert sorted(one.courtesies for one in drained) == [0, 1]
    assert await owed(receiving) == [(1, "ready", None)]
    assert await receiving.consent() == [("out", "reply")]


async def test_a_workspace_in_which_an_answer_waits_is_looked_after(receiving: Receiving) -> None:
    async def errands() -> bool:
        async with receiving.services.db.glance() as connection:
            return receiving.workspace_id in await workspaces.errands(connection, "finish")

    await receiving.look("UPDATE run SET finished_at = due_at RETURNING id")
    before = await errands()
    await receiving.write(AMINA, "STOP", receiving.ago(1))
    assert (before, await errands()) == (False, True)


# --- a provider that heeds the words itself


async def test_what_twilio_answers_itself_is_kept_and_not_answered_again(
    services: Services, workspace: UUID
) -> None:
    async with services.db.tenant(workspace) as connection:
        channel_id = await configure.create_channel(
            connection, services, workspace, name="sms", provider="twilio", config={"sender": "+15005550006"}
        )
        sent = await announce(
            connection, workspace, services.clock.now(), [AMINA, ABEBE], channel_id, schemes=("tel",)
        )
    receiving = Receiving(services, workspace, sent)
    await _texted(receiving, AMINA, "Stop", "SM1")
    await _texted(receiving, ABEBE, "arret", "SM2")
    assert await receiving.consent() == [("out", "reply"), ("out", "reply")]
    (one,) = await courtesies(receiving)
    assert one["number"] == ABEBE, "Twilio knows no French word by itself"


async def _texted(receiving: Receiving, number: str, text: str, sid: str, **more: str) -> None:
    form = {"MessageSid": sid, "SmsStatus": "received", "From": number, "Body": text, **more}
    now = receiving.services.clock.now()
    body = Body(
        uuid7(now), receiving.channel_id, now, urlencode(form).encode(), "POST", "",
        "application/x-www-form-urlencoded",
    )  # fmt: skip
    async with receiving.services.db.tenant(receiving.workspace_id) as connection:
        await inbox.put(connection, [body])
    await receiving.receiver.drain_once(receiving.workspace_id, receiving.channel_id)


async def test_what_a_messaging_service_took_a_word_for_counts(services: Services, workspace: UUID) -> None:
    async with services.db.tenant(workspace) as connection:
        channel_id = await configure.create_channel(
            connection, services, workspace, name="sms", provider="twilio", config={"sender": "MG" + "0" * 32}
        )
        sent = await announce(
            connection, workspace, services.clock.now(), [AMINA], channel_id, schemes=("tel",)
        )
    receiving = Receiving(services, workspace, sent)
    await _texted(receiving, AMINA, "niache", "SM1", OptOutType="STOP")
    assert await receiving.consent() == [("out", "reply")]
    assert await courtesies(receiving) == []
