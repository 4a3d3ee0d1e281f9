"""A schedule's occurrences as a person reads them: lines with local times, or an iCalendar file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event

from clarion.domain.schedule.plan import Plan
from clarion.domain.schedule.subject import Subject

MOST = 1_000
_LONG = timedelta(minutes=5)  # an event of a calendar needs a length to be seen


@dataclass(frozen=True, slots=True)
class Line:
    """One occurrence. `due_at` is in UTC, `local` the same moment by the person's clock. `moved` and `skip`
    are words of `Occurrence`."""

    iteration: int
    step: int
    content: str | None
    due_at: datetime
    local: datetime
    moved: tuple[str, ...]
    skip: str | None


def lines(plan: Plan, subject: Subject, since: datetime | None, count: int) -> list[Line]:
    """The first so many occurrences, those that are skipped among them."""
    zone, contents = ZoneInfo(plan.zone_of(subject)), _contents(plan)
    return [
        Line(
            one.iteration, one.step, contents.get(one.step), one.due_at, one.due_at.astimezone(zone),
            one.moved, None if one.skip is None else one.skip.value,
        ) for one in islice(plan.occurrences(subject, since), count)
    ]  # fmt: skip


def _contents(plan: Plan) -> dict[int, str | None]:
    found = {step.number: step.content for step in plan.schedule.steps}
    random = plan.schedule.random_days
    for track in random.tracks if random else ():
        found |= dict.fromkeys(track.numbers, track.content)
    return found


def icalendar(some: Iterable[Line], name: str, key: str) -> bytes:
    """An iCalendar file (RFC 5545) of what is sent. `key` keeps its events apart from other people's."""
    calendar = Calendar()
    calendar.add("prodid", "-//Clarion//schedule//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", name)
    for line in some:
        if line.skip is None:
            calendar.add_component(_event(line, key))
    return bytes(calendar.to_ical())


def _event(line: Line, key: str) -> Event:
    event = Event()
    event.add("uid", f"{key}-{line.iteration}-{line.step}@clarion")
    event.add("dtstamp", line.due_at)
    event.add("dtstart", line.due_at)
    event.add("dtend", line.due_at + _LONG)
    event.add("summary", line.content or f"step {line.step}")
    said = [f"iteration {line.iteration}", f"local time {line.local:%Y-%m-%d %H:%M}", *_moved(line.moved)]
    event.add("description", ", ".join(said))
    return event


def _moved(moved: Sequence[str]) -> list[str]:
    return [f"moved by {', '.join(word.replace('_', ' ') for word in moved)}"] if moved else []
