"""Points: dates and moments on one line, as criteria of cases compare them, and the days on which a
comparison with a day counted from today turns.

The line is the workspace's local days. A date lies where its day begins; a moment lies in its day, or just
where that begins. So a moment is asked for its local day, and never a local time for its moment: it does
not matter whether a midnight was left out or came twice.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from clarion.domain.dates import parse_date, parse_moment
from clarion.domain.leaf import Op
from clarion.domain.refusal import Refusal

# A day that there is, of the years that `dates` reads: whatever has this shape can be cast. The same for
# Python's regular expressions and for PostgreSQL's.
DAY: Final = (
    "(18[5-9][0-9]|19[0-9]{2}|2[01][0-9]{2})-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])"
    "|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
    "|(18([68][048]|[579][26])|(19|21)(0[48]|[2468][048]|[13579][26])|20([02468][048]|[13579][26]))-02-29"
)
# Of a year's first and last local hours UTC may have another year.
MOMENT: Final = f"({DAY}|1849-12-31|2200-01-01)T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9][.][0-9]{{6}}Z"
_DAY, _MOMENT = re.compile(DAY), re.compile(MOMENT)
_INSTANT = timedelta(microseconds=1)
_ONE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Point:
    """A date or a moment. `floor` is the last local day that begins at it or before, `ceiling` the first
    that begins at it or after; `at` is the moment (aware), None of a date."""

    floor: date
    ceiling: date
    at: datetime | None = None

    @property
    def as_day(self) -> Point:
        """The day that it lies in."""
        return Point(self.floor, self.floor)


def of_day(day: date) -> Point:
    return Point(day, day)


def of_moment(moment: datetime, zone: tzinfo) -> Point:
    """Where a moment (aware) lies among the local days of a zone."""
    before = (moment - _INSTANT).astimezone(zone).date()
    return Point(moment.astimezone(zone).date(), before + _ONE, moment)


def kept(value: object, zone: tzinfo) -> Point | None:
    """The point of what a case keeps among its `dates`; None where it has another form."""
    if not isinstance(value, str):
        return None
    if _DAY.fullmatch(value):
        return of_day(date.fromisoformat(value))
    return of_moment(datetime.fromisoformat(value), zone) if _MOMENT.fullmatch(value) else None


def written(text: str, zone: tzinfo) -> Point | Refusal:
    """The point that somebody wrote: a date, else a moment, without an offset of local time.

    Refusals: those of `parse_date`.
    """
    day = parse_date(text)
    if not isinstance(day, Refusal):
        return of_day(day)
    moment = parse_moment(text, zone)
    return day if isinstance(moment, Refusal) else of_moment(moment, zone)


def at_least(value: Point, wanted: Point) -> bool:
    """Whether it lies there or after. A date and a moment are compared by where the date's day begins."""
    if value.at is not None and wanted.at is not None:
        return value.at >= wanted.at
    return value.floor >= wanted.ceiling


def at_most(value: Point, wanted: Point) -> bool:
    """Whether it lies there or before."""
    if value.at is not None and wanted.at is not None:
        return value.at <= wanted.at
    return value.ceiling <= wanted.floor


def holds(op: Op, value: Point, wanted: Sequence[Point]) -> bool:
    """Whether a point and what it is compared with compare so."""
    first = wanted[0]
    match op:
        case Op.GTE:
            return at_least(value, first)
        case Op.GT:
            return not at_most(value, first)
        case Op.LTE:
            return at_most(value, first)
        case Op.LT:
            return not at_least(value, first)
        case Op.BETWEEN:
            return at_least(value, first) and at_most(value, wanted[1])
        case _:  # equal, in, not_equal
            among = any(_same(value, one) for one in wanted)
            return among is not (op is Op.NOT_EQUAL)


def turn(op: Op, value: Point, wanted: Sequence[int | Point], today: date) -> date | None:
    """The first day after today on which this comparison turns; None where it never does.

    `wanted` are days counted from the present one (int), and points that stay where they are.
    """
    if op is Op.BETWEEN:
        found = _between(value, wanted[0], wanted[1])
    elif op in (Op.EQUAL, Op.NOT_EQUAL, Op.IN):
        found = _among(value, wanted)
    else:
        found = [_passed(op, value, n) for n in wanted if isinstance(n, int)]
    return min((day for day in found if day > today), default=None)


def edges(days: Collection[int]) -> list[int]:
    """Where "it is in so many days" turns for any of these: the least n of each run of days, less one, and
    the greatest, as the days that are left."""
    there = set(days)
    return sorted({n for n in there if n + 1 not in there} | {n - 1 for n in there if n - 1 not in there})


def _passed(op: Op, value: Point, n: int) -> date:
    """When the day that is n days ahead comes up to the value, or goes past it."""
    if op in (Op.GT, Op.LTE):
        return value.ceiling - timedelta(days=n)
    return value.floor - timedelta(days=n - 1)


def _among(value: Point, wanted: Sequence[int | Point]) -> list[date]:
    stays = any(isinstance(one, Point) and _same(value, one) for one in wanted)
    if stays or value.floor != value.ceiling:
        return []
    return [value.floor - timedelta(days=m) for m in edges([n for n in wanted if isinstance(n, int)])]


def _between(value: Point, low: int | Point, high: int | Point) -> list[date]:
    if isinstance(low, Point) and not at_least(value, low):
        return []
    if isinstance(high, Point) and not at_most(value, high):
        return []
    begins = None if isinstance(high, Point) else _passed(Op.LTE, value, high)
    ends = None if isinstance(low, Point) else _passed(Op.GTE, value, low)
    if begins is not None and ends is not None and begins >= ends:
        return []
    return [day for day in (begins, ends) if day is not None]


def _same(value: Point, wanted: Point) -> bool:
    return at_least(value, wanted) and at_most(value, wanted)
