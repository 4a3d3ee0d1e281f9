"""`clarion case`: cases come in from a file, and are looked at."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from clarion.cli import contacts, options, place, terminal
from clarion.cli.commands import group
from clarion.cli.given import pairs_from
from clarion.domain.case import declared, type_name
from clarion.domain.imports import ImportOptions
from clarion.errors import Invalid
from clarion.store import case as cases
from clarion.store import case_type

app = group(
    "Cases: what is tracked, with its properties and whom it names (docs/cases.md).",
    [
        "clarion case type pregnancy --property edd=date --property phone=address",
        "clarion case import pregnancies.csv --type pregnancy",
        "clarion case show P-17",
    ],
)
Type = Annotated[
    str | None, typer.Option("--type", help="Of rows that do not say theirs in a column `type`.")
]
SHOWN = ("type", "external_id", "name", "state", "owner", "modified_by", "parent", "host")
MOMENTS = ("opened_at", "closed_at", "modified_at")


@app.command("import")
def take_in(
    file: contacts.File,
    type_: Type = None,
    column: contacts.Column = None,
    encoding: contacts.Encoding = None,
    sheet: contacts.Sheet = None,
    report: contacts.Report = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Take cases in, and say of every row that was refused in which line it is and why.

    A column means the attribute of its name (external_id, name, owner, parent, modified_at …), else the
    property. Run again, the same file changes nothing; rows that are refused do not stop the others.

    [dim]$[/] clarion case import cases.csv --type pregnancy --column "Due date=property:edd"
    """
    chosen = ImportOptions(
        columns=pairs_from(column or [], "--column"), case_type=type_ or "", encoding=encoding, sheet=sheet
    )
    into = report and options.in_a_folder(report)
    place.run(contacts.import_of(file, chosen, into, workspace, json))


@app.command()
def show(
    case: Annotated[str, typer.Argument(metavar="CASE", help="Id or external id.")],
    history: Annotated[bool, typer.Option("--history", help="Also what became of it.")] = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """One case: what is known of it, and whom it names."""
    place.run(_show(case, history, workspace, json))


async def _show(case: str, history: bool, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        row = await cases.get(connection, case)
        changes = await cases.history(connection, row["id"]) if history else []
    if json:
        terminal.json({**row, "history": changes} if history else row)
        return
    terminal.pairs(
        [(name, row[name] or "") for name in SHOWN] + [(name, str(row[name] or "")) for name in MOMENTS]
    )
    terminal.result("")
    terminal.table(
        ("property", "value"), ((key, str(value)) for key, value in sorted(row["properties"].items()))
    )
    if row["contacts"]:
        terminal.result("")
        terminal.table(
            ("role", "contact", "name"),
            (
                (role, who["external_id"] or who["id"], who["name"])
                for role, some in sorted(row["contacts"].items())
                for who in some
            ),
        )
    if changes:
        terminal.result("")
        terminal.table(("when", "by", "what", "before", "after"), _changes(changes))


def _changes(changes: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (str(one["at"]), one["by"], key, *("" if value is None else str(value) for value in pair))
        for one in changes
        for key, pair in one["changes"].items()
    ]


@app.command()
def types(workspace: options.Workspace = None, json: options.Json = False) -> None:
    """The types there are, with what they declare."""
    place.run(_types(workspace, json))


async def _types(workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await case_type.shown(connection)
    if json:
        terminal.json(found)
        return
    terminal.table(
        ("type", "open", "closed", "properties"),
        (
            (
                one["name"],
                one["open"],
                one["closed"],
                ", ".join(f"{p['key']} ({p['scheme'] or p['kind']})" for p in one["properties"]),
            )
            for one in found
        ),
        numbers=("open", "closed"),
    )


@app.command("type")
def declare(
    name: Annotated[str, typer.Argument(help="What its cases are called: pregnancy.")],
    property_: Annotated[
        list[str] | None,
        typer.Option("--property", metavar="KEY=KIND", help="A property of it; several times."),
    ] = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Make a type, or declare more of one that is there."""
    place.run(_declare(name, property_ or [], workspace, json))


async def _declare(name: str, given: list[str], workspace: str | None, json: bool) -> None:
    pairs = [one.partition("=") for one in given]
    if any(not sign for _, sign, _ in pairs):
        raise Invalid("a property is KEY=KIND", where="--property", hint="As edd=date.")
    properties = declared((key, kind, None, "") for key, _, kind in pairs)
    name = type_name(name)
    async with place.opened(workspace) as here, here.tenant() as connection:
        known = (await case_type.known(connection)).get(name)
        if known is None:
            await case_type.create(connection, name, here.now(), properties=properties)
        else:
            await case_type.change(connection, known.id, here.now(), add=properties)
    if json:
        terminal.json({"type": name, "properties": [one.key for one in properties]})
    else:
        terminal.say(f"{name} is {'made' if known is None else 'declared so'}")
