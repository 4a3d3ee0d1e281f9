"""What changes in mid-flight, a date, a zone, the schedule or what it says, says nothing twice."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from clarion.domain.content import Content
from clarion.errors import Invalid
from clarion.flow import sequence
from clarion.flow.services import Services
from clarion.store import group
from tests.flow.announcing import at, channel
from tests.flow.following import (
    DAILY,
    content,
    definition,
    mend,
    of,
    people,
    running,
    until,
    written,
)
from tests.store.people import ABEBE, AMINA

DAY = timedelta(days=1)
TOMORROW = "2026-03-03"
NINE = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # tomorrow in Nairobi


async def test_a_date_that_moves_before_anything_was_sent_moves_what_is_to_come(
    services: Services, workspace: UUID
) -> None:
    (amina,) = await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace)
    await mend(services, workspace, amina, fields={"registration_date": "2026-03-05"})
    found = await of(services, workspace, campaign_id, amina)
    assert (found["generation"], found["next_due"]) == (1, NINE + 2 * DAY)
    await until(services, workspace, campaign_id, NINE + 10 * DAY)
    assert len(await written(services, workspace, campaign_id)) == 4


async def test_a_date_that_moves_after_something_was_sent_begins_the_next_generation(
    services: Services, workspace: UUID
) -> None:
    (amina,) = await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace)
    await until(services, workspace, campaign_id, NINE)
    await mend(services, workspace, amina, fields={"registration_date": "2026-03-10"})
    await until(services, workspace, campaign_id, NINE + 20 * DAY)
    said = await written(services, workspace, campaign_id)
    assert [one[1:4] for one in said] == [(1, 1, 1), (2, 1, 1), (2, 1, 2), (2, 2, 1), (2, 2, 2)]
    assert [one[5] for one in said] == ["moved", "ready", "ready", "ready", "ready"]


async def test_an_edit_of_something_else_says_nothing_twice(services: Services, workspace: UUID) -> None:
    (amina,) = await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace)
    at(services).advance((NINE - services.clock.now()).total_seconds() + 5)
    await mend(services, workspace, amina, name="Amina Hassan")  # it is due, and not written yet
    await until(services, workspace, campaign_id, NINE + 4 * DAY)
    assert [one[2:4] for one in await written(services, workspace, campaign_id)] == [
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
    ]


async def test_a_zone_that_changes_moves_what_is_to_come(services: Services, workspace: UUID) -> None:
    (amina,) = await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace)
    await mend(services, workspace, amina, timezone="Europe/Dublin")
    assert (await of(services, workspace, campaign_id, amina))["next_due"] == NINE + timedelta(hours=3)


async def test_a_schedule_that_changes_is_followed_from_now_on(services: Services, workspace: UUID) -> None:
    await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace)
    await until(services, workspace, campaign_id, NINE)
    later = {**DAILY, "time": "15:00"}  # what was said at nine is not said again at three
    async with services.db.tenant(workspace) as connection:
        await sequence.edit(
            connection, services, campaign_id, changes={"schedule": definition(later).schedule}
        )
    await until(services, workspace, campaign_id, NINE + 4 * DAY)
    six = timedelta(hours=6)
    assert [one[2:5] for one in await written(services, workspace, campaign_id)] == [
        (1, 1, NINE), (1, 2, NINE + DAY + six), (2, 1, NINE + 2 * DAY + six), (2, 2, NINE + 3 * DAY + six),
    ]  # fmt: skip


async def test_a_schedule_that_grows_takes_in_who_was_finished(services: Services, workspace: UUID) -> None:
    await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace)
    await until(services, workspace, campaign_id, NINE + 3 * DAY + timedelta(hours=1))
    more = {**DAILY, "repeat": {"every": 2, "unit": "day", "count": 3}}
    async with services.db.tenant(workspace) as connection:
        await sequence.edit(
            connection, services, campaign_id, changes={"schedule": definition(more).schedule}
        )
    await until(services, workspace, campaign_id, NINE + 9 * DAY)
    assert [one[2:4] for one in await written(services, workspace, campaign_id)][4:] == [(3, 1), (3, 2)]


async def test_what_is_said_changes_for_whom_it_was_not_said_to(services: Services, workspace: UUID) -> None:
    await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace)
    async with services.db.tenant(workspace) as connection:
        row, before = await sequence.read(connection, campaign_id)
        contents = {**before.contents, "hello": Content.model_validate(content("good morning"))}
        await sequence.edit(connection, services, campaign_id, changes={"contents": contents})
        after, _ = await sequence.read(connection, campaign_id)
    assert after["revision"] == row["revision"]  # nothing is reckoned anew
    await until(services, workspace, campaign_id, NINE)
    async with services.db.tenant(workspace) as connection:
        cursor = await connection.execute(
            """SELECT v.body FROM message m JOIN content_version v ON v.id = m.content_version_id
               WHERE m.workspace_id = %s""",
            (workspace,),
        )
        (found,) = await cursor.fetchall()
    assert "good morning" in str(found[0])


async def test_the_number_of_a_step_that_is_no_more_is_given_to_no_other(
    services: Services, workspace: UUID
) -> None:
    campaign_id = await running(services, workspace)
    fewer = {**DAILY, "steps": [{"number": 1, "content": "hello"}]}
    other = {
        **DAILY,
        "steps": [{"number": 1, "content": "hello"}, {"number": 2, "content": "again", "time": "15:00"}],
    }
    async with services.db.tenant(workspace) as connection:
        changes = {"schedule": definition(fewer).schedule, "contents": definition(fewer).contents}
        await sequence.edit(connection, services, campaign_id, changes=changes)
        _, kept = await sequence.read(connection, campaign_id)
        changes = {"schedule": definition(other).schedule, "contents": definition(other).contents}
        with pytest.raises(Invalid, match="2 was another step's number"):
            await sequence.edit(connection, services, campaign_id, changes=changes)
    assert kept.schedule.retired == (2,)


async def test_a_draft_may_take_any_number_again(services: Services, workspace: UUID) -> None:
    """Nothing of it is in the ledger yet."""
    await people(services, workspace)
    channel_id = await channel(services, workspace)
    fewer = definition({**DAILY, "steps": [{"number": 1, "content": "hello"}]})
    async with services.db.tenant(workspace) as connection:
        campaign_id = await sequence.create(
            connection, services, name="Welcome", channel_id=channel_id, definition=definition()
        )
        for wanted in (fewer, definition()):
            changes = {"schedule": wanted.schedule, "contents": wanted.contents}
            await sequence.edit(connection, services, campaign_id, changes=changes)
        _, kept = await sequence.read(connection, campaign_id)
    assert kept.schedule.retired == ()


async def test_who_left_and_comes_back_with_another_date_begins_the_next_generation(
    services: Services, workspace: UUID
) -> None:
    (amina,) = await people(services, workspace, ("Amina", AMINA, TOMORROW), groups=["Nurses"])
    async with services.db.tenant(workspace) as connection:
        nurses = (await group.by_name(connection, ["Nurses"], services.clock.now()))["nurses"]
    campaign_id = await running(services, workspace, definition(audience={"include": {"groups": [nurses]}}))
    await until(services, workspace, campaign_id, NINE)
    async with services.db.tenant(workspace) as connection:
        await group.remove_members(connection, nurses, [amina])
    await mend(services, workspace, amina, fields={"registration_date": "2026-03-10"})
    async with services.db.tenant(workspace) as connection:
        await group.add_members(connection, nurses, [amina])
    await until(services, workspace, campaign_id, NINE + 15 * DAY)
    said = [one[1:4] for one in await written(services, workspace, campaign_id)]
    assert said == [(1, 1, 1), (2, 1, 1), (2, 1, 2), (2, 2, 1), (2, 2, 2)]


async def test_places_of_an_audience_that_is_spread_are_given_one_after_the_other(
    services: Services, workspace: UUID
) -> None:
    spread = {**DAILY, "time": {"from": "09:00", "to": "10:00", "strategy": "spread"}}
    some = [(f"P{n:02}", f"+2547120001{n:02}", TOMORROW) for n in range(60)]
    await people(services, workspace, *some)
    campaign_id = await running(services, workspace, definition(spread))
    await people(services, workspace, ("Late", ABEBE, TOMORROW))
    await until(services, workspace, campaign_id, NINE + timedelta(hours=2), step=60)
    minutes = Counter(one[4] for one in await written(services, workspace, campaign_id))
    assert sorted(minutes.values()) == [1] * 59 + [2]
