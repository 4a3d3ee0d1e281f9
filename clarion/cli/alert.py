"""`clarion alert`: people are told of a case that meets criteria, in time before a date of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from clarion.cli import alerted, options, place, terminal, written
from clarion.cli import channel as channels
from clarion.cli.commands import group
from clarion.cli.place import Place
from clarion.domain.alert import KIND, Alert
from clarion.domain.criteria import parse_criteria
from clarion.domain.enrollment import Status
from clarion.domain.schedule.sentence import describe
from clarion.errors import Invalid
from clarion.flow import alert
from clarion.flow.services import Services
from clarion.kit.db import Connection
from clarion.store import campaign as campaigns
from clarion.store import enrollment

app = group(
    "Alerts: people are told of cases that meet criteria, before a date of these (docs/alerts.md).",
    [
        "clarion alert create visits.json --name Visits --launch",
        "clarion alert launch Visits --dry-run",
        "clarion alert recipients Visits",
        "clarion alert explain Visits --case V-17",
    ],
)

Which = alerted.Which
File = Annotated[
    Path, typer.Argument(metavar="FILE", help="An alert as JSON: cases, recipients, schedule, contents.")
]
All = Annotated[
    bool, typer.Option("--all", help="All cases of the type are meant, where all meet its criteria.")
]


@app.command()
def create(
    file: File,
    name: Annotated[str, typer.Option(help="What it is called.")],
    channel: Annotated[str | None, typer.Option(help="Over which channel; the default one.")] = None,
    launch: Annotated[bool, typer.Option("--launch", help="Watch its cases at once.")] = False,
    all_: All = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Write an alert. Nothing is sent before it is launched."""
    place.run(_create(file, name, channel, launch, all_, workspace, json))


async def _create(
    file: Path, name: str, channel: str | None, launch: bool, all_: bool, workspace: str | None, json: bool
) -> None:
    definition = _definition(written.read(file), str(file))
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            channel_id = (await channels.find(connection, channel))["id"] if channel else None
        await alert.freshen(here.services, here.id, channel_id, definition)
        async with here.tenant() as connection:
            alert_id = await alert.create(
                connection, here.services, name=name, channel_id=channel_id, definition=definition
            )
            if launch:
                await alert.launch(connection, here.services, alert_id, confirm_all=all_)
        await _tell(here, str(alert_id), json=json)


@app.command()
def edit(
    which: Which,
    file: File,
    dry_run: written.DryRun = False,
    say_again: Annotated[
        bool, typer.Option("--say-again", help="Counted from another property, also what was said already.")
    ] = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Change it to what FILE says, also while it runs; what FILE leaves out stays. What decides who hears, or
    when, has all its cases gone over again; nothing is said twice."""
    place.run(_edit(which, file, dry_run, say_again, workspace, json))


async def _edit(
    which: str, file: Path, dry_run: bool, say_again: bool, workspace: str | None, json: bool
) -> None:
    document = written.read(file)
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await alerted.find(connection, which)
        given = _definition({**row["definition"], **document}, str(file))
        changes = {key: getattr(given, key) for key in document}
        if dry_run:
            await alerted.foretell(here, row["id"], changes, say_again=say_again, json=json)
            return
        await alert.freshen(here.services, here.id, row["channel_id"], given)
        async with here.tenant() as connection:
            await alert.edit(connection, here.services, row["id"], changes=changes, say_again=say_again)
        await _tell(here, str(row["id"]), json=json)


def _definition(document: dict[str, Any], where: str) -> Alert:
    """Raises Invalid with all its problems."""
    criteria = document.get("criteria")
    if criteria is None:
        raise Invalid("nothing says which cases are meant", where=where, hint='Say "criteria".')
    return written.checked(Alert, {**document, "criteria": parse_criteria(criteria)}, KIND, where)


@app.command("list")
def listed(
    limit: options.Limit = 20, workspace: options.Workspace = None, json: options.Json = False
) -> None:
    """List alerts, newest first, with how many hear in each."""
    place.run(_list(limit, workspace, json))


async def _list(limit: int, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await campaigns.page(connection, KIND, None, limit)
        people = [await enrollment.counts(connection, row["id"]) for row in found]
    both = list(zip(found, people, strict=True))
    if json:
        terminal.json([{**written.short(row), "people": counts} for row, counts in both])
        return
    terminal.table(
        ("id", "name", "state", "cases of", "recipients", "active"),
        (
            (
                row["id"], row["name"], row["state"], row["definition"]["case_type"], sum(counts.values()),
                counts.get(Status.ACTIVE, 0),
            )
            for row, counts in both
        ),
        numbers=("recipients", "active"),
    )  # fmt: skip


@app.command()
def show(which: Which, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Show of which cases it tells whom when, and how many are where in it."""
    place.run(_show(which, workspace, json))


async def _show(which: str, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here:
        await _tell(here, which, json=json)


@app.command()
def launch(
    which: Which, dry_run: written.DryRun = False, all_: All = False, workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:  # fmt: skip
    """Watch its cases: those that meet its criteria are told of, now and as they come to."""
    if dry_run:
        place.run(_dry_launch(which, workspace, json))
    else:
        place.run(_do(which, partial(alert.launch, confirm_all=all_), workspace, json))


async def _dry_launch(which: str, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await alerted.find(connection, which)
        await alerted.foretell(here, row["id"], {}, say_again=False, json=json)


@app.command()
def pause(which: Which, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Send nothing more until it is resumed; its cases stay in step, and what falls due is skipped then."""
    place.run(_do(which, alert.pause, workspace, json))


@app.command()
def resume(which: Which, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Go on with what is to come."""
    place.run(_do(which, alert.resume, workspace, json))


@app.command()
def cancel(which: Which, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """End it for all cases, for good."""
    place.run(_do(which, alert.cancel, workspace, json))


app.command()(alerted.recipients)
app.command()(alerted.explain)

Do = Callable[[Connection, Services, UUID], Awaitable[object]]


async def _do(which: str, verb: Do, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await alerted.find(connection, which)
            await verb(connection, here.services, row["id"])
        await _tell(here, str(row["id"]), json=json)


async def _tell(here: Place, which: str, *, json: bool) -> None:
    async with here.tenant() as connection:
        row = await alerted.find(connection, which)
        definition = Alert.read(row["definition"])
        counts = await enrollment.counts(connection, row["id"])
    if json:
        terminal.json({**written.short(row), "people": counts, **definition.stored()})
        return
    among = ", ".join(f"{n:,} {state}" for state, n in counts.items())
    recipients = definition.stored()["recipients"]
    told = (str(one["role"] if one["to"] == "role" else one["to"]) for one in recipients)
    nobody = written.nobody(row["state"], "a worker goes over its cases")
    terminal.pairs(
        [
            ("id", row["id"]), ("name", row["name"]), ("state", written.state(row)),
            ("cases of", definition.case_type), ("tells", ", ".join(told)),
            ("says", describe(definition.schedule)), ("people", among or nobody),
        ]
    )  # fmt: skip
