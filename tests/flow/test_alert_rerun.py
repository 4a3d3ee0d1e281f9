"""An alert goes over all cases of its type: meanwhile who hears stays as it is, and all else goes on."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.rerun import Rerun, Stage
from clarion.errors import Conflict
from clarion.flow import alert, fire, rerun
from clarion.flow.enroll import cases, course, due, fill
from clarion.flow.enroll.watch import Watcher
from clarion.flow.services import Services
from clarion.kit.db import Connection
from clarion.store import campaign as campaigns
from clarion.store import door as doors
from clarion.store import expansion, run
from tests.flow.alerting import BEFORE, definition, running, say, standing, types, work
from tests.flow.announcing import at, channel

NINE = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # tomorrow in Nairobi; it is noon of 2026-03-02
HOUR = timedelta(hours=1)
CASES = 7
LATER = {**BEFORE, "time": "10:00"}


class Killed(Exception):
    """The worker's end."""


@pytest.fixture(autouse=True)
async def _visits(services: Services, workspace: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill, "FIRST", 2)
    monkeypatch.setattr(fill, "MOST_CASES", 2)
    await types(services, workspace)
    for n in range(CASES):
        await visit(services, workspace, n)


async def visit(services: Services, workspace: UUID, n: int, **more: Any) -> UUID:
    said = {"name": f"Amina {n}", "phone": f"+2547121230{n:02}", "status": "scheduled",
            "appointment_date": "2026-03-05", **more}  # fmt: skip
    return await say(services, workspace, f"V{n}", **said)


async def edit(services: Services, workspace: UUID, campaign_id: UUID, **changes: Any) -> None:
    after = definition(**changes)
    async with services.db.tenant(workspace) as connection:
        await alert.edit(
            connection, services, campaign_id, changes={key: getattr(after, key) for key in changes}
        )


async def far(services: Services, workspace: UUID, campaign_id: UUID) -> Rerun:
    async with services.db.tenant(workspace) as connection:
        found = await rerun.shown(connection, campaign_id, services.clock.now())
    assert found is not None
    return found


async def door_of(services: Services, workspace: UUID, campaign_id: UUID) -> UUID:
    async with services.db.tenant(workspace) as connection:
        first, *_ = await run.of_campaign(connection, campaign_id)
    found: UUID = first["id"]
    return found


async def cut_off(services: Services, workspace: UUID, campaign_id: UUID, after: int = 2) -> None:
    """A worker goes over its cases, and is killed after so many."""

    def killed(cases: int) -> None:
        if cases >= after:
            raise Killed

    with pytest.raises(ExceptionGroup):
        await fill.fill(services, workspace, await door_of(services, workspace, campaign_id), killed)


async def moved(services: Services, workspace: UUID, campaign_id: UUID) -> int:
    """How many cases follow the schedule that is an hour later."""
    return sum(one["next_due"] == NINE + HOUR for one in await standing(services, workspace, campaign_id))


async def test_while_its_cases_are_gone_over_who_hears_cannot_be_changed_once_more(
    services: Services, workspace: UUID
) -> None:
    campaign_id = await running(services, workspace)
    await edit(services, workspace, campaign_id, schedule=LATER)
    with pytest.raises(Conflict, match="its cases wait to be gone over"):
        await edit(services, workspace, campaign_id, reentry="once")
    await cut_off(services, workspace, campaign_id)
    at(services).advance(2)
    for changes in ({"schedule": BEFORE}, {"existing": "only_from_now"}, {"only": {"language": ["sw"]}}):
        with pytest.raises(Conflict, match="2 of 7 cases are gone over, 28 %") as refused:
            await edit(services, workspace, campaign_id, **changes)
    assert refused.value.extra == {
        "done": 2, "cases": 7, "eta": (services.clock.now() + timedelta(seconds=5)).isoformat()
    }  # fmt: skip
    assert f"POST /api/v1/alerts/{campaign_id}/rerun/cancel" in refused.value.hint
    await work(services, workspace, campaign_id)
    await edit(services, workspace, campaign_id, reentry="once")


async def test_what_it_says_can_be_changed_meanwhile(services: Services, workspace: UUID) -> None:
    campaign_id = await running(services, workspace)
    await edit(services, workspace, campaign_id, schedule=LATER)
    await cut_off(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        _, before = await alert.read(connection, campaign_id)
        contents = {**before.contents, "soon": before.contents["tomorrow"]}
        await alert.edit(
            connection, services, campaign_id, name="Visits!", changes={"contents": contents, "weight": 3}
        )
    shown = await far(services, workspace, campaign_id)
    assert (shown.state, shown.done) == (Stage.GOING, 2)


async def test_one_that_was_killed_stays_locked_and_goes_on_from_where_it_was(
    services: Services, workspace: UUID
) -> None:
    campaign_id = await running(services, workspace)
    await edit(services, workspace, campaign_id, schedule=LATER)
    await cut_off(services, workspace, campaign_id, after=4)
    first = await far(services, workspace, campaign_id)
    looked: list[int] = []
    await fill.fill(services, workspace, await door_of(services, workspace, campaign_id), looked.append)
    last = await far(services, workspace, campaign_id)
    assert (first.state, first.done, first.cases) == (Stage.GOING, 4, CASES)
    assert (last.state, last.done, looked[-1]) == (Stage.DONE, CASES, CASES - 4)
    assert await moved(services, workspace, campaign_id) == CASES


async def test_the_last_chunk_unlocks_it_and_no_other(services: Services, workspace: UUID) -> None:
    """Of three parts one is at another worker, who is slow."""
    campaign_id = await running(services, workspace)
    await edit(services, workspace, campaign_id, schedule=LATER)
    run_id = await door_of(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        ready = await course.load(
            connection, await campaigns.any_kind(connection, campaign_id), services.clock.now()
        )
        assert ready is not None
        assert ready.watched is not None
        type_id = ready.watched.sight.type_id
        await expansion.cut(connection, run_id, services.clock.now(), parts=3, cases_of=type_id)
    async with services.db.tenant(workspace) as slow:
        assert await expansion.take_part(slow, run_id) is not None
        await fill.fill(services, workspace, run_id)
        shown = await far(services, workspace, campaign_id)
        with pytest.raises(Conflict):
            await edit(services, workspace, campaign_id, reentry="once")
    await fill.fill(services, workspace, run_id)
    assert (shown.state, shown.done) == (Stage.GOING, CASES - 3)
    assert (await far(services, workspace, campaign_id)).state is Stage.DONE
    assert await moved(services, workspace, campaign_id) == CASES


async def test_one_that_is_cancelled_says_that_it_is_not_whole_and_the_rest_follow_when_they_are_touched(
    services: Services, workspace: UUID
) -> None:
    campaign_id = await running(services, workspace)
    await edit(services, workspace, campaign_id, schedule=LATER)
    await cut_off(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        assert await rerun.cancel(connection, services, campaign_id)
        assert not await rerun.cancel(connection, services, campaign_id)
    await work(services, workspace, campaign_id)
    shown = await far(services, workspace, campaign_id)
    assert (shown.state, shown.done, shown.cases) == (Stage.CANCELLED, 2, CASES)
    assert await moved(services, workspace, campaign_id) == 2
    left = [one for one in await standing(services, workspace, campaign_id) if one["next_due"] == NINE]
    await visit(services, workspace, int(left[0]["case"].removeprefix("V")), note="seen")
    await work(services, workspace, campaign_id)
    assert await moved(services, workspace, campaign_id) == 3


async def test_what_falls_due_after_that_is_said_by_the_last_change(
    services: Services, workspace: UUID
) -> None:
    """Nobody is told by what was changed, gone over or not."""
    campaign_id = await running(services, workspace)
    await edit(services, workspace, campaign_id, schedule=LATER)
    async with services.db.tenant(workspace) as connection:
        await rerun.cancel(connection, services, campaign_id)
    at(services).advance((NINE - services.clock.now()).total_seconds())
    await work(services, workspace, campaign_id)
    assert await moved(services, workspace, campaign_id) == CASES


async def test_one_that_was_cancelled_is_begun_again_where_it_was(
    services: Services, workspace: UUID
) -> None:
    campaign_id = await running(services, workspace)
    await edit(services, workspace, campaign_id, schedule=LATER)
    await cut_off(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        await rerun.cancel(connection, services, campaign_id)
    at(services).advance(3600)
    async with services.db.tenant(workspace) as connection:
        assert await rerun.begin(connection, services, campaign_id)
        assert not await rerun.begin(connection, services, campaign_id)
    going = await far(services, workspace, campaign_id)
    looked: list[int] = []
    await fill.fill(services, workspace, await door_of(services, workspace, campaign_id), looked.append)
    assert (going.state, going.done, looked[-1]) == (Stage.GOING, 2, CASES - 2)
    assert await moved(services, workspace, campaign_id) == CASES


async def test_one_that_was_cancelled_before_it_began_goes_over_all(
    services: Services, workspace: UUID
) -> None:
    campaign_id = await running(services, workspace)
    await edit(services, workspace, campaign_id, schedule=LATER)
    async with services.db.tenant(workspace) as connection:
        await rerun.cancel(connection, services, campaign_id)
    assert (await far(services, workspace, campaign_id)).state is Stage.CANCELLED
    async with services.db.tenant(workspace) as connection:
        await rerun.begin(connection, services, campaign_id)
    await work(services, workspace, campaign_id)
    shown = await far(services, workspace, campaign_id)
    assert (shown.state, shown.done) == (Stage.DONE, CASES)


async def test_a_change_after_it_was_cancelled_goes_over_all(services: Services, workspace: UUID) -> None:
    campaign_id = await running(services, workspace)
    await edit(services, workspace, campaign_id, schedule=LATER)
    await cut_off(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        await rerun.cancel(connection, services, campaign_id)
    await edit(services, workspace, campaign_id, reentry="once")
    await work(services, workspace, campaign_id)
    shown = await far(services, workspace, campaign_id)
    assert (shown.state, shown.done) == (Stage.DONE, CASES)
    assert await moved(services, workspace, campaign_id) == CASES


async def test_one_that_cannot_go_on_says_why_and_is_paused(services: Services, workspace: UUID) -> None:
    campaign_id = await running(services, workspace)
    async with services.db.tenant(workspace) as connection:
        await connection.execute(
            """UPDATE campaign SET definition = definition || '{"case_type": "gone"}' WHERE id = %s""",
            (campaign_id,),
        )
        await rerun.begin(connection, services, campaign_id)
    await fire.fire(services, workspace, await door_of(services, workspace, campaign_id))
    shown = await far(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        row = await campaigns.any_kind(connection, campaign_id)
    assert (shown.state, shown.error) == (Stage.WAITING, "there is no case type 'gone'")
    assert (row["state"], row["reason"]) == ("paused", "there is no case type 'gone'")


async def test_a_draft_has_nothing_to_go_over(services: Services, workspace: UUID) -> None:
    channel_id = await channel(services, workspace)
    async with services.db.tenant(workspace) as connection:
        campaign_id = await alert.create(
            connection, services, name="Visits", channel_id=channel_id, definition=definition()
        )
        assert await rerun.shown(connection, campaign_id, services.clock.now()) is None
        for verb in (rerun.begin, rerun.cancel):
            with pytest.raises(Conflict, match="is a draft"):
                await verb(connection, services, campaign_id)


async def test_cases_that_are_saved_meanwhile_are_in_step_before_it_is_done(
    alone: tuple[Services, UUID],
) -> None:
    """A chunk is in the middle of its transaction, with its cases locked; whatever else is saved is seen."""
    services, workspace = alone
    await types(services, workspace)
    day = (services.clock.now().date() + timedelta(days=30)).isoformat()
    for n in range(6):
        await visit(services, workspace, n, appointment_date=day)
    campaign_id = await running(services, workspace)
    await edit(services, workspace, campaign_id, schedule=LATER)
    stop, watcher = asyncio.Event(), Watcher(services)
    following = asyncio.create_task(watcher.run(stop))
    async with services.db.tenant(workspace) as slow:
        await _chunk_under_way(services, slow, campaign_id)
        for n in range(10, 13):
            await visit(services, workspace, n, appointment_date=day)
            watcher.wake()
            assert await _in_step(services, workspace, campaign_id, f"V{n}")
        assert (await far(services, workspace, campaign_id)).locks
    stop.set()
    await following


async def _chunk_under_way(services: Services, connection: Connection, campaign_id: UUID) -> None:
    """Two cases are gone over, and nothing is committed yet."""
    now = services.clock.now()
    run_id = (await run.of_campaign(connection, campaign_id))[0]["id"]
    ready = await course.load(connection, await campaigns.any_kind(connection, campaign_id), now)
    assert ready is not None
    assert ready.watched is not None
    await doors.hold(connection)
    await expansion.cut(connection, run_id, now, cases_of=ready.watched.sight.type_id)
    part = await expansion.take_part(connection, run_id)
    assert part is not None
    assert (await cases.enter(connection, ready, part[1:], 2, now))[0] == 2


async def _in_step(services: Services, workspace: UUID, campaign_id: UUID, case: str) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            while True:
                if case in {one["case"] for one in await standing(services, workspace, campaign_id)}:
                    return True
    return False


async def test_a_change_waits_for_whoever_brings_cases_in_step_by_what_it_was(
    services: Services, workspace: UUID
) -> None:
    """So that nobody writes by what they read before it a moment after all cases were gone over."""
    campaign_id = await running(services, workspace)
    async with services.db.tenant(workspace) as connection:
        await doors.hold(connection)
        changing = asyncio.create_task(edit(services, workspace, campaign_id, schedule=LATER))
        renaming = asyncio.create_task(edit(services, workspace, campaign_id, weight=2))
        await asyncio.sleep(0.3)
        assert not changing.done()
        changing.cancel()
        await asyncio.wait([changing, renaming], timeout=5)
    assert renaming.done()
    assert renaming.exception() is None


async def test_whoever_fires_by_what_it_was_brings_nobody_in_step(
    services: Services, workspace: UUID
) -> None:
    campaign_id = await running(services, workspace)
    async with services.db.tenant(workspace) as connection:
        row = await campaigns.any_kind(connection, campaign_id)
        before = await course.load(connection, row, services.clock.now())
        cursor = await connection.execute('SELECT id FROM "case" ORDER BY id')
        ids = [found[0] for found in await cursor.fetchall()]
    assert before is not None
    await edit(services, workspace, campaign_id, schedule=LATER)
    await work(services, workspace, campaign_id)
    assert await due._reckon(services, due._Reader(services, workspace, before), ids) == 0
    assert await moved(services, workspace, campaign_id) == CASES
