"""What is said of one case, and the reading of its properties.

A short text is read once as a number and as a date, whatever is declared, so that no comparison ever has to
read it again.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import orjson

from clarion.domain.address import Address, parse_address
from clarion.domain.case import (
    LONGEST_VALUE,
    MOST_BYTES,
    MOST_PROPERTIES,
    CaseProperty,
    CaseType,
    Kind,
    meant,
    why_no_key,
)
from clarion.domain.contact import LONGEST_EXTERNAL_ID, clean_external_id
from clarion.domain.field import MOST_DIGITS, FieldType, Stored, parse_value, stored
from clarion.domain.person import Finding
from clarion.domain.refusal import Refusal

_TOO_MANY = 10**MOST_DIGITS
_READABLE = 64  # no number and no date is longer
_FEW_KEYS = 200
NOTHING: Mapping[str, Any] = MappingProxyType({})
"""What most cases have of people, numbers or dates: one for all, as a batch has thousands of cases."""


@dataclass(frozen=True, slots=True)
class CaseCustoms:
    """How a workspace reads what it is given of cases, now."""

    types: Mapping[str, CaseType]
    now: datetime
    country: str | None = None
    zone: tzinfo = UTC


@dataclass(slots=True)  # not frozen: one is made for every row of a file, and that costs
class Case:
    """What is said of one case. None: not said; "": taken away.

    `properties` are as they were given, None where one is taken away: those are `gone`, and `document` is the
    others as JSON.
    `numbers` and `dates` are those of them that read as such, in the forms of `field.stored`. `addresses`
    and `people`: whom properties of these kinds name, by their keys (None: nobody); people and `contacts`
    by external id or contact's id.
    """

    type: CaseType
    external_id: str | None = None
    name: str | None = None
    state: str | None = None
    owner: str | None = None
    modified_by: str | None = None
    parent: str | None = None
    host: str | None = None
    opened_at: datetime | None = None
    modified_at: datetime | None = None
    properties: Mapping[str, Stored | None] = field(default_factory=dict)
    document: str = "{}"
    gone: Sequence[str] = ()
    numbers: Mapping[str, Stored] = field(default_factory=dict)
    dates: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, Address | None] = field(default_factory=dict)
    people: Mapping[str, str | None] = field(default_factory=dict)
    contacts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    replace: bool = False


def read_properties(case: Case, given: object, customs: CaseCustoms, found: list[Finding]) -> None:
    """Read a document's properties into the case; what is wrong with them is found."""
    if type(given) is dict or isinstance(given, Mapping):
        _Properties(case, customs, found).read(given)
    else:
        found.append(refused("properties", "not an object of keys and values"))


class _Properties:
    """Reads the properties of one case into it."""

    __slots__ = ("case", "customs", "dates", "found", "numbers", "said")

    def __init__(self, case: Case, customs: CaseCustoms, found: list[Finding]) -> None:
        self.case, self.customs, self.found = case, customs, found
        self.said: dict[str, Stored | None] = {}
        self.numbers: dict[str, Stored] = {}
        self.dates: dict[str, str] = {}

    def read(self, given: Mapping[Any, Any]) -> None:
        # a copy, in which only is replaced what is not kept as it is
        said, numbers, dates, zone = dict(given), self.numbers, self.dates, self.customs.zone
        self.said = said
        sound = len(said) <= _FEW_KEYS and _all_keys(tuple(said))
        for key, raw in given.items():
            kind = type(raw)
            if not sound and not is_key(key):
                self._drop(key, why_no_key(key) or "")
            elif kind is str and len(raw) <= _READABLE:  # nearly all: a million cases have ten million
                if (seen := _read(raw, zone)) is not None:
                    said[key], number, day = seen
                    if number is not None:
                        numbers[key] = number
                    if day is not None:
                        dates[key] = day
            elif kind is float or kind is int:
                self._number(key, raw)
            elif kind is not bool and raw is not None:
                self._other(key, raw)
        case = self.case
        case.properties, case.numbers, case.dates = said, numbers, dates
        if case.type.properties or case.type.declared_only:
            self._declared()
        self._fit()

    def _other(self, key: str, raw: object) -> None:
        if isinstance(raw, int | float):
            self._number(key, raw)
        elif isinstance(raw, str):
            self.said[key] = _plain(raw)
            if len(raw) > LONGEST_VALUE:
                self._refuse(key, f"longer than {LONGEST_VALUE:,} characters")
        else:
            self._drop(key, "neither a text, nor a number, nor true or false")

    def _number(self, key: str, raw: float) -> None:
        if isinstance(raw, int) and -_TOO_MANY < raw < _TOO_MANY:
            self.said[key] = self.numbers[key] = raw
            return
        if isinstance(raw, float) and not math.isfinite(raw):
            self._drop(key, "no number that can be kept")
            return
        number = _read_number(raw)
        self.said[key] = raw if number is not None else str(raw)  # too many digits: as it was written
        if number is not None:
            self.numbers[key] = number

    def _declared(self) -> None:
        case = self.case
        known, said = case.type.properties, self.said
        if case.type.declared_only:
            for key in said.keys() - known.keys():
                self._refuse(key, f"not declared of {case.type.name}; {meant(key, known)}")
        addresses: dict[str, Address | None] = {}
        people: dict[str, str | None] = {}
        for key in known if len(known) < len(said) else said:
            if key not in known or key not in said:
                continue
            one, value = known[key], said[key]
            kind = one.kind
            if kind is Kind.ADDRESS:
                addresses[key] = self._address(one, value)
            elif kind is Kind.CONTACT:
                people[key] = read_id(f"properties.{key}", value, self.found, "warning") or None
            elif value is not None and kind is not Kind.TEXT:
                self._check(one, value)
        case.addresses, case.people = addresses or NOTHING, people or NOTHING

    def _address(self, one: CaseProperty, value: Stored | None) -> Address | None:
        if value is None:
            return None
        address = parse_address(str(value), one.scheme, self.customs.country)
        if isinstance(address, Refusal):
            self._warn(one.key, address)
            return None
        return address

    def _check(self, one: CaseProperty, value: Stored) -> None:
        """What does not read as its kind is told; it stays as it was written."""
        key, kind = one.key, one.kind
        if kind is Kind.NUMBER:
            if key not in self.numbers:
                self._warn(key, parse_value(FieldType.NUMBER, value))
        elif kind is Kind.BOOLEAN:
            self._warn(key, parse_value(FieldType.BOOLEAN, value))
        elif key not in self.dates:
            self._warn(key, parse_value(FieldType(kind.value), value, self.customs.zone))

    def _warn(self, key: str, why: object) -> None:
        if isinstance(why, Refusal):
            reason = f"{why.what}; {why.hint}" if why.hint else why.what
            self.found.append(Finding(f"properties.{key}", f"{reason}; it is kept as it was written"))

    def _drop(self, key: Any, why: str) -> None:
        del self.said[key]
        self._refuse(key, why)

    def _refuse(self, key: object, why: str) -> None:
        self.found.append(refused(f"properties.{str(key)[:100]}", why))

    def _fit(self) -> None:
        """The whole as JSON, once it is known that the database can keep it."""
        if len(self.said) > MOST_PROPERTIES:
            self.found.append(refused("properties", f"more than {MOST_PROPERTIES:,} properties"))
        try:
            whole = orjson.dumps(self.said)
        except (TypeError, ValueError):
            self.found.append(refused("properties", "holds a character that is not text"))
            return
        if len(whole) > MOST_BYTES:
            self.found.append(refused("properties", f"more than {MOST_BYTES // 1024} KiB in one case"))
        # an escaped backslash may look the same, so it is only where to look again
        if b"\\u0000" in whole and any("\0" in v for v in self.said.values() if isinstance(v, str)):
            self.found.append(refused("properties", "holds a character that is not text (NUL)"))
        case = self.case
        case.gone = [key for key, value in self.said.items() if value is None] if b"null" in whole else ()
        if case.gone:
            whole = orjson.dumps({key: value for key, value in self.said.items() if value is not None})
        case.document = whole.decode()


@lru_cache(maxsize=4096)
def is_key(key: object) -> bool:
    return isinstance(key, str) and why_no_key(key) is None


@lru_cache(maxsize=256)  # what comes from one source has the same keys again and again
def _all_keys(keys: tuple[object, ...]) -> bool:
    return all(map(is_key, keys))


@lru_cache(maxsize=65536)  # the same words and days come again and again
def _read(raw: str, zone: tzinfo) -> tuple[str | None, Stored | None, str | None] | None:
    """A short text as it is kept (None: blank), as a number, and as a date, else as a moment. None where it
    is kept as it is, and is neither."""
    text = _plain(raw)
    if text is None:
        return None, None, None
    number = parse_value(FieldType.NUMBER, text)
    day = parse_value(FieldType.DATE, text)
    if isinstance(day, Refusal):
        day = parse_value(FieldType.DATETIME, text, zone)
    read = (
        text,
        None if number is None or isinstance(number, Refusal) else stored(number),
        None if day is None or isinstance(day, Refusal) else str(stored(day)),
    )
    return None if read == (raw, None, None) else read


@lru_cache(maxsize=4096)
def _read_number(raw: float) -> Stored | None:
    value = parse_value(FieldType.NUMBER, raw)
    return None if value is None or isinstance(value, Refusal) else stored(value)


def _plain(raw: str) -> str | None:
    if not raw or raw.isspace():
        return None
    return raw if raw.isascii() else unicodedata.normalize("NFC", raw)


def read_id(where: str, given: object, found: list[Finding], how: str = "refused") -> str | None:
    """An external id; "" where it is blank, None where it is not said or cannot be one."""
    if type(given) is str and len(given) <= LONGEST_EXTERNAL_ID and given.isascii() and given.isprintable():
        return given.strip()  # nearly always
    if given is None:
        return None
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    if isinstance(given, str) and len(given) <= LONGEST_EXTERNAL_ID:
        if given.isascii() and given.isprintable():
            return given.strip()
        if not any("\ud800" <= c <= "\udfff" or c == "\0" for c in given):
            return clean_external_id(given) or ""
    why = f"not an external id: a text of at most {LONGEST_EXTERNAL_ID} characters"
    found.append(refused(where, why) if how == "refused" else Finding(where, why))
    return None


def refused(where: object, why: str) -> Finding:
    return Finding(str(where), why, "refused")
