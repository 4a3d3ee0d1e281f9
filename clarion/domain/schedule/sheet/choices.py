"""How a table is to be read, as whoever gives it says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from clarion.domain.dates import parse_date
from clarion.domain.field import FieldType
from clarion.domain.refusal import Refusal
from clarion.domain.schedule import starts
from clarion.domain.schedule.clocktime import Weekday
from clarion.domain.schedule.model import Time
from clarion.domain.schedule.sheet.document import Document
from clarion.domain.schedule.sheet.times import read_time
from clarion.errors import Problem

_WHOSE = re.compile(r"(field|property):\s*(\S.{0,63})")
_START = "Write enrollment, field:registration_date, property:next_visit, or a date such as 2026-03-01."


@dataclass(frozen=True, slots=True)
class Choices:
    """How a table is to be read. `start`, `time`: as `clarion schedule import` takes them; None: as `before`
    has it, else the enrollment (of a table of dates, the first), and no default. `track`: only this one.
    `week`: on which day its weeks begin. `fields`: those that texts may read, None: any. `before`: what an
    earlier import made."""

    start: str | None = None
    time: str | None = None
    track: str | None = None
    week: Weekday = Weekday.MON
    fields: Mapping[str, FieldType] | None = None
    before: Document | None = None


def start_of(choices: Choices, problems: list[Problem]) -> dict[str, Any] | None:
    """What was said of the start, as in a schedule; None where it says nothing."""
    text = None if choices.start is None else choices.start.strip()
    if not text or text.casefold() in ("enrollment", "enrolment"):
        return {"from": "enrollment"} if text else None
    if whose := _WHOSE.fullmatch(text):
        return {"from": whose[1], "key": whose[2]}
    day = parse_date(text)
    if isinstance(day, date):
        return {"from": "moment", "moment": day.isoformat()}
    if starts.readable(text):
        return {"from": "moment", "moment": text}
    problems.append(Problem("start", "not a start", _START))
    return None


def default_of(choices: Choices, problems: list[Problem]) -> Time | None:
    """The time of rows that say none."""
    if choices.time is None:
        return choices.before.schedule.time if choices.before else None
    time = read_time(choices.time)
    if isinstance(time, Refusal):
        problems.append(time.at("time"))
        return None
    return time


def beyond(before: Document | None) -> Iterable[Problem]:
    """What a table cannot say would be lost."""
    if before is None:
        return
    hint = "Take this out of it, or do not update it from a table."
    if before.schedule.random_days is not None:
        yield Problem("update", "it has random days, which no table can say", hint)
    for step in before.schedule.steps:
        if step.weekday or step.month_day or step.hours or step.minutes:
            what = f"its step {step.number} is at a time that no table can say"
            yield Problem("update", what, hint)
