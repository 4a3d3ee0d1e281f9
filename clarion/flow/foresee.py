"""Foreseeing: what a schedule would do for one person, before anybody is in it. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from clarion.domain.schedule.calendar import Line, lines
from clarion.domain.schedule.model import Schedule
from clarion.domain.schedule.plan import Plan
from clarion.domain.schedule.sentence import describe
from clarion.domain.schedule.subject import Subject
from clarion.flow.home_hours import HomeHours
from clarion.kit.db import Connection
from clarion.store import contact as contacts
from clarion.store import workspace as workspaces

SEED = "preview"  # a campaign has one of its own: random times are examples until then


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A schedule in words, in whose zone, and its first occurrences."""

    sentence: str
    zone: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Wish:
    """For whom, and from when: a contact, or somebody with this zone and these values (which go before a
    contact's own). `properties` are those of a case."""

    now: datetime
    contact_id: UUID | None = None
    zone: str | None = None
    fields: Mapping[str, Any] | None = None
    properties: Mapping[str, Any] | None = None
    count: int = 20


def nobody(wish: Wish) -> Subject:
    """Somebody of whom only this is known."""
    return Subject(
        "", wish.now, SEED, wish.zone or "", fields=wish.fields or {}, properties=wish.properties or {}
    )


async def subject(connection: Connection, wish: Wish) -> Subject:
    """Whom it is foreseen for, enrolled at `now`. Raises NotFound for a contact that nobody knows."""
    home = await workspaces.get(connection)
    hours, somebody = HomeHours.read(home["settings"]), replace(nobody(wish), home=home["timezone"])
    if wish.contact_id is None:
        return replace(somebody, hours=hours.of(somebody.fields))
    known = await contacts.get(connection, wish.contact_id)
    own = {**known["fields"], "created_at": known["created_at"]}
    values = {**own, **somebody.fields}
    return replace(
        somebody,
        key=str(known["id"]),
        zone=wish.zone or known["timezone"] or "",
        fields=values,
        hours=hours.of(values),
    )


def foresee(schedule: Schedule, somebody: Subject, count: int) -> Foreseen:
    """What it would do for them."""
    plan = Plan(schedule)
    found = lines(plan, somebody, None, count)
    return Foreseen(describe(schedule), plan.zone_of(somebody), found)
