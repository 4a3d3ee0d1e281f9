"""An account with several numbers: one owner, limits that hold over all of them, and each number's own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from clarion.errors import Invalid
from clarion.flow import configure
from clarion.flow.dispatch.tree import Tree
from clarion.flow.services import Services
from tests.flow import desks
from tests.flow.desks import Process, numbers
from tests.store.sent import Sent

NAIROBI, ADDIS = numbers("+254712", 8), numbers("+251911", 8)
A_WHILE = 0.4  # seconds in which more would have gone, if it could


@pytest.fixture
async def process(services: Services, workspace: UUID, tmp_path: Path) -> AsyncIterator[Process]:
    async with desks.process(services, workspace, tmp_path / "flight") as here:
        yield here


async def two_numbers(process: Process, **together: object) -> tuple[Sent, Sent]:
    """An account with a number for Nairobi that leads it and one for Addis Ababa, and people to hear
    something over each."""
    first = await process.channel("1001", account=together or None)
    second = await process.channel("1002", account_id=first)
    nairobi = await process.tell(first, NAIROBI)
    return nairobi, await process.tell(second, ADDIS, epoch=nairobi.epoch)


async def look(process: Process, tree: Tree, sent: Sent) -> bool:
    """What the owner does now and then: see how the account is."""
    return await tree.adopt(await process.siblings(sent))


async def paused(process: Process, sent: Sent, again: bool = False) -> None:
    now = process.services.clock.now()
    async with process.services.db.tenant(process.workspace) as connection:
        if again:
            await configure.resume_channel(connection, sent.channel_id, now)
        else:
            await configure.pause_channel(connection, sent.channel_id, "the number is being moved", now)


async def test_the_numbers_of_an_account_send_beside_each_other(process: Process) -> None:
    nairobi, addis = await two_numbers(process)
    await process.own(nairobi)
    await process.until_all_heard(nairobi, addis)
    assert Counter(process.provider.by) == {"1001": 8, "1002": 8}


async def test_different_people_of_a_day_are_counted_over_all_numbers(process: Process) -> None:
    await process.own((await two_numbers(process, uniques=5))[0])
    await process.until_heard(5)
    await asyncio.sleep(A_WHILE)
    assert len(process.provider.heard) == 5


async def test_who_takes_an_account_over_knows_what_all_its_numbers_sent(process: Process) -> None:
    """Also the number that is paused by now."""
    nairobi, addis = await two_numbers(process, daily=6)
    await process.own(nairobi)
    await process.until_heard(6)
    await asyncio.sleep(A_WHILE)
    await process.leave()
    await paused(process, addis)
    process.provider.heard.clear()
    await process.own(nairobi)
    await asyncio.sleep(A_WHILE)
    assert process.provider.heard == []


async def test_a_number_that_is_paused_stops_alone_and_goes_on_when_it_is_resumed(process: Process) -> None:
    nairobi, addis = await two_numbers(process, rate=4)
    tree = await process.own(nairobi)
    await process.until_heard(2)
    await paused(process, addis)
    assert await look(process, tree, nairobi)
    await process.until_all_heard(nairobi)
    waiting = (await process.states(addis)).count("ready")
    assert await look(process, tree, nairobi)
    await paused(process, addis, again=True)
    assert await look(process, tree, nairobi)
    process.working += [(one.desk, one.task) for one in tree.working.values()]
    await process.until_all_heard(nairobi, addis)

    assert waiting > 0
    assert Counter(process.provider.to) == Counter(NAIROBI + ADDIS)


async def test_an_account_none_of_whose_numbers_sends_is_given_up(process: Process) -> None:
    nairobi, addis = await two_numbers(process)
    tree = await process.own(nairobi)
    for sent in (nairobi, addis):
        await paused(process, sent)
    assert not await look(process, tree, nairobi)


async def test_a_number_that_is_added_sends_at_once(process: Process) -> None:
    first = await process.channel("1001")
    nairobi = await process.tell(first, NAIROBI)
    tree = await process.own(nairobi)
    second = await process.channel("1002", account_id=first)
    addis = await process.tell(second, ADDIS, epoch=nairobi.epoch)
    assert await look(process, tree, nairobi)
    process.working += [(one.desk, one.task) for one in tree.working.values()]
    await process.until_all_heard(nairobi, addis)
    assert Counter(process.provider.by) == {"1001": 8, "1002": 8}


async def test_what_the_numbers_share_may_change_while_they_send(process: Process) -> None:
    nairobi, _ = await two_numbers(process, daily=3)
    tree = await process.own(nairobi)
    await process.until_heard(3)
    async with process.services.db.tenant(process.workspace) as connection:
        await configure.change_channel(
            connection, process.services, nairobi.channel_id, config={"account": {"daily": 9}}
        )
    assert await look(process, tree, nairobi)
    await process.until_heard(9)
    await asyncio.sleep(A_WHILE)
    assert len(process.provider.heard) == 9


async def test_a_number_belongs_to_an_account_of_its_own_provider_that_another_leads(
    process: Process,
) -> None:
    first = await process.channel("1001")
    second = await process.channel("1002", account_id=first)
    with pytest.raises(Invalid) as follower:
        await process.channel("1003", account_id=second)
    with pytest.raises(Invalid) as limits:
        await process.channel("1004", account_id=first, account={"daily": 3})
    assert (follower.value.where, limits.value.where) == ("account_id", "config.account")


async def test_what_a_number_has_outstanding_counts_for_the_account_when_it_is_opened_anew(
    process: Process,
) -> None:
    """An edit must not make room; nor receipts of it more room than there is."""
    nairobi, addis = await two_numbers(process, capacity=6)
    tree = await process.own(nairobi)
    await process.until_heard(6)
    await asyncio.sleep(A_WHILE)
    async with process.services.db.tenant(process.workspace) as connection:
        await configure.change_channel(
            connection, process.services, addis.channel_id, config={"total_timeout": 20}
        )
    for _ in range(4):
        assert await look(process, tree, nairobi)
        await asyncio.sleep(A_WHILE)
    process.working += [(one.desk, one.task) for one in tree.working.values()]

    assert tree.together is not None
    assert tree.together.outstanding == len(process.provider.heard)
    assert len(process.provider.heard) <= 6


async def test_nobody_sends_into_the_gap_before_a_number_that_is_opened_anew_knows_what_is_outstanding(
    process: Process,
) -> None:
    nairobi, addis = await two_numbers(process, capacity=6)
    tree = await process.own(nairobi)
    await process.until_heard(6)
    await asyncio.sleep(A_WHILE)
    async with process.services.db.tenant(process.workspace) as connection:
        for sent in (nairobi, addis):
            await configure.change_channel(
                connection, process.services, sent.channel_id, config={"total_timeout": 20}
            )
    before = [one.desk for one in tree.working.values()]
    async with tree.learning:  # it takes long to read what was sent before
        for _ in range(4):
            assert await look(process, tree, nairobi)
            await asyncio.sleep(A_WHILE / 4)
        assert not any(one.desk is old for one in tree.working.values() for old in before)
        assert tree.together is not None
        assert tree.together.outstanding == 6
    process.working += [(one.desk, one.task) for one in tree.working.values()]
    await asyncio.sleep(A_WHILE)
    assert tree.together.outstanding == len(process.provider.heard) == 6


async def test_an_account_whose_limits_cannot_be_read_sends_nothing(process: Process) -> None:
    """Written by another version, perhaps: what nobody can read is not taken for no limit."""
    nairobi, _ = await two_numbers(process, daily=3)
    async with process.services.db.tenant(process.workspace) as connection:
        await connection.execute(
            """UPDATE channel SET config = config || '{"from_the_future": 1}' WHERE id = %s""",
            (nairobi.channel_id,),
        )
    members = await process.siblings(nairobi)
    assert (members.active, [id for id, _ in members.broken]) == ([], [nairobi.channel_id])


async def test_a_number_that_the_provider_refused_is_not_begun_again_before_its_pause_is_written(
    process: Process,
) -> None:
    process.provider.says = {"error": {"code": 190, "message": "the token is no longer good"}}
    nairobi, _ = await two_numbers(process)
    tree = await process.own(nairobi)
    await process.until_heard(2)
    await asyncio.sleep(A_WHILE)
    refused = len(process.provider.heard)
    for _ in range(5):
        assert await look(process, tree, nairobi)
        await asyncio.sleep(A_WHILE / 4)
    assert len(process.provider.heard) == refused
