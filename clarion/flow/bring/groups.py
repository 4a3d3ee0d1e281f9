"""Fields and groups are brought before the people who have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from clarion.connectors.rapidpro.people import SOURCE, STATUS_FIELD, GroupThere, field_there
from clarion.domain.field import FieldType
from clarion.errors import Conflict, Invalid
from clarion.kit.db import Connection, Row
from clarion.store import brought, group
from clarion.store import field as fields

SUFFIX = "RapidPro"  # of a group whose name one of our own has


async def keep_fields(connection: Connection, told: Sequence[Row], notes: list[str]) -> dict[str, str]:
    """Declare RapidPro's fields; our keys by theirs. What is declared here already keeps its type: its values
    are read as that."""
    there = [one for row in told if (one := field_there(row)) is not None]
    wanted = [field for _, field in there if field.key != STATUS_FIELD.key]
    declared = await fields.declared(connection)
    for field in (*wanted, STATUS_FIELD):
        known = declared.get(field.key)
        if known is None:
            await fields.declare(connection, field)
        elif known.type is not field.type and known.type is not FieldType.TEXT:
            notes.append(
                f"The field {field.key} is {known.type.value} here and {field.type.value} there: "
                "what is not one is left out."
            )
    return {key: field.key for key, field in there if field.key != STATUS_FIELD.key}


class Groups:
    """The groups of one workspace there, and which of ours stands for each."""

    def __init__(self, channel_id: UUID, notes: list[str]) -> None:
        self._channel_id, self._notes = channel_id, notes
        self._known: dict[str, Row] = {}

    async def keep(
        self, connection: Connection, told: Sequence[GroupThere], now: datetime, patience: timedelta, *,
        anew: bool,
    ) -> None:  # fmt: skip
        """Make ours equal to these. With `anew`, those that were taken away here are made again; those that
        are not there any more for `patience` have nobody from there in them."""
        self._known = await brought.groups(connection)
        for one in told:
            known = self._known.get(one.source)
            if known is None or (anew and known["here"] is None):
                await self._make(connection, one, now)
            elif known["name"] != one.name and known["here"] is not None:
                await self._rename(connection, one, known)
        await brought.seen_groups(connection, {one.source: one.name for one in told}, self._channel_id, now)
        for name in await brought.drop_unseen_groups(connection, self._channel_id, SOURCE, now, patience):
            self._notes.append(f"The group {name} is not there any more: nobody from there is in it now.")
        self._known = await brought.groups(connection)

    async def places(
        self, connection: Connection, told: Sequence[GroupThere], now: datetime
    ) -> Mapping[str, UUID]:
        """Our groups by source; made for those of these that nobody has told of yet, and without those that
        were taken away here."""
        if any(one.source not in self._known for one in told):
            self._known = await brought.groups(connection)  # somebody else may have told of them since
            new = [one for one in dict.fromkeys(told) if one.source not in self._known]
            for one in new:
                await self._make(connection, one, now)
            self._known = await brought.groups(connection)
        return {source: row["group_id"] for source, row in self._known.items() if row["here"] is not None}

    async def _make(self, connection: Connection, one: GroupThere, now: datetime) -> None:
        shown = await brought.add_group(connection, one.source, one.name, SUFFIX, self._channel_id, now)
        if shown != one.name:
            self._notes.append(f"The group {one.name} is called {shown} here: there is one of that name.")

    async def _rename(self, connection: Connection, one: GroupThere, known: Row) -> None:
        try:
            await group.rename(connection, known["group_id"], one.name)
        except (Conflict, Invalid):
            self._notes.append(
                f"The group {one.name} is still called {known['here']} here: the name is taken."
            )
