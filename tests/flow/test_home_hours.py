"""The hours of a workspace hold for every campaign of it: what is scheduled, and what waits on a channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from clarion.domain.field import Field, FieldType
from clarion.domain.schedule.hours import Hours
from clarion.errors import Invalid
from clarion.flow import announce
from clarion.flow.home_hours import home_hours, set_home_hours, set_hours_field
from clarion.flow.rehearse.rehearse import Wish, rehearse
from clarion.flow.services import Services
from clarion.store import field as fields
from clarion.store import workspace as workspaces
from tests.flow import announcing as announced
from tests.flow import desks
from tests.flow.desks import Process
from tests.flow.following import DAILY, definition, mend, of, people, running, until, work, written
from tests.flow.test_hours import HOURS, until_put_off, where_it_is
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
    await process.work(sent)
    await process.until_heard(1)
    abebe = await until_put_off(process, sent)
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


async def own_hours(services: Services, workspace: UUID, number: str, hours: str) -> None:
    """This person's own hours, in the field that says so."""
    async with services.db.tenant(workspace) as connection:
        await fields.declare(connection, Field("reachable", "Reachable", FieldType.TEXT))
        await set_hours_field(connection, services, "reachable")
        await connection.execute(
            """UPDATE contact SET fields = fields || jsonb_build_object('reachable', %s::text)
               WHERE id IN (SELECT contact_id FROM address WHERE value = %s)""",
            (hours, number),
        )


async def test_what_comes_to_a_channel_waits_for_a_persons_own_hours(process: Process) -> None:
    services = process.services
    now = services.clock.now()
    sent = await process.tell(await process.channel("1001"), [AMINA, ABEBE])
    async with services.db.tenant(process.workspace) as connection:
        await connection.execute("UPDATE contact SET timezone = %s", (where_it_is(12, now),))
    await own_hours(services, process.workspace, ABEBE, "15:00-17:00")
    await own_hours(services, process.workspace, AMINA, "whenever I like")
    await process.work(sent)
    await process.until_heard(1)
    abebe = await until_put_off(process, sent)
    assert (abebe["state"], abebe["reason"]) == ("ready", "quiet_hours")
    assert timedelta(hours=2) < abebe["due_at"] - now <= timedelta(hours=3)
    assert process.provider.to == [AMINA], "what cannot be read holds nobody up"


async def test_a_sequence_speaks_at_each_persons_own_hours(services: Services, workspace: UUID) -> None:
    amina, abebe = await people(
        services, workspace, ("Amina", AMINA, "2026-03-03"), ("Abebe", ABEBE, "2026-03-03")
    )
    await hold(services, workspace, Hours.model_validate({"allowed": [{"from": "04:00", "to": "22:00"}]}))
    await own_hours(services, workspace, ABEBE, "08:00-12:00; 17:00-21:00")
    campaign_id = await running(services, workspace, definition(EARLY))
    assert (await of(services, workspace, campaign_id, amina))["next_due"] == FIVE
    assert (await of(services, workspace, campaign_id, abebe))["next_due"] == EIGHT


async def test_other_hours_of_a_person_move_what_is_to_come_of_them(
    services: Services, workspace: UUID
) -> None:
    (amina,) = await people(services, workspace, ("Amina", AMINA, "2026-03-03"))
    await own_hours(services, workspace, AMINA, "08:00-12:00")
    campaign_id = await running(services, workspace, definition(EARLY))
    due = [(await of(services, workspace, campaign_id, amina))["next_due"]]
    await mend(services, workspace, amina, fields={"reachable": "04:00-12:00"})
    due.append((await of(services, workspace, campaign_id, amina))["next_due"])
    assert due == [EIGHT, FIVE]


async def test_a_field_of_hours_must_be_there_and_hold_text(services: Services, workspace: UUID) -> None:
    async with services.db.tenant(workspace) as connection:
        await fields.declare(connection, Field("children", "Children", FieldType.NUMBER))
        with pytest.raises(Invalid, match="there is no field 'hours'"):
            await set_hours_field(connection, services, "hours")
        with pytest.raises(Invalid, match="holds no text"):
            await set_hours_field(connection, services, "children")
