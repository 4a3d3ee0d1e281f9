"""`clarion rapidpro`: people come in from a workspace of RapidPro, and stay in step with it; campaigns go
there (`rapidpro_push`)."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from clarion.cli import channel as channels
from clarion.cli import options, place, rapidpro_asking, rapidpro_push, terminal
from clarion.cli.commands import group
from clarion.cli.place import Place
from clarion.flow.bring.counts import Counts, Listeners, Trouble
from clarion.flow.bring.rapidpro import bring

SHOWN = 20
app = group(
    "Keep in step with RapidPro or TextIt.",
    [
        "clarion rapidpro import --channel rapid",
        "clarion rapidpro push Welcome --channel rapid --dry-run",
    ],
)


@app.callback()
def _group() -> None:
    """Keep in step with RapidPro or TextIt."""


Report = Annotated[
    Path | None, typer.Option(help="Write everything that could not be read to this CSV file, by contact.")
]


@app.command("import")
def import_(
    channel: Annotated[
        str, typer.Option(metavar="NAME|ID", help="The channel of RapidPro: its address and its token.")
    ],
    everybody: Annotated[
        bool, typer.Option("--all", help="Read everybody anew, and make groups again that were removed here.")
    ] = False,
    report: Report = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Bring fields, groups and people from RapidPro: the first time everybody, then whoever has changed.

    Interrupted, it goes on where it stood; run again it changes nothing. Who has stopped there is opted out
    here. Groups that come from there have the members that they have there; your own groups stay as they are.

    [dim]$[/] clarion rapidpro import --channel rapid --report unread.csv
    """
    place.run(_import(channel, everybody, report and options.in_a_folder(report), workspace, json))


app.command("push")(rapidpro_push.push)


async def _import(
    named: str, everybody: bool, report: Path | None, workspace: str | None, json: bool
) -> None:
    async with place.opened(workspace) as here:
        with _reporting(report) as trouble:
            counts = await _brought(here, named, everybody, trouble)
    if json:
        terminal.json(plain(counts))
    else:
        tell(counts, report)


async def _brought(here: Place, named: str, everybody: bool, trouble: Callable[[Trouble], None]) -> Counts:
    async with here.tenant() as connection:
        found = await channels.find(connection, named)
    with terminal.Bar(f"bringing people over {found['name']}") as bar:
        listeners = Listeners(
            lambda counts: bar.update(counts.read, _note(counts)), trouble, rapidpro_asking.waiting
        )
        try:
            return await bring(here.services, here.id, found["id"], listeners, anew=everybody)
        except asyncio.CancelledError:  # Ctrl-C
            terminal.say("Stopped. Run it again: it goes on where it stood.")
            raise


def tell(counts: Counts, report: Path | None = None) -> None:
    """The counts on standard output, and what could not be read by reason."""
    terminal.pairs(
        [
            ("read", counts.read), ("new", counts.new), ("changed", counts.changed),
            ("unchanged", counts.unchanged), ("could not be read", counts.refused),
            *((f"left out: {why}", number) for why, number in sorted(counts.left_out.items())),
        ]
    )  # fmt: skip
    for note in dict.fromkeys(counts.notes):
        terminal.say(note)
    if counts.warnings:
        terminal.result("")
        terminal.table(
            ("what", "reason", "contacts"),
            ((field, reason, number) for (field, reason), number in counts.warnings.most_common(SHOWN)),
            numbers=("contacts",),
        )
    if report is not None:
        terminal.say(f"{counts.warnings.total():,} problems are in {report}")


def plain(counts: Counts) -> dict[str, object]:
    """For JSON."""
    return {
        "read": counts.read, "new": counts.new, "changed": counts.changed, "unchanged": counts.unchanged,
        "refused": counts.refused, "left_out": dict(counts.left_out), "notes": counts.notes,
        "problems": [
            {"field": field, "reason": reason, "contacts": number}
            for (field, reason), number in counts.warnings.most_common()
        ],
    }  # fmt: skip


@contextmanager
def _reporting(path: Path | None) -> Iterator[Callable[[Trouble], None]]:
    """Writes troubles as they come."""
    if path is None:
        yield lambda trouble: None
        return
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("contact", "field", "severity", "reason"))
        yield lambda one: writer.writerow(
            (one.who, one.field, "refused" if one.refused else "warning", one.reason)
        )


def _note(counts: Counts) -> str:
    return f"{counts.new:,} new, {counts.changed:,} changed"
