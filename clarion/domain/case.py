"""Cases: what is tracked (a pregnancy, a household, a delivery), with a type and properties.

A type declares properties by key and kind. Others are free, unless the type is `declared_only`. The kinds
`address` and `contact` name people: where a case has a value there, it is linked to a contact under the
property's key as their role.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from uuid import UUID

from clarion.domain import case_view
from clarion.domain.address import SCHEMES
from clarion.errors import Invalid, Problem


class Kind(StrEnum):
    """What a declared property holds."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    DATETIME = "datetime"
    BOOLEAN = "boolean"
    ADDRESS = "address"
    CONTACT = "contact"


NAMING = frozenset((Kind.ADDRESS, Kind.CONTACT))
"""Kinds of properties that name a person."""

ATTRIBUTES = frozenset(case_view.ATTRIBUTES)
"""What every case has beside its properties, so no property's key."""

MOST_PROPERTIES = 1_000
MOST_BYTES = 256 * 1024
LONGEST_VALUE = 10_000
LONGEST_LABEL = 200
_KEY = re.compile(r"[a-z][a-z0-9_.\-]{0,99}")
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,99}")
_KEY_RULE = "begins with a small letter, then small letters, digits, _, - and .; at most 100 characters"
_TYPE_RULE = "begins with a letter, then letters, digits, _, - and .; at most 100 characters"
_NAMED = 20  # how many of what there is a refusal names


@dataclass(frozen=True, slots=True)
class CaseProperty:
    """One declared property. `scheme` is of an address: `tel`, `whatsapp`, `mailto` …"""

    key: str
    kind: Kind
    scheme: str | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class CaseType:
    """A type of cases, with what is declared of it."""

    id: UUID
    name: str
    label: str = ""
    declared_only: bool = False
    properties: Mapping[str, CaseProperty] = field(default_factory=dict)

    @property
    def roles(self) -> list[str]:
        """The properties that name people, in the order of their keys."""
        return sorted(key for key, one in self.properties.items() if one.kind in NAMING)


def why_no_key(key: str) -> str | None:
    """Why this is no property's key (nor a role), or None where it is one."""
    if key in ATTRIBUTES:
        return f"{key} is an attribute of the case itself; choose another key"
    if _KEY.fullmatch(key):
        return None
    lower = re.sub(r"[^a-z0-9_.\-]+", "_", key.casefold()).strip("_")
    meant = f"; write {lower}" if _KEY.fullmatch(lower) and lower not in ATTRIBUTES else ""
    return f"a key {_KEY_RULE}{meant}"


def type_name(given: str) -> str:
    """A type's name. Raises Invalid."""
    name = given.strip()
    if not _TYPE.fullmatch(name):
        raise Invalid("this cannot be a type's name", where="name", hint=f"A name {_TYPE_RULE}.")
    return name


def declared(properties: Iterable[tuple[str, str, str | None, str]]) -> list[CaseProperty]:
    """Properties from what somebody wrote: (key, kind, scheme, label) of each.

    Raises Invalid with everything that is wrong, at `properties[n]`.
    """
    wrong: list[Problem] = []
    read: dict[str, CaseProperty] = {}
    for n, (key, kind, scheme, label) in enumerate(properties):
        found = _property(f"properties[{n}]", key, kind, scheme, label, wrong)
        if found is None:
            continue
        if found.key in read:
            wrong.append(Problem(f"properties[{n}].key", f"{key} is declared twice"))
        read[found.key] = found
    if wrong:
        raise Invalid("the properties cannot be declared so", problems=tuple(wrong))
    return list(read.values())


def _property(
    where: str, key: str, kind: str, scheme: str | None, label: str, wrong: list[Problem]
) -> CaseProperty | None:
    before = len(wrong)
    if (why := why_no_key(key)) is not None:
        wrong.append(Problem(f"{where}.key", why))
    if kind not in set(Kind):
        wrong.append(
            Problem(f"{where}.kind", f"there is no kind {kind!r}", meant(kind.casefold(), list(Kind)))
        )
        return None
    if kind == Kind.ADDRESS and scheme is None:
        scheme = "tel"
    if kind == Kind.ADDRESS and scheme not in SCHEMES:
        wrong.append(
            Problem(f"{where}.scheme", f"there is no kind of address {scheme!r}", meant(str(scheme), SCHEMES))
        )
    if kind != Kind.ADDRESS and scheme is not None:
        wrong.append(Problem(f"{where}.scheme", f"a {kind} has no scheme", "only an address has"))
    return None if len(wrong) > before else CaseProperty(key, Kind(kind), scheme, label)


def meant(word: str, there: Iterable[str]) -> str:
    """What somebody may have meant by a word that is none of these, and which there are."""
    names = list(there)
    if not names:
        return "there is none yet"
    near = get_close_matches(word, names, n=1, cutoff=0.5)
    more = ", …" if len(names) > _NAMED else ""
    told = f"there are {', '.join(names[:_NAMED])}{more}" if len(names) > 1 else f"there is {names[0]}"
    return f"did you mean {near[0]}? {told}" if near else told
