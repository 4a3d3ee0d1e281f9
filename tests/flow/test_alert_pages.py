"""An alert goes over very many cases page by page: what it finds to do is what each case by itself says, and
no more of them are locked at once than fit into a moment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from clarion.flow import consent
from clarion.flow.enroll import course, fill
from clarion.flow.enroll.course import Course
from clarion.flow.services import Services
from clarion.kit.db import Connection, rows
from clarion.store import campaign as campaigns
from clarion.store import door as doors
from clarion.store import entering, episode, expansion
from tests.flow.alerting import running, say, types
from tests.store.people import ABEBE, AMINA, ROSA

FIRST, LAST = UUID(int=0), UUID(int=(1 << 128) - 1)
OPEN: dict[str, Any] = {"status": "scheduled", "appointment_date": "2026-03-25"}


@pytest.fixture(autouse=True)
async def _visits(services: Services, workspace: UUID) -> None:
    await types(services, workspace)
    for n, phone in enumerate([AMINA, ABEBE, ROSA, AMINA, ABEBE, ROSA]):
        await say(services, workspace, f"V{n}", name="Visit", phone=phone, **OPEN)
    await say(services, workspace, "done", name="Visit", phone=AMINA, **{**OPEN, "status": "done"})


async def _sees(services: Services, workspace: UUID, campaign_id: UUID, connection: Connection) -> Course:
    row = await campaigns.any_kind(connection, campaign_id)
    ready = await course.load(connection, row, services.clock.now())
    assert ready is not None
    await entering.by_key(connection)
    return ready


async def _names(connection: Connection, ids: list[str]) -> list[str]:
    found = await rows(
        connection, 'SELECT external_id FROM "case" WHERE id = ANY (%s::uuid[]) ORDER BY 1', (ids,)
    )
    return [one["external_id"] for one in found]


async def test_what_a_page_finds_to_do_is_what_each_case_says(services: Services, workspace: UUID) -> None:
    campaign_id = await running(services, workspace)
    await say(services, workspace, "V0", appointment_date="2026-03-26")
    await say(services, workspace, "V1", status="done")
    await say(services, workspace, "V2", name="Another name")
    await say(services, workspace, "done", status="scheduled")
    await say(services, workspace, "V9", phone=AMINA, **OPEN)
    async with services.db.tenant(workspace) as connection:
        ready = await _sees(services, workspace, campaign_id, connection)
        assert ready.watched is not None
        sight = ready.watched.sight
        found = await episode.page(connection, sight, (FIRST, LAST), 100)
        assert (found.cases, found.last) == (8, None)
        assert await _names(connection, found.changed) == ["V0", "V1"]
        assert await _names(connection, found.new) == ["V9", "done"]
        everyone = await rows(connection, 'SELECT id FROM "case"')
        seen = await episode.look(connection, sight, [one["id"] for one in everyone])
        assert {one.case_id.hex for one in seen} == {UUID(one).hex for one in found.changed + found.new}


async def test_of_whom_something_of_theirs_changed_is_found(services: Services, workspace: UUID) -> None:
    campaign_id = await running(services, workspace)
    await consent.opt_out(services.db, services.clock, workspace, ROSA)
    async with services.db.tenant(workspace) as connection:
        ready = await _sees(services, workspace, campaign_id, connection)
        assert ready.watched is not None
        found = await episode.page(connection, ready.watched.sight, (FIRST, LAST), 100)
        assert await _names(connection, found.changed) == ["V2", "V5"]
        assert found.new == []


@pytest.mark.parametrize(("limit", "cases"), [(1, 1), (3, 3), (7, 7), (8, 7)])
async def test_a_page_ends_where_it_was_asked_to(
    services: Services, workspace: UUID, limit: int, cases: int
) -> None:
    campaign_id = await running(services, workspace)
    async with services.db.tenant(workspace) as connection:
        ready = await _sees(services, workspace, campaign_id, connection)
        assert ready.watched is not None
        found = await episode.page(connection, ready.watched.sight, (FIRST, LAST), limit)
        assert found.cases == cases
        assert (found.last is None) == (limit > cases)
        assert found.changed == found.new == []


async def test_a_page_ends_with_the_last_case_that_may_be_locked(services: Services, workspace: UUID) -> None:
    """And begins again behind it, so that none is left out and none comes twice."""
    campaign_id = await running(services, workspace)
    for name in ("V1", "V4", "V5"):
        await say(services, workspace, name, appointment_date="2026-03-26")
    await say(services, workspace, "done", status="scheduled")
    async with services.db.tenant(workspace) as connection:
        ready = await _sees(services, workspace, campaign_id, connection)
        assert ready.watched is not None
        sight = ready.watched.sight
        whole = await episode.page(connection, sight, (FIRST, LAST), 100)
        touched = sorted([*whole.changed, *whole.new])
        assert await _names(connection, touched) == ["V1", "V4", "V5", "done"]
        first = await episode.page(connection, sight, (FIRST, LAST), 100, 2)
        assert sorted([*first.changed, *first.new]) == touched[:2]
        assert first.last == UUID(touched[1])
        rest = await episode.page(connection, sight, (first.last, LAST), 100, 2)
        assert sorted([*rest.changed, *rest.new]) == touched[2:]
        assert rest.last is None
        assert first.cases + rest.cases == 7


@pytest.mark.parametrize(("parts", "last"), [(1, []), (2, [3]), (3, [2, 5]), (4, [1, 3, 5]), (7, range(6))])
async def test_cases_are_cut_into_even_parts(
    services: Services, workspace: UUID, parts: int, last: list[int]
) -> None:
    async with services.db.tenant(workspace) as connection:
        found = await rows(connection, 'SELECT id, type_id FROM "case" ORDER BY id')
        size, ends = await expansion._bounds(connection, parts, found[0]["type_id"])
    assert size == 7
    assert ends == [found[n]["id"] for n in last]


def test_as_many_are_locked_as_fit_into_a_moment() -> None:
    now = [0.0]
    pace = fill._Pace(lambda: now[0], locks=500, of_cases=True)
    now[0] = 0.02
    pace.locking(500)
    now[0] += fill.PACE / 2
    pace.went(500, 0.0)
    assert pace.locks == pytest.approx(1_000, abs=1)  # it took half of the time
    assert pace.looks == pytest.approx(900, abs=1)
    began = now[0]
    pace.locking(1_000)
    now[0] += 2 * fill.PACE
    pace.went(4_000, began)
    assert pace.locks == pytest.approx(500, abs=1)
    assert pace.looks == pytest.approx(1_800, abs=8)  # of four cases there is something to do of one
    pace.locking(500)
    began, now[0] = now[0], now[0] + 1.0
    pace.went(2_000, began)
    assert pace.locks == fill.FEW


def test_where_nothing_is_locked_it_gets_far() -> None:
    now = [0.0]
    pace = fill._Pace(lambda: now[0], of_cases=True)
    looks = []
    for _ in range(5):
        began, now[0] = now[0], now[0] + 0.01
        pace.went(pace.looks, began)
        looks.append(pace.looks)
    assert looks == [2_000, 8_000, 20_000, 20_000, 20_000]
    assert pace.locks == fill.FEW


async def test_what_an_alert_says_is_read_once_for_a_second_and_anew_after_an_edit(
    services: Services, workspace: UUID
) -> None:
    campaign_id = await running(services, workspace)
    async with services.db.tenant(workspace) as connection:
        kept, lane_id, now = fill._Kept(), UUID(int=1), services.clock.now()

        async def read(seconds: float) -> Course | None:
            row = await campaigns.any_kind(connection, campaign_id)
            return await kept.load(connection, row, lane_id, now + timedelta(seconds=seconds), seconds)

        first = await read(0)
        assert first is not None
        assert await read(0.9) is first
        assert await read(1.1) is not first
        before = await read(1.2)
        await doors.revise(connection, campaign_id)
        after = await read(1.3)
        assert before is not None
        assert after is not None
        assert after.terms.revision == before.terms.revision + 1
        await doors.set_follows(connection, campaign_id, False)
        assert await read(1.4) is None
