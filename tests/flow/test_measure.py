"""What the metrics say of every channel: the database's word, of all workspaces, and nobody's data."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from clarion.domain.message import Outcome
from clarion.flow import announce, configure
from clarion.flow.dispatch.dispatcher import Dispatcher
from clarion.flow.measure import EVERY, Measurer
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.http import Http
from clarion.kit.ids import uuid7
from clarion.kit.metrics import Metrics
from clarion.store import inbox, measure
from clarion.store import workspace as workspaces
from clarion.store.measure import COUNTED, Measure
from tests.flow.announcing import Dispatch, at, channel, people, sent_out
from tests.house import House
from tests.store.planning.plans import heard, tell
from tests.store.sent import announce as announce_to

LATER = timedelta(minutes=5)


async def channel_of(services: Services, workspace: UUID, campaign_id: UUID) -> UUID:
    async with services.db.tenant(workspace) as connection:
        cursor = await connection.execute("SELECT channel_id FROM campaign WHERE id = %s", (campaign_id,))
        found = await cursor.fetchone()
    assert found is not None
    return UUID(str(found[0]))


async def measured(services: Services, channel_id: UUID, counted: int = COUNTED) -> Measure:
    """One channel as a process of no workspace sees it."""
    async with services.db.system() as connection:
        found = await measure.channels(connection, services.clock.now(), counted)
    return {one.channel_id: one for one in found}[channel_id]


def shown(metrics: Metrics, channel_id: UUID) -> dict[str, float]:
    """A channel's figures, by name, as Prometheus reads them."""
    lines = re.findall(rf'^(\w+){{channel="{channel_id}"}} (\S+)$', metrics.render().decode(), re.M)
    return {name: float(value) for name, value in lines}


async def test_what_waits_is_told_and_what_is_due_of_it(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    channel_id = await channel_of(services, workspace, campaign_id)
    at_first = await measured(services, channel_id)
    dispatch = Dispatch(services, workspace, campaign_id)
    begun = await dispatch.begin()
    await dispatch.end(begun[:1], Outcome.UNSENT, retry_at=services.clock.now() + LATER)
    await dispatch.end(begun[1:2], Outcome.UNSENT, retry_at=services.clock.now())
    await dispatch.end(begun[2:], Outcome.ACCEPTED)
    at_last = await measured(services, channel_id)

    assert at_first == Measure(channel_id, False, 80.0, 4, 4, 0, None, 0)
    assert (at_last.due, at_last.queued) == (1, 2)


async def test_a_paused_campaign_holds_back_what_is_due(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    channel_id = await channel_of(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        await announce.pause(connection, services, campaign_id)
    counted, told = await measured(services, channel_id), await measured(services, channel_id, counted=1)

    assert (counted.due, counted.queued) == (0, 4)
    assert (told.due, told.queued) == (0, 4)


async def test_what_is_more_than_is_counted_is_read_off_the_tallies(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    channel_id = await channel_of(services, workspace, campaign_id)
    before = await measured(services, channel_id, counted=2)
    await Dispatch(services, workspace, campaign_id).all(Outcome.ACCEPTED)
    after = await measured(services, channel_id, counted=2)

    assert (before.due, before.queued) == (4, 4)
    assert (after.due, after.queued) == (0, 0)


async def test_a_paused_channel_that_nobody_owns_is_there_too(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    channel_id = await channel_of(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        await configure.pause_channel(connection, channel_id, "its bill", services.clock.now())
    await Measurer(services).refresh()
    figures = shown(services.metrics, channel_id)

    assert figures["clarion_channel_paused"] == 1
    assert figures["clarion_messages_due"] == 4
    assert figures["clarion_channel_rate_limit"] == 80


async def test_unknown_tries_are_counted_with_the_age_of_the_oldest(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    channel_id = await channel_of(services, workspace, campaign_id)
    dispatch = Dispatch(services, workspace, campaign_id)
    begun = await dispatch.begin()
    await dispatch.end(begun[:1], Outcome.UNKNOWN, code="unanswered")
    at(services).advance(60)
    await dispatch.end(begun[1:3], Outcome.UNKNOWN, code="unanswered")
    at(services).advance(30)
    await Measurer(services).refresh()
    figures = shown(services.metrics, channel_id)

    assert figures["clarion_messages_unknown"] == 3
    assert figures["clarion_unknown_oldest_seconds"] == 90


async def test_what_the_provider_told_and_nobody_has_read_is_counted(
    services: Services, workspace: UUID
) -> None:
    channel_id = await channel(services, workspace)
    now = services.clock.now()
    async with services.db.tenant(workspace) as connection:
        await inbox.put(connection, [inbox.Body(uuid7(now), channel_id, now, b"{}") for _ in range(3)])
    waiting = await measured(services, channel_id)
    async with services.db.tenant(workspace) as connection:
        bodies = await inbox.take(connection, channel_id, limit=2, most_bytes=1000)
        await inbox.done(connection, [(one.id, None) for one in bodies], now)

    assert waiting.inbox == 3
    assert (await measured(services, channel_id)).inbox == 1


async def test_each_workspaces_channels_have_their_own_figures(
    services: Services, workspace: UUID, another_workspace: UUID
) -> None:
    await people(services, workspace)
    ours, _ = await sent_out(services, workspace)
    theirs = await channel(services, another_workspace)

    assert (await measured(services, await channel_of(services, workspace, ours))).queued == 4
    assert (await measured(services, theirs)).queued == 0


async def test_the_database_is_asked_at_most_every_ten_seconds(services: Services, workspace: UUID) -> None:
    channel_id = await channel(services, workspace)
    measurer = Measurer(services)
    async with services.db.tenant(workspace) as connection:
        await configure.pause_channel(connection, channel_id, "", services.clock.now())
    await measurer.refresh()
    async with services.db.tenant(workspace) as connection:
        await configure.resume_channel(connection, channel_id, services.clock.now())
    at(services).advance(EVERY - 1)
    await measurer.refresh()
    soon = shown(services.metrics, channel_id)
    at(services).advance(2)
    await measurer.refresh()
    later = shown(services.metrics, channel_id)

    assert (soon["clarion_channel_paused"], later["clarion_channel_paused"]) == (1, 0)


async def test_figures_go_away_with_the_database_and_come_back(
    services: Services, workspace: UUID, database_url: str
) -> None:
    channel_id = await channel(services, workspace)
    await Measurer(services).refresh()
    there = shown(services.metrics, channel_id)
    async with Database(database_url, size=2) as closed:
        pass
    await Measurer(replace(services, db=closed)).refresh()
    away = shown(services.metrics, channel_id)
    said = services.metrics.render().decode()
    await Measurer(services).refresh()

    assert "clarion_messages_queued" in there
    assert away == {}
    assert "clarion_database_up 0.0" in said
    assert shown(services.metrics, channel_id) == there


@pytest.fixture
async def own_database(house: House) -> AsyncIterator[Database]:
    """A database of the test's own; it tells its plans, and nobody has analysed it."""
    name = house.new_database()
    tell(house.superuser(name), name)
    async with Database(house.url(name), size=2) as opened:
        yield opened
    house.drop(name)


async def test_measuring_costs_what_is_counted_and_not_what_waits(
    own_database: Database, services: Services
) -> None:
    workspace, now = uuid7(services.clock.now()), services.clock.now()
    numbers = [f"+2547{n:08}" for n in range(300)]
    async with own_database.tenant(workspace) as connection:
        await workspaces.create(connection, workspace, name="Selam Clinic", country="KE", now=now)
        await announce_to(connection, workspace, now, numbers)
    async with own_database.system() as connection:
        with heard(connection) as plans:
            (found,) = await measure.channels(connection, now, counted=20)

    assert (found.due, found.queued) == (300, 300)
    counted = sum(node.read for plan in plans for node in plan.of("queue"))
    assert 20 <= counted <= 40, "twenty that are due, and twenty that wait"
    assert [node for plan in plans for node in plan.of("message")] == []
    assert "Seq Scan" not in {node.kind for plan in plans for node in plan.nodes}


async def test_a_suspect_clock_is_shown_for_as_long_as_it_is_one(
    own_database: Database, services: Services
) -> None:
    """The tests' clock stands far from the database's, until somebody sets it."""
    metrics, clock = services.metrics, at(services)
    async with Http() as http:
        dispatcher = Dispatcher(replace(services, db=own_database), http)
        working = asyncio.create_task(dispatcher.run())
        try:
            async with asyncio.timeout(60):
                seen: list[float | None] = []
                while 1 not in seen or seen[-1] != 0:
                    if 1 in seen:
                        clock.at = Clock().now()
                    await asyncio.sleep(0.02)
                    seen.append(suspect(metrics))
        finally:
            dispatcher.stop()
            await working


def suspect(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("clarion_clock_suspect")
