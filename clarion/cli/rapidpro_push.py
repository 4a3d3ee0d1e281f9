"""`clarion rapidpro push`: a sequence is written to RapidPro as a campaign."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import asdict
from typing import Annotated

import typer

from clarion.cli import channel as channels
from clarion.cli import followed, options, place, rapidpro_slots, terminal
from clarion.cli.rapidpro_asking import agreed, table, waiting
from clarion.connectors.rapidpro.plan import Wanted
from clarion.connectors.rapidpro.push import SETTLE, Pushed
from clarion.connectors.rapidpro.shown import Change
from clarion.connectors.rapidpro.slots import MOST_FIELDS
from clarion.errors import Invalid
from clarion.flow.bring.push import Pushing, Wish, pushing


def push(
    which: followed.Which,
    channel: Annotated[
        str, typer.Option(metavar="NAME|ID", help="The channel of RapidPro: its address and its token.")
    ],
    group: Annotated[
        str | None, typer.Option(metavar="NAME", help="For this group there; else the sequence's own.")
    ] = None,
    slots: Annotated[
        bool, typer.Option("--slots", help="Times differ by person: write each person's into fields there.")
    ] = False,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="By slots: only what is due before that moment.")
    ] = None,
    join: Annotated[
        bool, typer.Option("--join", help="By slots: put whoever is meant into the group there.")
    ] = False,
    most_fields: Annotated[
        int, typer.Option(min=1, max=10_000, help="By slots: so many fields the workspace may have.")
    ] = MOST_FIELDS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and stop.")] = False,
    yes: options.Yes = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Write a sequence to RapidPro as a campaign of the same name: an event for each thing that it says.

    What is to be done is shown first. Run again it changes nothing; killed, the next one finishes it. Events
    of that campaign that the sequence does not have are taken away.

    [dim]$[/] clarion rapidpro push Welcome --channel rapid --group "New mothers" --dry-run

    [dim]$[/] clarion rapidpro push Karma --channel rapid --group Karma --slots --join
    """
    if slots:
        how = rapidpro_slots.How(until, join, most_fields, dry_run, yes, json)
        place.run(rapidpro_slots.push(which, channel, group, workspace, how))
        return
    if until or join:
        raise Invalid("--until and --join are of a push by slots", hint="Say --slots too.")
    place.run(_push(which, channel, group, workspace, dry_run=dry_run, yes=yes, json=json))


async def _push(
    which: str, named: str, group: str | None, workspace: str | None, *, dry_run: bool, yes: bool, json: bool
) -> None:
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await followed.find(connection, which)
            over = await channels.find(connection, named)
        wish = Wish(row["id"], group, terminal.say, waiting)
        async with pushing(here.services, here.id, over["id"], wish) as ready:
            todo = await ready.foresee()
            if not json:
                tell(ready.wanted, todo)
            pushed = Pushed() if dry_run or not todo else await _done(ready, len(todo), yes=yes, json=json)
    if json:
        terminal.json(plain(ready.wanted, todo, pushed))
    elif pushed.rounds:
        terminal.say(f"The campaign {ready.wanted.name} is as it should be.")


async def _done(ready: Pushing, number: int, *, yes: bool, json: bool) -> Pushed:
    agreed(number, yes=yes, json=json)
    terminal.say(f"RapidPro's lists lag, so it is looked at again {SETTLE:.0f} seconds after each change.")
    try:
        return await ready.push()
    except asyncio.CancelledError:  # Ctrl-C
        terminal.say("Stopped. Run it again: it finishes what is left.")
        raise


def tell(wanted: Wanted, todo: list[Change]) -> None:
    """What is to be done, on standard output."""
    if not todo:
        terminal.say(f"The campaign {wanted.name} is as it should be: {len(wanted.events):,} events.")
        return
    table(todo)
    verbs = Counter(one.verb for one in todo)
    terminal.say(", ".join(f"{verb} {number:,}" for verb, number in verbs.items()))
    terminal.say("RapidPro reckons by its own workspace's time zone, for everybody.")


def plain(wanted: Wanted, todo: list[Change], pushed: Pushed) -> dict[str, object]:
    """For JSON."""
    return {
        "campaign": wanted.name, "group": wanted.group, "events": len(wanted.events),
        "changes": [asdict(one) for one in todo],
        "created": pushed.created, "updated": pushed.updated, "deleted": pushed.deleted,
    }  # fmt: skip
