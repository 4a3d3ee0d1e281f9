"""`clarion import contacts`: people come in from a file, and every row that is refused is told."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from clarion.cli import options, place, terminal
from clarion.cli.commands import group
from clarion.cli.given import pairs_from
from clarion.cli.place import Place
from clarion.domain.imports import ImportOptions
from clarion.errors import Conflict, Invalid
from clarion.flow import ingest
from clarion.flow.importing import Progress
from clarion.kit.db import Row
from clarion.store import imports

SHOWN, PAGE = 20, 1_000
app = group("Take people in from a file.", ["clarion import contacts people.csv --country KE"])


@app.callback()
def _group() -> None:
    """Take people in from a file."""


File = Annotated[Path, typer.Argument(help="CSV, XLSX or JSON; the first line names the columns.")]
Country = Annotated[
    str | None, typer.Option(help="Of national numbers in rows without a country; else the workspace's.")
]
Report = Annotated[
    Path | None, typer.Option(help="Write every refused row and every warning to this CSV file.")
]
Encoding = Annotated[str | None, typer.Option(help="Of CSV and JSON; absent: the file's mark, else UTF-8.")]
Column = Annotated[
    list[str] | None,
    typer.Option(
        "--column", metavar="COLUMN=MEANING", help="What a column means, before what its name says."
    ),
]
Sheet = Annotated[str | None, typer.Option(help="Of a workbook; absent: the first.")]


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file. `row` is the import's row, `shown` the first of its problems."""

    row: Row
    shown: list[Row]

    def plain(self) -> dict[str, object]:
        """For JSON."""
        counts = ("done_rows", "created", "updated", "unchanged", "refused")
        return {
            "import": self.row["id"], "file": self.row["name"], "state": self.row["state"],
            **{name: self.row[name] for name in counts}, "problems": self.shown,
        }  # fmt: skip


@app.command()
def contacts(
    file: File,
    group_: Annotated[
        list[str] | None, typer.Option("--group", help="A group that everybody in the file joins.")
    ] = None,
    country: Country = None,
    column: Column = None,
    create_fields: Annotated[
        bool, typer.Option("--create-fields", help="Columns that are unknown become text fields.")
    ] = False,
    encoding: Encoding = None,
    sheet: Sheet = None,
    report: Report = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Take people in, and say of every row that was refused in which line it is and why.

    A person who is there already is updated: the external id decides, else address and name. Run again
    the same file changes nothing. Rows that are refused do not stop the others; the exit code stays 0.

    [dim]$[/] clarion import contacts people.xlsx --group Nurses --report refused.csv
    [dim]$[/] clarion import contacts people.csv --column "Mobile No=phone" --country KE
    """
    chosen = ImportOptions(
        columns=pairs_from(column or [], "--column"), country=country, groups=tuple(group_ or ()),
        create_fields=create_fields, encoding=encoding, sheet=sheet,
    )  # fmt: skip
    place.run(import_of(file, chosen, report and options.in_a_folder(report), workspace, json))


async def import_of(
    file: Path, chosen: ImportOptions, report: Path | None, workspace: str | None, json: bool
) -> None:
    """Import a file, and tell what became of its rows."""
    async with place.opened(workspace) as here:
        done = await take_in(here, file, chosen)
        if report is not None:
            count = await write_report(here, done.row["id"], report)
            terminal.say(f"{count:,} problems are in {report}")
        if json:
            terminal.json(done.plain())
        else:
            tell(done, all_told=report is not None)


async def take_in(here: Place, file: Path, chosen: ImportOptions) -> Imported:
    """Import a file with a progress bar. Raises NotFound, Invalid or TooLarge for the file as a whole."""
    db, clock = here.services.db, here.services.clock
    import_id = await ingest.start_import(db, clock, here.id, file, options=chosen)
    with terminal.Bar(f"importing {file.name}", counted=False) as bar:

        def progress(step: Progress) -> None:
            bar.update(step.done_bytes, _counts(step.done_rows, step.refused), total=step.size_bytes)

        try:
            row = await ingest.import_file(db, clock, here.id, import_id, progress)
        except asyncio.CancelledError:  # Ctrl-C
            await ingest.cancel_import(db, clock, here.id, import_id)
            terminal.say(
                "Stopped. The people who were taken in stay; running it again changes nothing of them."
            )
            raise
        bar.update(row["size_bytes"], _counts(row["done_rows"], row["refused"]), total=row["size_bytes"])
    if row["state"] == "failed":
        raise Invalid(row["error"], where=str(file), extra={"import": str(import_id)})
    if row["state"] != "done":
        raise Conflict(f"the import is {row['state']}", where=str(file))
    async with here.tenant() as connection:
        return Imported(row, await imports.problems(connection, import_id, limit=SHOWN))


def tell(done: Imported, *, all_told: bool = False) -> None:
    """The counts on standard output, and the first problems."""
    row = done.row
    terminal.pairs(
        [
            ("rows", row["done_rows"]), ("new", row["created"]), ("updated", row["updated"]),
            ("unchanged", row["unchanged"]), ("refused", row["refused"]),
        ]
    )  # fmt: skip
    if not done.shown or all_told:
        return
    terminal.result("")
    terminal.table(
        ("line", "column", "", "reason"),
        ((p["line"], p["field"], p["severity"], p["reason"]) for p in done.shown),
        numbers=("line",),
    )
    if len(done.shown) == SHOWN:
        terminal.say("These are the first; --report FILE writes all of them.")


def say_refused(done: Imported) -> None:
    """The rows that reach nobody, in few words on standard error."""
    refused = done.row["refused"]
    if not refused:
        return
    terminal.say(f"{refused:,} {'row was' if refused == 1 else 'rows were'} refused:")
    for problem in [p for p in done.shown if p["severity"] == "refused"][:5]:
        terminal.say(f"  line {problem['line']:,}: {problem['reason']}")
    if refused > 1:
        terminal.say("`clarion import contacts FILE --report FILE` tells each of them.")


async def write_report(here: Place, import_id: UUID, path: Path) -> int:
    """Every problem of an import as CSV: line, column, severity, reason; how many."""
    count = 0
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("line", "column", "severity", "reason"))
        async for problem in problems_of(here, import_id):
            writer.writerow((problem["line"], problem["field"], problem["severity"], problem["reason"]))
            count += 1
    return count


async def problems_of(here: Place, import_id: UUID) -> AsyncIterator[Row]:
    """Every problem of an import, by line."""
    after: tuple[int, str, str] | None = None
    while True:
        async with here.tenant() as connection:
            found = await imports.problems(connection, import_id, after, PAGE)
        for problem in found:
            yield problem
        if len(found) < PAGE:
            return
        after = (found[-1]["line"], found[-1]["field"], found[-1]["reason"])


def _counts(rows: int, refused: int) -> str:
    return f"{rows:,} rows" + (f", {refused:,} refused" if refused else "")
