"""`clarion schedule import`: a schedule that is kept in a spreadsheet becomes a document for a sequence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import orjson
import typer

from clarion.cli import foreseen, options, place, terminal
from clarion.domain.field import FieldType
from clarion.domain.schedule import calendar
from clarion.domain.schedule.clocktime import Weekday
from clarion.domain.schedule.sheet import document
from clarion.domain.schedule.sheet.choices import Choices
from clarion.domain.schedule.sheet.reading import Imported
from clarion.errors import Conflict
from clarion.flow.foresee import Foreseen
from clarion.flow.schedule_file import example, read_file
from clarion.store import field as fields

MOST_NOTES = 20


def take_in(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV or XLSX; the first line names the columns.")
    ],
    start: Annotated[
        str | None,
        typer.Option(
            metavar="START",
            help="Day 0: enrollment, field:registration_date, property:next_visit, or a date.",
        ),
    ] = None,
    time: Annotated[
        str | None, typer.Option(metavar="TIME", help="Of rows that say none: 09:00 or 09:00-21:00.")
    ] = None,
    track: Annotated[
        str | None, typer.Option(metavar="NAME", help="Take only the rows of this track.")
    ] = None,
    week: Annotated[Weekday, typer.Option(help="On which day weeks begin.")] = Weekday.MON,
    update: Annotated[
        Path | None, typer.Option(metavar="OLD.json", help="What the table was before: its numbers stay.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the document there.")] = None,
    sheet: Annotated[str | None, typer.Option(help="Of a workbook; absent: the first.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of a CSV file; absent: UTF-8.")] = None,
    zone: Annotated[str | None, typer.Option(help="Of the preview; UTC if nothing is said.")] = None,
    now: Annotated[str | None, typer.Option(metavar="TIME", help="Of the preview; absent: now.")] = None,
    count: Annotated[int, typer.Option(min=1, max=calendar.MOST, help="So many occurrences.")] = 10,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """A schedule from a spreadsheet: a row for each message, with its day, its time and its texts.

    The columns are day (or week and weekday, or date), time, track, id, and text:eng, text:swa, … in any
    order. Without --out the document is printed. With --workspace the fields in the texts are checked.
    Everything that is wrong is told by line, and then nothing is written.
    """
    if out is not None:
        _is_free(options.in_a_folder(out), update)
    named = foreseen.zone_named(zone)
    at = foreseen.moment(now, named)
    before = None
    if update is not None:
        before = document.read(foreseen.object_of(foreseen.text_of(update), str(update)), str(update))
    known = None if workspace is None else place.run(_fields(workspace))
    choices = Choices(start, time, track, week, known, before)
    imported = read_file(file, choices, sheet=sheet, encoding=encoding)
    preview = example(imported.document.schedule, at, named, count)
    text = orjson.dumps(imported.document.stored(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if out is not None:
        out.write_bytes(text)
    if json:
        terminal.json(_plain(imported, preview[0]))
        return
    _tell(imported, preview, out)
    if out is None:
        terminal.out.file.write(text.decode())


def _is_free(out: Path, update: Path | None) -> None:
    """A file that is there may hold numbers that people were sent under."""
    if out.exists() and (update is None or not update.exists() or not out.samefile(update)):
        hint = f"--update {out} keeps the numbers of its steps; or name another file."
        raise Conflict("the file is there already", where=str(out), hint=hint)


async def _fields(workspace: str) -> Mapping[str, FieldType]:
    async with place.opened(workspace) as here, here.tenant() as connection:
        return {key: field.type for key, field in (await fields.declared(connection)).items()}


def _plain(imported: Imported, found: Foreseen) -> dict[str, object]:
    return {
        "document": imported.document.stored(), "counts": imported.counts(), "fields": imported.fields,
        "notes": imported.notes, **foreseen.plain(found),
    }  # fmt: skip


def _tell(imported: Imported, preview: tuple[Foreseen, str], out: Path | None) -> None:
    """For people; on standard error where the document itself is printed."""
    found, whose = preview
    terminal.say(found.sentence)
    said = [
        f"{number:,} {name if number != 1 else name.removesuffix('s')}"
        for name, number in imported.counts().items()
        if number
    ]
    terminal.say(f"{', '.join(said)}.")
    for note in imported.notes[:MOST_NOTES]:
        terminal.say(f"Note: {note}.")
    if len(imported.notes) > MOST_NOTES:
        terminal.say(f"Note: {len(imported.notes) - MOST_NOTES} more; --json has all.")
    if imported.fields:
        terminal.say(f"The texts read the fields {', '.join(imported.fields)}; --workspace checks them.")
    terminal.say(f"For {whose}:")
    foreseen.table(found, terminal.err if out is None else terminal.out)
    if out is not None:
        terminal.say(f"Written to {out}.")
