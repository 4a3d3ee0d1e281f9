"""A page of a list, by cursor: newest first, or oldest first with `reverse=true`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import urlencode

from clarion.sandbox.rapidpro.complaints import Complaint

Query = dict[str, str]


class Row(NamedTuple):
    """One row with its place in the list: a moment (or 0), then a number of its own; and how it is shown."""

    at: int
    serial: int
    shown: Callable[[], dict[str, Any]]


def page(rows: Iterable[Row], query: Query, address: str, size: int) -> dict[str, Any]:
    """The answer to a question for a list at `address`. Raises Complaint for a cursor that is none.

    A cursor is a place between two rows, so what is written meanwhile moves nobody from page to page.
    """
    backwards = query.get("reverse", "").lower() not in ("true", "1")
    found = sorted(rows, key=lambda row: row[:2], reverse=backwards)
    if "cursor" in query:
        place = _place(query["cursor"])
        found = [row for row in found if (row[:2] < place if backwards else row[:2] > place)]
    more = None
    if len(found) > size:
        last = found[size - 1]
        more = f"{address}?{urlencode({**query, 'cursor': _cursor(last.at, last.serial)})}"
    return {"next": more, "previous": None, "results": [row.shown() for row in found[:size]]}


def _cursor(at: int, serial: int) -> str:
    return base64.urlsafe_b64encode(f"{at}.{serial}".encode()).decode()


def _place(cursor: str) -> tuple[int, int]:
    try:
        at, serial = base64.urlsafe_b64decode(cursor).decode().split(".")
        return int(at), int(serial)
    except (ValueError, binascii.Error) as error:
        raise Complaint(404, {"detail": "Invalid cursor"}) from error
