"""A sequence of ours as a campaign of RapidPro's, or everything that stands in the way.

A campaign knows one thing: so long after a date of the contact this is said, at a full hour or at the date's
own time. So a schedule can be there when its moments are the same for everybody, counted from that date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from clarion.connectors.rapidpro.people import key_there
from clarion.connectors.rapidpro.plan import KEY, Event, Wanted
from clarion.connectors.rapidpro.wording import Names, Words, words
from clarion.domain.field import Field, FieldType
from clarion.domain.schedule.clocktime import MINUTES, shown
from clarion.domain.schedule.model import (
    AtField,
    Chosen,
    ClockChanges,
    Every,
    Fixed,
    Repeat,
    Schedule,
    Start,
    Step,
    Time,
)
from clarion.domain.sequence import Sequence
from clarion.errors import Invalid, Problem

MOST_EVENTS = 1_000
CREATED = ("created_at", "created_on")
_DAYS = {"day": 1, "week": 7}
_HERE = "Push it with --slots: each person's moments go there. Or let Clarion send it, over this channel."


@dataclass(frozen=True, slots=True)
class _Moment:
    """When an event is: so many days, or minutes, from the date; at an hour, or −1."""

    offset: int
    unit: str
    hour: int


def translate(sequence: Sequence, names: Names) -> Wanted:
    """The campaign that says the same at the same moments. Raises Invalid with everything that RapidPro
    cannot do, each with its place and what to do instead."""
    schedule = sequence.schedule
    contents = {name: words(one, f"contents.{name}", names) for name, one in sequence.contents.items()}
    problems = [*sequence.problems(), *_refused(sequence, names.fields)]
    problems += [one for each in contents.values() for one in each.problems]
    if problems:
        raise Invalid(
            "RapidPro cannot have this sequence as a campaign", problems=tuple(dict.fromkeys(problems))
        )
    assert isinstance(schedule.start, AtField)
    start = _start_field(schedule.start, names.fields)
    said = {number: contents[name] for number, name in sequence.names().items()}
    mentioned = {key: one for each in contents.values() for key, one in each.mentioned.items()}
    return Wanted(
        names.campaign, names.group, tuple(_events(schedule, start, said)),
        () if start.key in CREATED else (start,),
        tuple(one for key, one in sorted(mentioned.items()) if key != start.key),
    )  # fmt: skip


def _events(schedule: Schedule, start: Field, said: Mapping[int, Words]) -> Iterator[Event]:
    for later in _iterations(schedule.repeat):
        for step in schedule.steps:
            at, what = _moment(schedule, step, later), said[step.number]
            yield Event(start.key, at.offset, at.unit, at.hour, what.message, what.flow)


def _iterations(repeat: Repeat | None) -> range:
    """How many days after the date each iteration begins."""
    if repeat is None:
        return range(1)
    assert isinstance(repeat, Every)
    assert isinstance(repeat.every, int)
    every = repeat.every * _DAYS[repeat.unit]
    return range(0, every * (repeat.count or 0), every)


def _moment(schedule: Schedule, step: Step, later: int) -> _Moment:
    start, time = schedule.start, step.time or schedule.time
    days = start.days + step.days + later
    on_top = step.hours * 60 + step.minutes
    if isinstance(time, Fixed):
        minutes = time.at + on_top
        return _Moment(days + minutes // MINUTES, "days", minutes % MINUTES // 60)
    minutes = start.hours * 60 + start.minutes + on_top
    if not minutes:
        return _Moment(days, "days", -1)
    minutes += days * MINUTES
    return _Moment(minutes, "minutes", -1) if minutes % 60 else _Moment(minutes // 60, "hours", -1)


def _start_field(start: AtField, fields: Mapping[str, Field]) -> Field:
    if start.key in CREATED:
        return Field(CREATED[1], "Created on", FieldType.DATETIME)
    one = fields[start.key]
    return Field(key_there(start.key), one.name, one.type)


# --- what cannot be there


def _refused(sequence: Sequence, fields: Mapping[str, Field]) -> Iterator[Problem]:
    schedule = sequence.schedule
    yield from _start(schedule.start, fields)
    yield from _around(schedule)
    for place, step in enumerate(schedule.steps):
        yield from _step(schedule, step, f"schedule.steps[{place}]")
    yield from _repeat(schedule)
    if sequence.reentry != "continue":
        what = "who comes back into a group of RapidPro goes on where the calendar is"
        yield Problem("reentry", what, 'Say "continue".')


def _start(start: Start, fields: Mapping[str, Field]) -> Iterator[Problem]:
    if not isinstance(start, AtField):
        hint = 'Say {"from": "field", "key": …} of a date; "created_at" is when RapidPro came to know them.'
        yield Problem("schedule.start", "RapidPro counts from a date of the contact", hint)
    elif start.key not in CREATED:
        yield from _date(start.key, fields.get(start.key))
    if start.weekday is not None:
        yield Problem("schedule.start.weekday", "RapidPro knows no weekdays", "Keep that day in a field.")
    if start.month_start:
        yield Problem("schedule.start.month_start", "RapidPro knows no months", "Keep that day in a field.")


def _date(key: str, one: Field | None) -> Iterator[Problem]:
    where = "schedule.start.key"
    if one is None:
        yield Problem(where, f"there is no field {key!r}", "Declare it, as a date or a date and time.")
    elif one.type not in (FieldType.DATE, FieldType.DATETIME):
        yield Problem(where, f"{key} is {one.type.value} here, and no date", "Count from a date.")
    elif not KEY.fullmatch(key_there(key)):
        yield Problem(
            where, "RapidPro's keys have small letters, digits and _, at most 36", "Use another field."
        )


def _around(schedule: Schedule) -> Iterator[Problem]:
    """What holds for the whole of it."""
    if schedule.past != "fast_forward":
        what = "RapidPro passes over what has passed"
        yield Problem("schedule.past", what, 'Say "fast_forward".')
    if schedule.random_days is not None:
        yield Problem("schedule.random_days", "RapidPro knows no random days", "Say steps with their days.")
    if schedule.until is not None:
        what = "a campaign of RapidPro's has no end but its last event"
        yield Problem("schedule.until", what, "Say a repeat with a count.")
    if schedule.hours is not None:
        what = "RapidPro sends at the moment of an event, whatever the hour"
        yield Problem("schedule.hours", what, "Say a time within these hours in each step, and no hours.")
    if schedule.holidays is not None:
        yield Problem("schedule.holidays", "RapidPro knows no holidays", "Leave them out.")
    if schedule.clock_changes != ClockChanges():
        what = "RapidPro decides itself what becomes of a time that the clocks leave out or repeat"
        yield Problem("schedule.clock_changes", what, "Leave it out.")


def _step(schedule: Schedule, step: Step, where: str) -> Iterator[Problem]:
    if step.weekday is not None:
        what = f"step {step.number}: RapidPro counts days, and knows no weekdays"
        yield Problem(f"{where}.weekday", what, 'Say "days".')
    if step.month_day is not None:
        what = f"step {step.number}: RapidPro counts days, and knows no months"
        yield Problem(f"{where}.month_day", what, 'Say "days".')
    time = step.time or schedule.time
    if isinstance(time, Fixed):
        yield from _fixed(schedule.start, step, time, where)
    elif time is not None:
        yield _personal(time, f"{where}.time" if step.time else "schedule.time")


def _fixed(start: Start, step: Step, time: Fixed, where: str) -> Iterator[Problem]:
    minutes = (time.at + step.hours * 60 + step.minutes) % MINUTES
    if minutes % 60:
        hour = minutes // 60 * 60
        what = f"step {step.number} is at {shown(minutes)}, and RapidPro knows full hours only"
        yield Problem(f"{where}.time", what, f"Say {shown(hour)} or {shown((hour + 60) % MINUTES)}.")
    if start.hours or start.minutes:
        what = "RapidPro counts either hours from the date, or days to a time of day"
        yield Problem("schedule.start", what, "Say days, or no time.")


def _personal(time: Time, where: str) -> Problem:
    if isinstance(time, Chosen):
        return Problem(where, "an event of RapidPro's has one hour for everybody, not a chosen one", _HERE)
    return Problem(where, "an event of RapidPro's has one hour for everybody, not a random one", _HERE)


def _repeat(schedule: Schedule) -> Iterator[Problem]:
    repeat, where = schedule.repeat, "schedule.repeat"
    if repeat is None:
        return
    if not isinstance(repeat, Every):
        what = "RapidPro knows no recurrence rules"
        yield Problem(f"{where}.rrule", what, 'Say {"every": …, "unit": "day", "count": …}.')
    elif not isinstance(repeat.every, int):
        yield Problem(f"{where}.every", "RapidPro knows no random days", "Say one number of days.")
    elif repeat.unit not in _DAYS:
        what = f"RapidPro counts days, and a {repeat.unit} has not always as many"
        yield Problem(f"{where}.unit", what, "Say day or week.")
    elif repeat.count is None:
        what = "for ever: RapidPro has an event of its own for each time"
        yield Problem(f"{where}.count", what, f"Say how often; there are at most {MOST_EVENTS:,} events.")
    elif repeat.count * len(schedule.steps) > MOST_EVENTS:
        what = f"{repeat.count * len(schedule.steps):,} events are more than the {MOST_EVENTS:,} at most"
        yield Problem(f"{where}.count", what, "Say fewer.")
