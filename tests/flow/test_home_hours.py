"""The hours of a workspace hold for every campaign of it: what is scheduled, and what waits on a channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from clarion.domain.schedule.hours import Hours
from clarion.flow import announce
from clarion.flow.home_hours import home_hours, set_home_hours
from clarion.flow.rehearse.rehearse import Wish, rehearse
from clarion.flow.services import Services
from clarion.store import workspace as workspaces
from tests.flow import announcing as announced
from tests.flow import desks
from tests.flow.desks import Process
from tests.flow.following import DAILY, definition, of, people, running, until, work, written
from tests.flow.test_hours import HOURS, of_abebe, until_put_off, where_it_is
from tests.store.people import ABEBE, AMINA

BY_DAY = Hours.model_validate(HOURS)
EARLY = {**DAILY, "time": "05:00"}
FIVE = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)  # in Nairobi
EIGHT = FIVE + timedelta(hours=3)


@pytest.fixture
async def process(services: Services, workspace: UUID, tmp_path: Path) -> AsyncIterator[Process]:
    async with desks.process(services, workspace, tmp_path / "flight") as here:
        yield here


async def hold(services: Services, workspace: UUID, hours: Hours | None) -> None:
    async with services.db.tenant(workspace) as connection:
        await set_home_hours(connection, services, hours)


async def test_what_comes_to_a_channel_in_somebodys_night_waits_there(process: Process) -> None:
    await hold(process.services, process.workspace, BY_DAY)
    sent = await process.tell(await process.channel("1001"), [AMINA, ABEBE])
    now = process.services.clock.now()
    async with process.services.db.tenant(process.workspace) as connection:
        for number, hour in ((AMINA, 12), (ABEBE, 3)):
            await connection.execute(
                """UPDATE contact SET timezone = %s
                   WHERE id IN (SELECT contact_id FROM address WHERE value = %s)""",
                (where_it_is(hour, now), number),
            )
    before = (await of_abebe(process, sent))["due_at"]
    await process.work(sent)
    await process.until_heard(1)
    abebe = await until_put_off(process, sent, before)
    assert (abebe["state"], abebe["tries"]) == ("ready", 0)
    assert abebe["due_at"] - now > timedelta(hours=3)
    await asyncio.sleep(0.5)
    assert process.provider.to == [AMINA]


async def test_a_sequence_speaks_at_the_workspaces_hours(services: Services, workspace: UUID) -> None:
    await people(services, workspace, ("Amina", AMINA, "2026-03-03"))
    await hold(services, workspace, BY_DAY)
    campaign_id = await running(services, workspace, definition(EARLY))
    told = await rehearse(services, workspace, campaign_id, Wish(days=2))
    await until(services, workspace, campaign_id, EIGHT)
    assert [one[4] for one in await written(services, workspace, campaign_id)] == [EIGHT]
    assert told.reckoning.by_minute()[int(EIGHT.timestamp())] == 1


async def test_an_announcement_that_recurs_says_when_it_is_first_heard_by_the_workspaces_hours(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace, ("Amina", AMINA, None))
    await hold(services, workspace, BY_DAY)
    daily = {"time": "05:00", "steps": [{"number": 1}], "repeat": {"every": 1}}
    campaign_id = await announced.written(
        services, workspace, await announced.channel(services, workspace), schedule=daily
    )
    async with services.db.tenant(workspace) as connection:
        launched = await announce.launch(connection, services, campaign_id)
    assert launched.send_at == EIGHT


async def test_other_hours_move_what_is_to_come_and_none_give_it_back(
    services: Services, workspace: UUID
) -> None:
    (amina,) = await people(services, workspace, ("Amina", AMINA, "2026-03-03"))
    campaign_id = await running(services, workspace, definition(EARLY))
    due = []
    for hours in (BY_DAY, None):
        await hold(services, workspace, hours)
        await work(services, workspace, campaign_id)
        due.append((await of(services, workspace, campaign_id, amina))["next_due"])
    assert due == [EIGHT, FIVE]
    async with services.db.tenant(workspace) as connection:
        assert home_hours((await workspaces.get(connection))["settings"]) is None
