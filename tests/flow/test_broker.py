"""A channel's limits at work: a desk, the ledger, and a provider that remembers when it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from clarion.errors import Invalid
from clarion.flow import configure
from clarion.flow.dispatch import account
from clarion.flow.dispatch.desk import Desk
from clarion.flow.services import Services
from clarion.store import receipt
from clarion.store.receipt import Said
from tests.flow import desks
from tests.flow.desks import Process, numbers
from tests.store.people import ABEBE, AMINA
from tests.store.sent import Sent

TEN = numbers("+254712", 10)
A_WHILE = 0.4  # seconds in which more would have gone, if it could


@pytest.fixture
async def process(services: Services, workspace: UUID, tmp_path: Path) -> AsyncIterator[Process]:
    async with desks.process(services, workspace, tmp_path / "flight") as here:
        yield here


async def delivered(process: Process, desk: Desk, sent: Sent, count: int) -> None:
    """Receipts of so many come to some machine, which nudges the owner."""
    async with process.services.db.tenant(process.workspace) as connection:
        rows = await sent.tries(connection)
        out = [row["id"] for row in rows if row["id"] in desk.broker.out][:count]
        now = process.services.clock.now()
        await receipt.apply(connection, sent.cohort, [Said(one, "delivered", now) for one in out], now)
    desk.collector.nudge()


async def changed(process: Process, desk: Desk, **changes: object) -> bool:
    """Whether the desk goes on with the channel as somebody has just set it."""
    channel_id, rate = desk.channel.id, changes.pop("rate", None)
    async with process.services.db.tenant(process.workspace) as connection:
        await configure.change_channel(
            connection, process.services, channel_id, config=changes or None,
            rate=float(str(rate)) if rate else None,
        )  # fmt: skip
    return desk.adopt(await account.load(process.services, process.workspace, channel_id))


async def channel_with(process: Process, limit: str, value: object) -> UUID:
    config: dict[str, Any] = {limit: value}
    return await process.channel("1001", **config)


def most_within(heard: Sequence[tuple[float, str]], seconds: float) -> int:
    moments = [at for at, _ in heard]
    return max(sum(1 for at in moments if first <= at < first + seconds) for first in moments)


async def test_capacity_five_and_ten_people_are_five_and_two_receipts_are_exactly_two_more(
    process: Process,
) -> None:
    sent = await process.tell(await process.channel("1001", capacity=5), TEN)
    desk = await process.work(sent)
    await process.until_heard(5)
    await asyncio.sleep(A_WHILE)
    first = len(process.provider.heard)
    await delivered(process, desk, sent, 2)
    await process.until_heard(7)
    await asyncio.sleep(A_WHILE)

    assert (first, len(process.provider.heard)) == (5, 7)
    assert process.provider.to == TEN[:7], "first in, first out"


async def test_a_receipt_that_comes_twice_frees_one_place(process: Process) -> None:
    sent = await process.tell(await process.channel("1001", capacity=2), TEN)
    desk = await process.work(sent)
    await process.until_all_settled(sent, 2)
    gone = next(iter(desk.broker.out))
    for _ in range(2):
        desk.broker.freed([gone])
    desk.wake()
    await process.until_heard(3)
    await asyncio.sleep(A_WHILE)

    assert len(process.provider.heard) == 3


async def test_a_message_of_which_no_word_comes_does_not_hold_its_place_for_ever(process: Process) -> None:
    sent = await process.tell(await process.channel("1001", capacity=1, collect_after=0.2), TEN[:3])
    await process.work(sent)
    await process.until_all_heard(sent)

    assert most_within(process.provider.heard, 0.2) == 1


async def test_nothing_is_collected_before_its_time(process: Process) -> None:
    sent = await process.tell(await process.channel("1001", capacity=1, collect_after=60), TEN)
    desk = await process.work(sent)
    await process.until_heard(1)
    for _ in range(3):
        desk.collector.nudge()
        await asyncio.sleep(A_WHILE / 3)

    assert len(process.provider.heard) == 1


async def test_another_capacity_applies_to_a_broker_at_work(process: Process) -> None:
    sent = await process.tell(await process.channel("1001", capacity=2), TEN)
    desk = await process.work(sent)
    await process.until_heard(2)
    await asyncio.sleep(A_WHILE)
    before = len(process.provider.heard)

    assert await changed(process, desk, capacity=6)
    await process.until_heard(6)
    await asyncio.sleep(A_WHILE)
    assert (before, len(process.provider.heard)) == (2, 6)


async def test_a_limit_of_a_new_kind_has_the_channel_opened_anew(process: Process) -> None:
    """What it counts is known only to who reads what was sent before."""
    desk = await process.work(await process.tell(await process.channel("1001"), TEN))
    assert not await changed(process, desk, uniques=3)


async def test_another_address_of_the_provider_has_the_channel_opened_anew(process: Process) -> None:
    desk = await process.work(await process.tell(await process.channel("1001"), TEN))
    assert not await changed(process, desk, sender="1002")


async def test_a_rate_is_held_where_the_provider_counts(process: Process) -> None:
    sent = await process.tell(await process.channel("1001", rate=20), numbers("+254712", 60))
    await process.work(sent)
    await process.until_all_heard(sent)

    assert most_within(process.provider.heard, 0.95) <= 20


async def test_who_was_written_to_just_now_waits_and_others_go_before(process: Process) -> None:
    """One in so many seconds to one person; nobody else waits for that."""
    channel_id = await process.channel("1001", pair_interval=1.5, pair_burst=1)
    first = await process.tell(channel_id, [AMINA])
    await process.work(first)
    await process.until_all_heard(first)
    second = await process.tell(channel_id, [AMINA, ABEBE], epoch=first.epoch)
    await process.until_all_heard(second)
    moments = [at for at, to in process.provider.heard if f"+{to}" == AMINA]

    assert process.provider.to == [AMINA, ABEBE, AMINA]
    assert moments[1] - moments[0] > 1.4


async def test_an_appointment_reminder_does_not_wait_for_an_announcement_to_everybody(
    process: Process,
) -> None:
    """Of a long line before it, hardly anybody goes before the reminder: only what was on its way."""
    channel_id = await process.channel("1001", rate=20)
    everybody = await process.tell(channel_id, numbers("+254712", 400))
    desk = await process.work(everybody)
    await process.until_heard(30)
    before = len(process.provider.heard)
    reminder = await process.tell(channel_id, [ABEBE], epoch=everybody.epoch, priority=20)
    desk.wake()
    await process.until_all_heard(reminder)

    assert process.provider.to.index(ABEBE) - before <= 20, "within what a second carries"


async def test_who_has_places_enough_seldom_looks_which_are_free(process: Process) -> None:
    sent = await process.tell(await process.channel("1001", capacity=100), TEN[:3])
    desk = await process.work(sent)
    await process.until_all_heard(sent)
    await outstanding(desk, 3)
    await delivered(process, desk, sent, 1)
    await outstanding(desk, 2)
    await delivered(process, desk, sent, 1)
    await asyncio.sleep(2 * A_WHILE)
    assert len(desk.broker.out) == 2, "nobody waits for that place"
    assert await changed(process, desk, capacity=3)
    desk.collector.nudge()
    await outstanding(desk, 1)


async def outstanding(desk: Desk, count: int) -> None:
    async with asyncio.timeout(30):
        while True:
            if len(desk.broker.out) == count:
                return
            await asyncio.sleep(0.01)


async def test_a_day_has_room_for_so_many_different_people(process: Process) -> None:
    channel_id = await process.channel("1001", uniques=3)
    sent = await process.tell(channel_id, TEN)
    await process.work(sent)
    await process.until_heard(3)
    again = await process.tell(channel_id, TEN[:3], epoch=sent.epoch)
    await process.until_all_heard(again)
    await asyncio.sleep(A_WHILE)

    assert sorted(process.provider.to) == sorted(TEN[:3] * 2)


async def test_who_wrote_to_us_is_none_of_a_days_people_also_to_who_takes_over(process: Process) -> None:
    channel_id = await process.channel("1001", uniques=3)
    sent = await process.tell(channel_id, TEN)
    async with process.services.db.tenant(process.workspace) as connection:
        await connection.execute(
            "UPDATE address SET window_at = %s, window_channel_id = %s WHERE value = ANY (%s)",
            (process.services.clock.now() - timedelta(hours=1), channel_id, TEN[:2]),
        )
    await process.work(sent)
    await process.until_heard(5)
    await process.leave()
    await process.taken_over(sent)
    await asyncio.sleep(2 * A_WHILE)
    assert sorted(process.provider.to) == sorted(TEN[:5])


@pytest.mark.parametrize("limit", ["uniques", "daily", "capacity"])
async def test_who_takes_over_keeps_the_limits_of_before(process: Process, limit: str) -> None:
    sent = await process.tell(await channel_with(process, limit, 3), TEN)
    await process.work(sent)
    await process.until_heard(3)
    await process.leave()
    await process.taken_over(sent)
    await asyncio.sleep(2 * A_WHILE)

    assert len(process.provider.heard) == 3


async def test_who_takes_over_knows_whom_the_one_before_wrote_to(process: Process) -> None:
    channel_id = await process.channel("1001", pair_interval=60, pair_burst=2)
    sent = await process.tell(channel_id, [AMINA])
    await process.work(sent)
    await process.until_all_heard(sent)
    await process.leave()
    desk = await process.taken_over(sent)
    later = await process.tell(channel_id, [AMINA, ABEBE], epoch=desk.epoch)
    last = await process.tell(channel_id, [AMINA, ABEBE], epoch=desk.epoch)
    await process.until_heard(4)
    await asyncio.sleep(A_WHILE)

    assert sorted(process.provider.to) == sorted([AMINA, ABEBE, AMINA, ABEBE])
    assert sorted(await process.states(later, last)) == ["accepted"] * 3 + ["ready"]


async def test_what_comes_too_late_while_a_limit_holds_it_is_not_sent_and_says_so(process: Process) -> None:
    channel_id = await process.channel("1001", capacity=1)
    sent = await process.tell(channel_id, TEN[:4], patience=timedelta(seconds=1.5))
    await process.work(sent)
    await process.until_all_settled(sent, 4)
    async with process.services.db.tenant(process.workspace) as connection:
        ended = [(row["state"], row["reason"]) for row in await sent.messages(connection)]

    assert sorted(ended) == [("accepted", None)] + [("expired", "expired")] * 3


@pytest.mark.parametrize("limit", ["capacity", "uniques", "daily", "pair_burst"])
async def test_a_limit_that_is_written_as_text_is_refused_and_not_taken_for_none(
    process: Process, limit: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await channel_with(process, limit, "100")
    assert f"config.{limit}" in {problem.where for problem in refused.value.problems}


async def test_who_stands_aside_is_asked_about_again_when_the_limit_is_raised(process: Process) -> None:
    """And not when the places of yesterday come free."""
    channel_id = await process.channel("1001", uniques=2)
    sent = await process.tell(channel_id, TEN)
    desk = await process.work(sent)
    await process.until_heard(2)
    await asyncio.sleep(A_WHILE)
    before = len(process.provider.heard)

    assert await changed(process, desk, uniques=100)
    await process.until_all_heard(sent)
    assert before == 2


async def test_words_that_no_database_holds_cost_nobody_their_verdict(process: Process) -> None:
    process.provider.says = {"error": {"code": 131026, "message": "not\u0000there \ud800"}}
    sent = await process.tell(await process.channel("1001"), TEN[:3])
    await process.work(sent)
    await process.until_all_settled(sent, 3)

    assert set(await process.states(sent)) == {"failed"}


async def test_a_provider_that_has_a_message_for_ever_does_not_hold_its_place_for_ever(
    process: Process,
) -> None:
    """It can be asked, and says each time that it took it: there are some that never tell the end."""
    channel_id = await process.channel("1001", capacity=1, collect_after=0.15, options={"look_up": True})
    sent = await process.tell(channel_id, TEN[:3])
    await process.work(sent)
    await process.until_all_heard(sent)
    assert process.provider.questions >= 2, "it was asked before it was given up"
