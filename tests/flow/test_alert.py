"""An alert tells people of a case: before its date, moved when that moves, stopped when it is over."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from clarion.errors import Invalid
from clarion.flow import alert, explain
from clarion.flow.enroll.watch import Watcher
from clarion.flow.services import Services
from clarion.kit.db import Row
from clarion.store import group
from tests.flow.alerting import AT_ONCE, definition, running, say, standing, types, until, work, written
from tests.flow.announcing import channel
from tests.store.people import ABEBE, AMINA, ROSA, person, store

DAY = timedelta(days=1)
NINE = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # tomorrow in Nairobi; it is noon of 2026-03-02
ZEINAB, BARAKA = "+254712123010", "+254712123011"


@pytest.fixture(autouse=True)
async def _visits(services: Services, workspace: UUID) -> None:
    await types(services, workspace)


async def visit(services: Services, workspace: UUID, case: str, date: str | None, **more: object) -> UUID:
    said = {"name": "Amina", "phone": AMINA, "status": "scheduled", "appointment_date": date, **more}
    return await say(services, workspace, case, **said)


async def test_a_patient_is_reminded_two_days_and_one_day_before(services: Services, workspace: UUID) -> None:
    await visit(services, workspace, "V1", "2026-03-05")
    campaign_id = await running(services, workspace)
    await until(services, workspace, campaign_id, NINE + 3 * DAY)
    assert await written(services, workspace, campaign_id) == [
        ("V1", "Amina", 1, 1, 1, NINE, "ready"),
        ("V1", "Amina", 1, 1, 2, NINE + DAY, "ready"),
    ]
    (one,) = await standing(services, workspace, campaign_id)
    assert one["state"] == "finished"


async def test_a_case_that_comes_later_is_told_too(services: Services, workspace: UUID) -> None:
    campaign_id = await running(services, workspace)
    await visit(services, workspace, "V1", "2026-03-05")
    await until(services, workspace, campaign_id, NINE)
    assert [one[:5] for one in await written(services, workspace, campaign_id)] == [("V1", "Amina", 1, 1, 1)]


async def test_a_visit_that_moves_moves_its_reminders(services: Services, workspace: UUID) -> None:
    await visit(services, workspace, "V1", "2026-03-05")
    campaign_id = await running(services, workspace)
    await visit(services, workspace, "V1", "2026-03-10")
    await until(services, workspace, campaign_id, NINE + 8 * DAY)
    assert [(one[2], one[4], one[5]) for one in await written(services, workspace, campaign_id)] == [
        (1, 1, NINE + 5 * DAY),
        (1, 2, NINE + 6 * DAY),
    ]


async def test_a_visit_that_is_done_is_spoken_of_no_more(services: Services, workspace: UUID) -> None:
    await visit(services, workspace, "V1", "2026-03-05")
    campaign_id = await running(services, workspace)
    await until(services, workspace, campaign_id, NINE)
    await say(services, workspace, "V1", status="done")
    await until(services, workspace, campaign_id, NINE + 3 * DAY)
    assert [one[4:] for one in await written(services, workspace, campaign_id)] == [(1, NINE, "no_match")]
    (one,) = await standing(services, workspace, campaign_id)
    assert (one["state"], one["reason"]) == ("stopped", "no_match")


async def test_the_next_appointment_begins_the_next_time_round(services: Services, workspace: UUID) -> None:
    await visit(services, workspace, "V1", "2026-03-05")
    campaign_id = await running(services, workspace)
    await until(services, workspace, campaign_id, NINE + 3 * DAY)
    await say(services, workspace, "V1", status="done")
    await work(services, workspace, campaign_id)
    await visit(services, workspace, "V1", "2026-03-20")
    await until(services, workspace, campaign_id, NINE + 18 * DAY)
    found = await written(services, workspace, campaign_id)
    assert [(one[2], one[4], one[5]) for one in found] == [
        (1, 1, NINE), (1, 2, NINE + DAY), (2, 1, NINE + 15 * DAY), (2, 2, NINE + 16 * DAY),
    ]  # fmt: skip


async def test_what_is_closed_is_over(services: Services, workspace: UUID) -> None:
    await visit(services, workspace, "V1", "2026-03-05")
    campaign_id = await running(services, workspace)
    await say(services, workspace, "V1", closed=True)
    await until(services, workspace, campaign_id, NINE + 3 * DAY)
    assert await written(services, workspace, campaign_id) == []
    (one,) = await standing(services, workspace, campaign_id)
    assert (one["state"], one["reason"]) == ("stopped", "closed")


async def test_a_mother_hears_of_each_of_her_children(services: Services, workspace: UUID) -> None:
    for case in ("V1", "V2"):
        await visit(services, workspace, case, "2026-03-05")
    campaign_id = await running(services, workspace)
    await until(services, workspace, campaign_id, NINE)
    assert [one[:2] for one in await written(services, workspace, campaign_id)] == [
        ("V1", "Amina"),
        ("V2", "Amina"),
    ]


async def test_who_joins_later_hears_what_is_to_come(services: Services, workspace: UUID) -> None:
    await visit(services, workspace, "V1", None)
    recipients = [{"to": "role", "role": "phone"}, {"to": "role", "role": "helper"}]
    steps = {"steps": [{"number": 1, "content": "now"}, {"number": 2, "hours": 2, "content": "now"}]}
    campaign_id = await running(services, workspace, definition(steps, recipients=recipients))
    begun = services.clock.now()
    await until(services, workspace, campaign_id, begun + timedelta(hours=1))
    await say(services, workspace, "H1", type="mother", name="Abebe", phone=ABEBE)
    async with services.db.tenant(workspace) as connection:
        cursor = await connection.execute("UPDATE contact SET external_id = 'H' WHERE name = 'Abebe'")
        assert cursor.rowcount == 1
    await say(services, workspace, "V1", contacts={"helper": ["H"]})
    await until(services, workspace, campaign_id, begun + timedelta(hours=3))
    assert [(one[1], one[4], one[5]) for one in await written(services, workspace, campaign_id)] == [
        ("Amina", 1, begun),
        ("Abebe", 2, begun + timedelta(hours=2)),
        ("Amina", 2, begun + timedelta(hours=2)),
    ]


@pytest.mark.parametrize(
    ("recipients", "only", "told"),
    [
        ([{"to": "case"}], {}, ["Amina"]),
        ([{"to": "role", "role": "phone"}, {"to": "case"}], {}, ["Amina"]),
        ([{"to": "role", "role": "helper"}], {}, ["Abebe"]),
        ([{"to": "parent"}], {}, ["Rosa"]),
        ([{"to": "host"}], {}, ["Zeinab"]),
        ([{"to": "children"}], {}, ["Baraka"]),
        ([{"to": "owner"}, {"to": "modified_by"}], {}, ["Abebe", "Rosa"]),
        ([{"to": "owner"}, {"to": "parent"}], {"language": ["sw", "am"]}, ["Abebe"]),
        ([{"to": "group"}], {}, ["Abebe", "Zeinab"]),
        ([{"to": "parent"}, {"to": "children"}, {"to": "case"}], {}, ["Amina", "Baraka", "Rosa"]),
    ],
    ids=str,
)
async def test_whom_the_case_names_is_told(
    services: Services,
    workspace: UUID,
    recipients: list[dict[str, object]],
    only: dict[str, list[str]],
    told: list[str],
) -> None:
    numbers = {"Abebe": ABEBE, "Rosa": ROSA, "Zeinab": ZEINAB}
    people = [
        person(name, number, external_id=name, language="am" if name == "Abebe" else "en")
        for name, number in numbers.items()
    ]
    async with services.db.tenant(workspace) as connection:
        taken = await store(connection, people, services.clock.now())
        group_id = await group.create(connection, "Helpers", services.clock.now())
        members = [one.contact_id for one in taken if one.contact_id is not None]
        await group.add_members(connection, group_id, [members[0], members[2]])
    await say(services, workspace, "M1", type="mother", name="Rosa", phone=ROSA)
    await say(services, workspace, "H1", type="mother", name="Zeinab", phone=ZEINAB)
    await visit(
        services, workspace, "V1", "2026-03-05", parent="M1", host="H1", owner="Abebe", modified_by="Rosa",
        contacts={"helper": ["Abebe"]},
    )  # fmt: skip
    await say(services, workspace, "C1", type="mother", name="Baraka", phone=BARAKA, parent="V1")
    given = [{**one, "group_id": group_id} if one["to"] == "group" else one for one in recipients]
    campaign_id = await running(services, workspace, definition(AT_ONCE, recipients=given, only=only))
    await work(services, workspace, campaign_id)
    assert sorted(one[1] for one in await written(services, workspace, campaign_id)) == told


async def test_who_comes_into_the_group_is_told_what_comes_and_who_leaves_it_is_not(
    services: Services, workspace: UUID
) -> None:
    async with services.db.tenant(workspace) as connection:
        (abebe,) = await store(connection, [person("Abebe", ABEBE)], services.clock.now())
        assert abebe.contact_id is not None
        group_id = await group.create(connection, "Helpers", services.clock.now())
    await visit(services, workspace, "V1", "2026-03-05")
    recipients = [{"to": "group", "group_id": group_id}]
    campaign_id = await running(services, workspace, definition(recipients=recipients))
    async with services.db.tenant(workspace) as connection:
        await group.add_members(connection, group_id, [abebe.contact_id])
    await until(services, workspace, campaign_id, NINE)
    async with services.db.tenant(workspace) as connection:
        await group.remove_members(connection, group_id, [abebe.contact_id])
    await until(services, workspace, campaign_id, NINE + 2 * DAY)
    assert [one[1:5] for one in await written(services, workspace, campaign_id)] == [("Abebe", 1, 1, 1)]


async def test_the_calendar_alone_makes_a_case_meet_the_criteria(services: Services, workspace: UUID) -> None:
    soon = {
        "property": "appointment_date", "op": "between",
        "value": [{"days_from_today": 0}, {"days_from_today": 2}],
    }  # fmt: skip
    await visit(services, workspace, "V1", "2026-03-06")
    await visit(services, workspace, "V2", "2026-06-06")
    campaign_id = await running(services, workspace, definition(AT_ONCE, criteria=soon))
    midnight = datetime(2026, 3, 3, 21, 0, tzinfo=UTC)  # the 4th begins in Nairobi
    await until(services, workspace, campaign_id, midnight - timedelta(minutes=1))
    await until(services, workspace, campaign_id, midnight, step=60)
    assert [(one[0], one[5]) for one in await written(services, workspace, campaign_id)] == [("V1", midnight)]


async def test_a_case_that_met_them_already_is_left_out_where_only_new_ones_are_meant(
    services: Services, workspace: UUID
) -> None:
    await visit(services, workspace, "V1", "2026-03-05")
    campaign_id = await running(services, workspace, definition(AT_ONCE, existing="only_from_now"))
    await until(services, workspace, campaign_id, services.clock.now() + timedelta(hours=1))
    await visit(services, workspace, "V2", "2026-03-05")
    await work(services, workspace, campaign_id)
    assert [one[0] for one in await written(services, workspace, campaign_id)] == ["V2"]


async def test_a_worker_sees_by_itself_that_a_case_was_saved(
    alone: tuple[Services, UUID],
) -> None:
    services, workspace = alone
    await types(services, workspace)
    campaign_id = await running(services, workspace)
    stop, watcher = asyncio.Event(), Watcher(services)
    worker = asyncio.create_task(watcher.run(stop))
    await asyncio.sleep(0.5)
    later = (services.clock.now() + 30 * DAY).date().isoformat()
    await visit(services, workspace, "V1", later)
    watcher.wake()
    began = time.monotonic()
    found: list[Row] = []
    while not found and time.monotonic() < began + 10:
        found = await standing(services, workspace, campaign_id)
    stop.set()
    await worker
    assert [(one["case"], one["name"], one["state"]) for one in found] == [("V1", "Amina", "active")]


async def test_a_person_is_told_of_which_case_they_hear(services: Services, workspace: UUID) -> None:
    await visit(services, workspace, "V1", "2026-03-05")
    await running(services, workspace)
    async with services.db.tenant(workspace) as connection:
        cursor = await connection.execute("SELECT id FROM contact WHERE name = 'Amina'")
        ((amina,),) = await cursor.fetchall()
        told = await explain.explain(connection, amina, services.clock.now())
    assert any("Visits, an alert about case V1: is in it" in line for line in told.sentences)


async def test_an_alert_that_names_nothing_that_there_is_says_all_of_it(
    services: Services, workspace: UUID
) -> None:
    channel_id = await channel(services, workspace, "WhatsApp")
    wrong = definition(case_type="vist", only={"ward": ["3"]})
    async with services.db.tenant(workspace) as connection:
        with pytest.raises(Invalid) as refused:
            await alert.create(connection, services, name="Visits", channel_id=channel_id, definition=wrong)
    assert [one.where for one in refused.value.problems] == ["case_type"]
