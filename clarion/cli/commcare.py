"""`clarion commcare`: cases are pulled from projects of CommCare."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from clarion.cli import options, place, terminal
from clarion.cli.commands import group
from clarion.cli.given import credentials_from
from clarion.cli.place import Place
from clarion.domain.source import COMMCARE
from clarion.errors import Invalid, NotFound
from clarion.flow import source as flow
from clarion.flow.bring.commcare import Listeners, Pulled, Trouble, pull_cases
from clarion.kit.db import Row
from clarion.store import source as sources

NOTICEABLE = 5.0  # seconds of a wait that somebody would wonder about
COUNTS = ("read", "created", "updated", "unchanged", "stale", "refused", "left_out")
app = group(
    "Cases of CommCare projects, pulled by its API (docs/commcare.md).",
    [
        "clarion commcare connect selam --project selam --user amina@example.org --key @key.txt",
        "clarion commcare pull selam --report refused.csv",
        "clarion commcare list",
    ],
)
Which = Annotated[
    str | None, typer.Argument(metavar="SOURCE", help="Where there is only one it need not be said.")
]


@app.command()
def connect(
    name: Annotated[str, typer.Argument(help="How the project is called here: small letters first.")],
    project: Annotated[str, typer.Option(help="What follows /a/ in the addresses of its pages.")],
    user: Annotated[str, typer.Option(help="Whose key it is, as CommCare knows them.")],
    key: Annotated[str, typer.Option(metavar="KEY|@FILE|-", help="Their API key; - asks for it.")],
    url: Annotated[
        str, typer.Option(help="CommCare's address, or that of your region or server.")
    ] = "https://www.commcarehq.org",
    type_: Annotated[
        list[str] | None, typer.Option("--type", help="Only cases of this type; several times.")
    ] = None,
    page: Annotated[int, typer.Option(min=1, max=5_000, help="Cases a request.")] = 500,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Make a project known. The key is kept sealed, and never shown."""
    settings = {
        "base_url": url, "project": project, "username": user, "types": list(type_ or ()), "page": page,
    }  # fmt: skip
    place.run(_connect(name, settings, key, workspace, json))


async def _connect(name: str, settings: dict[str, Any], key: str, workspace: str | None, json: bool) -> None:
    secret = credentials_from([f"key={key}"])["key"]
    async with place.opened(workspace) as here, here.tenant() as connection:
        await flow.create(
            connection, here.services, here.id, name=name, kind=COMMCARE, settings=settings, secret=secret
        )
        made = await sources.named(connection, name)
    if json:
        terminal.json(made)
    else:
        terminal.say(f"{name} is known. `clarion commcare pull {name}` brings its cases.")


@app.command()
def pull(
    source: Which = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Read all cases anew, and not only what changed.")
    ] = False,
    background: Annotated[bool, typer.Option("--background", help="Let a worker do it.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write what could not be taken to this CSV file, by case.")
    ] = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Bring the cases that changed since the last time; the first time all.

    Interrupted or killed, it goes on where it stood; run again it changes nothing. Types that are not known
    are made, with nothing declared.

    [dim]$[/] clarion commcare pull selam --report refused.csv
    """
    if background and report is not None:
        hint = "`clarion commcare list` tells of it."
        raise Invalid("a worker writes no report", where="--report", hint=hint)
    place.run(_pull(source, everything, background, report and options.in_a_folder(report), workspace, json))


async def _pull(
    named: str | None, anew: bool, background: bool, report: Path | None, workspace: str | None, json: bool
) -> None:
    async with place.opened(workspace) as here:
        name = await _which(here, named)
        if background:
            async with here.tenant() as connection:
                done = await flow.ask_to_pull(connection, here.services, here.id, name, anew=anew)
        else:
            with _reporting(report) as trouble:
                done = await _watched(here, name, anew, trouble)
    _tell(done, report, json)


async def _watched(here: Place, name: str, anew: bool, trouble: Callable[[Trouble], None]) -> Row:
    with terminal.Bar(f"pulling cases of {name}") as bar:
        listeners = Listeners(lambda pulled: bar.update(pulled.read, _note(pulled)), trouble, _waiting)
        try:
            return await pull_cases(here.services, here.id, name, listeners, anew=anew)
        except asyncio.CancelledError:  # Ctrl-C
            terminal.say("Stopped. Run it again: it goes on where it stood.")
            raise


@app.command()
def stop(source: Which = None, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Stop a pull before its next page; the next one goes on from there."""
    place.run(_stop(source, workspace, json))


async def _stop(named: str | None, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here:
        name = await _which(here, named)
        async with here.tenant() as connection:
            row = await flow.stop_pulling(connection, here.services, name)
    _tell(row, None, json)


@app.command("list")
def listed(workspace: options.Workspace = None, json: options.Json = False) -> None:
    """The projects that are known, and how far each was pulled."""
    place.run(_list(workspace, json))


async def _list(workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await sources.several(connection, COMMCARE)
    if json:
        terminal.json(found)
        return
    terminal.table(
        ("source", "project", "pull", "read", "refused", "last page", "why"),
        (
            (
                one["name"], one["settings"]["project"], one["state"] or "never",
                (one["counts"] or {}).get("read", 0), (one["counts"] or {}).get("refused", 0),
                terminal.moment(one["stored_at"], here.zone), one["error"] or "",
            )
            for one in found
        ),
        numbers=("read", "refused"),
    )  # fmt: skip


async def _which(here: Place, named: str | None) -> str:
    """The source that is meant. Raises NotFound, Invalid."""
    async with here.tenant() as connection:
        names = [one["name"] for one in await sources.several(connection, COMMCARE)]
    if named in names:
        return str(named)
    if not names:
        hint = "`clarion commcare connect` makes one known."
        raise NotFound("no project of CommCare's is known", where="SOURCE", hint=hint)
    if named is None and len(names) == 1:
        return str(names[0])
    what = "there are several projects" if named is None else f"no project is known as {named!r}"
    raise Invalid(what, where="SOURCE", hint=f"There are: {', '.join(names)}.")


def _tell(row: Row, report: Path | None, json: bool) -> None:
    if json:
        terminal.json(row)
        return
    counts = row["counts"] or {}
    if counts:
        terminal.pairs([(name.replace("_", " "), counts.get(name, 0)) for name in COUNTS])
    for one in (row["problems"] or [])[:20]:
        terminal.say(f"{one['case']}: {one['where']}: {one['why']}")
    if row["state"] == "waiting":
        terminal.say("A worker will do it; `clarion commcare list` shows how far it is.")
    if row["state"] == "stopped":
        terminal.say("It was stopped. Pull again: it goes on where it stood.")
    if report is not None:
        terminal.say(f"What could not be taken is in {report}")


@contextmanager
def _reporting(path: Path | None) -> Iterator[Callable[[Trouble], None]]:
    """Writes troubles as they come."""
    if path is None:
        yield lambda trouble: None
        return
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("case", "where", "severity", "why"))
        yield lambda one: writer.writerow(
            (one.case_id, one.where, "refused" if one.refused else "warning", one.why)
        )


def _note(pulled: Pulled) -> str:
    return f"{pulled.created:,} new, {pulled.updated:,} changed"


def _waiting(seconds: float) -> None:
    if seconds >= NOTICEABLE:
        terminal.say(f"CommCare asks us to wait for {seconds:,.0f} seconds")
