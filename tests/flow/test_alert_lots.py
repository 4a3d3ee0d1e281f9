"""Cases that come into an alert at its launch are written by lots: each as it would be written by itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from clarion.domain.enrollment import subject_of
from clarion.flow import consent
from clarion.flow.enroll import cases, course
from clarion.flow.services import Services
from clarion.kit.db import Row, rows
from clarion.store import campaign as campaigns
from tests.flow.alerting import AT_ONCE, BEFORE, SCHEDULED, definition, running, say, types
from tests.store.people import ABEBE, AMINA, ROSA

TO_COME = {"property": "appointment_date", "op": "gte", "value": {"days_from_today": 1}}
WINDOW: dict[str, Any] = {"from": "09:00", "to": "17:00"}
SPREAD: dict[str, Any] = {**BEFORE, "time": {**WINDOW, "strategy": "spread"}}
CHOSEN: dict[str, Any] = {**BEFORE, "time": {"property": "hour", "otherwise": "10:00"}}


@pytest.fixture(autouse=True)
async def _visits(services: Services, workspace: UUID) -> None:
    await types(services, workspace)
    said: dict[str, dict[str, Any]] = {
        "far": {"appointment_date": "2026-03-25", "phone": AMINA, "hour": "16:30"},
        "near": {"appointment_date": "2026-03-05", "phone": ABEBE},
        "same": {"appointment_date": "2026-03-05", "phone": ROSA},
        "past": {"appointment_date": "2026-02-01", "phone": AMINA},
        "no date": {"phone": ABEBE},
        "nobody": {"appointment_date": "2026-03-05"},
        "over": {"appointment_date": "2026-03-05", "phone": ROSA, "closed": True},
        "done": {"appointment_date": "2026-03-05", "phone": ROSA, "status": "done"},
    }
    for name, properties in said.items():
        await say(services, workspace, name, **{"status": "scheduled", "name": "Visit", **properties})
    await consent.opt_out(services.db, services.clock, workspace, ROSA)


async def rows_of(services: Services, workspace: UUID, campaign_id: UUID) -> tuple[list[Row], list[Row]]:
    async with services.db.tenant(workspace) as connection:
        enrolled = await rows(
            connection,
            """SELECT subject_id, case_id, contact_id, state, reason, generation, cohort, began_at, basis,
                 next_due, ahead, place FROM enrollment WHERE campaign_id = %s ORDER BY subject_id""",
            (campaign_id,),
        )
        episodes = await rows(
            connection, "SELECT * FROM episode WHERE campaign_id = %s ORDER BY case_id", (campaign_id,)
        )
    return enrolled, episodes


@pytest.mark.parametrize("existing", ["include", "only_from_now"])
@pytest.mark.parametrize("criteria", [SCHEDULED, {"all": [SCHEDULED, TO_COME]}], ids=["status", "calendar"])
@pytest.mark.parametrize(
    "schedule", [BEFORE, {**BEFORE, "time": WINDOW}, SPREAD, CHOSEN, AT_ONCE],
    ids=["before", "drawn", "spread", "chosen", "at once"],
)  # fmt: skip
async def test_what_is_written_for_a_lot_is_what_each_would_be_by_itself(
    services: Services, workspace: UUID, schedule: dict[str, Any], criteria: dict[str, Any], existing: str
) -> None:
    wanted = definition(schedule, criteria=criteria, existing=existing)
    campaign_id = await running(services, workspace, wanted)
    enrolled, episodes = await rows_of(services, workspace, campaign_id)
    assert bool(enrolled) == (existing == "include")
    assert episodes
    assert all(one["subject_id"] == subject_of(one["case_id"], one["contact_id"]) for one in enrolled)
    now = services.clock.now()
    async with services.db.tenant(workspace) as connection:
        row = await campaigns.any_kind(connection, campaign_id)
        ready = await course.load(connection, row, now)
        assert ready is not None
        some = [one["case_id"] for one in episodes]
        done = await cases.settle(connection, ready, some, now, anew=True)
        assert (done.entered, done.changed, done.stopped) == (0, 0, 0)
    assert await rows_of(services, workspace, campaign_id) == (enrolled, episodes)


async def test_a_lot_names_whom_it_does_not_reach(services: Services, workspace: UUID) -> None:
    campaign_id = await running(services, workspace)
    async with services.db.tenant(workspace) as connection:
        found = await rows(
            connection,
            """SELECT k.external_id, e.state, e.reason FROM enrollment e JOIN "case" k ON k.id = e.case_id
               WHERE e.campaign_id = %s ORDER BY 1""",
            (campaign_id,),
        )
    assert [tuple(one.values()) for one in found] == [
        ("far", "active", ""),
        ("near", "active", ""),
        ("no date", "active", "no_start"),
        ("past", "lapsed", ""),
        ("same", "stopped", "opted_out"),
    ]
