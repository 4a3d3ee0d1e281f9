"""Several desks of one process: what they share, they share fairly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from clarion.flow.services import Services
from tests.flow import desks
from tests.flow.desks import PEOPLE, PLACES, Process


@pytest.fixture
async def process(services: Services, workspace: UUID, tmp_path: Path) -> AsyncIterator[Process]:
    async with desks.process(services, workspace, tmp_path / "flight") as here:
        yield here


async def test_all_desks_together_have_no_more_calls_under_way_than_the_process_may(
    process: Process,
) -> None:
    amina, bekele = await process.announce("1001", "+254712"), await process.announce("1002", "+251911")
    await process.work(amina)
    await process.work(bekele)
    await process.until_all_heard(amina, bekele)

    assert max(len(here) for here in process.provider.seen) == PLACES


async def test_every_try_that_was_committed_to_has_a_place_for_its_mark(process: Process) -> None:
    """More than there are places for is never intended, so nobody's try is undone for want of one."""
    announced = [await process.announce(str(n), f"+25471{n}") for n in range(6)]
    for sent in announced:
        await process.work(sent)
    await process.until_all_heard(*announced)
    async with process.services.db.tenant(process.workspace) as connection:
        tries = [row for sent in announced for row in await sent.tries(connection)]

    assert [row["code"] for row in tries if row["state"] != "accepted"] == []
    assert len(tries) == 6 * PEOPLE
    assert (process.shared.recorder.free, process.shared.busy) == (PLACES * 4, set())


async def test_channels_that_are_busy_have_equal_shares_of_the_places(process: Process) -> None:
    """Who came first does not keep everything; a share of each is under way when both have work."""
    first, second = await process.announce("1001", "+254712"), await process.announce("1002", "+251911")
    process.provider.held = asyncio.Event()
    await process.work(first)
    await process.provider.busy.wait()
    await process.work(second)
    await asyncio.sleep(1.0)  # a slow machine would else have told all of the first before the second begins
    process.provider.held.set()
    await process.until_all_heard(first, second)
    both = [here for here in process.provider.seen if set(here) == {"1001", "1002"}]

    assert ("1001",) * PLACES in {tuple(sorted(here)) for here in process.provider.seen}
    assert ("1001",) * (PLACES // 2) + ("1002",) * (PLACES // 2) in {tuple(sorted(here)) for here in both}
