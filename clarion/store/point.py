"""Points as SQL: what `domain.point` says of dates and moments, over a row `v`.

`v` is one value of a row: `v.f` and `v.c` the floor and the ceiling, both null where there is no value, and
`v.at` the moment, null of a date. A text is cast only where its shape says that it can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import LiteralString
from zoneinfo import ZoneInfo

from clarion.domain.leaf import Op
from clarion.domain.point import DAY, MOMENT, Point, edges
from clarion.store.criteria import Values


@dataclass(frozen=True, slots=True)
class Source:
    """Where a row has the value: an expression of type date, and one of type timestamptz; null where it
    has none of this kind."""

    day: LiteralString = "NULL::date"
    moment: LiteralString = "NULL::timestamptz"


class Line:
    """Writes conditions and turns for one statement, on the line of a zone's days seen from one of them."""

    def __init__(self, zone: ZoneInfo, today: date, values: Values) -> None:
        self.today, self._values = today, values
        self._zone: LiteralString = f"{values.add(str(zone))}::text"
        self._now: LiteralString = self._day(today)
        self._shape_of_day: LiteralString = f"{values.add(f'^({DAY})$')}::text"
        self._shape_of_moment: LiteralString = f"{values.add(f'^({MOMENT})$')}::text"

    def of_date(self, text: LiteralString) -> Source:
        """A text that may have the form of a date."""
        return Source(day=f"CASE WHEN {text} ~ {self._shape_of_day} THEN ({text})::date END")

    def of_moment(self, text: LiteralString) -> Source:
        """A text that may have the form of a moment."""
        shape = self._shape_of_moment
        return Source(moment=f"CASE WHEN {text} ~ {shape} THEN ({text})::timestamptz END")

    def of_text(self, text: LiteralString) -> Source:
        """A text that may have either form."""
        return Source(self.of_date(text).day, self.of_moment(text).moment)

    def ask(self, what: LiteralString, source: Source, *, by_day: bool) -> LiteralString:
        """What is asked of `v`, with the source's value there; `by_day`: a moment counts as its day."""
        floor: LiteralString = f"coalesce(x.day, (x.at AT TIME ZONE {self._zone})::date)"
        # a moment begins its day where the instant before it lies in another
        before: LiteralString = f"((x.at - interval '1 microsecond') AT TIME ZONE {self._zone})::date"
        ceiling = floor if by_day else f"coalesce(x.day, {before} + 1)"
        return f"""(SELECT {what} FROM (SELECT {floor} AS f, {ceiling} AS c, x.at
          FROM (SELECT {source.day} AS day, {source.moment} AS at OFFSET 0) x OFFSET 0) v)"""

    def holds(self, op: Op, wanted: Sequence[int | Point]) -> LiteralString:
        """Whether `v` compares so (`domain.point.holds`); null where it has no value."""
        match op:
            case Op.GTE:
                return self._at_least(wanted[0])
            case Op.GT:
                return f"NOT {self._at_most(wanted[0])}"
            case Op.LTE:
                return self._at_most(wanted[0])
            case Op.LT:
                return f"NOT {self._at_least(wanted[0])}"
            case Op.BETWEEN:
                return f"({self._at_least(wanted[0])} AND {self._at_most(wanted[1])})"
            case _:  # equal, in, not_equal
                among = self._among(wanted)
                return f"NOT {among}" if op is Op.NOT_EQUAL else among

    def turn(self, op: Op, wanted: Sequence[int | Point]) -> LiteralString:
        """The day on which that turns for `v` (`domain.point.turn`); null where it does not."""
        if op is Op.BETWEEN:
            return self._turn_between(wanted[0], wanted[1])
        if op in (Op.EQUAL, Op.NOT_EQUAL, Op.IN):
            return self._turn_among(wanted)
        day = wanted[0]
        return "NULL::date" if isinstance(day, Point) else self._to_come(self._passed(op, day))

    def _turn_among(self, wanted: Sequence[int | Point]) -> LiteralString:
        at = self._values.add(edges([one for one in wanted if isinstance(one, int)]))
        stays = self._among([one for one in wanted if isinstance(one, Point)])
        return f"""CASE WHEN v.f = v.c AND NOT {stays} THEN (SELECT min(v.f - b.m)
          FROM unnest({at}::int[]) AS b(m) WHERE v.f - b.m > {self._now}) END"""

    def _turn_between(self, low: int | Point, high: int | Point) -> LiteralString:
        begins = None if isinstance(high, Point) else self._passed(Op.LTE, high)
        ends = None if isinstance(low, Point) else self._passed(Op.GTE, low)
        still: list[LiteralString] = []
        if isinstance(low, Point):
            still.append(self._at_least(low))
        if isinstance(high, Point):
            still.append(self._at_most(high))
        if begins is not None and ends is not None:
            still.append(f"{begins} < {ends}")
        days = [self._to_come(day) for day in (begins, ends) if day is not None]
        return f"CASE WHEN {' AND '.join(still)} THEN least({', '.join(days or ['NULL::date'])}) END"

    def _passed(self, op: Op, n: int) -> LiteralString:
        if op in (Op.GT, Op.LTE):
            return f"(v.c - {self._values.add(n)}::int)"
        return f"(v.f - {self._values.add(n - 1)}::int)"

    def _to_come(self, day: LiteralString) -> LiteralString:
        return f"CASE WHEN {day} > {self._now} THEN {day} END"

    def _among(self, wanted: Sequence[int | Point]) -> LiteralString:
        same = [f"({self._at_least(one)} AND {self._at_most(one)})" for one in wanted]
        return f"({' OR '.join(same) or 'false'})"

    def _at_least(self, wanted: int | Point) -> LiteralString:
        return self._compared(wanted, "v.at >=", "v.f >=", ceiling=True)

    def _at_most(self, wanted: int | Point) -> LiteralString:
        return self._compared(wanted, "v.at <=", "v.c <=", ceiling=False)

    def _compared(
        self, wanted: int | Point, moment: LiteralString, day: LiteralString, *, ceiling: bool
    ) -> LiteralString:
        if isinstance(wanted, int):
            return f"({day} {self._day(self.today + timedelta(days=wanted))})"
        other = self._day(wanted.ceiling if ceiling else wanted.floor)
        if wanted.at is None:
            return f"({day} {other})"
        at = f"{self._values.add(wanted.at)}::timestamptz"
        return f"(CASE WHEN v.at IS NULL THEN {day} {other} ELSE {moment} {at} END)"

    def _day(self, day: date) -> LiteralString:
        return f"{self._values.add(day)}::date"
