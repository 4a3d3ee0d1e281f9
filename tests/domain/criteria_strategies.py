"""Contacts and criteria as hypothesis draws them, for every test that compares two readings of criteria.

The values are few, so that comparisons often hold: an equality that is never true proves nothing.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from clarion.domain.contact import Contact
from clarion.domain.field import FieldType, Value
from clarion.domain.matching import OPS, known_fields

FIELDS = {
    "department": FieldType.TEXT,
    "age": FieldType.NUMBER,
    "start_date": FieldType.DATE,
    "appointment": FieldType.DATETIME,
    "active": FieldType.BOOLEAN,
}
KNOWN = known_fields(FIELDS)
NOW = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)
GROUPS = ("finance", "managers", "night")

_TEXTS = st.sampled_from(["Finance", "finance", "Fin", "%", "_", "\\", "a'b", "Amélie", "አበበ", "0"])
_NUMBERS = st.sampled_from([Decimal(n) for n in ("-1", "0", "1.5", "34", "999999999999999")])
_DATES = st.integers(-2, 2).map(lambda n: date(2026, 3, 1) + timedelta(days=n))
_MOMENTS = st.integers(-3, 3).map(lambda n: NOW + timedelta(hours=n * 12, microseconds=n))
_VALUES: dict[FieldType, st.SearchStrategy[Value]] = {
    FieldType.TEXT: _TEXTS,
    FieldType.NUMBER: _NUMBERS,
    FieldType.DATE: _DATES,
    FieldType.DATETIME: _MOMENTS,
    FieldType.BOOLEAN: st.booleans(),
}
_NAMES = st.sampled_from(["Amina Wanjiru", "AMINA  wanjiru", "Amélie N'Guessan", "አበበ", "O’Brien", "amina"])
_CODES = {
    "language": st.sampled_from(["en", "sw", "pt-BR"]),
    "country": st.sampled_from(["KE", "BR"]),
    "timezone": st.sampled_from(["Africa/Nairobi", "UTC"]),
    "external_id": st.sampled_from(["E-1", "e-1", "007"]),
    "name": _NAMES,
}


@st.composite
def contacts(draw: st.DrawFn) -> Contact:
    """A contact who has some of the attributes, fields and groups."""
    fields = {key: draw(_VALUES[kind]) for key, kind in FIELDS.items() if draw(st.booleans())}
    attributes: dict[str, Any] = {key: draw(st.none() | values) for key, values in _CODES.items()}
    groups = draw(st.frozensets(st.sampled_from(GROUPS)))
    return Contact(**attributes, fields=fields, groups=groups)


@st.composite
def comparisons(draw: st.DrawFn) -> dict[str, Any]:
    """A comparison that `check` finds nothing wrong with, as JSON."""
    key = draw(st.sampled_from(sorted(KNOWN)))
    kind = KNOWN[key]
    op = draw(st.sampled_from(sorted(OPS[kind])))
    leaf: dict[str, Any] = {"field": key, "op": op.value}
    if op in ("has_value", "no_value"):
        return leaf
    value = _CODES[key] if key in _CODES else _VALUES[kind].map(_json)
    if kind in (FieldType.DATE, FieldType.DATETIME):
        value = value | st.integers(-2, 2).map(lambda n: {"days_from_today": n})
    if op == "in":
        return leaf | {"value": draw(st.lists(value, min_size=1, max_size=3))}
    if op == "between":
        ends = st.sampled_from([("0", "34"), ("-1", "1.5")])
        if kind is FieldType.DATE:
            ends = st.sampled_from([("2026-02-28", "2026-03-02"), ("2026-03-01", "2026-03-01")])
        elif kind is FieldType.DATETIME:
            ends = st.sampled_from([("2026-03-01", "2026-03-02T10:30Z"), ("2026-02-01", "2026-03-01T22:30Z")])
        return leaf | {"value": list(draw(ends))}
    return leaf | {"value": draw(value)}


def _json(value: Value) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def criteria() -> st.SearchStrategy[dict[str, Any]]:
    """Any tree that `check` finds nothing wrong with, as JSON."""
    leaves = comparisons() | st.sampled_from(GROUPS).map(lambda group: {"in_group": group})
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map(lambda child: {"not": child}),
            st.lists(inner, min_size=1, max_size=3).map(lambda some: {"all": some}),
            st.lists(inner, min_size=1, max_size=3).map(lambda some: {"any": some}),
        ),
        max_leaves=8,
    )
