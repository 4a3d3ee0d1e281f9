"""On which day a row of a table is, as people write it."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Literal, NamedTuple

from clarion.domain.dates import parse_date
from clarion.domain.refusal import Refusal
from clarion.domain.schedule.clocktime import Weekday
from clarion.domain.schedule.model import FARTHEST_DAYS

Kind = Literal["number", "weekday", "date"]
_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "weds")
_NUMBER = re.compile(r"(?:days?|d)?[\s:#.]*([+-]?)\s*(\d{1,9})(?:\.0+)?(?:\s*days?)?")
_AROUND = re.compile(r"(\d{1,6})\s*days?\s+(before|after)\b.*")
_WEEK = re.compile(r"(?:weeks?|wk|w)?[\s:#.]*(\d{1,6})(?:\.0+)?")
_BOTH = re.compile(r"((?:weeks?|wk|w)[\s:#.]*\d{1,6})(?:[\s,;:/-]*(?:on\s+)?([a-z].*)|[\s,;:/-]+(\d))?")

_HOW = "Write a number such as 0, 3 or -2, week 2 Monday, or a date such as 2026-03-01."
_NOT_A_DAY = Refusal("not_a_day", "not a day", _HOW)
_MISSING = Refusal("no_day", "it has no day", _HOW)
_TWICE = Refusal("two_days", "the day stands there twice", "Leave one of the two cells empty.")
_FAR = Refusal(
    "day_too_far", f"further away than {FARTHEST_DAYS:,} days",
    "If it was a date, format the cell as a date, or write 2026-03-01.",
)  # fmt: skip
_WEEK_DAY = Refusal(
    "not_in_a_week", "a day of a week is Monday to Sunday, or 1 to 7",
    "Where days are counted from the start, leave the column of weeks out.",
)  # fmt: skip
_WEEKLESS = Refusal(
    "no_week", "a day of the week, but of which week?", "Write week 2 Monday, or add a column week."
)
_OFFSET = Refusal(
    "offset", "a moment with an offset", "Write it without: times are local, wherever a person is."
)
_NO_WEEK = Refusal("not_a_week", "not a week", "Weeks are counted from 1.")


class Day(NamedTuple):
    """A day of a table. `value`: of a number, days after day 0; of a weekday, days after the first day of
    week 1, if weeks began on Monday; of a date, its ordinal. `time`: what the cell says of that, too."""

    kind: Kind
    value: int
    time: str = ""


def read_day(day: str, week: str = "", weekday: str = "") -> Day | Refusal:
    """A day from the cells of a row; "" for a cell that is blank or not there. A week without a day is its
    first. Refusals: `no_day`, `not_a_day`, `two_days`, `day_too_far`, `not_in_a_week`, `not_a_week`,
    `no_week`, and those of `parse_date`."""
    if day and weekday:
        return _TWICE
    text, weeks = _plain(day or weekday), _plain(week)
    if not weeks and (both := _BOTH.fullmatch(text)):
        weeks, text = both[1], both[2] or both[3] or ""
    found = _of_week(weeks, text) if weeks else _by_itself(text)
    if isinstance(found, Day) and found.kind != "date" and abs(found.value) > FARTHEST_DAYS:
        return _FAR
    return found


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("\u2212", "-").replace("\u2013", "-").split())


def _of_week(week: str, text: str) -> Day | Refusal:
    number = _WEEK.fullmatch(week)
    if number is None or int(number[1]) < 1:
        return _NO_WEEK
    first = 7 * (int(number[1]) - 1)
    if not text:
        return Day("number", first)
    weekday = read_weekday(text)
    if weekday is not None:
        return Day("weekday", first + weekday.number)
    nth = _number(text)
    return Day("number", first + nth - 1) if nth is not None and 1 <= nth <= 7 else _WEEK_DAY


def _by_itself(text: str) -> Day | Refusal:
    if not text:
        return _MISSING
    number = _number(text)
    if number is not None:
        return Day("number", number)
    if read_weekday(text) is not None:
        return _WEEKLESS
    found = parse_date(text)
    if isinstance(found, date):
        return Day("date", found.toordinal())
    return _with_time(text) or (_NOT_A_DAY if found.what == "not a date" else found)


def _with_time(text: str) -> Day | Refusal | None:
    """A date and a time in one cell, as a spreadsheet keeps them."""
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    if found.tzinfo is not None:
        return _OFFSET
    time = found.time()
    return Day("date", found.toordinal(), "" if time == time.min else time.isoformat())


def _number(text: str) -> int | None:
    if around := _AROUND.fullmatch(text):
        return int(around[1]) * (1 if around[2] == "after" else -1)
    found = _NUMBER.fullmatch(text)
    return None if found is None else int(found[1] + found[2])


def read_weekday(text: str) -> Weekday | None:
    """A day of the week by its English name, or three letters of it at least."""
    name = text.strip().casefold().rstrip(".")
    place = next((n for n, whole in enumerate(_NAMES) if len(name) > 2 and whole.startswith(name)), None)
    return None if place is None else tuple(Weekday)[2 if place == 7 else place]
