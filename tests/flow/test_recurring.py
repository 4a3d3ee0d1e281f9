"""An announcement that recurs: each time to whoever is meant then, at their own hour, once an occasion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from clarion.errors import Conflict, Invalid
from clarion.flow import announce, draft, fire, progress, retry
from clarion.flow.services import Services
from clarion.kit.db import rows
from clarion.store import group, run
from tests.flow.announcing import Dispatch, announcement, at, channel, counted, people, saying, state_of
from tests.flow.following import until, work
from tests.store.people import ABEBE, AMINA, ROSA, person

DAY = timedelta(days=1)
MONDAYS = {
    "start": {"from": "moment", "moment": "2026-03-03", "weekday": "mon"},
    "time": "09:00",
    "steps": [{"number": 1}],
    "repeat": {"every": 1, "unit": "week", "count": 3},
}
NINE = datetime(2026, 3, 9, 6, 0, tzinfo=UTC)  # the next Monday in Nairobi; it is Monday noon (UTC) now
WEEK = timedelta(days=7)
Heard = list[tuple[str, datetime]]


async def recurring(services: Services, workspace: UUID, schedule: Any = MONDAYS, **more: Any) -> UUID:
    """One to everyone that was launched, with everybody enrolled."""
    campaign_id = await written(services, workspace, schedule, **more)
    async with services.db.tenant(workspace) as connection:
        launched = await announce.launch(connection, services, campaign_id)
    await fire.fire(services, workspace, launched.run_id)
    return campaign_id


async def written(services: Services, workspace: UUID, schedule: Any = MONDAYS, **more: Any) -> UUID:
    more.setdefault("content", saying("The clinic is open today"))
    channel_id = await channel(services, workspace)
    async with services.db.tenant(workspace) as connection:
        return await draft.create(
            connection, services, name="Open", channel_id=channel_id,
            definition=announcement(schedule=schedule, **more),
        )  # fmt: skip


async def heard(services: Services, workspace: UUID, campaign_id: UUID) -> Heard:
    """(name, due) of each message that was not skipped, by moment and name."""
    async with services.db.tenant(workspace) as connection:
        found = await rows(
            connection,
            """SELECT c.name, m.due_at FROM enrollment e JOIN message m ON m.enrollment_id = e.id
               JOIN contact c ON c.id = m.recipient_key
               WHERE e.campaign_id = %s AND m.state <> 'skipped' ORDER BY m.due_at, c.name""",
            (campaign_id,),
        )
    return [(one["name"], one["due_at"]) for one in found]


async def sent(services: Services, workspace: UUID, campaign_id: UUID, moment: datetime) -> None:
    """Let time pass with a worker that sends what is due."""
    dispatch = Dispatch(services, workspace, campaign_id)
    while services.clock.now() < moment:
        await until(services, workspace, campaign_id, min(moment, services.clock.now() + DAY / 4))
        await dispatch.all()


async def occasions(services: Services, workspace: UUID, campaign_id: UUID) -> list[Counter[str]]:
    """What became of whom, of each occasion in turn; held equal to tally and queue."""
    async with services.db.tenant(workspace) as connection:
        found = await run.of_campaign(connection, campaign_id)
    return [await counted(services, workspace, one["id"]) for one in found if one["occasion"] is not None]


def cast(*names: tuple[str, str], **more: Any) -> Sequence[Any]:
    return [person(name, number, external_id=name, **more) for name, number in names]


async def change(services: Services, workspace: UUID, campaign_id: UUID, **changes: Any) -> None:
    async with services.db.tenant(workspace) as connection:
        await draft.edit(connection, services, campaign_id, changes=changes, confirm_similar=True)
    await work(services, workspace, campaign_id)


async def test_everybody_hears_it_each_time_at_their_own_hour(services: Services, workspace: UUID) -> None:
    await people(services, workspace, cast(("Amina", AMINA)))
    await people(services, workspace, cast(("Rosa", ROSA), timezone="America/Sao_Paulo"))
    campaign_id = await recurring(services, workspace)
    await until(services, workspace, campaign_id, NINE + 3 * WEEK)
    six_hours = timedelta(hours=6)
    assert await heard(services, workspace, campaign_id) == [
        (name, NINE + week * WEEK + later)
        for week in range(3)
        for name, later in (("Amina", timedelta()), ("Rosa", six_hours))
    ]


async def test_its_calendar_is_one_for_all_wherever_it_was_launched(
    services: Services, workspace: UUID
) -> None:
    """It is launched late on Sunday in Sao Paulo, where it is Monday in Nairobi, the workspace's zone."""
    at(services).advance((datetime(2026, 3, 9, 1, 30, tzinfo=UTC) - services.clock.now()).total_seconds())
    await people(services, workspace, cast(("Amina", AMINA)))
    await people(services, workspace, cast(("Rosa", ROSA), timezone="America/Sao_Paulo"))
    weekly = {**MONDAYS, "start": {"from": "enrollment", "weekday": "mon"}}
    campaign_id = await recurring(services, workspace, weekly)
    await until(services, workspace, campaign_id, NINE + timedelta(hours=8))
    assert await occasions(services, workspace, campaign_id) == [{"ready": 2}]


async def test_each_occasion_has_a_count_of_its_own(services: Services, workspace: UUID) -> None:
    await people(services, workspace, cast(("Amina", AMINA)))
    await people(services, workspace, cast(("Rosa", ROSA), timezone="America/Sao_Paulo"))
    campaign_id = await recurring(services, workspace)
    await until(services, workspace, campaign_id, NINE + WEEK + timedelta(hours=1))
    assert await occasions(services, workspace, campaign_id) == [{"ready": 2}, {"ready": 1}]


async def test_who_is_meant_is_found_anew_each_time(services: Services, workspace: UUID) -> None:
    (amina,) = await people(services, workspace, cast(("Amina", AMINA), groups=["Nurses"]))
    async with services.db.tenant(workspace) as connection:
        nurses = (await group.by_name(connection, ["Nurses"], services.clock.now()))["nurses"]
    campaign_id = await recurring(services, workspace, audience={"include": {"groups": [nurses]}})
    await sent(services, workspace, campaign_id, NINE + DAY)
    async with services.db.tenant(workspace) as connection:
        await group.remove_members(connection, nurses, [amina])
    await people(services, workspace, cast(("Abebe", ABEBE), groups=["Nurses"]))
    await until(services, workspace, campaign_id, NINE + WEEK)
    assert await heard(services, workspace, campaign_id) == [("Amina", NINE), ("Abebe", NINE + WEEK)]


async def test_a_frozen_audience_is_whom_it_meant_when_launched(services: Services, workspace: UUID) -> None:
    await people(services, workspace, cast(("Amina", AMINA)))
    campaign_id = await recurring(services, workspace, frozen=True)
    await people(services, workspace, cast(("Abebe", ABEBE)))
    await until(services, workspace, campaign_id, NINE + WEEK)
    assert await heard(services, workspace, campaign_id) == [("Amina", NINE), ("Amina", NINE + WEEK)]


async def test_when_its_last_occasion_is_past_it_is_completed(services: Services, workspace: UUID) -> None:
    await people(services, workspace, cast(("Amina", AMINA)))
    campaign_id = await recurring(services, workspace)
    states = []
    for week in (1, 3):
        await sent(services, workspace, campaign_id, NINE + week * WEEK)
        await fire.finish(services, workspace)
        states.append(await state_of(services, workspace, campaign_id))
    assert states == ["running", "completed"]


async def test_it_is_not_completed_while_somebody_may_come_who_would_hear_it(
    services: Services, workspace: UUID
) -> None:
    campaign_id = await written(services, workspace)
    async with services.db.tenant(workspace) as connection:
        launched = await announce.launch(connection, services, campaign_id, confirm_empty=True)
    await fire.fire(services, workspace, launched.run_id)
    await fire.finish(services, workspace)
    assert await state_of(services, workspace, campaign_id) == "running"
    await people(services, workspace, cast(("Amina", AMINA)))
    await until(services, workspace, campaign_id, NINE)
    assert await heard(services, workspace, campaign_id) == [("Amina", NINE)]


async def test_what_it_says_may_be_changed_between_two_occasions(services: Services, workspace: UUID) -> None:
    await people(services, workspace, cast(("Amina", AMINA)))
    campaign_id = await recurring(services, workspace)
    await until(services, workspace, campaign_id, NINE)
    await change(services, workspace, campaign_id, content=saying("The clinic is closed today"))
    await until(services, workspace, campaign_id, NINE + WEEK)
    async with services.db.tenant(workspace) as connection:
        found = await rows(
            connection,
            """SELECT v.body->'variants'->0->'content'->'parameters'->>0 AS said FROM message m
               JOIN content_version v ON v.id = m.content_version_id ORDER BY m.due_at""",
        )
    assert [one["said"] for one in found] == ["The clinic is open today", "The clinic is closed today"]


async def test_another_time_of_day_does_not_say_todays_again(services: Services, workspace: UUID) -> None:
    await people(services, workspace, cast(("Amina", AMINA)))
    campaign_id = await recurring(services, workspace)
    await until(services, workspace, campaign_id, NINE)
    later = announcement(schedule={**MONDAYS, "time": "15:00"}).schedule
    await change(services, workspace, campaign_id, schedule=later)
    await until(services, workspace, campaign_id, NINE + 8 * DAY)
    assert await heard(services, workspace, campaign_id) == [
        ("Amina", NINE),
        ("Amina", NINE + WEEK + timedelta(hours=6)),
    ]


async def test_from_daily_to_weekly_nothing_is_left_out(services: Services, workspace: UUID) -> None:
    """The iterations are numbered otherwise, so that what was said says nothing of the new numbers."""
    await people(services, workspace, cast(("Amina", AMINA)))
    daily = {**MONDAYS, "repeat": {"every": 1}}
    campaign_id = await recurring(services, workspace, daily)
    await sent(services, workspace, campaign_id, NINE + 2 * DAY)
    await change(services, workspace, campaign_id, schedule=announcement(schedule=MONDAYS).schedule)
    await sent(services, workspace, campaign_id, NINE + 2 * WEEK)
    days = [one[1] - NINE for one in await heard(services, workspace, campaign_id)]
    assert days == [timedelta(), DAY, 2 * DAY, WEEK, 2 * WEEK]
    assert await occasions(services, workspace, campaign_id) == 5 * [{"accepted": 1}]


async def test_what_fell_due_while_it_was_paused_is_skipped(services: Services, workspace: UUID) -> None:
    await people(services, workspace, cast(("Amina", AMINA)))
    campaign_id = await recurring(services, workspace)
    async with services.db.tenant(workspace) as connection:
        await announce.pause(connection, services, campaign_id)
    await until(services, workspace, campaign_id, NINE + DAY)
    async with services.db.tenant(workspace) as connection:
        await announce.resume(connection, services, campaign_id)
    await until(services, workspace, campaign_id, NINE + WEEK)
    assert await heard(services, workspace, campaign_id) == [("Amina", NINE + WEEK)]
    assert await occasions(services, workspace, campaign_id) == [{"paused": 1}, {"ready": 1}]


async def test_cancelled_it_says_nothing_more_and_what_waits_goes(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace, cast(("Amina", AMINA)))
    campaign_id = await recurring(services, workspace)
    await until(services, workspace, campaign_id, NINE)
    async with services.db.tenant(workspace) as connection:
        await announce.cancel(connection, services, campaign_id)
    await announce.withdraw_cancelled(services, workspace, campaign_id)
    await until(services, workspace, campaign_id, NINE + 2 * WEEK)
    assert await occasions(services, workspace, campaign_id) == [{"cancelled": 1}]
    await fire.finish(services, workspace)
    async with services.db.tenant(workspace) as connection:
        found = await run.of_campaign(connection, campaign_id)
    assert all(one["finished_at"] is not None for one in found)


async def test_spread_over_a_day_no_minute_has_two(services: Services, workspace: UUID) -> None:
    some = [person(f"Nurse {n}", f"+2547120{n:05}", external_id=f"E-{n}") for n in range(40)]
    await people(services, workspace, some)
    window = {"from": "08:00", "to": "18:00", "strategy": "spread"}
    campaign_id = await recurring(services, workspace, {**MONDAYS, "time": window})
    await until(services, workspace, campaign_id, NINE + DAY)
    moments = [due for _, due in await heard(services, workspace, campaign_id)]
    assert len(set(moments)) == 40
    assert max(moments) - min(moments) > timedelta(hours=8)


async def test_its_progress_says_when_it_speaks_next(services: Services, workspace: UUID) -> None:
    await people(services, workspace, cast(("Amina", AMINA)))
    campaign_id = await recurring(services, workspace)
    await until(services, workspace, campaign_id, NINE)
    async with services.db.tenant(workspace) as connection:
        far = await progress.progress(connection, campaign_id, services.clock.now())
    assert (far.next_at, far.counts) == (NINE + WEEK, {"ready": 1})


FIELD = {**MONDAYS, "start": {"from": "field", "key": "created_at"}}
NEXT = {**MONDAYS, "past": "next"}
SAYS = {**MONDAYS, "steps": [{"number": 1, "content": "hello"}]}


@pytest.mark.parametrize(
    ("schedule", "more", "where"),
    [
        (FIELD, {}, "schedule.start"),
        (SAYS, {}, "schedule.steps"),
        (NEXT, {}, "schedule.past"),
        (MONDAYS, {"one_per": "address"}, "one_per"),
        (MONDAYS, {"send_at": NINE}, "send_at"),
    ],
    ids=["a person's own date", "several contents", "another beginning", "once an address", "a moment"],
)
async def test_what_does_not_go_with_a_schedule_is_refused(
    services: Services, workspace: UUID, schedule: Any, more: Any, where: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await written(services, workspace, schedule, **more)
    assert [one.where for one in caught.value.problems] == [where]


async def test_a_schedule_of_which_nothing_is_to_come_is_not_launched(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    past = {**MONDAYS, "start": {"from": "moment", "moment": "2020-01-01"}}
    campaign_id = await written(services, workspace, past)
    with pytest.raises(Invalid, match="nothing of its schedule is to come"):
        async with services.db.tenant(workspace) as connection:
            await announce.launch(connection, services, campaign_id)


async def test_what_was_launched_to_be_said_once_does_not_begin_to_recur(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    campaign_id = await recurring(services, workspace)
    with pytest.raises(Conflict, match="launched as one that recurs"):
        await change(services, workspace, campaign_id, schedule=None)


async def test_what_recurs_is_not_tried_again(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await recurring(services, workspace)
    with pytest.raises(Conflict, match="hears the next"):
        async with services.db.tenant(workspace) as connection:
            await retry.retry(connection, services, campaign_id)


async def test_what_begins_with_the_launch_reaches_also_whose_turn_to_be_enrolled_came_later(
    services: Services, workspace: UUID
) -> None:
    at(services).advance(0.4)  # moments are seldom whole seconds
    await people(services, workspace, cast(("Amina", AMINA), ("Abebe", ABEBE)))
    at_once = {"steps": [{"number": 1}], "repeat": {"every": 7}}
    campaign_id = await written(services, workspace, at_once)
    async with services.db.tenant(workspace) as connection:
        launched = await announce.launch(connection, services, campaign_id)
    at(services).advance(90)
    await fire.fire(services, workspace, launched.run_id)
    await people(services, workspace, cast(("Rosa", ROSA)))  # who came later hears the next
    await work(services, workspace, campaign_id)
    moment = launched.send_at.replace(microsecond=0)
    assert await heard(services, workspace, campaign_id) == [("Abebe", moment), ("Amina", moment)]
