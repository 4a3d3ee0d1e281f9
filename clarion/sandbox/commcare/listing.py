"""`GET /a/<domain>/api/case/v2/`: which cases are asked for, and a page of them by cursor.

The oldest first, by when they were indexed and then by their id. A cursor holds the whole question with the
place of the last case. Two things are as CommCare's own source has them: a date without a time means the
whole day; and a question with `indexed_on.gte` hears its first page twice, because the cursor keeps the old
bound before the new one.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from clarion.sandbox.commcare.project import Case, Indexed
from clarion.sandbox.commcare.shapes import listed
from clarion.sandbox.rapidpro.workspace import moment, spelled

DEFAULT, MOST = 20, 5000
_AFTER, _LAST = "indexed_on.gte", "last_case_id"
_NO = ("", "false", "f", "no", "n", "0")
_DAY = timedelta(days=1) // timedelta(microseconds=1) - 1
Pairs = list[tuple[str, str]]

_PLAIN: dict[str, Callable[[Case], str]] = {
    "external_id": lambda case: case.external_id or "",
    "case_type": lambda case: case.case_type,
    "owner_id": lambda case: case.owner_id,
    "case_name": lambda case: case.name,
}
_MOMENTS: dict[str, Callable[[Indexed], int | None]] = {
    "last_modified": lambda one: one.case.modified_on,
    "server_last_modified": lambda one: one.case.server_modified_on,
    "indexed_on": lambda one: one.on,
    "date_opened": lambda one: one.case.opened_on,
    "date_closed": lambda one: one.case.closed_on,
}
_RANGES: dict[str, Callable[[int, int, int], bool]] = {
    "gt": lambda at, first, last: at > last,
    "gte": lambda at, first, last: at >= first,
    "lt": lambda at, first, last: at < first,
    "lte": lambda at, first, last: at <= last,
}


class BadQuestion(Exception):
    """What is wrong with it, in the API's words."""


def page(rows: Iterable[Indexed], pairs: Pairs, address: str, domain: str) -> dict[str, Any]:
    """The answer to a question at `address`. Raises BadQuestion, and ValueError for a broken cursor."""
    place: tuple[int, str] | None = None
    cursor = dict(pairs).get("cursor")
    if cursor is not None:
        pairs, place = _read(cursor)
    limit = _limit(dict(pairs).get("limit", str(DEFAULT)))
    asked = _by_name(pairs)
    found = [one for one in rows if all(_fits(one, name, values) for name, values in asked.items())]
    found.sort(key=_place)
    if place is not None:
        found = [one for one in found if _place(one) > place]
    told = found[:limit]
    answer = {"matching_records": len(found), "cases": [listed(one, domain) for one in told]}
    if told and len(found) > len(told):
        answer["next"] = f"{address}?{urlencode({'cursor': _cursor(pairs, told[-1])})}"
    return answer


def _place(one: Indexed) -> tuple[int, str]:
    return one.on, one.case.case_id


def _cursor(pairs: Pairs, last: Indexed) -> str:
    more = [(_AFTER, spelled(last.on)), (_LAST, last.case.case_id)]
    return base64.b64encode(urlencode([*pairs, *more]).encode()).decode()


def _read(cursor: str) -> tuple[Pairs, tuple[int, str]]:
    pairs = parse_qsl(base64.b64decode(cursor, validate=True).decode(), keep_blank_values=True)
    after = next((value for name, value in pairs if name == _AFTER), "")
    last = next((value for name, value in pairs if name == _LAST), "")
    return [one for one in pairs if one[0] not in (_AFTER, _LAST)], (moment(after), last)


def _limit(given: str) -> int:
    try:
        limit = int(given)
    except ValueError:
        raise BadQuestion(f"'{given}' is not a valid value for 'limit'") from None
    if limit > MOST:
        raise BadQuestion(f"You cannot request more than {MOST} cases per request.")
    return limit


def _by_name(pairs: Pairs) -> dict[str, list[str]]:
    """The values of each name, of which one must fit."""
    asked: dict[str, list[str]] = {}
    for name, value in pairs:
        if name != "limit":
            asked.setdefault(name, []).append(value)
            _check(name, value)
    return asked


def _check(name: str, value: str) -> None:
    prefix, dot, rest = name.partition(".")
    if name in (*_PLAIN, "closed", "include_deprecated") or (dot and prefix in ("properties", "indices")):
        return
    if not dot or prefix not in _MOMENTS:
        raise BadQuestion(f"'{name}' is not a valid parameter.")
    if rest not in _RANGES:
        raise BadQuestion(f"'{rest}' is not a valid type of date range.")
    _bounds(value)


def _fits(one: Indexed, name: str, values: list[str]) -> bool:
    return any(_fit(one, name, value) for value in values)


def _fit(one: Indexed, name: str, value: str) -> bool:
    case, (prefix, _, rest) = one.case, name.partition(".")
    if name in _PLAIN:
        return _PLAIN[name](case) == value
    if name == "closed":
        return (case.closed_on is not None) is (value.lower() not in _NO)
    if prefix == "properties":
        return case.properties.get(rest, "") == value
    if prefix == "indices":
        return rest in case.indices and case.indices[rest].case_id == value
    if prefix in _MOMENTS:
        at = _MOMENTS[prefix](one)
        return at is not None and _RANGES[rest](at, *_bounds(value))
    return True


def _bounds(value: str) -> tuple[int, int]:
    """The first and the last moment that are meant."""
    try:
        if len(value) == 10:
            first = moment(datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC).isoformat())
            return first, first + _DAY
        return moment(value), moment(value)
    except ValueError:
        raise BadQuestion(f"Cannot parse datetime '{value}'") from None
