"""Somebody writes a time back to a sequence that takes times: they hear at that time, set once however often
it is told, and are told so in their language."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from clarion.domain.consent_words import Meaning
from clarion.domain.courtesy import TIME_STEP
from clarion.domain.enrollment import Verb
from clarion.domain.message import Outcome, cohort_of
from clarion.domain.person import Given
from clarion.domain.replies import MOST_CONFIRMED, WITHIN
from clarion.flow import announce, consent_rules, draft, edit, fire, sequence
from clarion.flow.compose import Composer
from clarion.flow.dispatch import account
from clarion.flow.enroll import steer
from clarion.flow.enroll.steer import Ask
from clarion.flow.services import Services
from clarion.providers.contract import Text
from clarion.store import courtesy, inbound, intake, queue
from tests.flow.announcing import Dispatch, announcement, at, saying
from tests.flow.announcing import channel as another_channel
from tests.flow.following import definition, known, mend, of, people, running, until, work
from tests.flow.receiving import Receiving, message, webhook
from tests.flow.test_sequence_times import CHOSEN, kept
from tests.store.people import ABEBE, AMINA, ROSA
from tests.store.sent import _START, Sent

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
NOON = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)  # tomorrow in Nairobi
CONFIRM = {"en": "{us}: from now on at {time}.", "sw": "{us}: kuanzia sasa saa {time}."}
TAKES = {"time": {"field": "best_time", "confirm": CONFIRM}}


@dataclass
class Asking(Receiving):
    """A sequence that asks Amina and Abebe for a time, tomorrow at noon."""

    campaign_id: UUID
    amina: UUID
    abebe: UUID

    @classmethod
    async def of(cls, services: Services, workspace: UUID, first: str = "2026-03-03", **more: Any) -> Asking:
        some = ("Amina", AMINA, first), ("Abebe", ABEBE, first)
        amina, abebe = await people(services, workspace, *some)
        await kept(services, workspace, "best_time")
        wanted = definition(CHOSEN, **{"replies": TAKES, **more})
        campaign_id = await running(services, workspace, wanted)
        async with services.db.tenant(workspace) as connection:
            row, _ = await sequence.read(connection, campaign_id)
        now, none = services.clock.now(), UUID(int=0)
        sent = Sent(row["channel_id"], campaign_id, none, none, cohort_of(now), uuid4(), 0, now)
        return cls(services, workspace, sent, campaign_id, amina, abebe)

    async def asked(self, campaign_id: UUID | None = None) -> None:
        """Whatever is due of the sequence (or of this campaign) has gone out."""
        await Dispatch(self.services, self.workspace_id, campaign_id or self.campaign_id).all()

    async def replies(self, number: str, text: str, **more: Any) -> int:
        """Somebody writes now, and it is read; how many confirmations wait for it."""
        at(self.services).advance(60)
        return (await self.write(number, text, self.ago(1), **more)).courtesies

    async def time(self, who: UUID) -> str | None:
        found = (await known(self.services, self.workspace_id, who))["fields"].get("best_time")
        return None if found is None else str(found)

    async def meanings(self) -> list[str]:
        return [one["meaning"] for one in await self.look("SELECT meaning FROM inbound ORDER BY at, id")]

    async def confirmations(self) -> list[tuple[str, str]]:
        """(state or reason, text) of each confirmation that was owed, as it would be read, oldest first."""
        place = courtesy.place_of(self.channel_id)
        states = await self.look(
            """SELECT m.id, coalesce(m.reason, m.state::text) AS became FROM message m
               WHERE m.lane_id = %s AND m.step_id = %s ORDER BY m.due_at, m.id""",
            place.lane_id, TIME_STEP,
        )  # fmt: skip
        channel = await account.load(self.services, self.workspace_id, self.channel_id)
        composer, now = Composer(self.services), self.services.clock.now()
        said = {}
        async with self.services.db.tenant(self.workspace_id) as connection:
            waiting = await queue.read_ahead(connection, place.lane_id, _START, now, 100)
            await composer.prepare(connection, [one.content_version_id for one in waiting])
        for one in waiting:
            text, _ = composer.compose(channel, one, now)
            assert isinstance(text, Text)
            said[one.message_id] = text.body
        return [(one["became"], said.get(one["id"], "")) for one in states]


@pytest.fixture
async def asking(services: Services, workspace: UUID) -> Asking:
    """The question has gone out to both."""
    asking = await Asking.of(services, workspace)
    await until(services, workspace, asking.campaign_id, NOON)
    await asking.asked()
    at(services).advance(60)
    return asking


async def test_a_time_that_is_written_back_is_when_they_hear_from_then_on(asking: Asking) -> None:
    await asking.replies(AMINA, "6:30 pm")
    await work(asking.services, asking.workspace_id, asking.campaign_id)
    amina, abebe = [
        await of(asking.services, asking.workspace_id, asking.campaign_id, one)
        for one in (asking.amina, asking.abebe)
    ]
    assert (await asking.time(asking.amina), await asking.time(asking.abebe)) == ("18:30", None)
    assert (amina["next_due"], abebe["next_due"]) == (NOON + DAY + 6.5 * HOUR, NOON + DAY)
    assert await asking.meanings() == ["time"]


async def test_it_is_confirmed_in_the_persons_language(asking: Asking) -> None:
    await mend(asking.services, asking.workspace_id, asking.amina, language="sw")
    assert await asking.replies(AMINA, "18h30") == 1
    assert await asking.replies(ABEBE, "٠٧:٠٠") == 1
    assert await asking.confirmations() == [
        ("ready", "Selam Clinic: kuanzia sasa saa 18:30."), ("ready", "Selam Clinic: from now on at 07:00."),
    ]  # fmt: skip


async def test_without_a_text_nothing_is_answered(services: Services, workspace: UUID) -> None:
    asking = await Asking.of(services, workspace, replies={"time": {"field": "best_time"}})
    await until(services, workspace, asking.campaign_id, NOON)
    await asking.asked()
    assert await asking.replies(AMINA, "18:30") == 0
    assert await asking.time(asking.amina) == "18:30"
    assert await asking.confirmations() == []


async def test_a_sequence_that_says_nothing_of_replies_takes_none(
    services: Services, workspace: UUID
) -> None:
    asking = await Asking.of(services, workspace, replies=None)
    await until(services, workspace, asking.campaign_id, NOON)
    await asking.asked()
    await asking.replies(AMINA, "18:30")
    assert (await asking.time(asking.amina), await asking.meanings()) == (None, [""])


async def test_told_twice_it_counts_once(asking: Asking) -> None:
    told = webhook(messages=[message(AMINA, "18:30", asking.ago(1), "wamid.1")])
    first = await asking.tell(told, told)
    await asking.replies(AMINA, "19:30")
    again = await asking.tell(told)
    assert (first.courtesies, again.courtesies, again.inbound) == (1, 0, 0)
    assert await asking.time(asking.amina) == "19:30"


async def test_two_workers_that_hear_the_same_set_it_once(asking: Asking) -> None:
    told = webhook(messages=[message(AMINA, "18:30", asking.ago(1), "wamid.1")])
    await asking.store(told, told, told)
    drained = await asyncio.gather(
        *(asking.receiver.drain_once(asking.workspace_id, asking.channel_id) for _ in range(3))
    )
    assert sum(one.courtesies for one in drained) == 1
    assert await asking.time(asking.amina) == "18:30"


async def test_the_last_word_counts_in_whatever_order_they_are_told(asking: Asking) -> None:
    earlier, later = asking.ago(20), asking.ago(10)
    await asking.write(AMINA, "19:30", later)
    await asking.write(AMINA, "18:30", earlier)
    assert (await asking.time(asking.amina), await asking.meanings()) == ("19:30", ["", "time"])
    both = [message(ABEBE, "19:30", later, "wamid.b2"), message(ABEBE, "18:30", earlier, "wamid.b1")]
    await asking.tell(webhook(messages=both))
    assert await asking.time(asking.abebe) == "19:30"


async def test_the_same_time_again_is_not_confirmed_again(asking: Asking) -> None:
    counts = [await asking.replies(AMINA, text) for text in ("18:30", "6:30pm", "18:30", "18:31")]
    assert counts == [1, 0, 0, 1]


async def test_a_program_that_answers_each_confirmation_with_a_time_comes_to_an_end(asking: Asking) -> None:
    counts = [await asking.replies(AMINA, f"18:{n:02}") for n in range(MOST_CONFIRMED + 3)]
    assert sum(counts) == MOST_CONFIRMED
    at(asking.services).advance(DAY.total_seconds())
    assert await asking.replies(AMINA, "19:00") == 1


@pytest.mark.parametrize("text", ["6", "at 18:30", "6:30", "thank you", "18:30 or 19:00"])
async def test_what_is_not_plainly_a_time_stays_an_ordinary_message(asking: Asking, text: str) -> None:
    assert await asking.replies(AMINA, text) == 0
    assert (await asking.time(asking.amina), await asking.meanings()) == (None, [""])


async def test_a_word_about_consent_goes_before(asking: Asking) -> None:
    async with asking.services.db.tenant(asking.workspace_id) as connection:
        await consent_rules.add_word(connection, "en", Meaning.STOP, "00:00")
    await asking.replies(AMINA, "00:00")
    assert (await asking.time(asking.amina), await asking.meanings()) == (None, ["stop"])


async def test_who_has_stopped_sets_nothing_and_is_not_answered(asking: Asking) -> None:
    await asking.replies(AMINA, "STOP")
    await work(asking.services, asking.workspace_id, asking.campaign_id)
    assert await asking.replies(AMINA, "18:30") == 0
    assert await asking.time(asking.amina) is None


async def test_a_time_and_a_stop_in_one_call_leave_nothing_to_confirm(asking: Asking) -> None:
    told = [message(AMINA, "18:30", asking.ago(20), "w.1"), message(AMINA, "STOP", asking.ago(10), "w.2")]
    await asking.tell(webhook(messages=told))
    assert [became for became, _ in await asking.confirmations()] == ["opted_out"]


async def test_who_is_paused_or_was_not_asked_yet_sets_nothing(services: Services, workspace: UUID) -> None:
    asking = await Asking.of(services, workspace)
    await asking.replies(ABEBE, "18:30")  # before anything was said
    await until(services, workspace, asking.campaign_id, NOON)
    await asking.asked()
    async with services.db.tenant(workspace) as connection:
        await steer.one(connection, services, asking.campaign_id, asking.amina, Ask(Verb.PAUSE))
    await asking.replies(AMINA, "18:30")
    await asking.replies(ROSA, "18:30")  # nobody knows her
    assert await asking.meanings() == ["", "", ""]


async def test_what_went_wrong_on_the_way_out_asked_nobody(services: Services, workspace: UUID) -> None:
    asking = await Asking.of(services, workspace)
    await until(services, workspace, asking.campaign_id, NOON)
    await Dispatch(services, workspace, asking.campaign_id).all(Outcome.REFUSED)
    await asking.replies(AMINA, "18:30")
    assert await asking.time(asking.amina) is None


async def test_a_time_that_comes_late_answers_nothing(asking: Asking) -> None:
    async with asking.services.db.tenant(asking.workspace_id) as connection:
        await sequence.pause(connection, asking.services, asking.campaign_id)
    at(asking.services).advance((WITHIN - 2 * MINUTE).total_seconds())
    await asking.replies(AMINA, "18:30")
    at(asking.services).advance(120)
    await asking.replies(ABEBE, "18:30")
    assert (await asking.time(asking.amina), await asking.time(asking.abebe)) == ("18:30", None)


async def test_it_answers_whoever_spoke_last(asking: Asking) -> None:
    services, workspace = asking.services, asking.workspace_id
    at(services).advance(60)
    before = services.clock.now()
    at(services).advance(60)
    async with services.db.tenant(workspace) as connection:
        other = await draft.create(
            connection, services, name="When is your shift?", channel_id=asking.channel_id,
            definition=announcement(content=saying("When?")), by="tests",
        )  # fmt: skip
        run_id = (await announce.launch(connection, services, other)).run_id
    await fire.fire(services, workspace, run_id)
    await asking.asked(other)
    await asking.replies(AMINA, "18:30")  # to the announcement
    await asking.write(ABEBE, "18:30", before)  # written before that, and told late
    assert (await asking.time(asking.amina), await asking.time(asking.abebe)) == (None, "18:30")


async def test_our_own_confirmation_is_nothing_that_they_answer(asking: Asking) -> None:
    await asking.replies(AMINA, "18:30")
    place = courtesy.place_of(asking.channel_id)
    await Dispatch(asking.services, asking.workspace_id, place.campaign_id).all()
    await asking.replies(AMINA, "19:30")
    assert await asking.time(asking.amina) == "19:30"


async def test_over_another_channel_it_answers_nothing(asking: Asking) -> None:
    other = await another_channel(asking.services, asking.workspace_id, "Another number")
    asking.sent.channel_id = other
    await asking.replies(AMINA, "18:30")
    assert (await asking.time(asking.amina), await asking.meanings()) == (None, [""])


async def test_of_two_people_at_one_number_nobody_knows_whose_time_it_is(
    services: Services, workspace: UUID
) -> None:
    asking = await Asking.of(services, workspace)
    (sister,) = await people(services, workspace, ("Hana", AMINA, "2026-03-03"))
    await until(services, workspace, asking.campaign_id, NOON)
    await asking.asked()
    await asking.replies(AMINA, "18:30")
    assert (await asking.time(asking.amina), await asking.time(sister)) == (None, None)


async def test_of_two_people_at_one_number_it_is_theirs_who_was_asked(
    services: Services, workspace: UUID
) -> None:
    (brother,) = await people(services, workspace, ("Zeru", ABEBE, None))  # without a date: never asked
    asking = await Asking.of(services, workspace)
    await until(services, workspace, asking.campaign_id, NOON)
    await asking.asked()
    assert await asking.replies(ABEBE, "18:30") == 1
    assert (await asking.time(asking.abebe), await asking.time(brother)) == ("18:30", None)


async def test_who_begins_anew_still_answers_what_was_said_before(
    services: Services, workspace: UUID
) -> None:
    """Their messages of this time round are in another month's partition than those of the one before."""
    asking = await Asking.of(services, workspace, first="2026-03-31")
    await until(services, workspace, asking.campaign_id, NOON + 28 * DAY, step=DAY.total_seconds())
    await asking.asked()
    at(services).advance(DAY.total_seconds())
    async with services.db.tenant(workspace) as connection:
        await steer.one(connection, services, asking.campaign_id, asking.amina, Ask(Verb.RESTART))
    await asking.replies(AMINA, "18:30")
    assert await asking.time(asking.amina) == "18:30"


async def test_an_import_under_way_is_waited_for(asking: Asking) -> None:
    """Both write the same person: the reply is heard when the import has ended; neither undoes the other."""
    services, workspace = asking.services, asking.workspace_id
    async with services.db.tenant(workspace) as connection:
        await intake.take_turn(connection)
        writing = asyncio.create_task(asking.replies(AMINA, "18:30"))
        done, _ = await asyncio.wait([writing], timeout=0.5)
        assert not done
        await connection.execute("UPDATE contact SET name = 'Amina Hassan' WHERE id = %s", (asking.amina,))
    await writing
    found = await known(services, workspace, asking.amina)
    assert (found["name"], found["fields"]["best_time"]) == ("Amina Hassan", "18:30")


async def test_messages_that_are_no_times_wait_for_no_import(asking: Asking) -> None:
    async with asking.services.db.tenant(asking.workspace_id) as connection:
        await intake.take_turn(connection)
        await asyncio.wait_for(asking.replies(AMINA, "Good morning"), 30)
    assert await asking.meanings() == [""]


async def test_what_a_message_was_taken_for_is_shown(asking: Asking) -> None:
    await asking.replies(AMINA, "18:30")
    async with asking.services.db.tenant(asking.workspace_id) as connection:
        (shown,) = await inbound.page(connection, None, 10)
    assert (shown["text"], shown["meaning"]) == ("18:30", "time")


async def test_who_is_known_by_their_user_id_alone_is_understood_too(
    services: Services, workspace: UUID
) -> None:
    """Whatever the provider tells of them besides: their number, which we do not have."""
    asking = await Asking.of(services, workspace)
    user = "US.13491208655302741918"
    given = Given(addresses=[("whatsapp", "whatsapp", user)])
    await edit.edit_contact(services.db, services.clock, workspace, asking.amina, given, whole=True)
    await until(services, workspace, asking.campaign_id, NOON)
    await asking.asked()
    at(services).advance(60)
    told = {**message(AMINA, "18:30", asking.ago(1), "wamid.1"), "from_user_id": user}
    await asking.tell(webhook(messages=[told]))
    assert (await asking.time(asking.amina), await asking.meanings()) == ("18:30", ["time"])
