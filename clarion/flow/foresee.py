"""Foreseeing: what a schedule would do for one person, before anybody is in it. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from clarion.domain.schedule.calendar import Line, lines
from clarion.domain.schedule.model import Schedule
from clarion.domain.schedule.plan import Plan
from clarion.domain.schedule.sentence import describe
from clarion.domain.schedule.subject import Subject
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


async def subject(connection: Connection, wish: Wish) -> Subject:
    """Whom it is foreseen for, enrolled at `now`. Raises NotFound for a contact that nobody knows."""
    home = (await workspaces.get(connection))["timezone"]
    known = None if wish.contact_id is None else await contacts.get(connection, wish.contact_id)
    fields = {} if known is None else {**known["fields"], "created_at": known["created_at"]}
    return Subject(
        key="" if known is None else str(known["id"]),
        enrolled_at=wish.now,
        seed=SEED,
        zone=wish.zone or (known["timezone"] if known else None) or "",
        home=home,
        fields={**fields, **(wish.fields or {})},
        properties=wish.properties or {},
    )


def foresee(schedule: Schedule, somebody: Subject, count: int) -> Foreseen:
    """What it would do for them."""
    plan = Plan(schedule)
    found = lines(plan, somebody, None, count)
    return Foreseen(describe(schedule), plan.zone_of(somebody), found)
