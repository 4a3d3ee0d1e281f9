"""One look for all desks of a process: as fresh as each asks for, and no more often than that needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from clarion.flow.dispatch.eye import Eye
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import AWAY, Connection, Database
from clarion.store import campaign
from tests.store.people import ABEBE, AMINA
from tests.store.sent import Sent, announce


@pytest.fixture
async def eye(database_url: str) -> AsyncIterator[Eye]:
    async with Database(database_url, size=2, name="eye") as db:
        yield Eye(db, Clock())


@pytest.fixture
async def two(services: Services, workspace: UUID) -> list[Sent]:
    """An announcement on each of two channels."""
    now = services.clock.now()
    async with services.db.tenant(workspace) as connection:
        return [await announce(connection, workspace, now, [number]) for number in (AMINA, ABEBE)]


async def pause(services: Services, workspace: UUID, sent: Sent) -> None:
    async with services.db.tenant(workspace) as connection:
        await campaign.set_lanes(connection, sent.campaign_id, "paused")


async def test_a_channel_has_its_own_lanes_and_one_without_any_has_none(eye: Eye, two: list[Sent]) -> None:
    now = eye.clock.monotonic()
    seen = await asyncio.gather(*(eye.lanes(one.channel_id, now) for one in two))
    assert [[lane.campaign_id for lane in some] for some in seen] == [[one.campaign_id] for one in two]
    assert await eye.lanes(two[0].campaign_id, now) == [], "no such channel"


async def test_what_was_seen_answers_who_asks_for_no_later_and_nobody_else(
    services: Services, workspace: UUID, eye: Eye, two: list[Sent]
) -> None:
    amina, abebe = two
    before = eye.clock.monotonic()
    assert len(await eye.lanes(amina.channel_id, before)) == 1
    assert len(await eye.lanes(abebe.channel_id, before)) == 1, "not asked for until now"
    await pause(services, workspace, amina)
    assert len(await eye.lanes(amina.channel_id, before)) == 1, "as it was then"
    now = eye.clock.monotonic()
    assert await eye.lanes(amina.channel_id, now) == []
    assert len(await eye.lanes(abebe.channel_id, now)) == 1, "seen in the same look"


async def test_a_look_that_began_too_early_is_followed_by_another(
    services: Services, workspace: UUID, eye: Eye, two: list[Sent]
) -> None:
    amina, abebe = two
    early = asyncio.create_task(eye.lanes(amina.channel_id, eye.clock.monotonic()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # its look is under way
    await pause(services, workspace, abebe)
    assert await eye.lanes(abebe.channel_id, eye.clock.monotonic()) == []
    assert len(await early) == 1


async def test_when_the_database_goes_away_everybody_hears_it_and_may_ask_again(
    services: Services, workspace: UUID, eye: Eye, two: list[Sent]
) -> None:
    now = eye.clock.monotonic()
    async with services.db.tenant(workspace) as holding, asyncio.timeout(30):
        await holding.execute("LOCK lane")  # so that the look lasts
        asking = [asyncio.create_task(eye.lanes(one.channel_id, now)) for one in two]
        async with services.db.system() as connection:
            await _cut(connection)
        for one in await asyncio.gather(*asking, return_exceptions=True):
            assert isinstance(one, AWAY)
    assert len(await eye.lanes(two[0].channel_id, now)) == 1


async def _cut(connection: Connection) -> None:
    """Cut the eye's connection, once it waits."""
    while True:
        found = await connection.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name = 'eye' AND wait_event_type = 'Lock'"""
        )
        if await found.fetchone():
            return
        await asyncio.sleep(0.01)
