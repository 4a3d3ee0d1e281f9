"""How a comparison of a case's property is read: as text, by number, by yes and no, by day or by moment.

By the kind that the case's type declares; where it declares none, by what it is compared with. Both the
reference (`case_matching`) and the SQL follow this reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo

from clarion.domain import pattern, point
from clarion.domain.case_view import ATTRIBUTES
from clarion.domain.field import FieldType, Value, parse_value
from clarion.domain.leaf import WITHOUT_VALUE, Day, Op, Property, Scalar
from clarion.domain.matching import OPS, ORDER
from clarion.domain.point import Point
from clarion.domain.refusal import Refusal

DATES = frozenset((FieldType.DATE, FieldType.DATETIME))
BLANK = Refusal("blank", "a blank value", "use no_value to ask for what is missing")


@dataclass(frozen=True, slots=True)
class Reading:
    """What is compared with what: `values` of text, numbers and booleans; `points` of dates (DATE: a moment
    counts as its day) and moments, where an int is a day counted from the present one."""

    kind: FieldType
    op: Op
    values: tuple[Value, ...] = ()
    points: tuple[int | Point, ...] = ()

    @property
    def turns(self) -> bool:
        """Whether what it says may change with the day."""
        return any(isinstance(one, int) for one in self.points)


def declared(key: str, kinds: Mapping[str, FieldType]) -> FieldType | None:
    """What an attribute is, or a property declared to be."""
    return ATTRIBUTES.get(key) or kinds.get(key)


def read(leaf: Property, kind: FieldType | None, zone: tzinfo) -> Reading | Refusal:
    """The reading of a comparison, `kind` being the declared one. Without an offset a moment is local time
    of `zone`.

    Refusals: `wrong_op`, `blank`, `not_a_day`, those of `parse_value` and of `pattern.refusal`.
    """
    if kind is None:
        kind = _by_values(leaf)
    if leaf.op not in _ops(kind):
        able = ", ".join(sorted(op.value for op in _ops(kind)))
        return Refusal("wrong_op", f"a {kind.value} cannot be compared by {leaf.op.value}", f"use {able}")
    if leaf.op is Op.MATCHES:
        return _pattern(leaf)
    return _points(leaf, kind, zone) if kind in DATES else _values(leaf, kind)


def _ops(kind: FieldType) -> frozenset[Op]:
    return OPS[kind] | {Op.MATCHES} if kind is FieldType.TEXT else OPS[kind]


def _by_values(leaf: Property) -> FieldType:
    """A kind for what nobody declared, by what it is compared with."""
    if leaf.op in WITHOUT_VALUE:
        return FieldType.TEXT
    given = leaf.values
    numbers = [isinstance(one, int | float) and not isinstance(one, bool) for one in given]
    if any(isinstance(one, Day) for one in given):
        return FieldType.DATE
    if all(isinstance(one, bool) for one in given):
        return FieldType.BOOLEAN
    if all(numbers) or (any(numbers) and leaf.op in ORDER):
        return FieldType.NUMBER
    return FieldType.DATE if leaf.op in ORDER else FieldType.TEXT


def _pattern(leaf: Property) -> Reading | Refusal:
    (given,) = leaf.values
    if not isinstance(given, str):
        return Refusal("not_text", "a pattern is text", 'write a regular expression, such as "^A[0-9]+$"')
    return pattern.refusal(given) or Reading(FieldType.TEXT, leaf.op, (given,))


def _values(leaf: Property, kind: FieldType) -> Reading | Refusal:
    found: list[Value] = []
    for given in leaf.values:
        if isinstance(given, Day):
            return Refusal("not_a_day", f"a {kind.value} cannot be compared with a day")
        value = parse_value(kind, given)
        if isinstance(value, Refusal):
            return value
        if value is None:
            return BLANK
        found.append(value)
    return Reading(kind, leaf.op, tuple(found))


def _points(leaf: Property, kind: FieldType, zone: tzinfo) -> Reading | Refusal:
    found: list[int | Point] = []
    for given in leaf.values:
        one = _point(given, zone)
        if isinstance(one, Refusal):
            return one
        found.append(one)
    if any(isinstance(one, Point) and one.at is not None for one in found):
        kind = FieldType.DATETIME  # whoever writes a time of day asks for it
    return Reading(kind, leaf.op, points=tuple(found))


def _point(given: Scalar, zone: tzinfo) -> int | Point | Refusal:
    if isinstance(given, Day):
        return given.days_from_today
    if not isinstance(given, str):
        return Refusal("not_a_date", "not a date", "write 2026-03-01")
    return point.written(given, zone) if given.strip() else BLANK
