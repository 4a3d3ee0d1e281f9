"""How much one person hears at most, over channels and campaigns: at work, at a provider."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.caps import Cap, Caps
from clarion.flow.caps import set_caps
from clarion.flow.erase import erase_contact
from clarion.flow.merge import merge_contacts
from clarion.flow.rehearse.rehearse import Wish, rehearse
from clarion.flow.services import Services
from clarion.kit.db import rows
from tests.flow import desks
from tests.flow.desks import Process, numbers
from tests.flow.following import DAILY, definition, people, running
from tests.flow.test_hours import of_abebe as of
from tests.store.people import ABEBE, AMINA
from tests.store.sent import Sent

DAYS = timedelta(days=3)
ONE_A_DAY = Caps(day=1)
HOURLY = Caps(gap=60)
REFUSED = {"error": {"message": "Recipient is not on WhatsApp", "code": 131026}}


@pytest.fixture
async def process(services: Services, workspace: UUID, tmp_path: Path) -> AsyncIterator[Process]:
    async with desks.process(services, workspace, tmp_path / "flight") as here:
        yield here


async def limit(process: Process, caps: Caps | None) -> None:
    async with process.services.db.tenant(process.workspace) as connection:
        await set_caps(connection, caps)


async def heard(process: Process, name: str, people: list[str], **how: Any) -> Sent:
    """They are told something over a channel of its own, and hear it."""
    before = len(process.provider.heard)
    sent = await process.tell(await process.channel(name), people, patience=DAYS, **how)
    await process.work(sent)
    await process.until_heard(before + len(people))
    await process.until_all_settled(sent, len(people))  # what is under way is asked about again
    return sent


async def until_held(process: Process, sent: Sent, number: str = AMINA) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            if (found := await of(process, sent, number))["reason"] is not None:
                return found
            await asyncio.sleep(0.05)


async def until_they_are(
    process: Process, some: list[Sent], states: dict[tuple[str, str | None], int]
) -> None:
    """Until so many of these messages are in each state, with each reason."""
    async with asyncio.timeout(30):
        while True:
            async with process.services.db.tenant(process.workspace) as connection:
                rows = [row for sent in some for row in await sent.messages(connection)]
            if Counter((row["state"], row["reason"]) for row in rows) == states:
                return
            await asyncio.sleep(0.05)


async def test_who_heard_something_just_now_waits_for_the_gap_and_others_hear_it(process: Process) -> None:
    await limit(process, HOURLY)
    began = process.services.clock.now()
    await heard(process, "1001", [AMINA])
    sent = await process.tell(await process.channel("1002"), [AMINA, ABEBE])
    await process.work(sent)
    amina = await until_held(process, sent)
    await process.until_heard(2)
    assert (amina["state"], amina["reason"], amina["tries"]) == ("ready", "minimum_gap", 0)
    assert timedelta(minutes=59) < amina["due_at"] - began < timedelta(minutes=61)
    assert amina["queued"] == amina["due_at"], "one place in the queue, and the message says the same"
    await asyncio.sleep(0.5)
    assert process.provider.to == [AMINA, ABEBE]
    async with process.services.db.tenant(process.workspace) as connection:
        assert await sent.tally_agrees(connection)


async def test_two_channels_that_speak_to_the_same_people_at_once_tell_each_of_them_once(
    process: Process,
) -> None:
    await limit(process, ONE_A_DAY)
    people = numbers("+254713")
    both = [await process.tell(await process.channel(one), people, patience=DAYS) for one in ("1001", "1002")]
    for sent in both:
        await process.work(sent)
    n = len(people)
    await until_they_are(process, both, {("accepted", None): n, ("ready", "enough_today"): n})
    await asyncio.sleep(0.5)
    assert Counter(process.provider.to) == Counter(people)


async def test_two_of_one_channel_that_are_decided_together_are_held_for_each_other(process: Process) -> None:
    await limit(process, HOURLY)
    channel = await process.channel("1001")
    first = await process.tell(channel, [AMINA], patience=DAYS)
    second = await process.tell(channel, [AMINA], patience=DAYS, epoch=first.epoch)
    await process.work(first)
    told = {("accepted", None): 1, ("ready", "minimum_gap"): 1}
    await until_they_are(process, [first, second], told)


async def test_what_the_provider_refused_was_not_heard(process: Process) -> None:
    await limit(process, ONE_A_DAY)
    process.provider.says = REFUSED
    refused = await heard(process, "1001", [AMINA])
    await process.until_all_settled(refused, 1)
    process.provider.says = None
    await heard(process, "1002", [AMINA])
    assert process.provider.to == [AMINA, AMINA]


async def test_what_is_more_urgent_is_not_held_and_counts(process: Process) -> None:
    await limit(process, Caps(day=1, kinds={"sequence": Cap()}))
    await heard(process, "1001", [AMINA], priority=40)
    await heard(process, "1002", [AMINA], priority=40)
    sent = await process.tell(await process.channel("1003"), [AMINA], patience=DAYS)
    await process.work(sent)
    assert (await until_held(process, sent))["reason"] == "enough_today"


async def test_answers_and_tests_are_neither_held_nor_counted(process: Process) -> None:
    await limit(process, ONE_A_DAY)
    for name, priority in (("1001", 5), ("1002", 10), ("1003", 50), ("1004", 5)):
        await heard(process, name, [AMINA], priority=priority)
    assert process.provider.to == [AMINA] * 4


async def test_what_would_be_over_by_then_is_skipped_and_says_why(process: Process) -> None:
    await limit(process, ONE_A_DAY)
    await heard(process, "1001", [AMINA])
    sent = await process.tell(await process.channel("1002"), [AMINA], patience=timedelta(hours=2))
    await process.work(sent)
    amina = await until_held(process, sent)
    assert (amina["state"], amina["reason"], amina["queued"]) == ("skipped", "enough_today", None)


async def test_a_workspace_without_caps_writes_nothing_down(process: Process) -> None:
    await heard(process, "1001", [AMINA])
    async with process.services.db.tenant(process.workspace) as connection:
        assert await rows(connection, "SELECT * FROM spoken") == []


async def test_caps_that_are_taken_away_hold_nobody_any_more(process: Process) -> None:
    await limit(process, ONE_A_DAY)
    await heard(process, "1001", [AMINA])
    await limit(process, None)
    await heard(process, "1002", [AMINA])


async def person_of(process: Process, number: str) -> UUID:
    async with process.services.db.tenant(process.workspace) as connection:
        (found,) = await rows(connection, "SELECT contact_id FROM address WHERE value = %s", (number,))
        return UUID(str(found["contact_id"]))


async def test_what_one_heard_the_other_heard_who_turns_out_to_be_the_same_person(process: Process) -> None:
    await limit(process, Caps(day=2))
    await heard(process, "1001", [AMINA, ABEBE])
    services = process.services
    amina, abebe = await person_of(process, AMINA), await person_of(process, ABEBE)
    await merge_contacts(services.db, services.clock, process.workspace, amina, abebe)
    sent = await process.tell(await process.channel("1002"), [AMINA], patience=DAYS)
    await process.work(sent)
    assert (await until_held(process, sent))["reason"] == "enough_today"


async def test_of_who_is_erased_nothing_is_kept(process: Process) -> None:
    await limit(process, ONE_A_DAY)
    await heard(process, "1001", [AMINA])
    services = process.services
    await erase_contact(services.db, services.clock, process.workspace, await person_of(process, AMINA))
    async with services.db.tenant(process.workspace) as connection:
        assert await rows(connection, "SELECT * FROM spoken") == []


async def test_a_rehearsal_says_that_it_leaves_them_out(services: Services, workspace: UUID) -> None:
    await people(services, workspace, ("Amina", AMINA, "2026-03-03"))
    campaign_id = await running(services, workspace, definition(DAILY))
    async with services.db.tenant(workspace) as connection:
        await set_caps(connection, Caps(kinds={"sequence": Cap(day=2), "announcement": Cap(day=1)}))
    told = await rehearse(services, workspace, campaign_id, Wish(days=2))
    assert "One person hears at most 2 a day." in told.warnings[-1]
