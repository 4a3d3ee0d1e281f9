"""Firing: everybody meant has one message, whatever interrupts it; and a run ends when nothing waits."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.message import Outcome, State
from clarion.flow import announce, draft, fire
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import Database, rows
from clarion.store import notice
from clarion.store.expansion import expand_chunk
from tests.flow.announcing import (
    HOUR,
    NOON,
    Dispatch,
    at,
    channel,
    counted,
    launched,
    people,
    runs_of,
    sent_out,
    state_of,
    written,
)
from tests.store.people import AMINA, person, store


async def lanes(db: Database, workspace: UUID, campaign_id: UUID) -> list[str]:
    async with db.tenant(workspace) as connection:
        found = await rows(connection, "SELECT state FROM lane WHERE campaign_id = %s", (campaign_id,))
    return [str(one["state"]) for one in found]


async def test_everybody_meant_has_one_message(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id, run_id = await sent_out(services, workspace)
    assert await counted(services, workspace, run_id) == {"ready": 4}
    assert await state_of(services, workspace, campaign_id) == "running"
    assert (workspace, run_id) not in await fire.due(services)


async def test_a_run_that_is_due_in_a_moment_is_waited_for(services: Services, workspace: UUID) -> None:
    """A look every half second would begin it up to half a second late."""
    now = replace(services, clock=Clock())
    await people(now, workspace)
    campaign_id = await written(now, workspace, await channel(now, workspace))
    due_at = now.clock.now() + timedelta(seconds=1)
    run_id = await launched(now, workspace, campaign_id, send_at=due_at)
    seen = [(workspace, run_id) in await fire.due(now, ahead) for ahead in (0.0, 1.5)]
    await fire.fire(now, workspace, run_id)
    async with now.db.tenant(workspace) as connection:
        (begun,) = await rows(connection, "SELECT started_at FROM run WHERE id = %s", (run_id,))

    assert seen == [False, True]
    assert await counted(now, workspace, run_id) == {"ready": 4}
    assert begun["started_at"] >= due_at


async def test_a_run_that_is_due_much_later_is_not_waited_for(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace))
    run_id = await launched(services, workspace, campaign_id, send_at=services.clock.now() + HOUR)
    await fire.fire(services, workspace, run_id)
    assert await state_of(services, workspace, campaign_id) == "scheduled"


async def test_the_dispatch_is_told_that_something_waits(services: Services, workspace: UUID) -> None:
    told: list[str] = []
    await people(services, workspace)
    await sent_out(replace(services, nudge=lambda kind, rest="": told.append(kind)), workspace)
    assert "due" in told


async def test_firing_again_changes_nothing(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    _, run_id = await sent_out(services, workspace)
    await fire.fire(services, workspace, run_id)
    await asyncio.gather(*(fire.fire(services, workspace, run_id) for _ in range(3)))
    assert await counted(services, workspace, run_id) == {"ready": 4}


async def test_a_firing_that_was_cut_off_goes_on_where_it_was(
    services: Services, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace))
    run_id = await launched(services, workspace, campaign_id)
    monkeypatch.setattr(fire, "CHUNK", 1)

    class Killed(Exception):
        pass

    def cut(people: int) -> None:
        if people == 2:
            raise Killed

    with pytest.raises(ExceptionGroup) as told:
        await fire.fire(services, workspace, run_id, cut)
    assert told.group_contains(Killed)
    assert await counted(services, workspace, run_id) == {"ready": 2}
    assert (workspace, run_id) in await fire.due(services)
    heard: list[int] = []
    await fire.fire(services, workspace, run_id, heard.append)
    assert await counted(services, workspace, run_id) == {"ready": 4}
    assert heard == [1, 2, 2]


async def test_two_workers_at_one_run_write_everybody_once(
    services: Services, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    await people(services, workspace, [person(f"P{n}", f"+2547120001{n:02}") for n in range(40)])
    campaign_id = await written(services, workspace, await channel(services, workspace))
    run_id = await launched(services, workspace, campaign_id)
    monkeypatch.setattr(fire, "CHUNK", 3)
    while (workspace, run_id) in await fire.due(services):
        await asyncio.gather(*(fire.fire(services, workspace, run_id) for _ in range(4)))
    assert await counted(services, workspace, run_id) == {"ready": 40}


async def test_people_are_those_of_the_moment_of_sending(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace), send_at=NOON + HOUR)
    run_id = await launched(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        await store(connection, [person("Newcomer", "+254712000009")])
    at(services).advance(3600)
    await fire.fire(services, workspace, run_id)
    assert await counted(services, workspace, run_id) == {"ready": 5}


async def test_one_an_address_reaches_a_shared_phone_once(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    async with services.db.tenant(workspace) as connection:
        await store(connection, [person("Amina's sister", AMINA)])
    _, run_id = await sent_out(services, workspace, one_per="address")
    assert await counted(services, workspace, run_id) == {"ready": 4, "duplicate_address": 1}


async def test_what_was_edited_while_a_firing_waited_is_what_is_fired(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace))
    run_id = await launched(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        later = {"send_at": NOON + HOUR}
        await draft.edit(connection, services, campaign_id, changes=later)
        firing = asyncio.create_task(fire.fire(services, workspace, run_id))
        await asyncio.sleep(0.1)
        assert not firing.done()
    await firing
    assert await counted(services, workspace, run_id) == {}
    assert await state_of(services, workspace, campaign_id) == "scheduled"


async def test_what_cannot_be_resolved_pauses_the_campaign_and_somebody_is_told(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace))
    run_id = await launched(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        await connection.execute("UPDATE campaign SET definition = '{}' WHERE id = %s", (campaign_id,))
    await fire.fire(services, workspace, run_id)
    assert await counted(services, workspace, run_id) == {}
    assert (workspace, run_id) not in await fire.due(services)
    async with services.db.tenant(workspace) as connection:
        (told,) = await notice.page(connection, None, 10)
        (found,) = await rows(connection, "SELECT state FROM campaign WHERE id = %s", (campaign_id,))
    assert told["cause"] == f"campaign:{campaign_id}:audience"
    assert found["state"] == "paused"


# --- the end of a run


async def test_a_run_is_complete_when_nothing_waits_and_nothing_is_in_flight(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    begun = await dispatch.begin()
    await fire.finish(services, workspace)
    assert await state_of(services, workspace, campaign_id) == "running"
    await dispatch.end(begun, Outcome.ACCEPTED)
    await fire.finish(services, workspace)
    assert await state_of(services, workspace, campaign_id) == "completed"
    assert await lanes(services.db, workspace, campaign_id) == ["closed"]
    (run,) = await runs_of(services, workspace, campaign_id)
    assert run["finished_at"] == NOON


async def test_an_unknown_keeps_the_lane_open_so_that_it_can_come_back(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    campaign_id, run_id = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    begun = await dispatch.begin()
    await dispatch.end(begun[:3], Outcome.ACCEPTED)
    await dispatch.end(begun[3:], Outcome.UNKNOWN)
    await fire.finish(services, workspace)
    assert await state_of(services, workspace, campaign_id) == "completed"
    assert await lanes(services.db, workspace, campaign_id) == ["open"]
    await dispatch.end(begun[3:], Outcome.UNSENT, retry_at=NOON)  # a look-up found that it never arrived
    await fire.finish(services, workspace)
    assert await state_of(services, workspace, campaign_id) == "running"
    assert await dispatch.all() == 1
    await fire.finish(services, workspace)
    assert await state_of(services, workspace, campaign_id) == "completed"
    assert await lanes(services.db, workspace, campaign_id) == ["closed"]
    assert await counted(services, workspace, run_id) == {"accepted": 4}


async def test_what_waits_in_a_paused_announcement_expires_all_the_same(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    campaign_id, run_id = await sent_out(services, workspace, expires_after=3600)
    async with services.db.tenant(workspace) as connection:
        await announce.pause(connection, services, campaign_id)
    await fire.finish(services, workspace)
    assert await counted(services, workspace, run_id) == {"ready": 4}
    at(services).advance(3601)
    await fire.finish(services, workspace)
    assert await counted(services, workspace, run_id) == {"expired": 4}
    await fire.finish(services, workspace)
    assert await state_of(services, workspace, campaign_id) == "completed"


async def test_a_run_of_nobody_reachable_completes_with_reasons(services: Services, workspace: UUID) -> None:
    await people(services, workspace, [person("By mail only", "mail@example.org")])
    campaign_id, run_id = await sent_out(services, workspace)
    await fire.finish(services, workspace)
    assert await counted(services, workspace, run_id) == {"no_address": 1}
    assert await state_of(services, workspace, campaign_id) == "completed"


async def test_a_retry_in_the_dispatch_keeps_the_run_open(services: Services, workspace: UUID) -> None:
    await people(services, workspace, [person("Amina", AMINA)])
    campaign_id, run_id = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    await dispatch.all(Outcome.UNSENT, state=State.READY, retry_at=NOON + timedelta(seconds=5))
    await fire.finish(services, workspace)
    assert await state_of(services, workspace, campaign_id) == "running"
    assert await counted(services, workspace, run_id) == {"ready": 1}


async def test_a_cancelled_run_is_not_finished_while_a_chunk_of_it_is_under_way(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace))
    run_id = await launched(services, workspace, campaign_id)
    firing = await fire._begin(services, workspace, run_id)
    assert firing is not None
    how: dict[str, Any] = {"schemes": firing.schemes, "once_an_address": False, "now": NOON}
    async with services.db.tenant(workspace) as connection:
        assert await expand_chunk(connection, run_id, firing.meant, limit=1, **how)
    async with services.db.tenant(workspace) as chunk_under_way:
        assert await expand_chunk(chunk_under_way, run_id, firing.meant, limit=1, **how)
        async with services.db.tenant(workspace) as connection:
            await announce.cancel(connection, services, campaign_id)
        await fire.finish(services, workspace)
        assert await counted(services, workspace, run_id) == {"cancelled": 1}
        finishing = asyncio.create_task(fire.finish(services, workspace))
        await asyncio.sleep(0.1)
        assert not finishing.done()
    await finishing
    for _ in range(2):
        await fire.finish(services, workspace)
    assert await counted(services, workspace, run_id) == {"cancelled": 2}
    (run,) = await runs_of(services, workspace, campaign_id)
    assert run["finished_at"] is not None


async def test_a_chunk_after_the_cancellation_writes_nothing(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace))
    run_id = await launched(services, workspace, campaign_id)
    firing = await fire._begin(services, workspace, run_id)
    assert firing is not None
    async with services.db.tenant(workspace) as connection:
        await announce.cancel(connection, services, campaign_id)
    async with services.db.tenant(workspace) as connection:
        chunk = await expand_chunk(
            connection,
            run_id,
            firing.meant,
            schemes=firing.schemes,
            once_an_address=False,
            limit=10,
            now=NOON,
        )
    assert chunk is None
    assert await counted(services, workspace, run_id) == {}
