"""What is done with an announcement beside sending it: a copy, results, trying again, a test beforehand."""

from __future__ import annotations

import asyncio
import getpass
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from clarion.cli import announced, following, options, place, terminal
from clarion.domain.campaign import KIND
from clarion.domain.message import State
from clarion.errors import Conflict
from clarion.flow import draft, trial
from clarion.flow import results as result_files
from clarion.flow import retry as retries
from clarion.store import campaign as campaigns

Which = announced.Which
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait for the end.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to `clarion announcement`."""
    app.command()(duplicate)
    app.command()(results)
    app.command()(retry)
    app.command("test")(try_out)


def duplicate(
    which: Which,
    name: Annotated[str | None, typer.Option(help="What the copy is called.")] = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Make a draft that says the same to the same people. Launch it when it is right."""
    place.run(_duplicate(which, name, workspace, json))


async def _duplicate(which: str, name: str | None, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        row = await announced.find(connection, which)
        made = await draft.duplicate(
            connection, here.services, row["id"], name=name, by="clarion announcement"
        )
        copy = await campaigns.get(connection, made, KIND)
    if json:
        terminal.json({"id": made, "name": copy["name"], "state": copy["state"]})
    else:
        terminal.pairs([("id", made), ("name", copy["name"]), ("state", copy["state"])])


def results(
    which: Which,
    file: Annotated[Path, typer.Argument(help="Where to: CSV or XLSX, by its ending.")],
    state: Annotated[
        list[State] | None, typer.Option(help="Only these; several times for several.", case_sensitive=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Write who got it and who did not, each with the reason, to a file."""
    if file.exists() and not force:
        raise Conflict("the file is there already", where=str(file), hint="Choose another name, or --force.")
    place.run(_results(which, options.in_a_folder(file), tuple(state or ()), workspace, json))


async def _results(
    which: str, file: Path, states: tuple[State, ...], workspace: str | None, json: bool
) -> None:
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await announced.find(connection, which)
        total = None if states else (await following.look(here, row["id"])).count()
        with terminal.Bar(f"writing {file.name}", total) as bar:
            count = await result_files.write(
                here.services, here.id, row["id"], file, states=states, progress=bar.update
            )
            bar.update(count)
    if json:
        terminal.json({"announcement": row["id"], "file": str(file), "people": count})
    else:
        terminal.say(f"{count:,} people are in {file}")


def retry(
    which: Which,
    undelivered: Annotated[
        bool, typer.Option("--undelivered", help="Also what the provider took and could not deliver.")
    ] = False,
    no_wait: NoWait = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Try again what failed or expired, and judge again who was skipped. Nobody who got it gets it again."""
    place.run(_retry(which, undelivered, workspace, wait=not no_wait, json=json))


async def _retry(which: str, undelivered: bool, workspace: str | None, *, wait: bool, json: bool) -> None:
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await announced.find(connection, which)
            done = await retries.retry(
                connection, here.services, row["id"], undelivered=undelivered, by=getpass.getuser()
            )
        terminal.say(f"{done.ready:,} are tried again; {done.judged:,} are skipped for another reason now.")
        seen = await following.look(here, row["id"])
        if wait and done.ready:
            seen = await following.wait(here, row["id"], lambda _: terminal.say("It goes on."))
    if json:
        terminal.json({"announcement": row["id"], **asdict(done), **seen.plain()})
    else:
        following.tell(seen)


def try_out(
    which: Which,
    address: Annotated[list[str], typer.Argument(help="People to try it on, by number; up to 20.")],
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Send it to a few named people first. They still receive the announcement itself."""
    place.run(_try_out(which, address, workspace, json))


async def _try_out(which: str, addresses: list[str], workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await announced.find(connection, which)
            tried = await trial.send_test(
                connection, here.services, row["id"], addresses, by=getpass.getuser()
            )
        async with following.worker_if_none(here):
            seen = await following.follow(here, tried.id, asyncio.Event())
    if json:
        terminal.json({"test": tried.id, "messages": [asdict(one) for one in tried.messages], **seen.plain()})
    else:
        following.tell(seen)
