"""A person as a file or a program gives them: what is said of one person, read and normalised.

Not said and said to be empty differ: None leaves what is known, "" (and None for a field) clears it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Literal

from clarion.domain.address import Address, parse_address
from clarion.domain.contact import LONGEST_EXTERNAL_ID, clean_external_id, clean_name
from clarion.domain.country import parse_country
from clarion.domain.field import FieldType, Stored, parse_value, stored
from clarion.domain.language import parse_language
from clarion.domain.refusal import Refusal
from clarion.domain.timezone import parse_timezone

LONGEST_GROUP = 200
MOST_ADDRESSES = 20
MOST_GROUPS = 200
_RAW_KEPT = 200


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An address that was given and could not be read: as written, and the stable word for why not."""

    raw: str
    reason: str


@dataclass(frozen=True, slots=True)
class Person:
    """One person, ready to be stored. Addresses in the order of preference; codes canonical."""

    external_id: str | None = None
    name: str | None = None
    language: str | None = None
    country: str | None = None
    timezone: str | None = None
    fields: Mapping[str, Stored | None] = field(default_factory=dict)
    addresses: tuple[Address, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    groups: tuple[str, ...] = ()
    opted_out: bool = False
    channel: str | None = None
    """Their own channel's id, over which pools speak to them."""
    former: tuple[Address, ...] = ()
    """Addresses that a later row of the same batch replaced."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with what was given. `refused`: nobody was stored; `warning`: that part was not."""

    field: str
    reason: str
    severity: Literal["refused", "warning"] = "warning"


@dataclass(slots=True)  # not frozen: one is made for every row of a file, and that costs
class Given:
    """One person as somebody wrote them down, nothing read yet. None: not said.

    `addresses` are (label, scheme or None, text); `fields` raw values by key; the label of a column or a
    JSON path is where a finding points to.
    """

    external_id: str | None = None
    name: str | None = None
    language: str | None = None
    country: str | None = None
    timezone: str | None = None
    fields: Mapping[str, object] = field(default_factory=dict)
    addresses: Iterable[tuple[str, str | None, str]] = ()
    groups: Iterable[str] = ()
    opted_out: object = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Customs:
    """How a workspace reads what it is given: its country, zone, declared fields, and channels (by name and
    by id, folded: the id)."""

    country: str | None
    zone: tzinfo = UTC
    fields: Mapping[str, FieldType] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)


def read_person(given: Given, customs: Customs) -> tuple[Person | None, list[Finding]]:
    """The person that `given` describes, and what could not be read. None when nobody could be known
    again by it: then the last finding is the refusal."""
    found: list[Finding] = []
    external_id = _external_id(given.external_id, found)
    country = _code("country", given.country, _country, found)
    home = customs.country if not given.country else (country or None)
    addresses, unreadable = _addresses(given.addresses, home, found)
    person = Person(
        external_id=external_id,
        name=None if given.name is None else clean_name(given.name) or "",
        language=_code("language", given.language, parse_language, found),
        country=country,
        timezone=_code("timezone", given.timezone, _timezone, found),
        fields=_fields(given.fields, customs, found) if given.fields else {},
        addresses=addresses,
        unreadable=unreadable,
        groups=_groups(given.groups, found) if given.groups else (),
        opted_out=_opted_out(given.opted_out, addresses, found) if given.opted_out is not None else False,
        channel=None if given.channel is None else _channel(given.channel, customs, found),
    )
    if external_id is None and not addresses and not unreadable:
        found.append(
            Finding(
                "",
                "neither an external id nor an address: nobody could tell whether it is someone new",
                "refused",
            )
        )
        return None, found
    return person, found


def combine(first: Person, second: Person) -> Person:
    """What is known after both were said of the same person, one after the other.

    The second wins wherever it says something; its addresses replace those of the same schemes, which
    become former ones; groups add up.
    """
    said = {address.scheme for address in second.addresses}
    kept = tuple(a for a in first.addresses if a.scheme not in said)
    current = second.addresses + kept
    former = tuple(
        dict.fromkeys(a for a in (*first.former, *first.addresses, *second.former) if a not in current)
    )
    speaks = bool(second.addresses or second.unreadable)
    return replace(
        second,
        external_id=second.external_id if first.external_id is None else first.external_id,
        name=_later(first.name, second.name),
        language=_later(first.language, second.language),
        country=_later(first.country, second.country),
        timezone=_later(first.timezone, second.timezone),
        channel=_later(first.channel, second.channel),
        fields={**first.fields, **second.fields},
        addresses=current,
        unreadable=second.unreadable if speaks else first.unreadable,
        groups=tuple(dict.fromkeys(first.groups + second.groups)),
        opted_out=first.opted_out or second.opted_out,
        former=former,
    )


@lru_cache(maxsize=4096)
def clean_group(raw: str) -> str:
    """A group's name as it is shown: NFC, single spaces, no control characters; "" when nothing is left."""
    return (clean_name(raw) or "")[:LONGEST_GROUP]


def _later(first: str | None, second: str | None) -> str | None:
    return first if second is None else second


def _external_id(raw: str | None, found: list[Finding]) -> str | None:
    if not raw:
        return None
    if len(raw.strip()) > LONGEST_EXTERNAL_ID or any("\ud800" <= c <= "\udfff" for c in raw):
        found.append(
            Finding("external_id", f"longer than {LONGEST_EXTERNAL_ID} characters, or holds no proper text")
        )
        return None
    return clean_external_id(raw)


def _code(
    label: str, raw: str | None, parse: Callable[[str], str | Refusal], found: list[Finding]
) -> str | None:
    if raw is None:
        return None
    if not raw or raw.isspace():
        return ""
    code = parse(raw)
    if isinstance(code, str):
        return code
    found.append(Finding(label, _sentence(code)))
    return None


@lru_cache(maxsize=1024)
def _country(raw: str) -> str | Refusal:
    return parse_country(raw)


@lru_cache(maxsize=1024)
def _timezone(raw: str) -> str | Refusal:
    return parse_timezone(raw)


def _addresses(
    given: Iterable[tuple[str, str | None, str]], country: str | None, found: list[Finding]
) -> tuple[tuple[Address, ...], tuple[Unreadable, ...]]:
    read: dict[Address, None] = {}
    wrong: dict[str, Unreadable] = {}
    for label, scheme, raw in given:
        if not raw or raw.isspace():
            continue
        address = parse_address(raw, scheme, country)
        if isinstance(address, Refusal):
            kept = _kept(raw)
            wrong.setdefault(kept, Unreadable(kept, address.reason))
            found.append(Finding(label, _sentence(address)))
        elif len(read) < MOST_ADDRESSES:
            read[address] = None
        else:
            found.append(Finding(label, f"more than {MOST_ADDRESSES} addresses for one person"))
    return tuple(read), tuple(wrong.values())


def _kept(raw: str) -> str:
    """As it was written, without what a database cannot keep."""
    text = raw.strip().replace("\0", "")[:_RAW_KEPT]
    return text.encode("utf-8", "replace").decode()


def _fields(
    given: Mapping[str, object], customs: Customs, found: list[Finding]
) -> Mapping[str, Stored | None]:
    read: dict[str, Stored | None] = {}
    for key, raw in given.items():
        kind = customs.fields.get(key)
        if kind is None:
            found.append(Finding(f"fields.{key}", "no such field is declared"))
            continue
        value = parse_value(kind, raw, customs.zone)
        if isinstance(value, Refusal):
            found.append(Finding(f"fields.{key}", _sentence(value)))
        else:
            read[key] = None if value is None else stored(value)
    return read


def _channel(raw: str, customs: Customs, found: list[Finding]) -> str | None:
    name = raw.strip().casefold()
    if not name:
        return ""
    known = customs.channels.get(name)
    if known is None:
        found.append(Finding("channel", "there is no channel of this name"))
    return known


def _groups(given: Iterable[str], found: list[Finding]) -> tuple[str, ...]:
    names = dict.fromkeys(name for raw in given if (name := clean_group(raw)))
    if len(names) > MOST_GROUPS:
        found.append(Finding("groups", f"more than {MOST_GROUPS} groups for one person"))
    return tuple(names)[:MOST_GROUPS]


def _opted_out(raw: object, addresses: tuple[Address, ...], found: list[Finding]) -> bool:
    said = parse_value(FieldType.BOOLEAN, raw)
    if isinstance(said, Refusal):
        found.append(Finding("opted_out", _sentence(said)))
        # nobody is written to on a misunderstanding: what is not clearly a no is taken as the wish
        said = True
    if said and not addresses:
        found.append(Finding("opted_out", "an opt-out is kept for an address, and there is none to read"))
    return bool(said)


def _sentence(refusal: Refusal) -> str:
    return f"{refusal.what}; {refusal.hint}" if refusal.hint else refusal.what
