"""What one workspace of RapidPro holds: contacts, fields, groups, campaigns and their events.

Moments are microseconds since 1970 by the sandbox's clock, as fine as the API tells them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from clarion.sandbox.rapidpro.shelf import Shelf

ACTIVE, BLOCKED, STOPPED, ARCHIVED = "active", "blocked", "stopped", "archived"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Contact:
    """`fields` has those with a value; `groups` are UUIDs. Deleted ones keep their UUID and nothing else."""

    uuid: str
    serial: int
    created_on: int
    modified_on: int
    name: str | None = None
    language: str | None = None
    status: str = ACTIVE
    urns: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    fields: dict[str, str] = field(default_factory=dict)
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    key: str
    serial: int
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Group:
    uuid: str
    serial: int
    name: str
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Campaign:
    """`group` is a UUID."""

    uuid: str
    serial: int
    created_on: int
    name: str
    group: str


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a campaign (by UUID). `delivery_hour` −1: at the very time. Either `flow` or `message`."""

    uuid: str
    serial: int
    created_on: int
    campaign: str
    relative_to: str
    offset: int
    unit: str
    delivery_hour: int
    flow: str | None = None
    message: dict[str, str] | None = None
    written_on: int = 0
    deleted: bool = False


# What every workspace has, and nobody made.
SYSTEM_FIELDS = {
    "created_on": Field("created_on", 0, "Created On", "datetime"),
    "last_seen_on": Field("last_seen_on", 0, "Last Seen On", "datetime"),
}


class Workspace:
    """Everything there is. `clock` tells seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._serial = 0
        self.contacts: Shelf[Contact] = Shelf()
        self.fields: Shelf[Field] = Shelf()
        self.groups: Shelf[Group] = Shelf()
        self.campaigns: Shelf[Campaign] = Shelf()
        self.events: Shelf[Event] = Shelf()
        self.owners: dict[str, str] = {}  # of URNs

    def now(self) -> int:
        return round(self._clock() * 1_000_000)

    def serial(self) -> int:
        """The number of a new thing, by which equal moments are told apart."""
        self._serial += 1
        return self._serial

    # --- contacts

    def contact(self, named: str) -> Contact | None:
        """By UUID or URN; None for one who was deleted."""
        found = self.contacts.get(self.owners.get(named, named))
        return None if found is None or found.deleted else found

    def write(self, contact: Contact, at: int) -> Contact:
        """Keep a contact as it is from `at` on."""
        before = self.contacts.get(contact.uuid)
        for urn in before.urns if before else ():
            self.owners.pop(urn, None)
        self.owners |= dict.fromkeys(contact.urns, contact.uuid)
        written = replace(contact, modified_on=at)
        self.contacts.put(contact.uuid, written, at)
        return written

    def set_status(self, contacts: Iterable[Contact], status: str) -> None:
        """All at one moment; who is not active is in no group."""
        at = self.now()
        for contact in contacts:
            groups = contact.groups if status == ACTIVE else ()
            self.write(replace(contact, status=status, groups=groups), at)

    def delete(self, contacts: Iterable[Contact]) -> None:
        at = self.now()
        for one in contacts:
            self.write(Contact(one.uuid, one.serial, one.created_on, at, deleted=True), at)

    # --- the rest

    def field(self, key: str) -> Field | None:
        return self.fields.get(key) or SYSTEM_FIELDS.get(key)

    def group(self, named: str) -> Group | None:
        """By UUID or name."""
        found = self.groups.get(named)
        if found is None:
            named = named.casefold()
            found = next((g for g in self.groups.all() if not g.deleted and g.name.casefold() == named), None)
        return None if found is None or found.deleted else found

    def reference(self, group_uuid: str) -> dict[str, Any]:
        """A group as others name it."""
        found = self.groups.get(group_uuid)
        return {"uuid": group_uuid, "name": found.name if found else ""}


def new_uuid() -> str:
    return str(uuid4())


def spelled(at: int) -> str:
    """A moment as the API tells it."""
    return f"{_EPOCH + timedelta(microseconds=at):%Y-%m-%dT%H:%M:%S.%f}Z"


def moment(text: str) -> int:
    """A moment as it is asked for; without an offset it is UTC. Raises ValueError."""
    told = datetime.fromisoformat(text)
    told = told.replace(tzinfo=UTC) if told.tzinfo is None else told
    return (told - _EPOCH) // timedelta(microseconds=1)
