"""Criteria held against a case (`case_matches`), and the day on which the calendar alone may turn them
(`next_turn`). The reference of what the criteria of cases mean.

- A leaf is true or false, never unknown. A property that is missing (no value, blank text, a value that does
  not read as its kind) makes every comparison false, `not_equal` too; only `no_value` is true of it. A
  parent or host that is not there has nothing: all its properties are missing.
- Text is compared exactly. A property is read as its type declares it (see `case_reading`).
- A leaf that asks contacts (`field`, `in_group`) is true when it is of any of those meant, so false where
  nobody is. By `of`: the owner, the modifier, those of a role; else those whom the first address property
  that names anybody names. `in_group` of an owner that is itself a group is true of that group, and where
  nested of all above it.
- A case that is closed or deleted never matches, whatever the criteria.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import NamedTuple

from clarion.domain import pattern, point
from clarion.domain.case_reading import DATES, Reading, declared, read
from clarion.domain.case_view import CaseView
from clarion.domain.contact import Contact
from clarion.domain.criteria import All, AnyOf, Node, Not
from clarion.domain.field import FieldType, Value
from clarion.domain.leaf import ChangedTo, Comparison, Day, InGroup, Op, Property
from clarion.domain.matching import compares, matches, operands, present
from clarion.domain.point import Point
from clarion.domain.refusal import Refusal


def case_matches(
    criteria: Node, case: CaseView, known: Mapping[str, FieldType], *, now: datetime, zone: tzinfo
) -> bool:
    """Whether the criteria hold of this case at `now` (aware), in a workspace of this zone.

    `known` is what `matching.known_fields` gives, of contacts. Never raises for criteria that `check_case`
    would refuse: such a leaf is false.
    """
    return case.state == "open" and _Judge(case, known, now, zone).judge(criteria).true


def next_turn(
    criteria: Node, case: CaseView, known: Mapping[str, FieldType], *, now: datetime, zone: tzinfo
) -> date | None:
    """The first local day after the present one on which the criteria may become something else of this
    case though nobody changes anything; never too late. None where they cannot.

    Of a single comparison with days it is the very day.
    """
    if case.state != "open":
        return None
    return _Judge(case, known, now, zone).judge(criteria).turn


class Verdict(NamedTuple):
    """Whether something holds of a case, and the first day on which the calendar may turn that."""

    true: bool
    turn: date | None = None


@dataclass(frozen=True, slots=True)
class _Judge:
    case: CaseView
    known: Mapping[str, FieldType]
    now: datetime
    zone: tzinfo

    def judge(self, node: Node) -> Verdict:
        match node:
            case All():
                return all_hold(map(self.judge, node.all))
            case AnyOf():
                return any_holds(map(self.judge, node.any))
            case Not():
                return negated(self.judge(node.not_))
            case InGroup(of="owner") if self.case.owned_in(node.in_group, nested=node.deep):
                return Verdict(True)
            case Comparison() | InGroup():
                alone = node.model_copy(update={"of": None})
                return any_holds(self._of_contact(alone, one) for one in self.case.people(node.of))
            case Property():
                return self._of_case(node, self.case.case(node.of))
            case ChangedTo():
                one = self.case.case(node.of)
                has = one is not None and node.key in one.changed
                return self._of_case(node.now(), one) if has else Verdict(False)

    @property
    def _today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def _of_case(self, leaf: Property, one: CaseView | None) -> Verdict:
        if one is None:
            return Verdict(leaf.op is Op.NO_VALUE)
        reading = read(leaf, declared(leaf.key, one.type.kinds), self.zone)
        if isinstance(reading, Refusal):
            return Verdict(False)
        if reading.kind in DATES:
            return self._by_points(reading, one.point(leaf.key, self.zone))
        return Verdict(_compared(reading, _value(one, leaf.key, reading.kind)))

    def _by_points(self, reading: Reading, value: Point | None) -> Verdict:
        if reading.op is Op.NO_VALUE or value is None:
            return Verdict((value is None) is (reading.op is Op.NO_VALUE))
        if reading.op is Op.HAS_VALUE:
            return Verdict(True)
        if reading.kind is FieldType.DATE:
            value = value.as_day
        wanted = [self._lies(one) for one in reading.points]
        return Verdict(
            point.holds(reading.op, value, wanted),
            point.turn(reading.op, value, reading.points, self._today),
        )

    def _lies(self, one: int | Point) -> Point:
        return one if isinstance(one, Point) else point.of_day(self._today + timedelta(days=one))

    def _of_contact(self, leaf: Comparison | InGroup, one: Contact) -> Verdict:
        true = matches(leaf, one, self.known, now=self.now, zone=self.zone)
        return Verdict(true, self._contact_turn(leaf, one) if isinstance(leaf, Comparison) else None)

    def _contact_turn(self, leaf: Comparison, one: Contact) -> date | None:
        kind, value = self.known.get(leaf.field), present(one, leaf.field, self.known)
        if kind is None or value is None or kind not in DATES:
            return None
        wanted = counted(leaf, kind, self.now, self.zone)
        return point.turn(leaf.op, lies(value, self.zone), wanted, self._today) if wanted else None


def counted(leaf: Comparison, kind: FieldType, now: datetime, zone: tzinfo) -> tuple[int | Point, ...] | None:
    """What a contact's date or moment is compared with, days from the present one as they are counted; None
    where none is, or the comparison is refused."""
    values = operands(leaf, kind, now=now, zone=zone)
    if isinstance(values, Refusal) or not any(isinstance(given, Day) for given in leaf.values):
        return None
    return tuple(
        given.days_from_today if isinstance(given, Day) else lies(value, zone)
        for given, value in zip(leaf.values, values, strict=True)
    )


def lies(value: Value, zone: tzinfo) -> Point:
    """The point of a date or a moment."""
    if isinstance(value, datetime):
        return point.of_moment(value, zone)
    if isinstance(value, date):
        return point.of_day(value)
    raise TypeError("only dates and moments are points")


def _value(one: CaseView, key: str, kind: FieldType) -> Value | None:
    if kind is FieldType.NUMBER:
        return one.number(key)
    return one.boolean(key) if kind is FieldType.BOOLEAN else one.text(key)


def _compared(reading: Reading, value: Value | None) -> bool:
    if reading.op is Op.NO_VALUE or value is None:
        return (value is None) is (reading.op is Op.NO_VALUE)
    if reading.op is Op.MATCHES:
        return pattern.found(str(reading.values[0]), str(value))
    return compares(reading.op, value, reading.values)


def negated(one: Verdict) -> Verdict:
    """That it does not hold."""
    return Verdict(not one.true, one.turn)


def all_hold(several: Iterable[Verdict]) -> Verdict:
    """While all are true the first to turn turns it. Else all the false ones must have turned first."""
    verdicts = list(several)
    wrong = [one.turn for one in verdicts if not one.true]
    if not wrong:
        return Verdict(True, min((one.turn for one in verdicts if one.turn is not None), default=None))
    days = [day for day in wrong if day is not None]
    return Verdict(False, max(days) if len(days) == len(wrong) else None)


def any_holds(several: Iterable[Verdict]) -> Verdict:
    """That at least one holds."""
    return negated(all_hold(map(negated, several)))
