"""Dates and moments as people write them, with nothing guessed: 03/04/2026 is refused, not chosen."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

from clarion.domain.refusal import Refusal

_YEARS = range(1850, 2200)  # further off is a slip of the finger (0206, 20266)
_ISO_LIKE = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})")
_DAY_OR_MONTH_FIRST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})")
_DAY_NAME_YEAR = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[\s\-]+([a-z]{3,9})\.?,?[\s\-]+(\d{4})", re.IGNORECASE)
_NAME_DAY_YEAR = re.compile(r"([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})", re.IGNORECASE)
_MIDNIGHT = re.compile(r"(\S+)[T ]00:00(?::00(?:\.0+)?)?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAME = re.compile(
    "jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?"
    "|nov(ember)?|dec(ember)?",
    re.IGNORECASE,
)

_NOT_A_DATE = Refusal("not_a_date", "not a date", "write 2026-03-01")
_NOT_A_MOMENT = Refusal("not_a_moment", "not a date and time", "write 2026-03-01T09:30+03:00")
_AMBIGUOUS = Refusal(
    "ambiguous_date", "a date that may be day-month or month-day", "write the year first: 2026-03-01"
)


def parse_date(raw: str) -> date | Refusal:
    """A date from "2026-03-01", "2026/3/1", "1 March 2026", "Mar 1, 2026", "1.3.2026" (with points the day
    is first), and "25/03/2026" where one of the two cannot be a month.

    A time of midnight, which spreadsheets add, is let pass. Refusals: `not_a_date`, `ambiguous_date`.
    """
    text = raw.strip()
    if midnight := _MIDNIGHT.fullmatch(text):
        text = midnight[1]
    if found := _ISO_LIKE.fullmatch(text):
        return _checked(found[1], found[3], found[4])
    if found := _DAY_OR_MONTH_FIRST.fullmatch(text):
        return _without_order(int(found[1]), int(found[3]), found[4], by_points=found[2] == ".")
    if found := _DAY_NAME_YEAR.fullmatch(text):
        return _checked(found[3], _month(found[2]), found[1])
    if found := _NAME_DAY_YEAR.fullmatch(text):
        return _checked(found[3], _month(found[1]), found[2])
    return _NOT_A_DATE


def parse_moment(raw: str, zone: tzinfo) -> datetime | Refusal:
    """A moment in UTC from ISO 8601 text ("2026-03-01T09:30", "… 09:30:00Z", "…+03:00") or a bare date.

    Without an offset it is the local time of `zone`: of two equal local times (clocks set back) the
    first; a local time that was left out (clocks set forward) is read with the offset from before, as
    RFC 5545 has it. Refusals: `not_a_moment`, and those of `parse_date` for a bare date.
    """
    text = raw.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        day = parse_date(text)
        if isinstance(day, Refusal):
            return day if day.reason == "ambiguous_date" else _NOT_A_MOMENT
        moment = datetime(day.year, day.month, day.day)  # noqa: DTZ001
    if moment.year not in _YEARS:
        return _NOT_A_MOMENT
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    offset = moment.utcoffset()
    return _NOT_A_MOMENT if offset is None or abs(offset) > timedelta(hours=16) else moment.astimezone(UTC)


def _without_order(first: int, second: int, year: str, *, by_points: bool) -> date | Refusal:
    if by_points or first > 12 or first == second:
        return _checked(year, second, first)
    if second > 12:
        return _checked(year, first, second)
    return _AMBIGUOUS


def _checked(year: str, month: str | int, day: str | int) -> date | Refusal:
    try:
        found = date(int(year), int(month), int(day))
    except ValueError:
        return Refusal("not_a_date", "no such day in the calendar", "check the day and the month")
    if found.year not in _YEARS:
        return Refusal("not_a_date", f"a year outside {_YEARS[0]}–{_YEARS[-1]}", "check the year")
    return found


def _month(word: str) -> int:
    """1 to 12 for a month's English name or its usual abbreviation; 0 for another word."""
    return _MONTHS.index(word[:3].casefold()) + 1 if _MONTH_NAME.fullmatch(word) else 0
