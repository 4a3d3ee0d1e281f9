"""Where day 0 of a schedule is for one subject."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from clarion.domain.schedule.model import AtEnrollment, AtField, AtMoment, AtProperty, Schedule, Start, Until
from clarion.domain.schedule.subject import Subject
from clarion.domain.schedule.zones import Zone, seconds

YEARS = range(1900, 2200)


class Origin(NamedTuple):
    """Day 0, the start's own time of that day in seconds, and the exact moment where the start is one."""

    day: int
    second: int
    moment: int


def origin(schedule: Schedule, subject: Subject, zone: Zone) -> Origin | None:
    """Where it begins; None where nothing says so: an empty field, a word that is no date."""
    start = schedule.start
    moment = _moment(start, subject, zone)
    if moment is None:
        return None
    if start.days:
        day, second = zone.wall(moment)
        moment = _at(zone, day + start.days, second)
    moment += start.hours * 3600 + start.minutes * 60
    if schedule.rounding == "minute_up":
        moment += -moment % 60
    day, second = zone.wall(moment)
    rolled = roll(start, day)
    return Origin(day, second, moment) if rolled == day else on(zone, rolled, second)


def on(zone: Zone, day: int, second: int) -> Origin:
    """Day 0 on this day, at this second of it."""
    return Origin(day, second, _at(zone, day, second))


def roll(start: Start, day: int) -> int:
    """The first day on or after that the start may be on."""
    if start.weekday is not None:
        day += (start.weekday.number - (day - 1)) % 7
    if start.month_start:
        found = date.fromordinal(day)
        if found.day > 1:
            day = (found.replace(day=1) + timedelta(days=32)).replace(day=1).toordinal()
    return day


def end(until: Until | None, subject: Subject, zone: Zone) -> int | None:
    """The moment from which on nothing is sent; None: there is no end."""
    if until is None:
        return None
    if until.moment is not None:
        return _read(until.moment, zone)
    if until.field is not None:
        return _read(subject.fields.get(until.field), zone)
    return _read(subject.properties.get(until.property or ""), zone)


def _moment(start: Start, subject: Subject, zone: Zone) -> int | None:
    if isinstance(start, AtEnrollment):
        return seconds(subject.enrolled_at)
    if isinstance(start, AtMoment):
        return _read(start.moment, zone)
    values: Mapping[str, Any] = subject.fields if isinstance(start, AtField) else subject.properties
    assert isinstance(start, AtField | AtProperty)
    return _read(values.get(start.key), zone)


def _read(value: object, zone: Zone) -> int | None:
    """A date (its midnight), a local time, or an exact moment; None for what is neither."""
    if isinstance(value, str):
        value = _parsed(value.strip())
    if isinstance(value, date) and value.year not in YEARS:  # a slip of the finger
        return None
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            return seconds(value)
        return _at(zone, value.toordinal(), value.hour * 3600 + value.minute * 60 + value.second)
    if isinstance(value, date):
        return _at(zone, value.toordinal(), 0)
    return None


def readable(text: str) -> bool:
    """Whether this is a date or a moment."""
    return _parsed(text.strip()) is not None


def _parsed(text: str) -> date | datetime | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        return None


def _at(zone: Zone, day: int, second: int) -> int:
    """Day 0 is somewhere, also where a schedule leaves out what the clocks leave out."""
    return zone.moment(day, second, somewhere=True)[0]
