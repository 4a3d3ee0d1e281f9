"""The hours of a workspace, and those that each person has: at others nobody is told anything by a campaign,
whatever the campaign says.

They hold beside the hours of the campaign: a schedule goes round them when it is reckoned, and what comes to
its channel at another hour waits there. Answers to what somebody wrote, and tests, go at any hour. A person's
own are written into a field of theirs (`domain.schedule.written_hours`); what cannot be read there holds
nobody up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from clarion.domain.field import FieldType
from clarion.domain.refusal import Refusal
from clarion.domain.schedule.hours import Hours
from clarion.domain.schedule.written_hours import read_hours
from clarion.errors import Invalid
from clarion.flow import campaign
from clarion.flow.services import Services
from clarion.kit.db import Connection
from clarion.store import door as doors
from clarion.store import field as fields
from clarion.store import run
from clarion.store import workspace as workspaces

SETTING, FIELD_SETTING = "hours", "hours_field"


@dataclass(frozen=True, slots=True)
class HomeHours:
    """Those of a workspace, beside a campaign's. `field` is the contacts' in which each has their own; empty:
    nobody has."""

    layers: tuple[Hours, ...] = ()
    field: str = ""

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> HomeHours:
        """Those in a workspace's settings."""
        return cls(layers(settings), hours_field(settings))

    def keys(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """These fields, and the one in which people have their own."""
        return keys if not self.field or self.field in keys else (*keys, self.field)

    def of(self, values: Mapping[str, Any]) -> tuple[Hours, ...]:
        """All that hold for somebody with these values of their fields."""
        own = read_hours(str(values.get(self.field) or "")) if self.field else None
        return (*self.layers, own) if isinstance(own, Hours) else self.layers


def home_hours(settings: Mapping[str, Any]) -> Hours | None:
    """Those in a workspace's settings; None: any."""
    try:
        return Hours.model_validate(settings[SETTING]) if settings.get(SETTING) else None
    except ValidationError:  # written by another version, perhaps: they hold nobody up
        return None


def hours_field(settings: Mapping[str, Any]) -> str:
    """The field in which people have hours of their own; empty: none."""
    kept = settings.get(FIELD_SETTING) or {}
    return str(kept.get("key", "")) if isinstance(kept, dict) else ""


def layers(settings: Mapping[str, Any]) -> tuple[Hours, ...]:
    """Those of the workspace, as a schedule takes hours beside its own."""
    hours = home_hours(settings)
    return () if hours is None else (hours,)


async def set_hours_field(connection: Connection, services: Services, key: str) -> None:
    """The field in which people have hours of their own; empty: none has. Raises Invalid where there is no
    such field, or it holds no text."""
    if key:
        known = await fields.declared(connection)
        if key not in known:
            raise Invalid(
                f"there is no field {key!r}",
                where="hours_field",
                hint="`clarion import contacts FILE --create-fields` makes one of each unknown column.",
            )
        if known[key].type is not FieldType.TEXT:
            raise Invalid(
                f"the field {key!r} holds no text", where="hours_field", hint="Name a field of text."
            )
    await workspaces.set_setting(connection, FIELD_SETTING, {"key": key} if key else {})
    await _reckon_again(connection, services)


async def unreadable(connection: Connection, key: str) -> tuple[int, str]:
    """How many people have something else than hours in this field, and one such value."""
    found = await fields.values(connection, key)
    wrong = {text: n for text, n in found.items() if text.strip() and isinstance(read_hours(text), Refusal)}
    return sum(wrong.values()), max(wrong, key=lambda one: wrong[one], default="")


async def set_home_hours(connection: Connection, services: Services, hours: Hours | None) -> None:
    """Other hours of the transaction's workspace; None: any. What is still to come of campaigns that follow
    people is reckoned anew."""
    stored = {} if hours is None else hours.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    await workspaces.set_setting(connection, SETTING, stored)
    await _reckon_again(connection, services)


async def _reckon_again(connection: Connection, services: Services) -> None:
    now = services.clock.now()
    for row in await doors.following(connection):
        door, *_ = await run.of_campaign(connection, row["id"])
        await doors.revise(connection, row["id"])
        await run.again(connection, door["id"], now)
        await campaign.begin(connection, services, door["id"])
