"""`clarion rapidpro push --slots`: each person's own moments of a sequence are written to RapidPro."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from clarion.cli import channel as channels
from clarion.cli import followed, place, terminal
from clarion.cli.moment import parse_moment
from clarion.cli.place import Place
from clarion.cli.rapidpro_asking import agreed, table, waiting
from clarion.connectors.rapidpro.client import REQUESTS
from clarion.connectors.rapidpro.push import SETTLE
from clarion.connectors.rapidpro.shown import CHANGE, Change
from clarion.errors import Invalid
from clarion.flow.bring.push import Wish
from clarion.flow.bring.slots import Crowd, Filled, Filling, Foreseen, Slotted, filling

SHOWN = 20  # people


@dataclass(frozen=True, slots=True)
class How:
    """What was said on the command line; `until` as it was written."""

    until: str | None
    join: bool
    most_fields: int
    dry_run: bool
    yes: bool
    json: bool


async def push(which: str, named: str, group: str | None, workspace: str | None, how: How) -> None:
    """Show what would be done, ask, and do it."""
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await followed.find(connection, which)
            over = await channels.find(connection, named)
        wish = Wish(row["id"], group, terminal.say, waiting)
        more = Slotted(_until(here, how.until), how.join, how.most_fields)
        async with filling(here.services, here.id, over["id"], wish, more) as ready:
            todo = await ready.foresee()
            if not how.json:
                tell(todo, here)
            done = Filled() if how.dry_run or todo.empty else await _done(ready, todo, how)
    if how.json:
        terminal.json(plain(todo, done))
    elif not (how.dry_run or todo.empty):
        _ended(todo, done)


def _until(here: Place, text: str | None) -> datetime | None:
    long_ago = datetime(1, 1, 1, tzinfo=UTC)
    return None if text is None else parse_moment(text, here.zone, long_ago, "--until")


async def _done(ready: Filling, todo: Foreseen, how: How) -> Filled:
    crowd = todo.crowd
    number = len(todo.changes) + len(crowd.write) + len(crowd.clear) + len(crowd.join)
    agreed(number, yes=how.yes, json=how.json)
    terminal.say(f"RapidPro's lists lag, so it is looked at again {SETTLE:.0f} seconds after each change.")
    try:
        return await ready.push()
    except asyncio.CancelledError:  # Ctrl-C
        terminal.say("Stopped. Run it again: it finishes what is left.")
        raise


def _ended(todo: Foreseen, done: Filled) -> None:
    if not done.refused:
        terminal.say(f"The campaign {todo.wanted.name} and its people are as they should be.")
        return
    why = next(iter(done.refused.values()))
    raise Invalid(
        f"{len(done.refused):,} people could not be changed: {why}",
        hint="Everybody else is as they should be. Run it again when that is put right there.",
    )


def tell(todo: Foreseen, here: Place) -> None:
    """What is to be done: first how much, then what."""
    crowd, events = todo.crowd, len(todo.wanted.events)
    if todo.empty:
        as_it_is = f"{events:,} events, {crowd.same:,} people"
        terminal.say(f"The campaign {todo.wanted.name} is as it should be: {as_it_is}.")
    else:
        changed = sum(one.what == "event" for one in todo.changes)
        people = len(crowd.write) + len(crowd.clear)
        terminal.result(f"{todo.fields:,} fields, {changed:,} events and {people:,} people would change.")
        table([*todo.changes, *_people(crowd, here)])
    for note in _notes(todo.wanted.group, crowd):
        terminal.say(note)


def _people(crowd: Crowd, here: Place) -> Iterator[Change]:
    for one in crowd.write[:SHOWN]:
        first = "" if one.soonest is None else f", the first {terminal.moment(one.soonest, here.zone)}"
        after = f"{sum(at is not None for at in one.values.values()):,} moments{first}"
        yield Change(CHANGE, "person", one.held.name or one.held.uuid, after=after)
    if len(crowd.write) > SHOWN:
        yield Change(CHANGE, "people", f"and {len(crowd.write) - SHOWN:,} more")
    if crowd.clear:
        yield Change("clear", "people", f"{len(crowd.clear):,} who are not meant, or not at these times")
    if crowd.join:
        yield Change("put into the group", "people", f"{len(crowd.join):,}")


def _notes(group: str, crowd: Crowd) -> Iterator[str]:
    said = (
        (crowd.outside, f"not in the group {group} there, and hear nothing: --join puts them in"),
        (crowd.absent, "not in RapidPro, and hear nothing"),
        (crowd.inactive, "not active in RapidPro, and hear nothing"),
        (crowd.shared, "there under an address of several people here: give each their own"),
        (crowd.twice, "there a second time, and hear it once"),
    )
    for number, what in said:
        if number:
            yield f"People {what}: {number:,}"
    if crowd.late:
        yield f"Moments that have passed before they were written, and are not said: {crowd.late:,}"
    hours = len(crowd.write) // REQUESTS
    if hours:
        yield f"RapidPro takes {REQUESTS:,} people an hour: this takes {hours:,} hours, the soonest first."


def plain(todo: Foreseen, done: Filled) -> dict[str, object]:
    """For JSON."""
    crowd = todo.crowd
    counts = {
        "write": len(crowd.write), "clear": len(crowd.clear), "join": len(crowd.join), "same": crowd.same,
        "absent": crowd.absent, "inactive": crowd.inactive, "outside": crowd.outside,
        "shared": crowd.shared, "twice": crowd.twice, "late": crowd.late,
    }  # fmt: skip
    return {
        "campaign": todo.wanted.name, "group": todo.wanted.group, "events": len(todo.wanted.events),
        "fields": todo.fields, "changes": [asdict(one) for one in todo.changes], "people": counts,
        "created": done.around.created, "updated": done.around.updated, "deleted": done.around.deleted,
        "written": done.written, "cleared": done.cleared, "joined": done.joined,
        "refused": dict(done.refused),
    }  # fmt: skip
