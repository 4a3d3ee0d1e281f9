"""Schedules: when a campaign speaks to one person. Foreseen here, before anybody is in one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Request, Response
from pydantic import AwareDatetime, ConfigDict, Field
from pydantic.config import JsonDict

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer, Body
from clarion.api.routers import new_router
from clarion.domain.refusal import Refusal
from clarion.domain.schedule import calendar, check
from clarion.domain.schedule.model import Schedule
from clarion.domain.scope import Scope
from clarion.domain.timezone import parse_timezone
from clarion.flow.foresee import Foreseen, Wish, foresee, subject

router = new_router("schedules", "When a campaign speaks: described, checked and foreseen.")
CALENDAR = "text/calendar"
_EXAMPLE: JsonDict = {
    "schedule": {
        "start": {"from": "field", "key": "registration_date"},
        "steps": [{"number": 1}, {"number": 2, "days": 3}],
        "time": {"from": "09:00", "to": "21:00"},
        "repeat": {"every": 12, "count": 4},
    },
    "fields": {"registration_date": "2026-03-01"},
    "zone": "Africa/Nairobi",
}


class PreviewBody(Body):
    """A schedule, and for whom it is foreseen."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    schedule: dict[str, Any] = Field(description="GET /api/v1/schedules/schema describes it")
    contact_id: UUID | None = Field(default=None, description="whose fields, zone and draws; else nobody's")
    now: AwareDatetime | None = Field(default=None, description="when they would be enrolled; now")
    zone: str | None = Field(default=None, description="theirs; goes before the contact's own")
    fields: dict[str, Any] = Field(default_factory=dict, description="go before the contact's own")
    properties: dict[str, Any] = Field(default_factory=dict, description="of a case")
    count: int = Field(default=20, ge=1, le=calendar.MOST)


class LineAnswer(Answer):
    """One occurrence: a step of an iteration."""

    iteration: int = Field(description="which iteration, from 1")
    step: int
    content: str | None
    due_at: datetime
    local: datetime = Field(description="the same moment by the person's clock")
    moved: list[str] = Field(
        description="what moved it: holiday, quiet_hours, clock_change, missing_day, already_passed"
    )
    skip: str | None = Field(description="why it is not sent")


class PreviewAnswer(Answer):
    """A schedule in words, and what it would do."""

    sentence: str
    zone: str = Field(description="by whose clock")
    occurrences: list[LineAnswer]


@router.get("/schema", summary="The JSON Schema of a schedule")
async def schema(edge: Annotated[Edge, needs()]) -> dict[str, Any]:
    """What a schedule may say, for editors and for programs."""
    del edge
    return Schedule.model_json_schema(by_alias=True)


@router.post(
    "/preview",
    summary="Foresee a schedule",
    responses={200: {"content": {CALENDAR: {"schema": {"type": "string"}}}}},
    response_model=PreviewAnswer,
)
async def preview(
    body: PreviewBody, request: Request, edge: Annotated[Edge, needs(Scope.ANNOUNCEMENTS_READ)]
) -> PreviewAnswer | Response:
    """Each occurrence with its moment, its local time and what moved it; nothing is written. With
    `Accept: text/calendar` as an iCalendar file."""
    schedule = check.read(body.schedule, "schedule")
    zone = _zone(body.zone)
    wish = Wish(body.now or edge.now(), body.contact_id, zone, body.fields, body.properties, body.count)
    async with edge.transaction() as connection:
        somebody = await subject(connection, wish)
    found = foresee(schedule, somebody, wish.count)
    if CALENDAR in request.headers.get("accept", ""):
        text = calendar.icalendar(found.lines, "Clarion", somebody.key or "preview")
        return Response(text, media_type=f"{CALENDAR}; charset=utf-8")
    return _answer(found)


def _zone(named: str | None) -> str | None:
    if named is None:
        return None
    found = parse_timezone(named)
    if isinstance(found, Refusal):
        raise found.error("zone")
    return found


def _answer(found: Foreseen) -> PreviewAnswer:
    occurrences = [LineAnswer.model_validate(line) for line in found.lines]
    return PreviewAnswer(sentence=found.sentence, zone=found.zone, occurrences=occurrences)
