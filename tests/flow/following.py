"""What tests of sequences need: people with a date of their own, a sequence, and what became of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from clarion.domain.enrollment import unpacked
from clarion.domain.field import Field, FieldType
from clarion.domain.person import Given
from clarion.domain.sequence import Sequence
from clarion.flow import edit, fire, sequence
from clarion.flow.enroll import due
from clarion.flow.enroll.match import match
from clarion.flow.services import Services
from clarion.kit.db import Row, rows
from clarion.kit.ids import uuid7
from clarion.store import contact, enrollment, field
from tests.flow.announcing import at, channel
from tests.store.announced import outcomes
from tests.store.people import person, store

DAILY = {
    "start": {"from": "field", "key": "registration_date"},
    "time": "09:00",
    "steps": [{"number": 1, "content": "hello"}, {"number": 2, "days": 1, "content": "again"}],
    "repeat": {"every": 2, "unit": "day", "count": 2},
}


def content(text: str) -> dict[str, Any]:
    """A template that says this, so that it can be sent at any time."""
    form = {"kind": "template", "name": "notice", "language": "en", "parameters": [text]}
    return {"variants": [{"content": form}]}


def definition(schedule: Mapping[str, Any] = DAILY, **more: Any) -> Sequence:
    """To everyone: `hello`, and `again`, where the schedule says both."""
    named = {step.get("content") for step in schedule.get("steps", ())} - {None} or {"hello"}
    return Sequence.model_validate(
        {
            "audience": {"include": {"everyone": True}},
            "schedule": dict(schedule),
            "contents": {name: content(name) for name in sorted(named)},
            **more,
        }
    )


async def people(
    services: Services, workspace: UUID, *some: tuple[str, str, str | None], **more: Any
) -> list[UUID]:
    """(name, number, registration date) of each; their identifiers, in that order."""
    async with services.db.tenant(workspace) as connection:
        await field.declare(connection, Field("registration_date", "Registration date", FieldType.DATE))
        cast = [
            replace(
                person(name, number, external_id=name, **more),
                fields={"registration_date": date} if date else {},
            )
            for name, number, date in some
        ]
        return [taken.contact_id for taken in await store(connection, cast, services.clock.now())]


async def mend(services: Services, workspace: UUID, contact_id: UUID, **given: Any) -> None:
    """Somebody changes what is known of a person, and the worker sees it."""
    await edit.edit_contact(services.db, services.clock, workspace, contact_id, Given(**given), whole=False)
    await match(services, workspace)


async def running(services: Services, workspace: UUID, wanted: Sequence | None = None) -> UUID:
    """A sequence that was launched, with everybody enrolled."""
    await people(services, workspace)  # so that the date is declared
    channel_id = await channel(services, workspace, f"WhatsApp {uuid7(services.clock.now())}")
    async with services.db.tenant(workspace) as connection:
        campaign_id = await sequence.create(
            connection, services, name="Welcome", channel_id=channel_id, definition=wanted or definition()
        )
        run_id = await sequence.launch(connection, services, campaign_id)
    await fire.fire(services, workspace, run_id)
    return campaign_id


async def work(services: Services, workspace: UUID, campaign_id: UUID) -> None:
    """What a worker does at this moment: who was touched, and what is due, until nothing is left."""
    await match(services, workspace)
    for workspace_id, run_id in await fire.due(services):
        if workspace_id == workspace:
            await fire.fire(services, workspace, run_id)
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


async def of(services: Services, workspace: UUID, campaign_id: UUID, contact_id: UUID) -> Row:
    """Somebody's enrollment."""
    async with services.db.tenant(workspace) as connection:
        found = await enrollment.get(connection, campaign_id, contact_id)
    assert found is not None
    return found


async def coming(
    services: Services, workspace: UUID, campaign_id: UUID, contact_id: UUID
) -> list[tuple[int, int]]:
    """(iteration, step) of what is kept of what comes next of somebody."""
    found = await of(services, workspace, campaign_id, contact_id)
    return [(one.iteration, one.step) for one in unpacked(found["ahead"])]


async def written(
    services: Services, workspace: UUID, campaign_id: UUID
) -> list[tuple[str, int, int, int, datetime, str]]:
    """(name, generation, iteration, step, due, state or reason) of each message, by due moment and name."""
    async with services.db.tenant(workspace) as connection:
        found = await rows(
            connection,
            """SELECT c.name, m.generation, m.iteration, m.step_id, m.due_at,
                 coalesce(m.reason, m.state::text) AS became
               FROM enrollment e JOIN message m ON m.enrollment_id = e.id
               JOIN contact c ON c.id = m.recipient_key
               WHERE e.campaign_id = %s ORDER BY m.due_at, c.name, m.generation, m.step_id""",
            (campaign_id,),
        )
    return [tuple(one.values()) for one in found]


async def counted(services: Services, workspace: UUID, campaign_id: UUID) -> Counter[str]:
    """Its messages by state or reason, held equal to tally and queue."""
    async with services.db.tenant(workspace) as connection:
        (door,) = await rows(connection, "SELECT id FROM run WHERE campaign_id = %s", (campaign_id,))
        return await outcomes(connection, door["id"])


async def known(services: Services, workspace: UUID, contact_id: UUID) -> Row:
    """A contact as it is."""
    async with services.db.tenant(workspace) as connection:
        return await contact.get(connection, contact_id)
