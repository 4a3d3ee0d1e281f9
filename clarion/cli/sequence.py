"""`clarion sequence`: people of a live audience, each followed from a date of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from clarion.cli import channel as channels
from clarion.cli import followed, options, place, saying, terminal, written
from clarion.cli.commands import group
from clarion.cli.place import Place
from clarion.domain.enrollment import Status
from clarion.domain.outside import Outside
from clarion.domain.schedule.sentence import describe
from clarion.domain.sequence import KIND, Sequence
from clarion.errors import Invalid
from clarion.flow import sequence
from clarion.flow.enroll.would import would
from clarion.flow.services import Services
from clarion.kit.db import Connection
from clarion.store import campaign as campaigns
from clarion.store import enrollment

app = group(
    "Sequences: people of a live audience, each followed from a date of their own (docs/sequences.md).",
    [
        'clarion sequence create welcome.json --name Welcome --group "New mothers" --launch',
        "clarion sequence people Welcome",
        "clarion sequence person Welcome E-1001",
        'clarion sequence steer move Welcome E-1001 --at "2026-03-04 18:00"',
        "clarion sequence steer choose Welcome E-1001 --time 18:30",
    ],
)

Which = followed.Which
File = Annotated[
    Path, typer.Argument(metavar="FILE", help="A sequence as JSON: schedule, contents, and whom it is for.")
]


@app.command()
def create(
    file: File,
    name: Annotated[str, typer.Option(help="What it is called.")],
    group: Annotated[list[str] | None, typer.Option(help="Whoever is in this group; several times.")] = None,
    everyone: Annotated[bool, typer.Option("--everyone", help="Everybody there is.")] = False,
    channel: Annotated[str | None, typer.Option(help="Over which channel; the default one.")] = None,
    outside_window: saying.OutsideWindow = None,
    launch: Annotated[bool, typer.Option("--launch", help="Open its door at once.")] = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Write a sequence. Nothing is sent before it is launched."""
    place.run(_create(file, name, group or [], everyone, channel, outside_window, launch, workspace, json))


async def _create(
    file: Path, name: str, named: list[str], everyone: bool, channel: str | None,
    outside: Outside | None, launch: bool, workspace: str | None, json: bool,
) -> None:  # fmt: skip
    document = written.read(file)
    if outside is not None:
        document["outside_window"] = outside
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            channel_id = (await channels.find(connection, channel))["id"] if channel else None
            if named or everyone:
                document["audience"] = await audience_of(connection, named, everyone)
            definition = _definition(document, str(file))
        await sequence.freshen(here.services, here.id, channel_id, definition)
        async with here.tenant() as connection:
            campaign_id = await sequence.create(
                connection, here.services, name=name, channel_id=channel_id, definition=definition
            )
            if launch:
                await sequence.launch(connection, here.services, campaign_id)
        await _tell(here, str(campaign_id), json=json)


@app.command()
def edit(
    which: Which,
    file: File,
    dry_run: written.DryRun = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Change it to what FILE says, also while it runs; what FILE leaves out stays. Only what is to come is
    reckoned anew, and where day 0 is counted from another field, all of it."""
    place.run(_edit(which, file, workspace, dry_run, json))


async def _edit(which: str, file: Path, workspace: str | None, dry_run: bool, json: bool) -> None:
    document = written.read(file)
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await followed.find(connection, which)
            given = _definition({**row["definition"], **document}, str(file))
            changes = {key: getattr(given, key) for key in document}
        if dry_run:
            await _foretell(here, row["id"], changes, json=json)
            return
        async with here.tenant() as connection:
            await sequence.edit(connection, here.services, row["id"], changes=changes)
        await _tell(here, str(row["id"]), json=json)


async def _foretell(here: Place, campaign_id: UUID, changes: dict[str, Any], *, json: bool) -> None:
    found = await would(here.services, here.id, campaign_id, changes)
    if json:
        terminal.json(asdict(found))
        return
    terminal.pairs(
        [
            ("would come in", found.enter), ("would be stopped", found.leave),
            ("would hear all again", found.again), ("would hear the next at another moment", found.move),
            ("would notice nothing", found.same),
        ]
    )  # fmt: skip


@app.command("list")
def listed(
    limit: options.Limit = 20, workspace: options.Workspace = None, json: options.Json = False
) -> None:
    """List sequences, newest first, with how many are in each."""
    place.run(_list(limit, workspace, json))


async def _list(limit: int, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await campaigns.page(connection, KIND, None, limit)
        people = [await enrollment.counts(connection, row["id"]) for row in found]
    if json:
        both = zip(found, people, strict=True)
        terminal.json([{**written.short(row), "people": counts} for row, counts in both])
        return
    terminal.table(
        ("id", "name", "state", "people", "active"),
        (
            (row["id"], row["name"], row["state"], sum(counts.values()), counts.get(Status.ACTIVE, 0))
            for row, counts in zip(found, people, strict=True)
        ),
        numbers=("people", "active"),
    )


@app.command()
def show(which: Which, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Show what it says when, and how many are where in it."""
    place.run(_show(which, workspace, json))


async def _show(which: str, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here:
        await _tell(here, which, json=json)


@app.command()
def launch(which: Which, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Open its door: everybody whom it means is enrolled, now and as they come."""
    place.run(_do(which, sequence.launch, workspace, json))


@app.command()
def pause(which: Which, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Send nothing more until it is resumed; what falls due meanwhile is skipped then."""
    place.run(_do(which, sequence.pause, workspace, json))


@app.command()
def resume(which: Which, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Go on with what is to come."""
    place.run(_do(which, sequence.resume, workspace, json))


@app.command()
def cancel(which: Which, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """End it for everybody, for good."""
    place.run(_do(which, sequence.cancel, workspace, json))


for _command in (followed.people, followed.person):
    app.command()(_command)
app.command("steer")(followed.steer_people)

Do = Callable[[Connection, Services, UUID], Awaitable[object]]


async def _do(which: str, verb: Do, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await followed.find(connection, which)
            await verb(connection, here.services, row["id"])
        await _tell(here, str(row["id"]), json=json)


def _definition(document: dict[str, Any], where: str) -> Sequence:
    if "audience" not in document:
        raise Invalid("nothing says whom it is for", where=where, hint="Say --group or --everyone.")
    return written.checked(Sequence, document, KIND, where)


async def audience_of(connection: Connection, named: list[str], everyone: bool) -> dict[str, Any]:
    """Everyone, or whoever is in these groups. Raises NotFound."""
    if everyone:
        return {"include": {"everyone": True}}
    ids = [str(await followed.group_named(connection, one)) for one in named]
    return {"include": {"groups": ids}}


async def _tell(here: Place, which: str, *, json: bool) -> None:
    async with here.tenant() as connection:
        row = await followed.find(connection, which)
        definition = Sequence.read(row["definition"])
        counts = await enrollment.counts(connection, row["id"])
    if json:
        terminal.json({**written.short(row), "people": counts, **definition.stored()})
        return
    among = ", ".join(f"{n:,} {state}" for state, n in counts.items())
    terminal.pairs(
        [
            ("id", row["id"]), ("name", row["name"]),
            ("state", written.state(row)),
            ("says", describe(definition.schedule)), ("people", among or written.nobody(row["state"])),
        ]
    )  # fmt: skip
