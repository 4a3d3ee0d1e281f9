"""What RapidPro tells of fields, groups and contacts, as values of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from clarion.domain.field import Field, FieldType, field_key
from clarion.domain.person import Given

SOURCE = "rapidpro"
ACTIVE, BLOCKED, STOPPED, ARCHIVED, DELETED = "active", "blocked", "stopped", "archived", "deleted"
STATUS_FIELD = Field("rapidpro_status", "Status in RapidPro", FieldType.TEXT)
"""Empty for who is active there, so that a filter can leave the others out."""

SCHEMES: Mapping[str, str] = {
    "tel": "tel",
    "whatsapp": "whatsapp",
    "mailto": "mailto",
    "facebook": "messenger",
    "fcm": "fcm",
}
"""Which of RapidPro's schemes is which of ours."""

TYPES: Mapping[str, FieldType] = {
    "text": FieldType.TEXT,
    "number": FieldType.NUMBER,
    "datetime": FieldType.DATETIME,
    "state": FieldType.TEXT,  # a place's name, with those around it
    "district": FieldType.TEXT,
    "ward": FieldType.TEXT,
}
SLOT = re.compile(r"clarion_[0-9a-f]{10}_\d+_\d+")
"""Keys of fields that a push by slots made there: they hold moments of ours, and are not brought."""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GroupThere:
    """A group of RapidPro's."""

    uuid: str
    name: str

    @property
    def source(self) -> str:
        return f"{SOURCE}:{self.uuid}"


@dataclass(frozen=True, slots=True)
class PersonThere:
    """A contact of RapidPro's. `schemes` are ours of the addresses that are told, `others` RapidPro's of
    those that we have no kind for; `hidden` addresses are kept from us."""

    uuid: str
    status: str
    changed_at: datetime
    given: Given
    groups: tuple[GroupThere, ...] = ()
    schemes: frozenset[str] = frozenset()
    others: tuple[str, ...] = ()
    hidden: int = 0


@dataclass(slots=True)
class _Urns:
    addresses: list[tuple[str, str | None, str]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    hidden: int = 0


def external_id(uuid: str) -> str:
    """By what a contact of RapidPro's is known here."""
    return f"{SOURCE}:{uuid}"


def field_there(row: Row) -> tuple[str, Field] | None:
    """A field's key there, and what it is here; None where that cannot be read, and for the slots that we
    made there. Keys that belong to the contact itself here begin with `rapidpro_`."""
    key, kind = row.get("key"), TYPES.get(str(row.get("type") or row.get("value_type")), FieldType.TEXT)
    if not isinstance(key, str) or not key or SLOT.fullmatch(key):
        return None
    ours = field_key(key)
    if not isinstance(ours, str):
        ours = f"{SOURCE}_{key}"
    return key, Field(ours, str(row.get("name") or row.get("label") or key), kind)


def key_there(ours: str) -> str:
    """The key there of a field of ours, whether it came from there or not."""
    theirs = ours.removeprefix(f"{SOURCE}_")
    return ours if isinstance(field_key(theirs), str) else theirs


def group_there(row: Row) -> GroupThere | None:
    """None for what is no group of people's own making, or cannot be read."""
    uuid, name = row.get("uuid"), row.get("name")
    if not isinstance(uuid, str) or not uuid or row.get("system") is True:
        return None
    return GroupThere(uuid, str(name or uuid))


def person_there(row: Row, keys: Mapping[str, str]) -> PersonThere:
    """A contact; `keys` are our fields' keys by theirs. Raises ValueError with what cannot be read."""
    uuid, changed_at = _identifier(row), _moment(row.get("modified_on"))
    status = str(row.get("status") or ACTIVE)
    urns = _urns(row.get("urns"))
    values = row.get("fields")
    fields = (
        {keys[key]: value for key, value in values.items() if key in keys} if isinstance(values, dict) else {}
    )
    given = Given(
        external_id=external_id(uuid),
        name=str(row.get("name") or ""),
        language=str(row.get("language") or ""),
        fields={**fields, STATUS_FIELD.key: None if status == ACTIVE else status},
        addresses=urns.addresses,
        opted_out=True if status == STOPPED else None,
    )
    groups = [group_there(one) for one in row.get("groups") or () if isinstance(one, dict)]
    return PersonThere(
        uuid, status, changed_at, given, tuple(one for one in groups if one is not None),
        frozenset(str(scheme) for _, scheme, _ in urns.addresses), tuple(urns.others), urns.hidden,
    )  # fmt: skip


def deleted_there(row: Row) -> PersonThere:
    """A contact that was deleted there, of whom nothing else is told. Raises ValueError."""
    uuid = _identifier(row)
    given = Given(external_id=external_id(uuid), fields={STATUS_FIELD.key: DELETED})
    return PersonThere(uuid, DELETED, _moment(row.get("modified_on")), given)


def spelled(at: datetime) -> str:
    """A moment as the API spells it: UTC, to the microsecond."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _identifier(row: Row) -> str:
    uuid = row.get("uuid")
    if not isinstance(uuid, str) or not uuid or len(uuid) > 100:
        raise ValueError("a contact without an identifier")
    return uuid


def _moment(text: Any) -> datetime:
    try:
        told = datetime.fromisoformat(str(text))
    except ValueError:
        raise ValueError("it does not say when it changed") from None
    return told.replace(tzinfo=told.tzinfo or UTC).astimezone(UTC)


def _urns(told: Any) -> _Urns:
    """A URN may go on with what is shown (`#`) and more (`?`)."""
    read = _Urns()
    for one in told if isinstance(told, list) else ():
        scheme, _, path = str(one).partition("#")[0].partition("?")[0].partition(":")
        ours = SCHEMES.get(scheme)
        if "***" in path:
            read.hidden += 1
        elif ours is None:
            read.others.append(scheme)
        else:
            path = f"+{path}" if scheme == "whatsapp" and path.isdigit() else path
            read.addresses.append((f"urns.{scheme}", ours, path))
    return read
