"""What comes back is read once, whatever it is and whatever happens to its reader."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import psycopg
import pytest

from clarion.domain.limits import Limits
from clarion.domain.message import Outcome
from clarion.flow import configure
from clarion.flow.receive import Receiver
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import Database
from clarion.kit.http import Http
from clarion.providers import registry
from clarion.providers.contract import Account, Call, Evidence, Inbound, Receipt, Sender
from tests.flow.receiving import Receiving, status, webhook
from tests.house import House
from tests.store.people import ABEBE, AMINA, JOHN, ROSA
from tests.store.sent import announce, sent_once

PEOPLE = (AMINA, ABEBE, ROSA, JOHN)


@pytest.fixture
async def receiving(services: Services, workspace: UUID) -> Receiving:
    """A message to each of four people; the tries are in flight."""
    async with services.db.tenant(workspace) as connection:
        sent = await announce(connection, workspace, services.clock.now(), PEOPLE)
        await sent.begin(connection)
    return Receiving(services, workspace, sent)


def told(receiving: Receiving, *words: str) -> list[bytes]:
    """A body for each person in each of these words."""
    now = receiving.services.clock.now()
    return [
        webhook(statuses=[status(receiving.sent.reference(attempt), word, now)])
        for word in words
        for attempt in receiving.sent.attempts
    ]


async def test_statuses_of_many_bodies_are_read_together(receiving: Receiving) -> None:
    drained = await receiving.tell(*told(receiving, "delivered", "sent", "read"))
    assert (drained.bodies, drained.receipts) == (12, 12)
    assert drained.counts == Counter({"accepted": 4, "delivered": 4, "read": 4})
    assert await receiving.states() == [("read", None)] * 4
    assert (await receiving.tell()).bodies == 0


async def test_what_is_told_five_times_counts_once(receiving: Receiving) -> None:
    drained = await receiving.tell(*told(receiving, *["delivered"] * 5))
    assert drained.counts == Counter({"delivered": 4, "repeated": 16})
    again = await receiving.tell(*told(receiving, "delivered"))
    assert again.counts == Counter({"repeated": 4})


async def test_a_body_that_cannot_be_read_is_kept_with_its_problem_and_stops_nobody(
    receiving: Receiving,
) -> None:
    good = told(receiving, "delivered")
    drained = await receiving.tell(good[0], b"\x00{not json", good[1], b"[]", *good[2:])
    assert drained.counts["unreadable"] == 2
    assert await receiving.states() == [("delivered", None)] * 4
    kept = await receiving.look(
        "SELECT body, problem, done_at FROM inbox WHERE problem IS NOT NULL ORDER BY id"
    )
    assert sorted(bytes(one["body"]) for one in kept) == sorted([b"\x00{not json", b"[]"])
    assert all(one["done_at"] for one in kept)


async def test_receipts_of_messages_that_are_not_ours_are_counted(receiving: Receiving) -> None:
    now = receiving.services.clock.now()
    references = [None, "somebody-elses", "209912." + "a" * 32, "999999." + "a" * 32,
                  receiving.sent.reference(UUID(int=7))]  # fmt: skip
    drained = await receiving.tell(*(webhook(statuses=[status(one, "read", now)]) for one in references))
    assert drained.counts == Counter({"unreferenced": 3, "stranger": 2})
    assert await receiving.states() == [("ready", None)] * 4


async def test_a_receipt_from_the_future_counts_as_now(receiving: Receiving) -> None:
    await receiving.tell_of(receiving.sent.attempts[0], "delivered", at=receiving.ago(-86_400))
    (found,) = await receiving.look("SELECT at, received_at FROM receipt")
    assert found["at"] == found["received_at"] == receiving.services.clock.now()


async def test_a_retry_that_waits_is_not_sent_once_its_first_try_is_proven(receiving: Receiving) -> None:
    first = receiving.sent.attempts[0]
    async with receiving.services.db.tenant(receiving.workspace_id) as connection:
        await receiving.sent.settle(connection, first, Outcome.UNSENT)
    assert await receiving.waiting() == 1
    await receiving.tell_of(first, "sent")
    assert await receiving.waiting() == 0


async def test_two_tries_that_both_arrived_are_told_to_a_person(receiving: Receiving) -> None:
    first = receiving.sent.attempts[0]
    async with receiving.services.db.tenant(receiving.workspace_id) as connection:
        await receiving.sent.settle(connection, first, Outcome.UNSENT)
        (second,) = await receiving.sent.begin(connection)
    await receiving.tell_of(second, "delivered")
    assert await receiving.notices() == []
    drained = await receiving.tell_of(first, "delivered")
    assert drained.counts["contradicted"] == 1
    assert await receiving.notices() == [f"channel:{receiving.channel_id}:contradiction"]


async def test_a_failure_that_the_account_is_at_fault_for_pauses_the_channel(receiving: Receiving) -> None:
    await receiving.tell_of(receiving.sent.attempts[0], "failed", 131042)
    (channel,) = await receiving.look("SELECT state, reason FROM channel")
    assert (channel["state"], channel["reason"]) == ("paused", "131042: told in a receipt")
    assert await receiving.notices() == [f"channel:{receiving.channel_id}:account"]


async def test_a_failure_from_before_the_channel_was_mended_does_not_pause_it(receiving: Receiving) -> None:
    first, second, *_ = receiving.sent.attempts
    await receiving.tell_of(first, "failed", 131042)
    assert isinstance(receiving.services.clock, FakeClock)
    receiving.services.clock.advance(60)
    async with receiving.services.db.tenant(receiving.workspace_id) as connection:
        await configure.resume_channel(connection, receiving.channel_id, receiving.services.clock.now())
    await receiving.tell_of(first, "failed", 131042)
    await receiving.tell_of(second, "failed", 131042, at=receiving.ago(1))
    assert (await receiving.look("SELECT state FROM channel"))[0]["state"] == "active"


async def test_a_failure_that_the_content_is_at_fault_for_pauses_the_campaign(receiving: Receiving) -> None:
    await receiving.tell_of(receiving.sent.attempts[0], "failed", 132015)
    (campaign,) = await receiving.look("SELECT state FROM campaign")
    assert campaign["state"] == "paused"
    assert await receiving.notices() == [f"campaign:{receiving.sent.campaign_id}:content"]


# --- many readers, and readers that die


async def test_two_readers_at_once_read_everything_once(receiving: Receiving) -> None:
    other = Receiver(receiving.services)
    await receiving.store(*told(receiving, *["sent", "delivered", "read"] * 40))
    drained = await asyncio.gather(
        *(one.drain_once(receiving.workspace_id, receiving.channel_id) for one in (receiving.receiver, other))
    )
    assert sum(one.bodies for one in drained) == 480
    assert await receiving.states() == [("read", None)] * 4
    async with receiving.services.db.tenant(receiving.workspace_id) as connection:
        assert await receiving.sent.tally_agrees(connection)


async def test_the_loop_reads_every_channel_until_it_is_stopped(
    receiving: Receiving, another_workspace: UUID, services: Services
) -> None:
    sent, _ = await sent_once(services.db, another_workspace, services.clock.now())
    elsewhere = Receiving(services, another_workspace, sent)
    await receiving.store(*told(receiving, "delivered"))
    stop = asyncio.Event()
    loop = asyncio.create_task(receiving.receiver.run(stop))
    await comes_to(receiving, ("delivered", None), 4)
    await elsewhere.store(*told(elsewhere, "read"))
    receiving.receiver.wake()
    await comes_to(elsewhere, ("read", None), 1)
    stop.set()
    await loop


async def comes_to(receiving: Receiving, state: tuple[str, str | None], people: int) -> None:
    """Until everybody's message is in this state."""
    for _ in range(1000):
        if await receiving.states() == [state] * people:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"they are {await receiving.states()}")


async def test_the_loop_goes_on_after_the_database_threw_it_out(
    receiving: Receiving, database_url: str, house: House
) -> None:
    async with Database(database_url, size=2, name="a reader of the inbox") as db:
        services = replace(receiving.services, db=db)
        stop = asyncio.Event()
        loop = asyncio.create_task(Receiver(services).run(stop))
        await receiving.store(*told(receiving, "sent"))
        await comes_to(receiving, ("accepted", None), 4)
        with psycopg.connect(house.superuser_url, autocommit=True) as superuser:
            superuser.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
                ("a reader of the inbox",),
            )
        await receiving.store(*told(receiving, "read"))
        await comes_to(receiving, ("read", None), 4)
        stop.set()
        await loop


_KILLED = """
import asyncio, sys
from uuid import UUID
from clarion.flow.receive import Receiver
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings

async def read(url, workspace, channel):
    async with Database(url, size=2) as db:
        services = Services(db, Clock(), Settings(), SecretBox(["x" * 40]))
        await Receiver(services).drain_once(UUID(workspace), UUID(channel))

asyncio.run(read(*sys.argv[1:]))
"""


@pytest.mark.parametrize(("place", "read"), [("receive.before_commit", False), ("receive.committed", True)])
async def test_a_reader_that_is_killed_leaves_all_or_nothing_and_reading_again_changes_nothing(
    receiving: Receiving, database_url: str, place: str, read: bool
) -> None:
    await receiving.store(*told(receiving, "delivered"))
    command = [
        sys.executable,
        "-c",
        _KILLED,
        database_url,
        str(receiving.workspace_id),
        str(receiving.channel_id),
    ]
    killed = await asyncio.to_thread(
        subprocess.run, command, env={**os.environ, "CLARION_CRASH": f"{place}:1"}, check=False
    )
    assert killed.returncode == -9
    assert await receiving.states() == [("delivered" if read else "ready", None)] * 4
    again = await receiving.tell()
    assert again.bodies == (0 if read else 4)
    assert await receiving.states() == [("delivered", None)] * 4


# --- a provider whose words the database refuses


class Odd:
    """A provider that gives out what no database holds, for bodies that say so."""

    name, base_url, schemes = "odd", "https://odd.example", ("tel",)
    can_look_up = has_window = False
    text_limit = 100
    limits, counts_segments = Limits(rate=1.0), False

    def __init__(self, receiving: Receiving) -> None:
        self.receiving = receiving

    def sender(self, account: Account, http: Http) -> Sender:
        raise NotImplementedError

    def verified(self, account: Account, call: Call) -> bool:
        return True

    def challenge(self, account: Account, call: Call) -> str | None:
        return None

    def read(self, account: Account, call: Call) -> Sequence[Receipt | Inbound]:
        now, body = self.receiving.services.clock.now(), call.body
        if body == b"fail":
            raise RuntimeError("a fault in the provider's file")
        if body == b"odd":
            return [Inbound("1", "t\x00l", AMINA, "\ud800", now)]
        return [Receipt(Evidence.DELIVERED, now, self.receiving.sent.reference(UUID(bytes=body)))]


async def test_one_body_that_cannot_be_applied_does_not_hold_up_the_others(
    receiving: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.known(), "odd", Odd(receiving))
    await receiving.look("UPDATE channel SET provider = 'odd' RETURNING id")
    good = [attempt.bytes for attempt in receiving.sent.attempts]
    drained = await receiving.tell(good[0], b"odd", good[1], b"fail", *good[2:])
    assert (drained.bodies, drained.receipts, drained.counts["unreadable"]) == (6, 4, 2)
    assert await receiving.states() == [("delivered", None)] * 4
    kept = await receiving.look("SELECT body, problem FROM inbox WHERE problem IS NOT NULL")
    assert sorted((bytes(one["body"]), one["problem"]) for one in kept) == [
        (b"fail", "it cannot be read: RuntimeError"),
        (b"odd", "it cannot be applied: CharacterNotInRepertoire"),
    ]
