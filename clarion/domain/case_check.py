"""Criteria of a case held against the types that there are, when somebody writes them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo

from clarion.domain import point
from clarion.domain.case_reading import Reading, declared, read
from clarion.domain.case_view import ATTRIBUTES, TypeView
from clarion.domain.criteria import Node
from clarion.domain.field import FieldType
from clarion.domain.leaf import ChangedTo, Comparison, InGroup, Op, Property
from clarion.domain.matching import check, nearest, too_large, walk
from clarion.domain.point import Point
from clarion.domain.refusal import Refusal
from clarion.errors import Problem

STATES = ("open", "closed", "deleted")
_KEY = re.compile(r"[a-z][a-z0-9_.\-]{0,99}")


def check_case(
    criteria: Node,
    of: TypeView,
    known: Mapping[str, FieldType],
    *,
    others: Collection[TypeView] = (),
    groups: Collection[str] | None = None,
    zone: tzinfo = UTC,
) -> list[Problem]:
    """Everything in the criteria that could not hold of any case of this type, by JSON path; empty when all
    is right. Whether PostgreSQL can read the `patterns`, it must be asked itself.

    `others` are the types that a parent or host may have, `known` what `matching.known_fields` gives of
    contacts, `groups` the ids that `in_group` may name (None: not checked), `zone` the workspace's.
    """
    if large := too_large(criteria):
        return [large]
    desk = _Check(of, [*others, of], known, groups, zone)
    return [problem for where, node, _ in walk(criteria) for problem in desk.leaf(node, where)]


def patterns(criteria: Node) -> list[tuple[str, str]]:
    """The regular expressions in the criteria, each with its JSON path."""
    return [
        (f"{where}.value", str(node.value))
        for where, node, _ in walk(criteria)
        if isinstance(node, Property) and node.op is Op.MATCHES
    ]


@dataclass(frozen=True, slots=True)
class _Check:
    of: TypeView
    types: Collection[TypeView]
    known: Mapping[str, FieldType]
    groups: Collection[str] | None
    zone: tzinfo

    def leaf(self, node: Node, where: str) -> list[Problem]:
        if isinstance(node, Comparison | InGroup):
            return self._contact(node, where)
        if isinstance(node, Property):
            return self._property(node, where, f"{where}.value")
        if not isinstance(node, ChangedTo):
            return []
        if node.key in ATTRIBUTES:
            hint = "ask for what it is now: {property, op: equal, value}"
            return [Problem(f"{where}.property", f"changes of {node.key} are not kept for this", hint)]
        return self._property(node.now(), where, f"{where}.changed_to")

    def _contact(self, node: Comparison | InGroup, where: str) -> list[Problem]:
        if node.of in (None, "contact") and not self.of.addresses:
            hint = "say whose with of: owner, modified_by or role:<role>; or declare an address property"
            return [Problem(where, f"no property of {self.of.name} names a contact by an address", hint)]
        alone = node.model_copy(update={"of": None})
        wrong = check(alone, self.known, groups=self.groups, zone=self.zone)
        return [Problem(where + one.where.removeprefix("$"), one.what, one.hint) for one in wrong]

    def _property(self, node: Property, where: str, value: str) -> list[Problem]:
        if wrong := self._key(node):
            return [Problem(f"{where}.property", *wrong)]
        readings = [read(node, kind, self.zone) for kind in self._kinds(node)]
        good = [one for one in readings if not isinstance(one, Refusal)]
        if not good:
            why = next(one for one in readings if isinstance(one, Refusal))
            return [why.at(f"{where}.op" if why.reason == "wrong_op" else value)]
        if all(map(_in_wrong_order, good)):
            return [Problem(value, "the first value is beyond the second", "give the least first")]
        return _check_states(node, value)

    def _kinds(self, node: Property) -> list[FieldType | None]:
        """What it may be declared as: of a parent or host by whatever type."""
        types = [self.of] if node.of == "case" else self.types
        return list(dict.fromkeys(declared(node.key, one.kinds) for one in types))

    def _key(self, node: Property) -> tuple[str, str] | None:
        key, types = node.key, [self.of] if node.of == "case" else self.types
        there = {*ATTRIBUTES, *(one for type_ in types for one in type_.kinds)}
        if key in there:
            return None
        near = nearest(key, there)
        if not _KEY.fullmatch(key):
            rule = "a key is small letters, digits, _, - and ., and begins with a letter"
            return f"no property can be called {key[:60]!r}", near or rule
        if all(one.declared_only for one in types):
            return f"no property {key!r}", near or "declare it in the type first"
        return None


def _in_wrong_order(reading: Reading) -> bool:
    """Whether nothing can lie between, whatever the day: a fixed end and a counted one are let be."""
    if reading.op is not Op.BETWEEN:
        return False
    if reading.values:
        low, high = (str(one) for one in reading.values)
        return float(low) > float(high)
    first, last = reading.points
    if isinstance(first, int) and isinstance(last, int):
        return first > last
    return isinstance(first, Point) and isinstance(last, Point) and not point.at_most(first, last)


def _check_states(node: Property, value: str) -> list[Problem]:
    if node.key != "state" or node.op not in (Op.EQUAL, Op.NOT_EQUAL, Op.IN):
        return []
    wrong = [one for one in node.values if one not in STATES]
    return [Problem(value, f"no state {str(one)[:60]!r}", f"a case is {', '.join(STATES)}") for one in wrong]
