"""Many desks of one process commit together: who comes while a statement is under way goes with the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from clarion.flow.dispatch.committer import Decided
from clarion.flow.services import Services
from clarion.kit.db import Connection, rows
from clarion.kit.ids import uuid7
from clarion.store import queue
from clarion.store.intent import Intended, Intent
from tests.flow import desks
from tests.flow.desks import Process
from tests.store.sent import _START, Sent

CHANNELS = 10


@pytest.fixture
async def process(services: Services, workspace: UUID, tmp_path: Path) -> AsyncIterator[Process]:
    async with desks.process(services, workspace, tmp_path / "flight") as here:
        yield here


async def wanted(process: Process, sent: Sent) -> Intent:
    """What the desk of that channel has read, to be committed to."""
    now = process.services.clock.now()
    async with process.services.db.tenant(process.workspace) as connection:
        (lane,) = (await queue.open_lanes(connection, [sent.channel_id]))[sent.channel_id]
        waiting = await queue.read_ahead(connection, lane.id, _START, now, 100)
    return Intent(sent.channel_id, sent.epoch, [Intended(one, lane.epoch, uuid7(now), {}) for one in waiting])


async def of_channels(process: Process) -> list[Intent]:
    announced = [await process.announce(str(n), f"+2547{n:02}") for n in range(CHANNELS)]
    return [await wanted(process, sent) for sent in announced]


async def nothing_else(_: Connection, __: set[UUID]) -> None:
    """What else goes with it: nothing."""


async def ask(process: Process, intents: list[Intent]) -> list[set[UUID] | BaseException]:
    """All at once; what each desk is told to be its own."""
    committer = process.shared.committer
    asked = (committer.intend(process.workspace, intent, nothing_else) for intent in intents)
    told = await asyncio.gather(*asked, return_exceptions=True)
    return [one if isinstance(one, BaseException) else one.granted for one in told]


async def test_desks_that_come_at_once_are_committed_together(process: Process) -> None:
    intents = await of_channels(process)
    told = await ask(process, intents)
    for intent, granted in zip(intents, told, strict=True):
        assert isinstance(granted, set)
        assert {one.attempt_id for one in intent.tries} <= granted
    async with process.services.db.tenant(process.workspace) as connection:
        found = await rows(connection, "SELECT DISTINCT channel_id, xmin::text AS tx FROM attempt")
    assert len(found) == CHANNELS, "each under its own channel"
    assert len({one["tx"] for one in found}) == 3, "two at once, and all others in the next"


async def test_what_one_desk_may_not_send_takes_nothing_from_the_others(process: Process) -> None:
    """Its channel was taken over by another worker, or is paused."""
    intents = await of_channels(process)
    intents[4].epoch += 1
    async with process.services.db.tenant(process.workspace) as connection:
        await connection.execute(
            "UPDATE channel SET state = 'paused' WHERE id = %s", (intents[7].channel_id,)
        )
    told = await ask(process, intents)
    for number, (intent, granted) in enumerate(zip(intents, told, strict=True)):
        assert isinstance(granted, set)
        ours = {one.attempt_id for one in intent.tries} & granted
        assert bool(ours) == (number not in (4, 7)), number


async def test_a_row_that_cannot_be_written_down_keeps_nobody_else_from_being_sent(process: Process) -> None:
    intents = await of_channels(process)
    intents[5].tries[0].variables = {"name": "no database holds this: \x00"}
    told = await ask(process, intents)
    for number, (intent, granted) in enumerate(zip(intents, told, strict=True)):
        if number == 5:
            assert isinstance(granted, psycopg.DataError)
            continue
        assert isinstance(granted, set)
        assert {one.attempt_id for one in intent.tries} <= granted


async def test_a_desk_that_gave_up_waiting_keeps_nobody_else_from_being_told(process: Process) -> None:
    intents = await of_channels(process)
    committer = process.shared.committer
    asked = [
        asyncio.create_task(committer.intend(process.workspace, intent, nothing_else)) for intent in intents
    ]
    await asyncio.sleep(0)
    asked[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked[0]
    async with process.services.db.tenant(process.workspace) as connection:
        found = await rows(
            connection, "SELECT id FROM attempt WHERE channel_id = %s", (intents[0].channel_id,)
        )
    assert len(found) == len(intents[0].tries), "it was decided by then: nothing comes after who looks"
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(one, Decided) for one in told[1:])
