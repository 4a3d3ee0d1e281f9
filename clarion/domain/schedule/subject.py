"""Whom a schedule is computed for, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from clarion.domain.schedule.hours import Hours
from clarion.domain.schedule.zones import utc


@dataclass(frozen=True, slots=True)
class Subject:
    """A contact or a case, as far as a schedule asks.

    `key` and `seed` (the campaign's) decide what is random. `enrolled_at` is aware. `zone` is the person's,
    empty where it is not known; `home` the workspace's. `fields` are the contact's, `properties` the case's:
    text, dates, moments. `place` is where they stand in the audience, from 0, for what is spread evenly.
    `hours` are those of the workspace and of the person, beside the schedule's own.
    """

    key: str
    enrolled_at: datetime
    seed: str = ""
    zone: str = ""
    home: str = "UTC"
    fields: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    place: int = 0
    hours: tuple[Hours, ...] = ()


class Skip(StrEnum):
    """Why an occurrence is not sent, as far as its schedule knows."""

    HOLIDAY = "holiday"
    QUIET = "quiet_hours"
    LEFT_OUT = "clock_change"


class Occurrence(NamedTuple):
    """One step of one iteration. `due` is seconds since 1970.

    `moved` says what moved it: holiday, quiet_hours, clock_change, missing_day, already_passed. With a `skip`
    nothing is sent, and `due` is when it would have been.
    """

    due: int
    iteration: int
    step: int
    moved: tuple[str, ...] = ()
    skip: Skip | None = None

    @property
    def due_at(self) -> datetime:
        """The moment, in UTC."""
        return utc(self.due)
