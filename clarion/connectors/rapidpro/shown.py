"""What a push would do, change by change, as people read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clarion.connectors.rapidpro.plan import TYPES, Event, Plan, There, Wanted

CREATE, CHANGE, DELETE = "create", "change", "delete"
_UNITS = {"minutes": 1, "hours": 60, "days": 24 * 60, "weeks": 7 * 24 * 60}


@dataclass(frozen=True, slots=True)
class Change:
    """`what` is a field, group, campaign or event, `which` its name or moment; `before` and `after` are what
    it says, empty where it is not there."""

    verb: str
    what: str
    which: str
    before: str = ""
    after: str = ""


def changes(wanted: Wanted, there: There, todo: Plan) -> list[Change]:
    """Everything that is to be done, in its order."""
    return [*_around(wanted, todo), *_events(there, todo)]


def _around(wanted: Wanted, todo: Plan) -> Iterator[Change]:
    for one in todo.fields:
        yield Change(CREATE, "field", one.key, after=TYPES[one.type])
    if todo.make_group:
        yield Change(CREATE, "group", wanted.group)
    if todo.campaign is None:
        yield Change(CREATE, "campaign", wanted.name, after=f"for {wanted.group}")
    elif todo.regroup:
        yield Change(CHANGE, "campaign", wanted.name, after=f"for {wanted.group}")


def _events(there: There, todo: Plan) -> Iterator[Change]:
    for event in todo.create:
        yield Change(CREATE, "event", when(event), after=says(event))
    for uuid, event in todo.update:
        yield Change(CHANGE, "event", when(event), says(there.events[uuid]), says(event))
    for event in sorted((there.events[uuid] for uuid in todo.delete), key=_minutes):
        yield Change(DELETE, "event", when(event), says(event))


def _minutes(event: Event) -> tuple[int, int]:
    """By which they are told in their order, whatever the order of RapidPro's lists."""
    return event.offset * _UNITS[event.unit], event.delivery_hour


def when(event: Event) -> str:
    """When it is due: "3 days after joined_on at 09:00"."""
    number, unit = abs(event.offset), event.unit
    far = f"{number:,} {unit if number != 1 else unit.removesuffix('s')}"
    side = "before" if event.offset < 0 else "after"
    place = f"{far} {side} {event.relative_to}" if number else f"on {event.relative_to}"
    return place if event.delivery_hour < 0 else f"{place} at {event.delivery_hour:02}:00"


def says(event: Event) -> str:
    """What an event says in each language, or which flow it begins."""
    if event.flow is not None:
        return f"flow {event.flow}"
    return "; ".join(f"{language or 'text'}: {text}" for language, text in event.message)
