"""Typed fields of a contact: what a workspace declares ("start_date" is a date) and how values are read.

A value is `str`, `Decimal`, `date`, `datetime` (aware, UTC) or `bool`; a missing one is None, and blank
text is missing. `parse_value` reads what people and programs write, `stored` gives the one JSON form in
which a value is kept, and `restored` reads that back.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from enum import StrEnum

from clarion.domain.dates import parse_date, parse_moment
from clarion.domain.refusal import Refusal


class FieldType(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    DATETIME = "datetime"
    BOOLEAN = "boolean"


Value = str | Decimal | date | datetime | bool
Stored = str | int | float | bool

LONGEST_TEXT = 4096
MOST_DIGITS = 15
"""A number of so many significant digits survives JSON, IEEE 754 and PostgreSQL's numeric unchanged."""

_RESERVED = """
name first_name last_name language country timezone external_id id key uuid group groups address addresses
phone number channel status state consent created_at modified_at last_inbound_at fields
blank empty true false nil null
"""
RESERVED = frozenset(_RESERVED.split())
"""Keys that no field may have: the contact's own attributes, present and likely, and Liquid's words."""

_KEY = re.compile(r"[^\W\d_]\w{0,62}")
_PLAIN = re.compile(r"[+-]?\d+(?:\.\d+)?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:(?:,\d{3}){2,}(?:\.\d+)?|,\d{3}\.\d+)")
_TOO_LONG = Refusal("number_too_long", f"more than {MOST_DIGITS} digits", "keep long codes as text")
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")
_TRUE = frozenset(("true", "yes", "y", "t", "1", "on"))
_FALSE = frozenset(("false", "no", "n", "f", "0", "off"))


@dataclass(frozen=True, slots=True)
class Field:
    """One declared field: its key in templates and criteria, the name that people see, its type."""

    key: str
    name: str
    type: FieldType


def field_key(name: str) -> str | Refusal:
    """The key of a field from its name: "Start Date" → "start_date". Letters of any script.

    Refusals: `bad_key` (no letter to begin with, or over 63 characters), `reserved_key`.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    key = re.sub(r"\W+", "_", folded).strip("_")
    if not _KEY.fullmatch(key):
        return Refusal("bad_key", "a field's name begins with a letter and has at most 63 letters and digits")
    if key in RESERVED:
        return Refusal("reserved_key", "this name belongs to the contact itself", "choose another name")
    return key


def parse_value(kind: FieldType, raw: object, zone: tzinfo = UTC) -> Value | Refusal | None:
    """`raw` as a value of this type; None when it is None or blank.

    `raw` is text (from a file or a form) or what JSON gives (str, int, float, bool), or a value already.
    A date and time without an offset is read in `zone`. Refusals: `not_text`, `not_a_number`,
    `ambiguous_number`, `number_too_long`, `not_a_date`, `ambiguous_date`, `not_a_moment`, `not_a_boolean`.
    """
    if raw is None:
        return None
    if isinstance(raw, str):
        raw = raw.strip()
        if not raw:
            return None
    return _READERS[kind](raw, zone)


def stored(value: Value) -> Stored:
    """The JSON form: numbers as JSON numbers, dates as "2026-03-01", moments as
    "2026-03-01T06:30:00.000000Z", of fixed width so that they sort as text."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    return value.isoformat()


def restored(kind: FieldType, kept: object) -> Value | None:
    """The value from its stored form; None when that is missing or of another type (the field's type was
    changed since): only the very form that `stored` gives is read, as the SQL of criteria does."""
    value = parse_value(kind, kept)
    if value is None or isinstance(value, Refusal) or isinstance(kept, bool) != isinstance(value, bool):
        return None
    return value if stored(value) == kept else None


def shown(value: Value | None) -> str:
    """A value as a template prints it: numbers without needless zeros, dates and moments in ISO form."""
    if value is None:
        return ""
    kept = stored(value)
    if isinstance(kept, bool):
        return "true" if kept else "false"
    return str(kept) if not isinstance(value, Decimal) else format(value.normalize(), "f")


def _text(raw: object, zone: tzinfo) -> str | Refusal:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int | float | Decimal):
        number = _number(raw, zone)
        return number if isinstance(number, Refusal) else shown(number)
    if isinstance(raw, date):
        return shown(raw)
    if not isinstance(raw, str):
        return Refusal("not_text", "not text")
    if len(raw) > LONGEST_TEXT:
        return Refusal("not_text", f"longer than {LONGEST_TEXT} characters")
    if _NOT_TEXT.search(raw):
        return Refusal("not_text", "holds a character that is not text (NUL or half of a pair)")
    return unicodedata.normalize("NFC", raw)


def _number(raw: object, zone: tzinfo) -> Decimal | Refusal:
    if isinstance(raw, int | float) and 10**MOST_DIGITS <= abs(raw) < math.inf:
        return _TOO_LONG
    text = str(raw).replace("−", "-") if isinstance(raw, str | int | float | Decimal) else ""
    if isinstance(raw, float) and math.isfinite(raw):
        text = format(Decimal(text), "f")  # JSON writes 0.00001 as 1e-05
    if isinstance(raw, bool) or not (_PLAIN.fullmatch(text) or _GROUPED.fullmatch(text)):
        if isinstance(raw, str) and re.fullmatch(r"[+-]?\d+[.,]\d+|[+-]?[\d.,\s]+", text) and "," in text:
            return Refusal(
                "ambiguous_number",
                "a comma that may mean thousands or decimals",
                "write 1234.5, without commas",
            )
        return Refusal("not_a_number", "not a number", "write digits, such as 1234.5")
    value = Decimal(text.replace(",", ""))
    if len(value.normalize().as_tuple().digits) > MOST_DIGITS or abs(value) >= Decimal(10) ** MOST_DIGITS:
        return _TOO_LONG
    return value + 0  # a plain zero for "-0"


def _date(raw: object, zone: tzinfo) -> date | Refusal:
    if isinstance(raw, datetime):
        return raw.astimezone(zone).date() if raw.tzinfo else raw.date()
    if isinstance(raw, date):
        return raw
    if isinstance(raw, str):
        return parse_date(raw)
    return Refusal("not_a_date", "not a date", "write 2026-03-01")


def _moment(raw: object, zone: tzinfo) -> datetime | Refusal:
    if isinstance(raw, date) and not isinstance(raw, datetime):
        raw = datetime.combine(raw, time())
    if isinstance(raw, datetime):
        raw = raw.isoformat()
    if isinstance(raw, str):
        return parse_moment(raw, zone)
    return Refusal("not_a_moment", "not a date and time", "write 2026-03-01T09:30+03:00")


def _boolean(raw: object, zone: tzinfo) -> bool | Refusal:
    if isinstance(raw, bool):
        return raw
    word = str(raw).casefold() if isinstance(raw, str | int) else ""
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    return Refusal("not_a_boolean", "neither yes nor no", "write yes or no")


_READERS: dict[FieldType, Callable[[object, tzinfo], Value | Refusal]] = {
    FieldType.TEXT: _text,
    FieldType.NUMBER: _number,
    FieldType.DATE: _date,
    FieldType.DATETIME: _moment,
    FieldType.BOOLEAN: _boolean,
}
