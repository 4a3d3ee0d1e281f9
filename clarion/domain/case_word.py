"""A word about a case: one JSON document, read. What it does not say stays as it is known.

    {"type": "pregnancy", "external_id": "P-17", "name": "Amina W.", "closed": false,
     "owner": "CHW-4", "modified_by": "CHW-4", "parent": "H-3", "host": null,
     "opened_at": "2026-03-01T06:30:00Z", "modified_at": "2026-03-02T08:00:00Z",
     "properties": {"edd": "2026-09-14", "phone": "0712000001", "risk": null},
     "contacts": {"supervisor": "E-4"}, "replace": false}

A value that does not read as its declared kind is kept as it was written, and a finding tells of it. Where
nothing can be kept, or nobody could tell which case is meant, the word is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from clarion.domain.case import ATTRIBUTES, CaseType, meant, why_no_key
from clarion.domain.case_values import NOTHING, Case, CaseCustoms, is_key, read_id, read_properties, refused
from clarion.domain.contact import LONGEST_NAME, clean_name
from clarion.domain.dates import parse_moment
from clarion.domain.field import FieldType, parse_value
from clarion.domain.person import Finding
from clarion.domain.refusal import Refusal

MEMBERS = (ATTRIBUTES - {"state", "closed_at"}) | {"properties", "contacts", "replace"}
MOST_IN_A_ROLE = 100
MOST_ROLES = 100
AHEAD = timedelta(days=1)  # how far a source's clock may be ahead of ours
ROUND = "that comes round to the case itself; a case cannot be its own parent or host, however far up"


def read_case(given: Mapping[str, Any], customs: CaseCustoms) -> tuple[Case | None, list[Finding]]:
    """The case that a document describes, and what could not be read. None where it is refused."""
    found: list[Finding] = []
    kind = _type(given.get("type"), customs, found)
    if kind is None:
        return None, found
    if not MEMBERS.issuperset(given):
        unknown = sorted(given.keys() - MEMBERS, key=str)
        found += [refused(key, f"no member of a case; {_member(key)}") for key in unknown]
        return None, found
    case = Case(  # in the order of its fields, by place: the names took a tenth of the reading
        kind,
        read_id("external_id", given.get("external_id"), found) or None,
        _name(given["name"], found) if given.get("name") is not None else None,
        _state(given["closed"], found) if given.get("closed") is not None else None,
        _link("owner", given, found),
        _link("modified_by", given, found),
        _link("parent", given, found),
        _link("host", given, found),
        _moment("opened_at", given, customs, found),
        _moment("modified_at", given, customs, found),
        NOTHING, "{}", (), NOTHING, NOTHING, NOTHING, NOTHING, NOTHING,
        given.get("replace") is True,
    )  # fmt: skip
    if given.get("replace") is not None and not isinstance(given["replace"], bool):
        found.append(refused("replace", "neither true nor false"))
    properties = given.get("properties")
    if properties:
        read_properties(case, properties, customs, found)
    if given.get("contacts"):
        case.contacts = _contacts(given["contacts"], kind, found)
    if case.external_id is not None and case.external_id in (case.parent, case.host):
        found.append(refused("parent" if case.parent == case.external_id else "host", ROUND))
    if found and any(one.severity == "refused" for one in found):
        return None, found
    return case, found


def _type(given: object, customs: CaseCustoms, found: list[Finding]) -> CaseType | None:
    known = customs.types.get(given) if isinstance(given, str) else None
    if known is None and (given is None or given == ""):
        found.append(refused("type", f"a case has a type; {meant('', customs.types)}"))
    elif known is None:
        name = str(given)[:100]
        found.append(refused("type", f"there is no case type {name!r}; {meant(name, customs.types)}"))
    return known


def _member(key: object) -> str:
    if key == "state":
        return 'say "closed": true or false'
    told = meant(str(key), sorted(MEMBERS))
    return told if told.startswith("did") else "what is yours belongs into properties"


def _link(key: str, given: Mapping[str, Any], found: list[Finding]) -> str | None:
    """Null takes a link away, as in properties; not named, it stays."""
    if key not in given:
        return None
    return read_id(key, given[key], found) or ""


def _name(given: object, found: list[Finding]) -> str | None:
    if isinstance(given, str) and "\0" not in given:
        return given if _is_clean(given) else clean_name(given) or ""
    if isinstance(given, int | float) and not isinstance(given, bool):
        return clean_name(str(given))
    found.append(refused("name", "not text"))
    return None


def _is_clean(name: str) -> bool:
    """Whether a name is already as `clean_name` leaves it, as far as that is seen at a glance."""
    return (
        name.isascii()
        and name.isprintable()
        and len(name) <= LONGEST_NAME
        and "  " not in name
        and name[:1] != " " != name[-1:]
    )


def _state(given: object, found: list[Finding]) -> str | None:
    said = parse_value(FieldType.BOOLEAN, given)
    if isinstance(said, Refusal):
        found.append(refused("closed", f"{said.what}; write true or false"))
        return None
    return None if said is None else "closed" if said else "open"


def _moment(
    key: str, given: Mapping[str, Any], customs: CaseCustoms, found: list[Finding]
) -> datetime | None:
    raw = given.get(key)
    if raw is None or raw == "":
        return None
    moment = parse_moment(raw, customs.zone) if isinstance(raw, str) else raw
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        hint = f"; {moment.hint}" if isinstance(moment, Refusal) else "; write 2026-03-01T09:30+03:00"
        found.append(refused(key, f"not a date and time{hint}"))
        return None
    if moment > customs.now and moment > customs.now + AHEAD:
        found.append(Finding(key, "more than a day ahead of our clock; taken as not said"))
        return None
    return moment


def _contacts(given: object, kind: CaseType, found: list[Finding]) -> dict[str, tuple[str, ...]]:
    read: dict[str, tuple[str, ...]] = {}
    if not isinstance(given, Mapping) or len(given) > MOST_ROLES:
        found.append(refused("contacts", f"not an object of at most {MOST_ROLES} roles and their contacts"))
        return read
    for role, raw in given.items():
        where = f"contacts.{str(role)[:100]}"
        if not is_key(role):
            found.append(refused(where, why_no_key(str(role)) or ""))
        elif role in kind.roles:
            found.append(refused(where, f"the property {role} says who that is; change that"))
        else:
            named = raw if isinstance(raw, list | tuple) else [] if raw is None else [raw]
            if len(named) > MOST_IN_A_ROLE:
                found.append(refused(where, f"more than {MOST_IN_A_ROLE} contacts in one role"))
            ids = (read_id(where, one, found) for one in named[:MOST_IN_A_ROLE])
            read[role] = tuple(dict.fromkeys(one for one in ids if one))
    return read
