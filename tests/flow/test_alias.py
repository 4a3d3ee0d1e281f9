"""Receipts that bring the provider's identifier alone find their try, whichever of the two comes first."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

import orjson
import pytest

from clarion.domain.message import Outcome, State, Verdict
from clarion.flow import configure
from clarion.flow.dispatch.settler import Ended, Settler
from clarion.flow.receive import Drained
from clarion.flow.services import Services
from clarion.kit.ids import uuid7
from clarion.store import alias, housekeeping, inbox
from clarion.store.alias import Alias
from clarion.store.inbox import Body
from tests.flow.receiving import Receiving
from tests.store.people import ABEBE, AMINA, JOHN, ROSA
from tests.store.sent import announce

PEOPLE = (AMINA, ABEBE, ROSA, JOHN)
FORM = "application/x-www-form-urlencoded"
DELIVERED = [("delivered", None)]


class Named(Receiving):
    """A channel whose provider knows nothing of our references; its answers give names."""

    nudged: list[str]

    async def settle(self, attempt_id: UUID, name: str) -> None:
        """The provider's answer, written down as a desk does."""
        self.nudged = []
        settler = Settler(
            self.services.db, self.services.clock, nudge=lambda kind, _="": self.nudged.append(kind)
        )
        verdict = Verdict(attempt_id, Outcome.ACCEPTED, State.ACCEPTED, provider_id=name)
        durable: list[UUID] = []
        settler.put(
            Ended(self.workspace_id, self.sent.cohort, verdict, durable.append, names_on=self.channel_id)
        )
        settler.close()
        await settler.run()
        assert durable == [attempt_id]

    async def report(self, *names: str, status: str = "Success", **more: str) -> Drained:
        """The provider reports these messages, a call each, and a worker reads it."""
        now = self.services.clock.now()
        bodies = [
            Body(uuid7(now), self.channel_id, now, urlencode({"id": name, "status": status, **more}).encode(),
                 content_type=FORM)
            for name in names
        ]  # fmt: skip
        async with self.services.db.tenant(self.workspace_id) as connection:
            await inbox.put(connection, bodies)
        return await self.read()

    async def read(self) -> Drained:
        return await self.receiver.drain_once(self.workspace_id, self.channel_id)

    async def aliases(self) -> list[str]:
        return [one["provider_id"] for one in await self.look("SELECT provider_id FROM alias ORDER BY 1")]


async def over(
    provider: str, credentials: dict[str, str], services: Services, workspace: UUID, people: tuple[str, ...]
) -> Named:
    async with services.db.tenant(workspace) as connection:
        channel_id = await configure.create_channel(
            connection, services, workspace, name=f"{provider} {len(people)}", provider=provider,
            config={"sender": "SELAM"}, credentials=credentials,
        )  # fmt: skip
        sent = await announce(connection, workspace, services.clock.now(), people, channel_id)
        await sent.begin(connection)
    return Named(services, workspace, sent)


@pytest.fixture
async def named(services: Services, workspace: UUID) -> Named:
    """Over Africa's Talking; a try to Amina is in flight."""
    return await over(
        "africastalking", {"username": "u", "api_key": "k", "hook_key": "h"}, services, workspace, (AMINA,)
    )


async def test_a_receipt_finds_the_try_that_its_provider_calls_so(named: Named) -> None:
    await named.settle(named.sent.attempts[0], "ATXid_1")
    drained = await named.report("ATXid_1")
    assert drained.counts == Counter({"delivered": 1})
    assert await named.states() == DELIVERED


async def test_a_receipt_that_comes_before_our_own_commit_waits_for_it(named: Named) -> None:
    early = await named.report("ATXid_1", status="Success")
    assert (early.counts, await named.states()) == (Counter({"waiting": 1}), [("ready", None)])
    assert (await named.read()).bodies == 0, "and nobody reads it over and over meanwhile"
    await named.settle(named.sent.attempts[0], "ATXid_1")
    assert (named.nudged, await named.states()) == (["inbox"], [("accepted", None)])
    assert (await named.read()).counts == Counter({"delivered": 1})
    assert await named.states() == DELIVERED


async def test_what_an_early_receipt_says_beyond_its_message_follows_too(named: Named) -> None:
    await named.report("ATXid_1", status="Failed", failureReason="UserInBlackList")
    await named.settle(named.sent.attempts[0], "ATXid_1")
    await named.read()
    assert await named.states() == [("undelivered", "UserInBlackList")]
    assert await named.consent() == [("out", "provider")]


async def test_an_answer_and_a_receipt_at_the_same_moment_never_miss_each_other(
    services: Services, workspace: UUID
) -> None:
    keys = {"username": "u", "api_key": "k", "hook_key": "h"}
    named = await over("africastalking", keys, services, workspace, PEOPLE)
    for turn, attempt in enumerate(named.sent.attempts):
        await asyncio.gather(named.settle(attempt, f"ATXid_{turn}"), named.report(f"ATXid_{turn}"))
    await named.read()
    assert await named.states() == DELIVERED * 4


async def test_the_later_of_an_answer_and_a_receipt_waits_for_the_earlier(named: Named) -> None:
    """The receipt's transaction has seen no name and is open; the answer is written; then it commits."""
    attempt, now = named.sent.attempts[0], named.services.clock.now()
    body = Body(uuid7(now), named.channel_id, now, b"id=ATXid_1&status=Success", content_type=FORM)
    async with named.services.db.tenant(named.workspace_id) as connection:
        await inbox.put(connection, [body])
    async with named.services.db.tenant(named.workspace_id) as reading:
        (taken,) = await inbox.take(reading, named.channel_id, limit=9, most_bytes=9999)
        assert await alias.find(reading, named.channel_id, {"ATXid_1": [taken.id]}, now) == {}
        settling = asyncio.create_task(named.settle(attempt, "ATXid_1"))
        _, waits = await asyncio.wait([settling], timeout=0.2)
        await inbox.done(reading, [(taken.id, None)], now)
    assert waits
    await settling
    assert (await named.read()).counts == Counter({"delivered": 1})


async def test_what_was_never_answered_stays_unknown_with_its_receipt_waiting(named: Named) -> None:
    async with named.services.db.tenant(named.workspace_id) as connection:
        await named.sent.settle(connection, named.sent.attempts[0], Outcome.UNKNOWN)
    await named.report("ATXid_1")
    assert (await named.states(), await named.aliases()) == ([("unknown", None)], ["ATXid_1"])


async def test_the_same_name_at_another_channel_is_another_message(
    named: Named, services: Services, workspace: UUID
) -> None:
    keys = {"username": "u", "api_key": "k", "hook_key": "h"}
    other = await over("africastalking", keys, services, workspace, (AMINA, ABEBE))
    await named.settle(named.sent.attempts[0], "ATXid_1")
    assert (await other.report("ATXid_1")).counts == Counter({"waiting": 1})
    assert await named.states() == [("accepted", None)]


async def test_a_name_that_is_given_again_is_the_newer_trys(
    services: Services, workspace: UUID, named: Named
) -> None:
    keys = {"username": "u", "api_key": "k", "hook_key": "h"}
    both = await over("africastalking", keys, services, workspace, (AMINA, ABEBE))
    for attempt in both.sent.attempts:
        await both.settle(attempt, "00000001")
    await both.report("00000001")
    found = await both.look("SELECT attempt_id FROM receipt")
    assert [one["attempt_id"] for one in found] == [both.sent.attempts[1]]


async def test_a_strangers_receipts_do_not_grow_without_end(named: Named) -> None:
    for _ in range(3):
        await named.report(*["not-ours"] * 60)
    (row,) = await named.look("SELECT cardinality(bodies) AS n FROM alias")
    assert row["n"] <= 160


async def test_a_name_of_any_length_is_kept_and_found(named: Named) -> None:
    name = "ATXid_" + "x" * 5000
    await named.settle(named.sent.attempts[0], name)
    await named.report(name)
    assert await named.states() == DELIVERED
    assert [len(one) for one in await named.aliases()] == [64]


async def test_names_are_forgotten_when_no_receipt_can_come_any_more(named: Named) -> None:
    await named.settle(named.sent.attempts[0], "ATXid_1")
    now = named.services.clock.now()
    for later, left in ((timedelta(days=29), ["ATXid_1"]), (timedelta(days=31), [])):
        async with named.services.db.tenant(named.workspace_id) as connection:
            await housekeeping.tidy(connection, now + later)
        assert await named.aliases() == left


async def test_an_echo_names_what_was_never_answered_and_its_delivery_is_found(
    services: Services, workspace: UUID
) -> None:
    """Messenger brings our reference back in the echo, and only its own identifier in the delivery."""
    keys = {"token": "t", "app_secret": "s"}
    named = await over("messenger", keys, services, workspace, (AMINA,))
    (attempt,) = named.sent.attempts
    async with services.db.tenant(workspace) as connection:
        await named.sent.settle(connection, attempt, Outcome.UNKNOWN)
    at = int(services.clock.now().timestamp() * 1000)
    echo = {"message": {"is_echo": True, "mid": "m_1", "metadata": named.sent.reference(attempt)}}
    delivery = {"delivery": {"mids": ["m_1"], "watermark": at}}

    waits = await named.tell(page(delivery, at))
    await named.tell(page(echo, at))
    await named.read()

    assert waits.counts == Counter({"waiting": 1})
    assert await named.states() == DELIVERED


def page(event: Mapping[str, object], at: int) -> bytes:
    whole = {"sender": {"id": "1"}, "recipient": {"id": "2"}, "timestamp": at, **event}
    return orjson.dumps({"object": "page", "entry": [{"id": "1", "time": at, "messaging": [whole]}]})


async def test_many_names_in_any_order_meet_without_a_deadlock(named: Named) -> None:
    now, cohort = named.services.clock.now(), named.sent.cohort
    names = [f"n{number}" for number in range(50)]
    ids = {name: uuid7(now) for name in names}

    async def note(order: list[str]) -> None:
        async with named.services.db.tenant(named.workspace_id) as connection:
            some = [Alias(named.channel_id, name, ids[name], cohort) for name in order]
            await alias.note(connection, some, now)

    async def find(order: list[str]) -> None:
        async with named.services.db.tenant(named.workspace_id) as connection:
            await alias.find(connection, named.channel_id, {name: [uuid7(now)] for name in order}, now)

    for _ in range(5):
        await asyncio.gather(
            note(names), find(names[::-1]), note(names[::-1]), find(names), note(names[25:] + names[:25])
        )
    async with named.services.db.tenant(named.workspace_id) as connection:
        found = await alias.find(connection, named.channel_id, {name: [] for name in names}, now)
    assert {name: one.attempt_id for name, one in found.items()} == ids


async def test_ananother_workspace_sees_no_names(named: Named, another_workspace: UUID) -> None:
    await named.settle(named.sent.attempts[0], "ATXid_1")
    elsewhere = replace(named, workspace_id=another_workspace)
    assert await elsewhere.aliases() == []
