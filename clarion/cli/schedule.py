"""`clarion schedule`: when a campaign would speak, foreseen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from clarion.cli import contact, foreseen, options, place, schedule_import, terminal
from clarion.cli.commands import group
from clarion.domain.schedule import calendar, check
from clarion.domain.schedule.model import Schedule
from clarion.domain.schedule.subject import Subject
from clarion.flow.foresee import Foreseen, Wish, foresee, nobody, subject

app = group(
    "When a campaign speaks to one person.",
    [
        'clarion schedule preview karma.json --fields \'{"registration_date": "2026-03-01"}\'',
        "clarion schedule preview karma.json --contact E-1001 --ical karma.ics",
        "clarion schedule import schedule.csv --start field:registration_date --out schedule.json",
    ],
)
app.command("import")(schedule_import.take_in)


@app.callback()
def _group() -> None:
    """When a campaign speaks to one person."""


@app.command()
def preview(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A schedule, as JSON.")],
    contact: Annotated[
        str | None, typer.Option(metavar="CONTACT", help="For this person: id, external id or address.")
    ] = None,
    now: Annotated[str | None, typer.Option(metavar="TIME", help="When they would be enrolled.")] = None,
    zone: Annotated[str | None, typer.Option(help="Their time zone; UTC if nothing says so.")] = None,
    fields: Annotated[str | None, typer.Option(metavar="JSON", help="Their fields, such as a date.")] = None,
    properties: Annotated[str | None, typer.Option(metavar="JSON", help="Those of a case.")] = None,
    count: Annotated[int, typer.Option(min=1, max=calendar.MOST, help="So many occurrences.")] = 20,
    ical: Annotated[Path | None, typer.Option(metavar="FILE", help="Write them as iCalendar, too.")] = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Tell what a schedule says, and when it would speak. Nothing is written or sent.

    Without --contact no database is needed. Random times are examples: each campaign and person has others.
    """
    schedule = check.read(foreseen.object_of(foreseen.text_of(file), str(file)), "")
    given = _given(now, zone, fields, properties, count)
    if contact is None:
        somebody = nobody(given)
        _tell(foresee(schedule, somebody, count), somebody, ical, json=json)
    else:
        place.run(_of_contact(schedule, contact, given, ical, workspace, json=json))


async def _of_contact(
    schedule: Schedule, who: str, given: Wish, ical: Path | None, workspace: str | None, *, json: bool
) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        contact_id = await contact.find(connection, here, who)
        somebody = await subject(connection, replace(given, contact_id=contact_id))
    _tell(foresee(schedule, somebody, given.count), somebody, ical, json=json)


def _given(now: str | None, zone: str | None, fields: str | None, properties: str | None, count: int) -> Wish:
    named = foreseen.zone_named(zone)
    return Wish(
        foreseen.moment(now, named),
        zone=named,
        fields=None if fields is None else foreseen.object_of(fields.encode(), "--fields"),
        properties=None if properties is None else foreseen.object_of(properties.encode(), "--properties"),
        count=count,
    )


def _tell(found: Foreseen, somebody: Subject, ical: Path | None, *, json: bool) -> None:
    if ical is not None:
        options.in_a_folder(ical).write_bytes(
            calendar.icalendar(found.lines, ical.stem, somebody.key or "preview")
        )
    if json:
        terminal.json(foreseen.plain(found))
        return
    terminal.say(found.sentence)
    if not found.lines:
        terminal.say("For this person it would say nothing: its start is not known, or over.")
        return
    foreseen.table(found)
    if ical is not None:
        terminal.say(f"Written to {ical}.")
