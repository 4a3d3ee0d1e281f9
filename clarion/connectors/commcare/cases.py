"""One case of CommCare's as a document of ours.

Two documents tell of a case, and what they tell of the same save comes to the same here:

- the **forwarded** one, that CommCare posts at each save: "Forward Cases" with the payload format JSON, in
  its public documentation on data forwarding. Type, name and owner are among the `properties`.
- the **listed** one, of the Case Data API v2 ("single case serialization format" in its documentation). It
  does not tell who saved.

Moments there are UTC, also where they do not say so. When a case was modified is the server's word, not the
phone's: a phone whose clock is wrong must not make a new save look older than what is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from clarion.connectors.commcare.properties import SOURCE, properties
from clarion.errors import Invalid, Problem

LONGEST_ID = 255
CHILD, EXTENSION = "child", "extension"
_JSON = "In CommCare, choose JSON as the payload format of this forwarding."
_FORWARD_CASES = "Forward cases to this address, and forms to another or to none."
_NOBODY = ("", "-")  # how CommCare spells that nobody owns a case
Row = Mapping[str, Any]


class NoCase(Invalid):
    """What came is no case. It says what it seems to be, and what to do."""


@dataclass(frozen=True, slots=True)
class Told:
    """One case. `document` is ours:

    {"type", "external_id" (CommCare's case_id), "name", "closed", "owner" and "modified_by" (the id of a
    worker, an owner's also of a group or place; or None), "modified_at" and "opened_at"
    ("2026-03-01T06:30:00.000000Z"), "parent" and "host" (a case's external id, or None), "properties"
    {key: text, number or boolean}, "replace": True}.

    "modified_by" is there only where it is told, "opened_at" only where it can be read. `problems` are what
    was left out, each with its place there.
    """

    document: dict[str, Any]
    problems: tuple[Problem, ...] = ()


def read_forwarded(body: bytes) -> Told:
    """The body of one forwarded request. Raises NoCase."""
    if body.lstrip()[:1] == b"<":
        raise NoCase("this is XML", where="body", hint=_JSON)
    try:
        row = orjson.loads(body)
    except ValueError as error:
        raise NoCase(f"this is no JSON: {error}", where="body", hint=_JSON) from error
    return case_told(row)


def case_told(row: object) -> Told:
    """What one document tells, forwarded or listed. Raises NoCase."""
    if not isinstance(row, dict):
        hint = "CommCare forwards one case a request."
        raise NoCase("a case is one JSON object, and this is none", where="body", hint=hint)
    case_id, listed = _case_id(row), "case_type" in row
    given = _mapping(row, "properties")
    own = row if listed else given
    problems: list[Problem] = []
    parent, host = _links(_mapping(row, "indices"), problems)
    document = {
        "type": _type(own, "case_type" if listed else "properties.case_type"),
        "external_id": case_id,
        "name": _text(own.get("case_name")),
        "closed": _closed(row),
        "owner": _link(own.get("owner_id")),
        **({} if listed else {"modified_by": _link(row.get("user_id"))}),
        "modified_at": _modified_at(row, listed),
        **_opened_at(own, "date_opened" if listed else "properties.date_opened", problems),
        "parent": parent,
        "host": host,
        "properties": _properties(given, own.get("external_id"), problems),
        "replace": True,
    }
    return Told(document, tuple(problems))


# --- what must be there


def _case_id(row: Row) -> str:
    case_id = row.get("case_id")
    if isinstance(case_id, str) and 0 < len(case_id.strip()) <= LONGEST_ID:
        return case_id.strip()
    if "form" in row or "form_id" in row or "case_ids" in row:
        raise NoCase("this is a form, and no case", where="body", hint=_FORWARD_CASES)
    hint = "What CommCare sends to test a forwarding is no case: then nothing is to be done."
    raise NoCase("it has no case_id", where="case_id", hint=hint)


def _type(own: Row, where: str) -> str:
    kind = own.get("case_type")
    if not isinstance(kind, str) or not kind.strip():
        raise NoCase("it has no type", where=where, hint=f"{_FORWARD_CASES} Or list them by API v2.")
    return kind.strip()


def _closed(row: Row) -> bool:
    closed = row.get("closed")
    if not isinstance(closed, bool):
        raise NoCase("it does not say whether the case is closed", where="closed", hint="Say true or false.")
    return closed


def _modified_at(row: Row, listed: bool) -> str:
    where = "server_last_modified" if listed else "server_date_modified"
    try:
        return _spelled(_moment(row.get(where)))
    except ValueError:
        hint = "Without it nobody knows which of two saves is the newer one. It is a moment of ISO 8601."
        raise NoCase("it does not say when the server stored it", where=where, hint=hint) from None


def _mapping(row: Row, name: str) -> Row:
    found = row.get(name) or {}
    if not isinstance(found, dict):
        raise NoCase(f"its {name} are no JSON object", where=name, hint=_FORWARD_CASES)
    return found


# --- what may be there


def _text(given: Any) -> str:
    return given.replace("\0", "").strip() if isinstance(given, str) else ""


def _link(given: Any) -> str | None:
    text = _text(given)
    return None if text in _NOBODY else text


def _properties(given: Row, external_id: Any, problems: list[Problem]) -> dict[str, Any]:
    """With CommCare's own external id: ours is the case_id, by which cases name each other."""
    found: dict[str, Any] = dict(properties(given, problems))
    if text := _text(external_id):
        found[f"{SOURCE}_external_id"] = text
    return found


def _opened_at(own: Row, where: str, problems: list[Problem]) -> dict[str, str]:
    """By the phone's clock. One document tells it to the millisecond, the other to the microsecond."""
    told = own.get("date_opened")
    if not told:
        return {}
    try:
        at = _moment(told)
    except ValueError:
        problems.append(Problem(where, f"{str(told)[:100]!r} is no moment", "It is left out."))
        return {}
    return {"opened_at": _spelled(at.replace(microsecond=at.microsecond // 1000 * 1000))}


def _links(indices: Row, problems: list[Problem]) -> tuple[str | None, str | None]:
    """The case's parent and its host, by what an index is, whatever it is called."""
    found: dict[str, str] = {}
    for identifier in sorted(indices, key=lambda name: (name not in ("parent", "host"), name)):
        index = indices[identifier]
        to = _text(index.get("case_id")) if isinstance(index, dict) else ""
        if not to:
            continue  # an index that was taken away
        relationship = index.get("relationship") or CHILD
        if relationship in (CHILD, EXTENSION) and relationship not in found:
            found[relationship] = to
            continue
        what = f"a case has one parent and one host here, and this is another {str(relationship)[:50]}"
        problems.append(Problem(f"indices.{identifier[:100]}", what, "It is left out."))
    return found.get(CHILD), found.get(EXTENSION)


def _moment(told: Any) -> datetime:
    """UTC where it does not say. Raises ValueError."""
    if not isinstance(told, str):
        raise ValueError("no text")
    at = datetime.fromisoformat(told.strip())
    try:
        return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error


def _spelled(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%fZ}".rjust(27, "0")
