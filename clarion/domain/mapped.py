"""What another system posts, as documents of ours (`case_word`), by a mapping.

Where a path finds nothing, nothing is said, and what is known stays; null takes away. What cannot be taken is
told with its path; a record of which nobody could tell which case it is, or of which type, is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from clarion.domain.json_path import JsonPath, read_path
from clarion.domain.person import Finding
from clarion.domain.refusal import Refusal
from clarion.domain.source import Mapped, Scalar, Take
from clarion.errors import Invalid

MOST_RECORDS = 10_000
_NEEDED = ("type", "external_id")
_PLAIN = ("name", "owner", "modified_by", "parent", "host", "closed", "opened_at", "modified_at")
Severity = Literal["refused", "warning"]
_SECOND = {"seconds": 1, "milliseconds": 1_000}


@dataclass(slots=True)
class Record:
    """One record of a body. `document` is what it says of a case; None where it is refused. A finding's
    `field` is that of the mapping."""

    document: dict[str, Any] | None
    findings: list[Finding] = field(default_factory=list)


def records(mapping: Mapped, body: Any) -> list[Record]:
    """Each record of a posted body. Raises Invalid where it has none, or too many."""
    found = _found(mapping, body)
    if len(found) > MOST_RECORDS:
        what = f"{len(found):,} records at once; at most {MOST_RECORDS:,}"
        raise Invalid(what, where="body", hint="Send them in parts.")
    reader = _Reader(mapping)
    return [reader.read(one) for one in found]


def _found(mapping: Mapped, body: Any) -> list[Any]:
    if mapping.records is None:
        return body if isinstance(body, list) else [body]
    path = _path(mapping.records)
    found = path.find(body)
    if not found:
        if until := path.found_until(body):
            hint = f"{until[:1].upper()}{until[1:]}."
            raise Invalid(f"no records are found at {path.text}", where="mapping.records", hint=hint)
        return []
    return found[0] if len(found) == 1 and isinstance(found[0], list) and not path.several else found


def _path(text: str) -> JsonPath:
    path = read_path(text)
    assert not isinstance(path, Refusal), "it was read when the mapping was"
    return path


class _Reader:
    """Reads records by one mapping; each path is read once."""

    def __init__(self, mapping: Mapped) -> None:
        self._mapping = mapping
        self._paths: dict[str, JsonPath] = {}

    def read(self, record: Any) -> Record:
        found: list[Finding] = []
        if not isinstance(record, Mapping):
            return Record(None, [Finding("records", "this is no object", "refused")])
        document: dict[str, Any] = {}
        for key in (*_NEEDED, *_PLAIN):
            take = getattr(self._mapping, key)
            if take is not None:
                self._attribute(key, take, record, document, found)
        if self._mapping.properties:
            document["properties"] = self._properties(record, found)
        if self._mapping.contacts:
            document["contacts"] = self._contacts(record, found)
        if self._mapping.replace:
            document["replace"] = True
        wrong = any(one.severity == "refused" for one in found)
        return Record(None if wrong else document, found)

    def _attribute(
        self, key: str, take: Take, record: Any, document: dict[str, Any], found: list[Finding]
    ) -> None:
        values = self._values(key, take, record, found, "refused")
        value = next((one for one in values if one is not None), None)
        if key in _NEEDED and (value is None or not _text(value).strip()):
            if not any(one.field == key for one in found):
                found.append(Finding(key, f"nothing is found at {take.path}", "refused"))
        elif values:
            document[key] = value if key == "closed" or value is None else _text(value)

    def _properties(self, record: Any, found: list[Finding]) -> dict[str, Any]:
        said: dict[str, Any] = {}
        for key, take in self._mapping.properties.items():
            values = self._values(f"properties.{key}", take, record, found, "warning")
            there = [one for one in values if one is not None]
            if len(there) > 1:
                said[key] = ", ".join(map(_text, there))
            elif values:
                said[key] = there[0] if there else None
        return said

    def _contacts(self, record: Any, found: list[Finding]) -> dict[str, list[str]]:
        said: dict[str, list[str]] = {}
        for role, take in self._mapping.contacts.items():
            values = self._values(f"contacts.{role}", take, record, found, "warning")
            if values:
                said[role] = [_text(one) for one in values if one is not None]
        return said

    def _values(
        self, where: str, take: Take, record: Any, found: list[Finding], severity: Severity
    ) -> list[Scalar | None]:
        """What is taken from the record; what cannot be is found."""
        if take.path is None:
            return [take.value]
        path = self._paths.get(take.path)
        if path is None:
            path = self._paths[take.path] = _path(take.path)
        read = [self._value(take, one) for one in path.find(record)]
        wrong = dict.fromkeys(one for one in read if isinstance(one, _Wrong))
        found += [Finding(where, f"{take.path}: {why.what}", severity) for why in wrong]
        return [one for one in read if not isinstance(one, _Wrong)]

    def _value(self, take: Take, raw: Any) -> Scalar | _Wrong | None:
        if isinstance(raw, dict | list):
            return _Wrong(_which(raw))
        if isinstance(raw, float) and not math.isfinite(raw):
            return _Wrong("no number that can be kept")
        if isinstance(raw, str):
            raw = raw.replace("\0", "")  # which no database keeps
        if take.values is not None:
            return _translated(take.values, raw)
        return raw if take.unix is None or raw is None else _moment(raw, _SECOND[take.unix])


@dataclass(frozen=True, slots=True)
class _Wrong:
    what: str


def _which(raw: dict[str, Any] | list[Any]) -> str:
    if isinstance(raw, list):
        return "a list: say which of it is meant, as by [0] or [*]"
    some = ", ".join(str(name)[:40] for name in list(raw)[:10])
    return f"an object: say which of its members is meant ({some})"


def _translated(values: Mapping[str, Scalar | None], raw: Any) -> Scalar | _Wrong | None:
    told = "" if raw is None else _text(raw)
    if told in values:
        return values[told]
    if "*" in values:
        return values["*"]
    return _Wrong(f"`values` does not say what {told[:100]!r} means; name it there, or * for every other")


def _moment(raw: Any, per_second: int) -> str | _Wrong:
    try:
        seconds = float(raw) / per_second
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).isoformat()
    except (TypeError, ValueError, OverflowError):
        return _Wrong("no number of seconds or milliseconds since 1970")


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else _digits(value)


def _digits(number: float) -> str:
    return str(int(number)) if isinstance(number, float) and number.is_integer() else str(number)
