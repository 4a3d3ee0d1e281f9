"""`clarion channel`: accounts at providers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from clarion.cli import options, place, templates, terminal
from clarion.cli.commands import group
from clarion.cli.given import credentials_from, settings_from
from clarion.cli.place import Place
from clarion.errors import Invalid, Misconfigured, NotFound
from clarion.flow import configure, waits
from clarion.flow.dispatch import account
from clarion.kit.db import Connection, Row
from clarion.providers import registry
from clarion.providers.abilities import Polled
from clarion.store import channel as channels

app = group(
    "Channels: configured accounts at providers. Credentials go in and never come out.",
    [
        "clarion channel create staff --set sender=106540352242922 --credential token=@token.txt",
        "clarion channel set staff --rate 20 --set total_timeout=10",
        'clarion channel pause staff --reason "number is being moved"',
    ],
)

Name = Annotated[str, typer.Argument(metavar="NAME|ID", help="Which channel.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Configuration: sender, base_url, total_timeout, attempts …; KEY= goes back to the default.",
    ),
]
Credential = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=@FILE|-|VALUE",
        help="A credential, from a file, from standard input (asked for in a terminal), or as it is "
        "(others on this machine may see it then); KEY= takes it away.",
    ),
]
Rate = Annotated[
    float | None, typer.Option(help="Messages a second.", show_default="what the provider allows")
]
SHOWN = (
    "id",
    "name",
    "provider",
    "state",
    "reason",
    "rate",
    "account_id",
    "sight",
    "has_credentials",
    "config",
    "created_at",
    "modified_at",
)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    provider: Annotated[str, typer.Option(help="Who carries its messages.")] = "whatsapp",
    set_: Set = None,
    credential: Credential = None,
    rate: Rate = None,
    account: Annotated[
        str | None,
        typer.Option(metavar="NAME|ID", help="The channel that leads the account to which it belongs too."),
    ] = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Make a channel. It sends at once when something is due."""
    registry.get(provider)
    config = {key: value for key, value in settings_from(set_ or []).items() if value is not None}
    secrets = {key: value for key, value in credentials_from(credential or []).items() if value}
    place.run(_create(workspace, json, name, provider, config, secrets, rate, account))


async def _create(
    workspace: str | None, json: bool, name: str, provider: str, config: dict[str, object],
    secrets: dict[str, str], rate: float | None, leader: str | None,
) -> None:  # fmt: skip
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            account_id = (await find(connection, leader))["id"] if leader else None
            channel_id = await configure.create_channel(
                connection, here.services, here.id, name=name, provider=provider, config=config,
                credentials=secrets or None, rate=rate, account_id=account_id,
            )  # fmt: skip
            row = await channels.get(connection, channel_id)
        _show(here, row, json)  # when it is there: whoever reads may have gone


@app.command("list")
def listed(workspace: options.Workspace = None, json: options.Json = False) -> None:
    """List the channels."""
    place.run(_list(workspace, json))


async def _list(workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await channels.page(connection, None, 10_000)
    if json:
        terminal.json([_plain(here, row) for row in found])
        return
    terminal.table(
        ("id", "name", "provider", "rate", "state"),
        (
            (row["id"], row["name"], row["provider"], f"{float(row['rate']):g}/s", _state(row, here.now()))
            for row in found
        ),
    )


@app.command()
def show(name: Name, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Show a channel; of its credentials, only whether there are any."""
    place.run(_showing(name, workspace, json))


async def _showing(name: str, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        _show(here, await find(connection, name), json)


@app.command("set")
def change(
    name: Name,
    rename: Annotated[str | None, typer.Option(help="Another name.")] = None,
    set_: Set = None,
    credential: Credential = None,
    rate: Rate = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Change a channel; what is not given stays."""
    config, secrets = settings_from(set_ or []), credentials_from(credential or [])
    place.run(_change(name, workspace, json, rename, config, secrets, rate))


async def _change(
    name: str, workspace: str | None, json: bool, rename: str | None, config: dict[str, object],
    secrets: dict[str, str], rate: float | None,
) -> None:  # fmt: skip
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            found = await find(connection, name)
            if rename is not None or config or rate is not None:
                await configure.change_channel(
                    connection, here.services, found["id"], name=rename, config=config or None, rate=rate
                )
            if secrets:
                await _set_credentials(here, connection, found["id"], secrets)
            row = await channels.get(connection, found["id"])
        _show(here, row, json)


async def _set_credentials(
    here: Place, connection: Connection, channel_id: UUID, secrets: dict[str, str]
) -> None:
    """Credentials that are not named stay, where they can still be opened."""
    row = await channels.for_dispatch(connection, channel_id)
    try:
        present = configure.open_credentials(here.services, here.id, channel_id, row["credentials"])
    except Misconfigured:
        terminal.say("The credentials of before do not open with this key; only those given now are kept.")
        present = {}
    merged = {key: value for key, value in {**present, **secrets}.items() if value}
    await configure.set_credentials(connection, here.services, here.id, channel_id, merged or None)


@app.command()
def pause(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why, for whoever reads it later.")] = "",
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Send nothing more over a channel; calls under way end by themselves."""
    place.run(_pause(name, reason, workspace, json))


async def _pause(name: str, reason: str, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await find(connection, name)
        changed = await configure.pause_channel(connection, found["id"], reason, here.now())
        row = await channels.get(connection, found["id"])
    if json:
        terminal.json(_plain(here, row))
    else:
        terminal.say("Paused." if changed else f"It was paused already: {found['reason']}")


@app.command()
def resume(name: Name, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Send over a channel again; what waits goes out unless it has expired."""
    place.run(_resume(name, workspace, json))


async def _resume(name: str, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await find(connection, name)
        changed = await configure.resume_channel(connection, found["id"], here.now())
        row = await channels.get(connection, found["id"])
    if json:
        terminal.json(_plain(here, row))
    else:
        terminal.say("It sends again." if changed else "It was not paused.")


async def find(connection: Connection, named: str) -> Row:
    """A channel by name or id. Raises NotFound that lists those there are."""
    try:
        return await channels.get(connection, UUID(named))
    except (ValueError, NotFound):
        pass
    try:
        return await channels.by_name(connection, named)
    except NotFound:
        names = ", ".join(row["name"] for row in await channels.page(connection, None, 20))
        hint = f"There are: {names}." if names else "`clarion channel create NAME` makes one."
        raise NotFound(f"there is no channel {named!r}", hint=hint) from None


async def only(connection: Connection, named: str | None) -> Row:
    """The channel that was named, or the only one. Raises NotFound, Invalid."""
    if named is not None:
        return await find(connection, named)
    found = await channels.page(connection, None, 20)
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(
            "there is no channel yet",
            hint="`clarion channel create NAME --set sender=… --credential token=-` makes one.",
        )
    names = ", ".join(row["name"] for row in found)
    raise Invalid("there are several channels", where="--channel", hint=f"Say which. There are: {names}.")


def _state(row: Row, now: datetime) -> str:
    if row["reason"]:
        return f"{row['state']}: {row['reason']}"
    sight = waits.sight(row, now)
    if row["state"] != "active" or not sight:
        return str(row["state"])
    health = sight["health"] + (f": {sight['why']}" if sight["why"] else "")
    return "; ".join(filter(None, [f"active, {health}", waits.used_up(sight)]))


def _hook(here: Place, row: Row) -> str:
    settings = here.services.settings
    base = settings.public_url or f"http://{settings.host}:{settings.port}"
    return account.hook(base, row["id"])


def _receipts(here: Place, row: Row) -> tuple[str, str]:
    if isinstance(registry.get(row["provider"]), Polled):
        return "receipts", "asked for by a worker"
    return "receipts to", _hook(here, row)


def _plain(here: Place, row: Row) -> dict[str, object]:
    return {**{name: row[name] for name in SHOWN}, "rate": float(row["rate"]), "hook": _hook(here, row)}


def _show(here: Place, row: Row, json: bool) -> None:
    if json:
        terminal.json(_plain(here, row))
        return
    terminal.pairs(
        [
            ("id", row["id"]), ("name", row["name"]), ("provider", row["provider"]),
            ("state", _state(row, here.now())),
            ("rate", f"{float(row['rate']):g} a second"),
            *([("account led by", row["account_id"])] if row["account_id"] else []),
            ("credentials", "given" if row["has_credentials"] else "none"),
            *((key, value) for key, value in sorted(row["config"].items())),
            _receipts(here, row),
        ]
    )  # fmt: skip


templates.add_to(app, find)
