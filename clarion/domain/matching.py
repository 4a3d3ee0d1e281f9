"""Criteria held against the fields of a workspace (`check`) and against a contact (`matches`).

`matches` is the reference of what criteria mean; `operands` is what both it and the SQL compile from.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal

from clarion.domain.contact import ATTRIBUTES, Contact, fold_name
from clarion.domain.country import parse_country
from clarion.domain.criteria import DEEPEST, MOST_NODES, All, AnyOf, Node, Not
from clarion.domain.field import FieldType, Value, parse_value
from clarion.domain.language import parse_language
from clarion.domain.leaf import WITHOUT_VALUE, ChangedTo, Comparison, Day, InGroup, Op, Property, Scalar
from clarion.domain.refusal import Refusal
from clarion.domain.timezone import parse_timezone
from clarion.errors import Problem

_SAME = frozenset((Op.EQUAL, Op.NOT_EQUAL))
ORDER = frozenset((Op.GT, Op.GTE, Op.LT, Op.LTE, Op.BETWEEN))
OPS: Mapping[FieldType, frozenset[Op]] = {
    FieldType.TEXT: WITHOUT_VALUE | _SAME | {Op.IN, Op.CONTAINS, Op.STARTS_WITH},
    FieldType.NUMBER: WITHOUT_VALUE | _SAME | ORDER | {Op.IN},
    FieldType.DATE: WITHOUT_VALUE | _SAME | ORDER | {Op.IN},
    FieldType.DATETIME: WITHOUT_VALUE | _SAME | ORDER | {Op.IN},
    FieldType.BOOLEAN: WITHOUT_VALUE | _SAME,
}
"""Which comparisons each type of field knows."""

_CODES: Mapping[str, Callable[[str], str | Refusal]] = {
    "language": parse_language,
    "country": parse_country,
    "timezone": parse_timezone,
}


def known_fields(declared: Mapping[str, FieldType]) -> dict[str, FieldType]:
    """All that criteria may compare: the attributes of every contact and the declared fields."""
    return {**declared, **ATTRIBUTES}


def check(
    criteria: Node,
    known: Mapping[str, FieldType],
    *,
    groups: Collection[str] | None = None,
    zone: tzinfo = UTC,
) -> list[Problem]:
    """Everything in the criteria that could not hold of anybody, by JSON path; empty when all is right.

    `known` is what `known_fields` gives, `groups` the ids that `in_group` may name (None: not checked),
    `zone` the workspace's.
    """
    if large := too_large(criteria):
        return [large]
    return [
        problem
        for where, node, _ in walk(criteria)
        for problem in _check_leaf(node, where, known, groups, zone)
    ]


def too_large(criteria: Node) -> Problem | None:
    """What is wrong with criteria of too many conditions, or too deep ones."""
    nodes = list(walk(criteria))
    if len(nodes) <= MOST_NODES and max(depth for _, _, depth in nodes) <= DEEPEST:
        return None
    return Problem("$", "the filter is too large", f"at most {MOST_NODES} conditions, {DEEPEST} deep")


def _check_leaf(
    node: Node, where: str, known: Mapping[str, FieldType], groups: Collection[str] | None, zone: tzinfo
) -> list[Problem]:
    if isinstance(node, Property | ChangedTo):
        return [Problem(f"{where}.property", _NO_CASE, "compare a field of the contact here")]
    if isinstance(node, Comparison | InGroup) and node.of is not None:
        return [
            Problem(f"{where}.of", "here it is always the contact's", "leave it out, or ask it of a case")
        ]
    if isinstance(node, Comparison):
        return _check_comparison(node, where, known, zone)
    if isinstance(node, InGroup) and groups is not None and node.in_group not in groups:
        return [Problem(f"{where}.in_group", "no such group", nearest(node.in_group, groups))]
    return []


_NO_CASE = "a contact has no properties; a case has"


def walk(criteria: Node) -> Iterator[tuple[str, Node, int]]:
    """Every node with its JSON path and depth, parents first; the root is "$" and 0 deep."""
    waiting: list[tuple[str, Node, int]] = [("$", criteria, 0)]
    while waiting:
        where, node, depth = waiting.pop()
        yield where, node, depth
        inner: list[tuple[str, Node, int]] = []
        if isinstance(node, Not):
            inner = [(f"{where}.not", node.not_, depth + 1)]
        elif isinstance(node, All):
            inner = [(f"{where}.all[{n}]", child, depth + 1) for n, child in enumerate(node.all)]
        elif isinstance(node, AnyOf):
            inner = [(f"{where}.any[{n}]", child, depth + 1) for n, child in enumerate(node.any)]
        waiting += reversed(inner)


def matches(
    criteria: Node, contact: Contact, known: Mapping[str, FieldType], *, now: datetime, zone: tzinfo
) -> bool:
    """Whether the criteria hold of this contact at `now` (aware), in a workspace of this zone.

    `known` is what `known_fields` gives. Never raises for criteria that `check` would refuse: such a
    comparison is false.
    """
    match criteria:
        case All():
            return all(matches(child, contact, known, now=now, zone=zone) for child in criteria.all)
        case AnyOf():
            return any(matches(child, contact, known, now=now, zone=zone) for child in criteria.any)
        case Not():
            return not matches(criteria.not_, contact, known, now=now, zone=zone)
        case InGroup(of=None):
            return criteria.in_group in (contact.groups if criteria.deep else contact.own_groups)
        case Comparison(of=None):
            return _holds(criteria, present(contact, criteria.field, known), known, now, zone)
        case _:  # asked of a case
            return False


def operands(
    comparison: Comparison, kind: FieldType, *, now: datetime, zone: tzinfo
) -> tuple[Value, ...] | Refusal:
    """What a comparison compares with, as values of the field's type; for `name` folded.

    Dates are `date`, moments aware `datetime` in UTC. Refusals: `wrong_op`, `blank`, `not_a_day`, and
    those of `parse_value`.
    """
    if comparison.op not in OPS[kind]:
        able = ", ".join(sorted(op.value for op in OPS[kind]))
        return Refusal(
            "wrong_op", f"a {kind.value} cannot be compared by {comparison.op.value}", f"use {able}"
        )
    found: list[Value] = []
    for given in comparison.values:
        value = _operand(given, kind, now, zone)
        if isinstance(value, Refusal):
            return value
        if comparison.field == "name":
            value = fold_name(str(value))
        if value == "":
            return _BLANK
        found.append(value)
    return tuple(found)


_BLANK = Refusal("blank", "a blank value", "use no_value to ask for what is missing")


def _operand(given: Scalar, kind: FieldType, now: datetime, zone: tzinfo) -> Value | Refusal:
    if isinstance(given, Day):
        day = now.astimezone(zone).date() + timedelta(days=given.days_from_today)
        if kind is FieldType.DATE:
            return day
        if kind is FieldType.DATETIME:
            return datetime.combine(day, time(), zone).astimezone(UTC)
        return Refusal("not_a_day", f"a {kind.value} cannot be compared with a day")
    value = parse_value(kind, given, zone)
    return _BLANK if value is None else value


def present(contact: Contact, key: str, known: Mapping[str, FieldType]) -> Value | None:
    """The contact's value as it is compared; None where it is missing or not of the field's type."""
    kind = known.get(key)
    value = contact.value(key)
    if kind is None or value is None or not _is_a(value, kind):
        return None
    if key == "name":
        value = fold_name(str(value))
    return None if value == "" else value


def _holds(
    comparison: Comparison, value: Value | None, known: Mapping[str, FieldType], now: datetime, zone: tzinfo
) -> bool:
    if comparison.op is Op.NO_VALUE:
        return value is None
    if value is None:
        return False
    wanted = operands(comparison, known[comparison.field], now=now, zone=zone)
    return not isinstance(wanted, Refusal) and compares(comparison.op, value, wanted)


def compares(op: Op, value: Value, wanted: tuple[Value, ...]) -> bool:
    """Whether a value and operands of the same type compare so."""
    match op:
        case Op.HAS_VALUE:
            return True
        case Op.EQUAL | Op.IN:
            return value in wanted
        case Op.NOT_EQUAL:
            return value not in wanted
        case Op.CONTAINS:
            return str(wanted[0]) in str(value)
        case Op.STARTS_WITH:
            return str(value).startswith(str(wanted[0]))
        case Op.GT:
            return _less(wanted[0], value)
        case Op.GTE:
            return not _less(value, wanted[0])
        case Op.LT:
            return _less(value, wanted[0])
        case Op.LTE:
            return not _less(wanted[0], value)
        case _:  # between
            return not _less(value, wanted[0]) and not _less(wanted[1], value)


def _less(one: Value, other: Value) -> bool:
    """Whether one number, date or moment comes before another of the same type."""
    return _rank(one) < _rank(other)


def _rank(value: Value) -> Decimal:
    if isinstance(value, datetime):
        return Decimal((value - _ANY_DAY) // timedelta(microseconds=1))
    if isinstance(value, date):
        return Decimal(value.toordinal())
    if isinstance(value, Decimal):
        return value
    raise TypeError("text and booleans have no order here")


def _is_a(value: Value, kind: FieldType) -> bool:
    if isinstance(value, datetime):
        return kind is FieldType.DATETIME
    if isinstance(value, bool):
        return kind is FieldType.BOOLEAN
    if isinstance(value, str):
        return kind is FieldType.TEXT
    return kind is (FieldType.NUMBER if isinstance(value, Decimal) else FieldType.DATE)


def _check_comparison(
    node: Comparison, where: str, known: Mapping[str, FieldType], zone: tzinfo
) -> list[Problem]:
    kind = known.get(node.field)
    if kind is None:
        return [Problem(f"{where}.field", f"no field {node.field[:60]!r}", nearest(node.field, known))]
    wanted = operands(node, kind, now=_ANY_DAY, zone=zone)
    if isinstance(wanted, Refusal):
        return [wanted.at(f"{where}.op" if wanted.reason == "wrong_op" else f"{where}.value")]
    if node.op is Op.BETWEEN and _in_wrong_order(node, wanted):
        return [Problem(f"{where}.value", "the first value is beyond the second", "give the least first")]
    parse = _CODES.get(node.field)
    if parse is None or node.op not in _SAME | {Op.IN}:
        return []
    problems = []
    for value in wanted:
        code = parse(str(value))
        if isinstance(code, Refusal):
            problems.append(code.at(f"{where}.value"))
        elif code != value:
            problems.append(Problem(f"{where}.value", f"{value} is kept as {code}", f"write {code}"))
    return problems


_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)  # whether a value is of a type does not depend on the day


def _in_wrong_order(node: Comparison, wanted: tuple[Value, ...]) -> bool:
    """Whether nothing can lie between, whatever the day: a fixed end and a counted one are let be."""
    counted = {isinstance(value, Day) for value in node.values}
    return len(counted) == 1 and _less(wanted[1], wanted[0])


def nearest(word: str, known: Collection[str]) -> str:
    """What somebody may have meant, as a hint; empty where nothing is like it."""
    near = difflib.get_close_matches(word, known, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else ""
