"""A group that owns cases: everybody of it hears, whoever comes and goes; and what its place among the groups
decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from clarion.flow.enroll.match import match
from clarion.flow.services import Services
from clarion.kit.db import Connection, rows
from clarion.store import group, told_case
from tests.flow.alerting import AT_ONCE, definition, running, say, standing, types, until, work, written
from tests.store.people import ABEBE, AMINA, ROSA, person, store

DAY = timedelta(days=1)
NINE = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # tomorrow in Nairobi; it is noon of 2026-03-02
OWNER = [{"to": "owner"}]
_MESSAGES = """SELECT m.id, m.cohort FROM enrollment e JOIN message m ON m.enrollment_id = e.id
  WHERE e.campaign_id = %s"""


class Places:
    """Kisumu, and the ward East below it; Abebe works in East, Rosa in Kisumu."""

    kisumu: UUID
    east: UUID
    abebe: UUID
    rosa: UUID


@pytest.fixture
async def places(services: Services, workspace: UUID) -> Places:
    await types(services, workspace)
    now, made = services.clock.now(), Places()
    people = [person("Abebe", ABEBE, external_id="W-1"), person("Rosa", ROSA, external_id="W-2")]
    async with services.db.tenant(workspace) as connection:
        taken = await store(connection, people, now)
        made.abebe, made.rosa = (one.contact_id for one in taken if one.contact_id is not None)
        made.kisumu = await group.create(connection, "Kisumu", now, external_id="L-1")
        made.east = await group.create(connection, "East", now, made.kisumu, external_id="L-2")
        await group.add_members(connection, made.east, [made.abebe])
        await group.add_members(connection, made.kisumu, [made.rosa])
    return made


async def visit(services: Services, workspace: UUID, case: str, owner: str, **more: object) -> UUID:
    said = {"name": "Amina", "phone": AMINA, "status": "scheduled", "appointment_date": "2026-03-05"}
    return await say(services, workspace, case, owner=owner, **said | more)


async def told(services: Services, workspace: UUID, campaign_id: UUID) -> list[tuple[str, str, str]]:
    """(case, name, state) of whoever is enrolled."""
    found = await standing(services, workspace, campaign_id)
    return [(one["case"], one["name"], one["state"]) for one in found]


async def noted(connection: Connection) -> list[str]:
    found = await rows(
        connection,
        """SELECT DISTINCT k.external_id AS name FROM touched_case t JOIN "case" k ON k.id = t.case_id
           ORDER BY 1""",
    )
    return [one["name"] for one in found]


async def test_everybody_of_the_owning_group_and_below_it_is_told(
    services: Services, workspace: UUID, places: Places
) -> None:
    await visit(services, workspace, "V1", "L-1")
    await visit(services, workspace, "V2", "L-2")
    await visit(services, workspace, "V3", "W-2")
    await visit(services, workspace, "V4", "nobody")
    campaign_id = await running(services, workspace, definition(AT_ONCE, recipients=OWNER))
    await work(services, workspace, campaign_id)
    assert sorted((one[0], one[1]) for one in await written(services, workspace, campaign_id)) == [
        ("V1", "Abebe"),
        ("V1", "Rosa"),
        ("V2", "Abebe"),
        ("V3", "Rosa"),
    ]


async def test_a_contact_of_the_same_external_id_is_meant_first(
    services: Services, workspace: UUID, places: Places
) -> None:
    async with services.db.tenant(workspace) as connection:
        await group.know_as(connection, places.east, "W-2")
    await visit(services, workspace, "V1", "W-2")
    recipients = [*OWNER, {"to": "modified_by"}]
    campaign_id = await running(services, workspace, definition(AT_ONCE, recipients=recipients))
    assert await told(services, workspace, campaign_id) == [("V1", "Rosa", "active")]
    in_east = {"in_group": str(places.east), "of": "owner"}
    found = await running(services, workspace, definition(AT_ONCE, recipients=OWNER, criteria=in_east))
    assert await told(services, workspace, found) == []


async def test_who_joins_the_owning_group_hears_what_comes_and_who_leaves_it_does_not(
    services: Services, workspace: UUID, places: Places
) -> None:
    await visit(services, workspace, "V1", "L-1")
    await visit(services, workspace, "V2", "L-2")
    campaign_id = await running(services, workspace, definition(recipients=OWNER))
    async with services.db.tenant(workspace) as connection:
        await group.add_members(connection, places.east, [places.rosa])
        await group.remove_members(connection, places.east, [places.abebe])
    await work(services, workspace, campaign_id)
    assert await told(services, workspace, campaign_id) == [
        ("V1", "Abebe", "stopped"),
        ("V1", "Rosa", "active"),
        ("V2", "Abebe", "stopped"),
        ("V2", "Rosa", "active"),
    ]
    async with services.db.tenant(workspace) as connection:
        await group.add_members(connection, places.kisumu, [places.abebe])
    await until(services, workspace, campaign_id, NINE)
    assert [(one[0], one[1]) for one in await written(services, workspace, campaign_id)] == [
        ("V1", "Abebe"),
        ("V1", "Rosa"),
        ("V2", "Rosa"),
    ]


async def test_a_group_that_is_moved_takes_its_people_and_its_cases_along(
    services: Services, workspace: UUID, places: Places
) -> None:
    await visit(services, workspace, "V1", "L-1")
    await visit(services, workspace, "V2", "L-2")
    by_people = await running(services, workspace, definition(recipients=OWNER))
    below = {"in_group": str(places.kisumu), "of": "owner"}
    by_place = await running(services, workspace, definition(recipients=[{"to": "case"}], criteria=below))
    assert [one[0] for one in await told(services, workspace, by_place)] == ["V1", "V2"]
    async with services.db.tenant(workspace) as connection:
        await group.move(connection, places.east, None)
    await work(services, workspace, by_people)
    assert await told(services, workspace, by_people) == [
        ("V1", "Abebe", "stopped"),
        ("V1", "Rosa", "active"),
        ("V2", "Abebe", "active"),
    ]
    assert await told(services, workspace, by_place) == [
        ("V1", "Amina", "active"),
        ("V2", "Amina", "stopped"),
    ]
    async with services.db.tenant(workspace) as connection:
        await group.move(connection, places.east, places.kisumu)
    await work(services, workspace, by_people)
    assert {one[2] for one in await told(services, workspace, by_place)} == {"active"}
    assert {one[2] for one in await told(services, workspace, by_people)} == {"active"}


async def test_another_external_id_hands_the_cases_on(
    services: Services, workspace: UUID, places: Places
) -> None:
    await visit(services, workspace, "V1", "L-1")
    await visit(services, workspace, "V3", "L-3")
    campaign_id = await running(services, workspace, definition(recipients=OWNER))
    async with services.db.tenant(workspace) as connection:
        await group.know_as(connection, places.kisumu, "L-3")
    await work(services, workspace, campaign_id)
    assert await told(services, workspace, campaign_id) == [
        ("V1", "Abebe", "stopped"),
        ("V1", "Rosa", "stopped"),
        ("V3", "Abebe", "active"),
        ("V3", "Rosa", "active"),
    ]


async def test_a_group_that_comes_after_its_cases_owns_them(services: Services, workspace: UUID) -> None:
    await types(services, workspace)
    await visit(services, workspace, "V1", "L-1")
    campaign_id = await running(services, workspace, definition(recipients=OWNER))
    async with services.db.tenant(workspace) as connection:
        (abebe,) = await store(connection, [person("Abebe", ABEBE)], services.clock.now())
        assert abebe.contact_id is not None
        kisumu = await group.create(connection, "Kisumu", services.clock.now(), external_id="L-1")
        await group.add_members(connection, kisumu, [abebe.contact_id])
    await work(services, workspace, campaign_id)
    assert await told(services, workspace, campaign_id) == [("V1", "Abebe", "active")]
    async with services.db.tenant(workspace) as connection:
        await group.remove(connection, kisumu)
    await work(services, workspace, campaign_id)
    assert await told(services, workspace, campaign_id) == [("V1", "Abebe", "stopped")]


async def test_only_cases_whose_owner_changed_are_looked_at(
    services: Services, workspace: UUID, places: Places
) -> None:
    for number in range(1, 4):
        await visit(services, workspace, f"V{number}", f"L-{number}")
    campaign_id = await running(services, workspace, definition(recipients=OWNER))
    await work(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        await group.rename(connection, places.east, "East ward")
        assert await noted(connection) == []
        await group.move(connection, places.east, None)
        assert await noted(connection) == ["V2"]
    await work(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        await group.add_members(connection, places.east, [places.rosa])
    await match(services, workspace)
    async with services.db.tenant(workspace) as connection:
        assert await noted(connection) == ["V1", "V2"]  # Rosa hears of the first, and comes to the second


async def test_a_text_names_the_group_that_owns_the_case(
    services: Services, workspace: UUID, places: Places
) -> None:
    await visit(services, workspace, "V1", "L-2")
    campaign_id = await running(services, workspace, definition(AT_ONCE, recipients=OWNER))
    await work(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        (one,) = await rows(connection, _MESSAGES, (campaign_id,))
        found = await told_case.of_messages(connection, [(one["id"], one["cohort"])])
    assert found[one["id"]]["owner"] == {"name": "East"}
