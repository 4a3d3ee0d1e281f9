"""What tests of alerts need: a type of cases, visits that move, an alert, and what became of both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from clarion.domain.alert import Alert
from clarion.domain.case import CaseProperty, Kind
from clarion.domain.case_word import MEMBERS
from clarion.flow import alert, cases, fire
from clarion.flow.enroll import due
from clarion.flow.enroll.match import match, match_cases, turn
from clarion.flow.services import Services
from clarion.kit.db import Row, rows
from clarion.kit.ids import uuid7
from clarion.store import case_type, run, touched_case
from tests.flow.announcing import at, channel
from tests.flow.following import content

VISIT = "visit"
BEFORE = {
    "start": {"from": "property", "key": "appointment_date", "days": -2},
    "time": "09:00",
    "steps": [{"number": 1, "content": "soon"}, {"number": 2, "days": 1, "content": "tomorrow"}],
}
AT_ONCE = {"steps": [{"number": 1, "content": "now"}]}
SCHEDULED = {"property": "status", "op": "equal", "value": "scheduled"}


async def types(services: Services, workspace: UUID) -> None:
    """Visits have a date and a phone; mothers, their parents, have a phone."""
    now = services.clock.now()
    phone = CaseProperty("phone", Kind.ADDRESS, "tel", "Phone")
    date = CaseProperty("appointment_date", Kind.DATE, None, "Appointment")
    async with services.db.tenant(workspace) as connection:
        await case_type.create(connection, VISIT, now, properties=[phone, date])
        await case_type.create(connection, "mother", now, properties=[phone])


async def say(services: Services, workspace: UUID, external_id: str, **said: Any) -> UUID:
    """A word about a case: what is no attribute is a property; the worker does not see it yet."""
    word = {key: said.pop(key) for key in MEMBERS - {"properties"} if key in said}
    word = {"type": VISIT, "external_id": external_id, **word, "properties": said}
    (taken,) = await cases.upsert_cases(services.db, services.clock, workspace, [word])
    assert taken.case_id is not None, taken
    return taken.case_id


def definition(schedule: Mapping[str, Any] = BEFORE, **more: Any) -> Alert:
    """Of visits that are scheduled, to the phone of each."""
    named = {step.get("content") for step in schedule.get("steps", ())} - {None} or {"now"}
    return Alert.model_validate(
        {
            "case_type": VISIT, "criteria": SCHEDULED, "recipients": [{"to": "role", "role": "phone"}],
            "schedule": dict(schedule), "contents": {name: content(name) for name in sorted(named)}, **more,
        }
    )  # fmt: skip


async def running(services: Services, workspace: UUID, wanted: Alert | None = None) -> UUID:
    """An alert that was launched, with all cases gone through."""
    channel_id = await channel(services, workspace, f"WhatsApp {uuid7(services.clock.now())}")
    async with services.db.tenant(workspace) as connection:
        campaign_id = await alert.create(
            connection, services, name="Visits", channel_id=channel_id, definition=wanted or definition()
        )
        run_id = await alert.launch(connection, services, campaign_id)
    await fire.fire(services, workspace, run_id)
    return campaign_id


async def work(services: Services, workspace: UUID, campaign_id: UUID) -> None:
    """What a worker does at this moment: what was touched, what the calendar turns, and what is due."""
    await match(services, workspace)
    await match_cases(services, workspace)
    async with services.db.tenant(workspace) as connection:
        begun = [one for one in await run.of_campaign(connection, campaign_id) if one["state"] != "expanded"]
    for one in begun:  # by a job, whether it is paused or not
        await fire.fire(services, workspace, one["id"])
    async with services.db.glance() as connection:
        turning = await touched_case.awaited(connection, services.clock.now())
    if (workspace, campaign_id) in turning:
        await turn(services, workspace, campaign_id)
    while await due.fire(services, workspace, campaign_id):
        pass


async def until(
    services: Services, workspace: UUID, campaign_id: UUID, moment: datetime, step: float = 3600
) -> None:
    """Let time pass, hour by hour, with the worker at work."""
    while services.clock.now() < moment:
        left = (moment - services.clock.now()).total_seconds()
        at(services).advance(min(step, left))
        await work(services, workspace, campaign_id)


async def written(
    services: Services, workspace: UUID, campaign_id: UUID
) -> list[tuple[str, str, int, int, int, datetime, str]]:
    """(case, name, generation, iteration, step, due, state or reason) of each message, by due moment."""
    async with services.db.tenant(workspace) as connection:
        found = await rows(
            connection,
            """SELECT k.external_id, c.name, m.generation, m.iteration, m.step_id, m.due_at,
                 coalesce(m.reason, m.state::text) AS became
               FROM enrollment e JOIN message m ON m.enrollment_id = e.id
               JOIN contact c ON c.id = m.recipient_key JOIN "case" k ON k.id = e.case_id
               WHERE e.campaign_id = %s
               ORDER BY m.due_at, k.external_id, c.name, m.generation, m.step_id""",
            (campaign_id,),
        )
    return [tuple(one.values()) for one in found]


async def standing(services: Services, workspace: UUID, campaign_id: UUID) -> list[Row]:
    """Who is enrolled: {case, name, state, reason, generation, next_due}, by case and name."""
    async with services.db.tenant(workspace) as connection:
        return await rows(
            connection,
            """SELECT k.external_id AS "case", c.name, e.state, e.reason, e.generation, e.next_due
               FROM enrollment e JOIN contact c ON c.id = e.contact_id JOIN "case" k ON k.id = e.case_id
               WHERE e.campaign_id = %s ORDER BY 1, 2""",
            (campaign_id,),
        )
