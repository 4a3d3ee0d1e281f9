"""What a schedule says, in words that its author would use."""

from __future__ import annotations

from collections.abc import Sequence

from clarion.domain.schedule.clocktime import Weekday, shown
from clarion.domain.schedule.hours import Hours, Open
from clarion.domain.schedule.model import (
    AtEnrollment,
    AtField,
    AtMoment,
    Chosen,
    Every,
    Fixed,
    Holidays,
    RandomDays,
    Repeat,
    Rule,
    Schedule,
    Start,
    Step,
    Time,
    Until,
    Window,
)

_DAYS = {
    Weekday.MON: "Monday", Weekday.TUE: "Tuesday", Weekday.WED: "Wednesday", Weekday.THU: "Thursday",
    Weekday.FRI: "Friday", Weekday.SAT: "Saturday", Weekday.SUN: "Sunday",
}  # fmt: skip

_CODES = {day.value[:2].upper(): name for day, name in _DAYS.items()}  # as RFC 5545 has them

MOST_STEPS = 24


def describe(schedule: Schedule, *, announced: bool = False) -> str:
    """The whole schedule in some sentences; `announced`: of an announcement, which has one start for all."""
    said = [_start(schedule.start, announced=announced), *_rounds(schedule)]
    if schedule.time is not None:
        said.append(f"{'Each is' if schedule.steps else 'They are'} sent {_time(schedule.time)}.")
    if schedule.until is not None:
        said.append(_until(schedule.until))
    said.append(_clock(schedule.zone))
    if schedule.hours is not None:
        held = "waits" if schedule.hours.outside == "hold" else "is not sent"
        said.append(f"People are told {told_at(schedule.hours)}; what would come at another hour {held}.")
    if schedule.holidays is not None:
        said.append(_holidays(schedule.holidays))
    return " ".join(said)


def told_at(hours: Hours) -> str:
    """At which hours people are told, as part of a sentence."""
    parts = [_listed([_open(one) for one in hours.allowed])] if hours.allowed else []
    if hours.quiet:
        parts.append(f"not {_listed([_open(one) for one in hours.quiet], 'nor')}")
    return ", ".join(parts) or "at any time"


def _open(one: Open) -> str:
    days = "" if len(one.weekdays) == 7 else f" on {_listed([_DAYS[day] for day in one.weekdays])}"
    return f"from {shown(one.opens)} to {shown(one.closes)}{days}"


def _start(start: Start, *, announced: bool) -> str:
    if isinstance(start, AtEnrollment):
        begins = "when it is launched" if announced else "when somebody is enrolled"
    elif isinstance(start, AtMoment):
        begins = f"at {start.moment}" if "T" in start.moment or " " in start.moment else f"on {start.moment}"
    else:
        whose = "contact" if isinstance(start, AtField) else "case"
        begins = f"on the {whose}'s {start.key}"
    passing = [
        _count(abs(amount), word) + (" after" if amount > 0 else " before")
        for amount, word in ((start.days, "day"), (start.hours, "hour"), (start.minutes, "minute"))
        if amount
    ]
    if passing:
        where = begins.removeprefix("on ").removeprefix("at ")
        begins = f"{' and '.join(passing)} {where}"
    if start.weekday is not None:
        begins += f", on the first {_DAYS[start.weekday]} from then on"
    if start.month_start:
        begins += ", on the first of a month from then on"
    return f"It begins {begins}."


def _rounds(schedule: Schedule) -> list[str]:
    said = []
    often = _often(schedule.repeat)
    if schedule.steps:
        said.append(f"{often}: {_steps(schedule.steps)}.")
    if schedule.random_days is not None:
        said.append(f"{often}: {_random(schedule.random_days)}.")
    return said


def _often(repeat: Repeat | None) -> str:
    if repeat is None:
        return "Once"
    iterations = "for ever" if repeat.count is None else _count(repeat.count, "time")
    if isinstance(repeat, Rule):
        return f"{_ruled(repeat.rrule)}, {iterations}"
    assert isinstance(repeat, Every)
    if isinstance(repeat.every, tuple):
        return f"Every {repeat.every[0]} to {repeat.every[1]} days, at random, {iterations}"
    every = repeat.unit if repeat.every == 1 else f"{repeat.every} {repeat.unit}s"
    return f"Every {every}, {iterations}"


def _ruled(rrule: str) -> str:
    """The rules that most people write, in words; any other as it stands."""
    parts = dict(part.partition("=")[::2] for part in rrule.upper().split(";"))
    kind, days = parts.pop("FREQ", ""), parts.pop("BYDAY", "")
    named = [_CODES[day] for day in days.split(",") if day in _CODES]
    if (kind, days, parts) == ("DAILY", "", {}):
        return "Every day"
    if kind == "WEEKLY" and not parts and named and len(named) == len(days.split(",")):
        return f"Every {_listed(named)}"
    day = parts.pop("BYMONTHDAY", "")
    if kind == "MONTHLY" and not days and not parts and (day == "-1" or day.isdigit()):
        return "On the last day of every month" if day == "-1" else f"On day {day} of every month"
    return f"By the rule {rrule}"


def _steps(steps: Sequence[Step]) -> str:
    """Each of them; of more than anybody would read, the first and the last."""
    if len(steps) <= MOST_STEPS:
        return _listed([_step(step, alone=len(steps) == 1) for step in steps])
    first, last = (_step(step, alone=False) for step in (steps[0], steps[-1]))
    return f"{len(steps)} steps, from {first} to {last}"


def _step(step: Step, *, alone: bool) -> str:
    if step.month_day is not None:
        when = f"on the {_nth(step.month_day)} of the month"
    elif step.weekday is not None:
        when = f"on {_DAYS[step.weekday]}"
    elif step.days:
        when = f"{_count(abs(step.days), 'day')} {'later' if step.days > 0 else 'before'}"
    else:
        when = "on that day" if alone else "on the first day"
    if step.time is not None:
        when += f" {_time(step.time)}"
    passing = [
        f"{_count(abs(amount), word)} {'later' if amount > 0 else 'earlier'}"
        for amount, word in ((step.hours, "hour"), (step.minutes, "minute"))
        if amount
    ]
    if passing:
        when = f"{when}, {' and '.join(passing)}" if step.days or step.time else " and ".join(passing)
    return f"{_named(step.number, step.content)} {when}"


def _random(random: RandomDays) -> str:
    tracks = [
        f"{_count(len(track.numbers), 'time')} {track.content or 'step ' + _listed(map(str, track.numbers))}"
        for track in random.tracks
    ]
    said = f"{_listed(tracks)} on random days of {random.days}"
    if len(random.weekdays) < 7:
        said += f", on {_listed([_DAYS[day] for day in random.weekdays], 'or')}"
    if random.gap > 1:
        said += f", at least {_count(random.gap, 'day')} apart"
    return said


def _time(time: Time) -> str:
    if isinstance(time, Fixed):
        return f"at {shown(time.at)}"
    if isinstance(time, Chosen):
        return f"at the time in {time.field or time.property}, else at {shown(time.otherwise)}"
    return _window(time)


def _window(window: Window) -> str:
    between = f"{shown(window.opens)} and {shown(window.closes)}"
    if window.strategy == "uniform":
        return f"at a random time between {between}"
    if window.strategy == "spread":
        return f"between {between}, everybody at another time, evenly"
    said = f"at a full hour between {between}, each hour once before any comes again"
    if window.valued:
        more = [f"{hour} {_count(times, 'time')}" for hour, times in sorted(window.valued.items())]
        said += f" ({_listed(more)} more)"
    return said


def _until(until: Until) -> str:
    if until.moment is not None:
        return f"Nothing is sent from {until.moment} on."
    whose = f"contact's {until.field}" if until.field is not None else f"case's {until.property}"
    return f"Nothing is sent from the {whose} on."


def _clock(zone: str) -> str:
    if zone == "contact":
        return "Times are those where the contact is."
    return "Times are the workspace's." if zone == "workspace" else f"Times are those of {zone}."


def _holidays(rule: Holidays) -> str:
    instead = {"skip": "is not sent", "before": "comes the day before", "after": "comes the day after"}
    return f"What would fall on a public holiday of {rule.country} {instead[rule.policy]}."


def _named(number: int, content: str | None) -> str:
    return content or f"step {number}"


def _count(count: int, word: str) -> str:
    if word == "time" and count in (1, 2):
        return ("once", "twice")[count - 1]
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _nth(day: int) -> str:
    if day < 0:
        return "last day" if day == -1 else f"{_nth(-day)} last day"
    ending = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def _listed(some: Sequence[str] | map[str], word: str = "and") -> str:
    *most, last = some
    return f"{', '.join(most)} {word} {last}" if most else last
