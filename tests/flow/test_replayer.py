"""Asking again under the same reference, where the provider knows it again: nobody has it twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from clarion.domain.identity import consent_hash
from clarion.errors import Conflict
from clarion.flow import configure, unknowns
from clarion.flow.dispatch.desk import Desk
from clarion.flow.dispatch.replayer import Replayer
from clarion.flow.services import Services
from clarion.flow.unknowns import As
from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.twins.generic_http import TWIN
from clarion.store import campaign, consent, owner, replay
from tests.flow import desks
from tests.flow.desks import Process, numbers
from tests.store.people import pepper_of, tel
from tests.store.sent import Sent

HOUR = timedelta(hours=1)
FIVE = numbers("+254712", 5)
TEXT = {"variants": [{"content": {"kind": "text", "text": "Closed on Monday, {{ contact.name }}"}}]}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
async def process(
    services: Services, workspace: UUID, sandbox: SandboxProcess, tmp_path: Path
) -> AsyncIterator[Process]:
    sandbox.reset(config=True)
    sandbox.configure(numbers={TWIN.example.sender: {"provider": "generic_http"}})
    async with desks.process(services, workspace, tmp_path / "flight") as here:
        yield here


def description(replays_for: float = 3600.0) -> dict[str, Any]:
    """The sandbox's interface, with our reference as its idempotency key."""
    options: dict[str, Any] = deepcopy(dict(TWIN.example.options))
    request = options["request"]
    request["headers"] = {**request["headers"], "Idempotency-Key": "{reference}"}
    request["json"] = {"to": "{digits}", "text": "{text}"}
    request["replays_for"] = replays_for
    del options["receipt"]
    return options


async def told(process: Process, sandbox: SandboxProcess, replays_for: float = 3600.0, **config: Any) -> Sent:
    """Five people are to hear a text over an aggregator that knows a reference again for so long."""
    async with process.services.db.tenant(process.workspace) as connection:
        channel_id = await configure.create_channel(
            connection, process.services, process.workspace, name="SMS", provider="generic_http", rate=100,
            config={
                "base_url": sandbox.url, "sender": TWIN.example.sender, "total_timeout": 1.0,
                "connect_timeout": 0.5, "options": description(replays_for), **config,
            },
            credentials=TWIN.example.credentials,
        )  # fmt: skip
    sent = await process.tell(channel_id, FIVE, schemes=("tel",))
    async with process.services.db.tenant(process.workspace) as connection:
        await connection.execute(
            "UPDATE content_version SET body = %s WHERE campaign_id = %s", (Jsonb(TEXT), sent.campaign_id)
        )
    return sent


async def states(process: Process, sent: Sent) -> list[str]:
    async with process.services.db.tenant(process.workspace) as connection:
        return sorted(one["state"] for one in await sent.messages(connection))


async def become(process: Process, sent: Sent, wanted: list[str]) -> list[str]:
    """The states, once they are these, or after a while."""
    for _ in range(100):
        if (found := await states(process, sent)) == wanted:
            return found
        await asyncio.sleep(0.1)
    return found


async def unanswered(
    process: Process, sandbox: SandboxProcess, fault: str, *, parameter: float | None = None, **how: Any
) -> tuple[Sent, Desk]:
    """All five were tried once, and nobody knows what became of them. The desk asks no more by itself; who
    asks is another, which the test moves."""
    sandbox.fault(fault, count=5, parameter=parameter)
    sent = await told(process, sandbox, **how)
    desk = await process.work(sent)
    desk.replayer.stop()
    assert await become(process, sent, ["unknown"] * 5) == ["unknown"] * 5
    desk.replayer = Replayer(
        desk.shared, desk.channel, desk.sender, desk.broker, desk.breaker, desk.knocker, desk.epoch,
        lambda _: True, lambda waiting, _: waiting.expires_at,
    )  # fmt: skip
    return sent, desk


async def test_at_night_nobody_is_asked_whether_they_heard_it(
    process: Process, sandbox: SandboxProcess
) -> None:
    sent, desk = await unanswered(process, sandbox, "drop_before_accept")
    desk.replayer.open_until = lambda *_: None
    assert await desk.replayer.look() == 0
    assert await states(process, sent) == ["unknown"] * 5
    desk.replayer.open_until = lambda waiting, _: waiting.expires_at
    assert await desk.replayer.look() == 5


@pytest.mark.parametrize("fault", ["drop_after_accept", "error_after_accept", "malformed_json", "reset"])
async def test_what_was_taken_and_not_answered_is_told_when_asked_again(
    process: Process, sandbox: SandboxProcess, fault: str
) -> None:
    sent, desk = await unanswered(process, sandbox, fault)
    assert await desk.replayer.look() == 5
    assert await states(process, sent) == ["accepted"] * 5
    assert sandbox.summary()["people"] == 5
    assert sandbox.people(more_than=1) == {}


async def test_what_never_arrived_arrives(process: Process, sandbox: SandboxProcess) -> None:
    sent, desk = await unanswered(process, sandbox, "drop_before_accept")
    assert sandbox.summary()["people"] == 0
    assert await desk.replayer.look() == 5
    assert await states(process, sent) == ["accepted"] * 5
    assert sandbox.people(more_than=1) == {}
    async with process.services.db.tenant(process.workspace) as connection:
        assert {(one["state"], one["effective"]) for one in await sent.tries(connection)} == {
            ("accepted", True)
        }
        assert len(await sent.tries(connection)) == 5, "no second attempt was made"


async def test_what_is_still_being_taken_is_asked_about_later(
    process: Process, sandbox: SandboxProcess
) -> None:
    sent, desk = await unanswered(process, sandbox, "accept_late", parameter=3.0)
    assert await desk.replayer.look() == 0, "the provider says that it is busy with them"
    assert await states(process, sent) == ["unknown"] * 5
    working = asyncio.create_task(desk.replayer.run())
    assert await become(process, sent, ["accepted"] * 5) == ["accepted"] * 5
    desk.replayer.stop()
    await working
    assert sandbox.people(more_than=1) == {}


async def test_a_refusal_under_the_same_reference_is_the_end(
    process: Process, sandbox: SandboxProcess
) -> None:
    sent, desk = await unanswered(process, sandbox, "drop_before_accept")
    sandbox.fault("refuse_permanent", count=5)
    assert await desk.replayer.look() == 5
    assert await states(process, sent) == ["failed"] * 5
    assert sandbox.summary()["people"] == 0


async def test_nobody_decides_while_the_provider_is_asked(process: Process, sandbox: SandboxProcess) -> None:
    sent, desk = await unanswered(process, sandbox, "drop_before_accept")
    sandbox.fault("answer_late", count=5, parameter=30.0)  # taken, and not answered again
    assert await desk.replayer.look() == 0
    async with process.services.db.tenant(process.workspace) as connection:
        ids = [one["id"] for one in await sent.tries(connection)]
        with pytest.raises(Conflict, match="being asked"):
            await unknowns.settle(connection, process.services, ids, As.SEND_AGAIN, by="Selam")
        assert await unknowns.settle(connection, process.services, ids, As.SENT, by="Selam") == 5


async def test_what_a_person_has_decided_is_not_asked_again(
    process: Process, sandbox: SandboxProcess
) -> None:
    sent, desk = await unanswered(process, sandbox, "drop_before_accept")
    async with process.services.db.tenant(process.workspace) as connection:
        ids = [one["id"] for one in await sent.tries(connection)]
        await unknowns.settle(connection, process.services, ids, As.NOT_SENT, by="Selam")
    assert await desk.replayer.look() == 0
    assert sandbox.summary()["people"] == 0


async def test_who_owns_the_channel_no_more_asks_nothing(process: Process, sandbox: SandboxProcess) -> None:
    sent, desk = await unanswered(process, sandbox, "drop_before_accept")
    async with process.services.db.tenant(process.workspace) as connection:
        await connection.execute("UPDATE channel_owner SET epoch = epoch + 1")
    assert await desk.replayer.look() == 0
    desk.replayer.may_begin = lambda _: False
    assert await states(process, sent) == ["unknown"] * 5
    assert sandbox.summary()["people"] == 0


async def test_a_provider_that_is_too_busy_is_asked_when_it_wishes(
    process: Process, sandbox: SandboxProcess
) -> None:
    sent, desk = await unanswered(process, sandbox, "drop_before_accept")
    sandbox.fault("throttle", count=5, parameter=3.0)
    assert await desk.replayer.look() == 0
    asked = len(sandbox.requests())
    await asyncio.sleep(1.5)  # longer than without its wish
    assert await desk.replayer.look() == 0
    assert len(sandbox.requests()) == asked
    await asyncio.sleep(2.0)
    assert await desk.replayer.look() == 5
    assert await states(process, sent) == ["accepted"] * 5


async def test_nothing_is_asked_again_while_the_channel_holds(
    process: Process, sandbox: SandboxProcess
) -> None:
    _, desk = await unanswered(process, sandbox, "drop_before_accept")
    may_ask = desk._may_ask_again
    ticks = process.services.clock.monotonic()
    desk.stopping = False
    allowed = may_ask(ticks)
    desk.held_until = ticks + 10
    assert (allowed, may_ask(ticks)) == (True, False)


async def test_with_nothing_else_to_send_what_is_unknown_finds_out_that_the_provider_is_back(
    process: Process, sandbox: SandboxProcess
) -> None:
    """The breaker opened at the last message of all: no other will ever be its probe."""
    sent, desk = await unanswered(process, sandbox, "drop_before_accept", breaker=5)
    assert desk.breaker.hold > 0
    sandbox.fault("drop_before_accept", count=1)
    assert await desk.replayer.look() == 0, "it is held for a second"
    asked = len(sandbox.requests())
    await asyncio.sleep(1.1)
    assert await desk.replayer.look() == 0, "one asks, and is not answered"
    assert len(sandbox.requests()) == asked + 1
    working = asyncio.create_task(desk.replayer.run())
    assert await become(process, sent, ["accepted"] * 5) == ["accepted"] * 5
    desk.replayer.stop()
    await working
    assert desk.breaker.unknowns == 0
    assert sandbox.people(more_than=1) == {}


async def test_after_its_lifetime_nothing_is_asked_again(process: Process, sandbox: SandboxProcess) -> None:
    sent, desk = await unanswered(process, sandbox, "drop_before_accept", replays_for=1.0)
    assert await desk.replayer.look() == 0
    assert await states(process, sent) == ["unknown"] * 5


async def test_nothing_is_asked_again_of_what_was_paused_or_for_who_wants_no_more(
    process: Process, sandbox: SandboxProcess
) -> None:
    sent, desk = await unanswered(process, sandbox, "drop_before_accept")
    async with process.services.db.tenant(process.workspace) as connection:
        key = consent_hash(await pepper_of(connection), tel(FIVE[0]))
        await consent.opt_out(connection, [key], process.services.clock.now(), how="reply", by="")
        await campaign.set_lanes(connection, sent.campaign_id, "paused")
    assert await desk.replayer.look() == 0
    async with process.services.db.tenant(process.workspace) as connection:
        await campaign.set_lanes(connection, sent.campaign_id, "open")
    assert await desk.replayer.look() == 4
    assert await states(process, sent) == ["accepted"] * 4 + ["unknown"]


async def test_asking_again_keeps_the_limits(process: Process, sandbox: SandboxProcess) -> None:
    _, desk = await unanswered(process, sandbox, "drop_before_accept", capacity=5, daily=8)
    (limiter,) = desk.broker.limiters
    assert limiter.outstanding == 5, "who knows"
    assert await desk.replayer.look() == 3, "three more may go today"
    assert limiter.outstanding == 5, "each of them is outstanding once"
    assert len(sandbox.requests()) == 8


@pytest.mark.parametrize("what", ["opts out", "is paused", "expires"])
async def test_what_happens_between_the_look_and_the_claim_is_heeded(
    process: Process, sandbox: SandboxProcess, what: str
) -> None:
    sent, desk = await unanswered(process, sandbox, "drop_before_accept")
    now = process.services.clock.now()
    async with process.services.db.tenant(process.workspace) as connection:
        found = await replay.unanswered(connection, sent.channel_id, now - HOUR, now, 10)
    async with process.services.db.tenant(process.workspace) as connection:
        match what:
            case "opts out":
                keys = [consent_hash(await pepper_of(connection), tel(number)) for number in FIVE]
                await consent.opt_out(connection, keys, now, how="reply")
            case "is paused":
                await campaign.set_lanes(connection, sent.campaign_id, "paused")
            case _:
                now = max(one.waiting.expires_at for one in found)
    async with process.services.db.tenant(process.workspace) as connection:
        worker = desk.shared.worker_id
        claimed = await replay.claim(connection, sent.channel_id, worker, desk.epoch, found, now)
    assert (len(found), claimed) == (5, set())


async def test_whom_nobody_owns_is_due_while_something_may_be_asked_again(
    process: Process, sandbox: SandboxProcess
) -> None:
    """A worker that ends with a deployment gives the account up, and nothing else may be waiting there."""
    sent, desk = await unanswered(process, sandbox, "drop_before_accept")
    db, clock = process.services.db, process.services.clock

    async def due(later: timedelta = timedelta()) -> bool:
        async with db.glance() as connection:
            board = await owner.board(connection, clock.now() + later)
        return next(one.due for one in board if one.channel_id == sent.channel_id)

    async def left(asks_until: datetime | None) -> None:
        async with db.tenant(process.workspace) as connection:
            await owner.release(
                connection, sent.channel_id, desk.shared.worker_id, desk.epoch, asks_until
            )  # fmt: skip

    assert not await due(), "it has an owner"
    until = desk.replayer.asks_until(clock.now())
    assert until is not None
    await left(until)
    assert await due()
    assert not await due(later=HOUR), "the provider has forgotten the references"


async def test_where_nothing_is_unknown_any_more_nothing_is_due(
    process: Process, sandbox: SandboxProcess
) -> None:
    _, desk = await unanswered(process, sandbox, "drop_before_accept")
    now = process.services.clock.now()
    assert (desk.replayer.asks_until(now) is not None, await desk.replayer.look()) == (True, 5)
    assert (await desk.replayer.look(), desk.replayer.asks_until(now)) == (0, None)
    desk.replayer.some = True
    desk.channel = desk.replayer.channel = replace(
        desk.channel, account=replace(desk.channel.account, options=description(0.0))
    )
    assert desk.replayer.asks_until(now) is None, "a provider that knows no reference again is not asked"


async def test_an_account_is_kept_though_nothing_waits_while_something_may_be_asked_again(
    process: Process, sandbox: SandboxProcess
) -> None:
    sent = await told(process, sandbox)
    sandbox.fault("drop_before_accept", count=10)  # as often when they are asked again
    tree = await process.own(sent)
    assert await become(process, sent, ["unknown"] * 5) == ["unknown"] * 5
    (desk,) = (one.desk for one in tree.working.values())
    assert (tree.in_flight, tree.busy) == (0, True)
    assert await become(process, sent, ["accepted"] * 5) == ["accepted"] * 5
    await desk.replayer.look()
    assert not tree.busy
