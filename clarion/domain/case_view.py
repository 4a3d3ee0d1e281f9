"""A case as criteria see it, with those it is linked to. Its values are in the forms that the store keeps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Final

from clarion.domain import point
from clarion.domain.contact import Contact
from clarion.domain.field import FieldType, Stored
from clarion.domain.point import Point

ATTRIBUTES: Mapping[str, FieldType] = {
    "type": FieldType.TEXT,
    "external_id": FieldType.TEXT,
    "name": FieldType.TEXT,
    "state": FieldType.TEXT,
    "closed": FieldType.BOOLEAN,
    "owner": FieldType.TEXT,
    "modified_by": FieldType.TEXT,
    "parent": FieldType.TEXT,
    "host": FieldType.TEXT,
    "opened_at": FieldType.DATETIME,
    "closed_at": FieldType.DATETIME,
    "modified_at": FieldType.DATETIME,
}
"""What every case has beside its properties, by the names that criteria use."""

# What a property says by yes or no, as `field.parse_value` reads it; for Python and for PostgreSQL.
YES: Final = "[ \t\r\n]*(true|yes|y|t|1|on)[ \t\r\n]*"
NO: Final = "[ \t\r\n]*(false|no|n|f|0|off)[ \t\r\n]*"
_YES, _NO = (re.compile(one, re.IGNORECASE | re.ASCII) for one in (YES, NO))


@dataclass(frozen=True, slots=True)
class TypeView:
    """A type of cases: what is declared of it.

    `kinds` by property (an address, and a contact's external id, are text); `addresses` are the properties
    that name a contact by an address, in order of key; `declared_only`: there are no other properties.
    """

    name: str
    kinds: Mapping[str, FieldType] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    declared_only: bool = False


@dataclass(frozen=True, slots=True)
class CaseView:
    """What is known of one case.

    `properties`, `dates`, `numbers` and `changed` in the forms in which they are stored. `owner`,
    `modified_by`, `parent` and `host` are external ids, which may name nobody: whom they do name is in
    `owned_by`, `modifier`, `parent_case` and `host_case`. `contacts` by role. Only active contacts. Where the
    owner is no contact but a group, `owning_group` is that group's id, and `owning_groups` are its id and
    those of all above it.
    """

    type: TypeView
    opened_at: datetime
    modified_at: datetime
    closed_at: datetime | None = None
    external_id: str = ""
    name: str = ""
    state: str = "open"
    properties: Mapping[str, Stored] = field(default_factory=dict)
    dates: Mapping[str, object] = field(default_factory=dict)
    numbers: Mapping[str, object] = field(default_factory=dict)
    changed: Mapping[str, object] = field(default_factory=dict)
    owner: str | None = None
    modified_by: str | None = None
    parent: str | None = None
    host: str | None = None
    parent_case: CaseView | None = None
    host_case: CaseView | None = None
    owned_by: Contact | None = None
    owning_group: str | None = None
    owning_groups: frozenset[str] = frozenset()
    modifier: Contact | None = None
    contacts: Mapping[str, tuple[Contact, ...]] = field(default_factory=dict)

    def case(self, of: str) -> CaseView | None:
        """The case itself, its parent or its host; None where there is none."""
        return {"case": self, "parent": self.parent_case, "host": self.host_case}[of]

    def people(self, of: str | None) -> tuple[Contact, ...]:
        """The contacts meant by `of`. None and "contact": of the first address property that names any."""
        if of == "owner":
            return () if self.owned_by is None else (self.owned_by,)
        if of == "modified_by":
            return () if self.modifier is None else (self.modifier,)
        if of is None or of == "contact":
            named = (self.contacts.get(role, ()) for role in self.type.addresses)
            return next(filter(None, named), ())
        return self.contacts.get(of.removeprefix("role:"), ())

    def owned_in(self, group: str, *, nested: bool) -> bool:
        """Whether the owner is this group itself, or lies below it where `nested`."""
        return group in self.owning_groups if nested else group == self.owning_group

    def text(self, key: str) -> str | None:
        """An attribute or property as text; None where it is missing."""
        if key in ATTRIBUTES:
            value = self.type.name if key == "type" else getattr(self, key)
            return value or None
        value = self.properties.get(key)
        if isinstance(value, bool):
            return "true" if value else "false"
        return (value if isinstance(value, str) else _digits(value)) or None

    def number(self, key: str) -> Decimal | None:
        """A property that reads as a number."""
        value = self.numbers.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return Decimal(str(value))

    def boolean(self, key: str) -> bool | None:
        """An attribute or property that says yes or no."""
        if key == "closed":
            return self.state == "closed"
        text = self.text(key) or ""
        if _YES.fullmatch(text):
            return True
        return False if _NO.fullmatch(text) else None

    def point(self, key: str, zone: tzinfo) -> Point | None:
        """An attribute or property that is a date or a moment."""
        if key in ATTRIBUTES:
            moment = getattr(self, key)
            return None if moment is None else point.of_moment(moment, zone)
        return point.kept(self.dates.get(key), zone)


def _digits(number: object) -> str:
    """A JSON number as people write it: 1.50 is "1.5"."""
    if not isinstance(number, int | float):
        return ""
    text = format(Decimal(str(number)), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
