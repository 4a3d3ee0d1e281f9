"""What people write: kept once, opens the service window, and STOP is heeded whenever it is told."""

from __future__ import annotations

import itertools
from uuid import UUID, uuid4

import pytest

from clarion.flow.services import Services
from clarion.store import inbound
from clarion.store.inbound import Said
from tests.flow.receiving import Receiving, message, webhook
from tests.store.people import ABEBE, AMINA, ROSA
from tests.store.sent import announce


@pytest.fixture
async def receiving(services: Services, workspace: UUID) -> Receiving:
    """A message that waits for Amina and one for Abebe."""
    async with services.db.tenant(workspace) as connection:
        sent = await announce(connection, workspace, services.clock.now(), [AMINA, ABEBE])
    return Receiving(services, workspace, sent)


async def test_what_a_person_writes_is_kept_with_who_they_are(receiving: Receiving) -> None:
    drained = await receiving.write(AMINA, "Habari? \u12a0\u1260\u1260", receiving.ago(60))
    assert drained.inbound == 1
    (kept,) = await receiving.look(
        """SELECT i.text, i.address, i.at, i.meaning, c.name FROM inbound i
           JOIN contact c ON c.id = i.contact_id"""
    )
    assert kept == {
        "text": "Habari? \u12a0\u1260\u1260", "address": f"whatsapp:{AMINA}", "at": receiving.ago(60),
        "meaning": "", "name": "Person 0001",
    }  # fmt: skip


async def test_the_service_window_opens_with_the_latest_word(receiving: Receiving) -> None:
    for ago in (60, 3600, 30, 7200):
        await receiving.write(AMINA, "hello", receiving.ago(ago))
    opened = await receiving.look(
        "SELECT value, last_inbound_at, window_at, window_channel_id FROM address ORDER BY value"
    )
    at, over = receiving.ago(30), receiving.channel_id
    assert [tuple(row.values()) for row in opened] == [
        (ABEBE, None, None, None), (AMINA, at, at, over),
    ]  # fmt: skip


async def test_an_answer_by_sms_opens_no_window_and_closes_none(receiving: Receiving) -> None:
    await receiving.write(AMINA, "hello", receiving.ago(60))
    sms, at = uuid4(), receiving.ago(30)
    async with receiving.services.db.tenant(receiving.workspace_id) as connection:
        said = Said("SM1", f"tel:{AMINA}", AMINA, "hello", at, "")
        await inbound.hear(connection, sms, ("tel", "whatsapp"), [said], at)
    (amina,) = await receiving.look(
        f"SELECT last_channel_id, window_at, window_channel_id FROM address WHERE value = '{AMINA}'"
    )
    assert tuple(amina.values()) == (sms, receiving.ago(60), receiving.channel_id)


async def test_what_just_came_in_counts_against_the_numbers_rate_and_what_is_late_does_not(
    receiving: Receiving,
) -> None:
    assert (await receiving.write(AMINA, "hello", receiving.ago(1))).reckoned == 1
    late = await receiving.write(AMINA, "hello", receiving.ago(60))
    assert (late.inbound, late.reckoned) == (1, 0)


async def test_words_told_again_change_nothing(receiving: Receiving) -> None:
    await receiving.write(AMINA, "STOP", receiving.ago(60), "wamid.1")
    await receiving.write(AMINA, "START", receiving.ago(30), "wamid.2")
    again = webhook(
        messages=[
            message(AMINA, "STOP", receiving.ago(60), "wamid.1"),
            message(AMINA, "STOP", receiving.ago(60), "wamid.1"),
        ]
    )
    assert (await receiving.tell(again)).inbound == 0
    assert await receiving.consent() == [("out", "reply"), ("in", "reply")]


async def test_somebody_whom_nobody_knows_is_heard_too(receiving: Receiving) -> None:
    await receiving.write(ROSA, "STOP", receiving.ago(60))
    (kept,) = await receiving.look("SELECT contact_id, address FROM inbound")
    assert kept == {"contact_id": None, "address": f"whatsapp:{ROSA}"}
    assert await receiving.consent() == [("out", "reply")]


async def test_stop_takes_what_waits_and_nothing_of_anybody_else(receiving: Receiving) -> None:
    await receiving.write(AMINA, " Stop! ", receiving.ago(60))
    assert sorted(await receiving.states()) == [("ready", None), ("skipped", "opted_out")]
    assert await receiving.waiting() == 1


async def test_stop_by_one_channel_ends_every_kind_of_message_to_that_number(receiving: Receiving) -> None:
    schemes = await receiving.look("SELECT DISTINCT scheme FROM address")
    assert schemes == [{"scheme": "tel"}]  # and the word comes by WhatsApp
    await receiving.write(AMINA, "unsubscribe", receiving.ago(60))
    assert await receiving.waiting() == 1


async def test_stop_within_a_sentence_stops_nothing(receiving: Receiving) -> None:
    await receiving.write(AMINA, "please do not stop", receiving.ago(60))
    assert await receiving.consent() == []


WORDS = [("STOP", 50), ("START", 40), ("STOP", 30), ("START", 20)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("last", ["STOP", "START"])
async def test_the_last_word_counts_whatever_order_the_words_are_told_in(
    receiving: Receiving, last: str, order: tuple[int, ...]
) -> None:
    words = WORDS[:3] if last == "STOP" else WORDS[1:]
    for place in order:
        word, ago = words[place]
        await receiving.write(AMINA, word, receiving.ago(ago))
    (holds,) = await receiving.look("SELECT state FROM consent")
    assert holds["state"] == ("out" if last == "STOP" else "in")


async def test_words_of_one_call_are_heeded_in_the_order_in_which_they_were_written(
    receiving: Receiving,
) -> None:
    told = [message(AMINA, word, receiving.ago(ago), f"wamid.{ago}") for word, ago in reversed(WORDS)]
    await receiving.tell(webhook(messages=told))
    assert [state for state, _ in await receiving.consent()] == ["out", "in", "out", "in"]


async def test_a_receipt_that_says_opted_out_is_an_opt_out_once(receiving: Receiving) -> None:
    amina = await receiving.begin(AMINA)
    await receiving.tell_of(amina, "failed", 131050, receiving.ago(60))
    assert ("undelivered", "131050") in await receiving.states()
    assert await receiving.consent() == [("out", "provider")]
    await receiving.write(AMINA, "start", receiving.ago(30))
    await receiving.tell_of(amina, "failed", 131050, receiving.ago(60))
    assert await receiving.consent() == [("out", "provider"), ("in", "reply")]


async def test_an_opt_out_that_is_told_after_a_later_start_does_not_count(receiving: Receiving) -> None:
    amina = await receiving.begin(AMINA)
    await receiving.write(AMINA, "start", receiving.ago(30))
    await receiving.tell_of(amina, "failed", 131050, receiving.ago(60))
    assert await receiving.consent() == [("in", "reply")]


async def test_what_no_database_holds_is_left_out_of_what_is_kept(receiving: Receiving) -> None:
    await receiving.write(AMINA, "a\x00b", receiving.ago(-600), "w" * 5000)
    (kept,) = await receiving.look("SELECT text, at, length(provider_id) AS n FROM inbound")
    assert kept == {"text": "ab", "at": receiving.services.clock.now(), "n": 64}
