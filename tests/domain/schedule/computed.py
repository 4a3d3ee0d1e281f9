"""Schedules as the tests write them, and their occurrences as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any

from clarion.domain.schedule.model import Schedule
from clarion.domain.schedule.plan import Plan
from clarion.domain.schedule.subject import Occurrence, Subject

NEW_YORK, NAIROBI, ADDIS, KOLKATA = "America/New_York", "Africa/Nairobi", "Africa/Addis_Ababa", "Asia/Kolkata"


def moment(text: str) -> datetime:
    """ "2026-03-01 09:30" in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def subject(enrolled: str = "2017-01-01 00:00", key: str = "Amina", **values: Any) -> Subject:
    """Somebody in New York, unless they are elsewhere."""
    return Subject(key, moment(enrolled), **{"seed": "a campaign", "zone": NEW_YORK, **values})


def plan(document: dict[str, Any]) -> Plan:
    return Plan(Schedule.model_validate(document))


def occurrences(
    document: dict[str, Any],
    somebody: Subject | None = None,
    *,
    since: str | None = None,
    until: str | None = None,
    most: int = 40,
) -> list[Occurrence]:
    found = plan(document).occurrences(
        somebody or subject(), moment(since) if since else None, moment(until) if until else None
    )
    return list(islice(found, most))


def due(document: dict[str, Any], somebody: Subject | None = None, **between: Any) -> list[str]:
    """The moments of what is sent, in UTC: "2017-03-16 16:00", with seconds where there are any."""
    return [said(one) for one in occurrences(document, somebody, **between) if one.skip is None]


def said(one: Occurrence) -> str:
    return f"{one.due_at:%Y-%m-%d %H:%M:%S}".removesuffix(":00")
