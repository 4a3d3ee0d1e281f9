"""`clarion workspace`: the tenants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from clarion.cli import caps, options, place, terminal
from clarion.cli import pool as pools
from clarion.cli.commands import group
from clarion.cli.given import hours_of
from clarion.domain.caps import caps_of, told_of
from clarion.domain.schedule.sentence import told_at
from clarion.flow import configure
from clarion.flow.caps import set_caps
from clarion.flow.home_hours import home_hours, set_home_hours, set_hours_field, unreadable
from clarion.flow.home_hours import hours_field as field_of
from clarion.kit.db import Row
from clarion.store import workspace as workspaces

app = group(
    "Workspaces, the tenants: each has its own people, channels and announcements.",
    [
        'clarion workspace create "Selam Clinic" --country KE --timezone Africa/Nairobi',
        "clarion workspace set --operator mailto:it@selam.example",
    ],
)

Country = Annotated[
    str | None, typer.Option(help="How national numbers are read: ISO 3166 code or English name.")
]
Language = Annotated[str | None, typer.Option(help="Language of people who have none, as BCP 47.")]
Timezone = Annotated[str | None, typer.Option(help="IANA name; local times are of this zone.")]
Operator = Annotated[
    str | None, typer.Option(help="Who is told when something needs a person: mailto:… or https://….")
]
SHOWN = ("id", "name", "country", "language", "timezone", "operator_address", "created_at")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    country: Country = None,
    language: Language = None,
    timezone: Timezone = None,
    operator: Operator = None,
    json: options.Json = False,
) -> None:
    """Make a workspace and its first key to the API, which is shown this once."""
    place.run(_create(name, country or "US", language or "en", timezone or "UTC", operator, json))
    if country is None:
        terminal.say(
            "National numbers are read as of the US: `clarion workspace set --country …` changes it."
        )


async def _create(
    name: str, country: str, language: str, timezone: str, operator: str | None, json: bool
) -> None:
    async with place.house() as house:
        made = await configure.create_workspace(
            house.services, name=name, country=country, language=language, timezone=timezone,
            operator_address=operator,
        )  # fmt: skip
    if json:
        terminal.json({"id": made.workspace_id, "name": name.strip(), "key": made.key.shown()})
        return
    terminal.pairs([("workspace", made.workspace_id), ("key", made.key.shown())])
    terminal.say("The key has every right and is not shown again.")


@app.command("list")
def listed(json: options.Json = False) -> None:
    """List the workspaces."""
    place.run(_list(json))


async def _list(json: bool) -> None:
    async with place.house() as house:
        async with house.services.db.system() as connection:
            found = await workspaces.names(connection)
        rows: list[Row] = []
        for each in found:
            async with house.services.db.tenant(each["workspace_id"]) as connection:
                rows.append(await workspaces.get(connection))
    if json:
        terminal.json([{name: row[name] for name in SHOWN} for row in rows])
        return
    names = ("id", "name", "country", "language", "timezone")
    terminal.table(names, ([row[name] for name in names] for row in rows))


@app.command("set")
def change(
    workspace: options.Workspace = None,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    country: Country = None,
    language: Language = None,
    timezone: Timezone = None,
    operator: Operator = None,
    channel: Annotated[
        str | None, typer.Option(help="Announcements go over this channel where they name none.")
    ] = None,
    pool: Annotated[str | None, typer.Option(help="The same, over a pool.")] = None,
    between: Annotated[
        str | None, typer.Option(metavar="HOURS", help="Campaigns speak at these hours only: 08:00-20:00.")
    ] = None,
    hours_field: Annotated[
        str | None, typer.Option(metavar="FIELD", help="In this field people have hours of their own.")
    ] = None,
    gap: caps.Gap = None,
    per_day: caps.PerDay = None,
    per_week: caps.PerWeek = None,
    json: options.Json = False,
) -> None:
    """Change a workspace; what is not given stays. `--operator ""` takes the address away, `--channel ""` the
    default channel or pool, `--between ""` the hours, and `--per-day ""` that cap."""
    limits = (gap or (), per_day or (), per_week or ())
    place.run(_change(workspace, json, (channel, pool), (between, hours_field), limits, name=name,
                      country=country, language=language, timezone=timezone,
                      operator_address=operator))  # fmt: skip


async def _change(
    workspace: str | None, json: bool, over: tuple[str | None, str | None],
    hours: tuple[str | None, str | None],
    limits: tuple[Sequence[str], Sequence[str], Sequence[str]], **changes: str | None,
) -> None:  # fmt: skip
    wrong, such = 0, ""
    async with place.opened(workspace) as here, here.tenant() as connection:
        await configure.change_workspace(connection, **changes)
        if over != (None, None):
            await pools.set_default(connection, *over)
        between, own = hours
        if between is not None:
            await set_home_hours(connection, here.services, hours_of(between or None))
        if own is not None:
            await set_hours_field(connection, here.services, own)
            wrong, such = await unreadable(connection, own)
        if any(limits):
            before = caps_of((await workspaces.get(connection))["settings"])
            await set_caps(connection, caps.changed(before, *limits))
        row = await workspaces.get(connection)
        default = await pools.default_name(connection, row)
    if wrong:
        terminal.say(
            f"{wrong:,} {'person has' if wrong == 1 else 'people have'} hours that cannot be read, such as "
            f"{such!r}: those do not hold. "
            "Write them as mon-fri 17:00-21:00; sat 10:00-12:00."
        )
    if json:
        terminal.json({name: row[name] for name in SHOWN} | {"default": default})
    else:
        lines = [(name, row[name]) for name in SHOWN[:-1]]
        told = _told(row["settings"])
        terminal.pairs([*lines, ("default", default or "none"), *told])


def _told(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """When and how much its people hear, as far as it says so."""
    hours, field, most = home_hours(settings), field_of(settings), caps_of(settings)
    told = [] if hours is None else [("hours", told_at(hours))]
    told += [("of each person", f"as written in {field}")] if field else []
    return told + ([] if most is None else [("caps", told_of(most))])
