"""Choosing: at which time people of a sequence hear is set in their contacts, where its schedule reads it.

It is a change of the contact like any other, so whoever follows people moves what is to come; what was said
stays said.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from clarion.domain.field import FieldType
from clarion.domain.schedule.clocktime import shown
from clarion.domain.schedule.model import Schedule
from clarion.domain.sequence import chosen_field
from clarion.errors import Conflict
from clarion.kit.db import Connection
from clarion.store import choice
from clarion.store import field as fields


class Choice(NamedTuple):
    """A time in minutes since midnight (None: none, so the schedule's own), and in which field it is kept
    (None: in the only one)."""

    time: int | None
    field: str | None = None


class Chosen(NamedTuple):
    """Whom it changed, and of whom it could not be, and why."""

    changed: set[UUID]
    refused: dict[UUID, str]


async def choose(
    connection: Connection, schedule: Schedule, contact_ids: Sequence[UUID], wish: Choice, now: datetime
) -> Chosen:
    """Set the chosen time of these contacts, or take it away. The caller has taken the turn of who writes
    people. Raises Invalid (no such time, or not said which), Conflict (its field is no text)."""
    key = chosen_field(schedule, wish.field)
    await require_text(connection, key)
    gone = await choice.gone(connection, contact_ids)
    time = None if wish.time is None else shown(wish.time)
    changed = await choice.put(connection, contact_ids, key, time, now)
    return Chosen(changed, {who: f"this person was {became}" for who, became in gone.items()})


async def require_text(connection: Connection, key: str) -> None:
    """Raises Conflict where the workspace keeps this field as anything but a text, or not at all."""
    found = (await fields.declared(connection)).get(key)
    if found is None or found.type is not FieldType.TEXT:
        kept = "is kept of contacts no more" if found is None else f"is kept as a {found.type}"
        raise Conflict(
            f"{key!r} {kept}, and a time is a text", where="field", hint="Declare a text field for it."
        )
