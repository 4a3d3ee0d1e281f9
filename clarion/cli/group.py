"""`clarion group`: groups of people, where they lie, and under which external id they own cases."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from clarion.cli import options, place, terminal
from clarion.cli.commands import group
from clarion.cli.place import Place
from clarion.errors import Invalid, NotFound
from clarion.kit.db import Connection, Row
from clarion.store import group as groups

PAGE = 1_000
app = group(
    "Groups of people; they nest, and may own cases: list, create, set.",
    [
        'clarion group create "Kisumu East" --external-id L-17 --parent Kisumu',
        'clarion group set "Kisumu East" --external-id L-18',
    ],
)
ExternalId = Annotated[
    str | None, typer.Option("--external-id", help="What cases name as their owner; empty: none.")
]
Parent = Annotated[
    str | None, typer.Option(metavar="GROUP", help="The group it lies in; empty: none, it lies at the top.")
]
Which = Annotated[str, typer.Argument(metavar="GROUP", help="Name, external id or id.")]


@app.command("list")
def listed(workspace: options.Workspace = None, json: options.Json = False) -> None:
    """All groups, with how many people are in each by itself."""
    place.run(_list(workspace, json))


async def _list(workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await everyone(connection)
    if json:
        terminal.json(found)
        return
    names = {one["id"]: one["name"] for one in found}
    terminal.table(
        ("name", "external id", "lies in", "members"),
        (
            (one["name"], one["external_id"] or "", names.get(one["parent_id"], ""), one["members"])
            for one in found
        ),
        numbers=("members",),
    )


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Unlike any other, but for case.")],
    external_id: ExternalId = None,
    parent: Parent = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Make a group."""
    place.run(_create(name, external_id, parent, workspace, json))


async def _create(
    name: str, external_id: str | None, parent: str | None, workspace: str | None, json: bool
) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        above = await _above(connection, parent)
        made = await groups.create(connection, name, here.now(), above, external_id=external_id or None)
        _tell(await groups.get(connection, made), json, "is made")


@app.command("set")
def change(
    which: Which,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    external_id: ExternalId = None,
    parent: Parent = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Give a group another name or external id, or put it below another."""
    if name is None and external_id is None and parent is None:
        raise Invalid("nothing is to be changed", hint="Say --name, --external-id or --parent.")
    place.run(_change(which, name, external_id, parent, workspace, json))


async def _change(
    which: str, name: str | None, external_id: str | None, parent: str | None, workspace: str | None,
    json: bool,
) -> None:  # fmt: skip
    async with place.opened(workspace) as here, here.tenant() as connection:
        await _written(here, connection, which, name, external_id, parent, json)


async def _written(
    here: Place, connection: Connection, which: str, name: str | None, external_id: str | None,
    parent: str | None, json: bool,
) -> None:  # fmt: skip
    found = await named(connection, which)
    if name is not None:
        await groups.rename(connection, found["id"], name)
    if parent is not None:
        await groups.move(connection, found["id"], await _above(connection, parent))
    if external_id is not None:
        await groups.know_as(connection, found["id"], external_id or None)
    here.services.nudge("cases")
    _tell(await groups.get(connection, found["id"]), json, "is changed")


async def _above(connection: Connection, parent: str | None) -> UUID | None:
    return (await named(connection, parent, "--parent"))["id"] if parent else None


async def everyone(connection: Connection) -> list[Row]:
    """All groups, by when they were made."""
    found: list[Row] = []
    while some := await groups.page(connection, found[-1]["id"] if found else None, PAGE):
        found += some
    return found


async def named(connection: Connection, which: str, where: str = "GROUP") -> Row:
    """A group by its name, else by its external id or its id. Raises NotFound."""
    there = await everyone(connection)
    folded = which.strip().casefold()
    by_name = [one for one in there if one["name"].casefold() == folded]
    found = by_name or [one for one in there if which in (one["external_id"], str(one["id"]))]
    if found:
        return found[0]
    some = ", ".join(one["name"] for one in there[:10]) or "none yet"
    raise NotFound(f"there is no group {which!r}", where=where, hint=f"There are: {some}.")


def _tell(row: Row, json: bool, what: str) -> None:
    if json:
        terminal.json(row)
    else:
        known_as = f" ({row['external_id']})" if row["external_id"] else ""
        terminal.say(f"{row['name']}{known_as} {what}")
