"""`clarion pool`: channels that stand for one another; and what an announcement goes over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import typer
from pydantic import ValidationError

from clarion.cli import channel as channels
from clarion.cli import options, place, terminal
from clarion.cli.commands import group
from clarion.domain.campaign import Announcement
from clarion.domain.pool import PoolMember
from clarion.errors import Invalid, NotFound
from clarion.flow import pooling, route
from clarion.kit.db import Connection, Row
from clarion.providers import registry
from clarion.providers.contract import Provider
from clarion.store import channel as stored
from clarion.store import pool as pools
from clarion.store import workspace as workspaces

app = group(
    "Pools: channels that stand for one another. Each person hears from one of them.",
    [
        'clarion pool create "East Africa" --channel "nairobi=+254*2" --channel kampala=+256 --channel rest',
        'clarion pool set "East Africa" --skip-paused',
        'clarion send --to people.csv --text "Closed on Friday." --pool "East Africa"',
    ],
)

Name = Annotated[str, typer.Argument(metavar="NAME|ID", help="Which pool.")]
Channel = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CHANNEL[=PREFIX,…][*WEIGHT]",
        help="A channel by name or id, with the prefixes of the numbers that it takes (none: any address) "
        "and its share beside others that fit as well. Several times; the first leads.",
    ),
]
SkipPaused = Annotated[
    bool | None,
    typer.Option("--skip-paused/--wait-paused", help="Whether another stands in for a paused channel."),
]
SHOWN = ("id", "name", "skip_paused", "channels", "created_at", "modified_at")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    channel: Channel = None,
    skip_paused: SkipPaused = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Make a pool."""
    place.run(_create(name, channel or [], bool(skip_paused), workspace, json))


async def _create(name: str, given: list[str], skip_paused: bool, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        members = [await _member(connection, one) for one in given]
        pool_id = await pooling.create(
            connection, here.services, name=name, members=members, skip_paused=skip_paused
        )
        _show(await pools.get(connection, pool_id), json)


@app.command("list")
def listed(workspace: options.Workspace = None, json: options.Json = False) -> None:
    """List the pools."""
    place.run(_list(workspace, json))


async def _list(workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await pools.page(connection, None, 10_000)
    if json:
        terminal.json([{name: row[name] for name in SHOWN} for row in found])
        return
    terminal.table(
        ("id", "name", "channels"),
        ((row["id"], row["name"], ", ".join(one["name"] for one in row["channels"])) for row in found),
    )


@app.command()
def show(name: Name, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Show a pool: its channels, their prefixes and weights."""
    place.run(_showing(name, workspace, json))


async def _showing(name: str, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        _show(await find(connection, name), json)


@app.command("set")
def change(
    name: Name,
    rename: Annotated[str | None, typer.Option(help="Another name.")] = None,
    channel: Channel = None,
    skip_paused: SkipPaused = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Change a pool; what is not given stays. Channels are given whole. It holds for whoever is written down
    from now on."""
    place.run(_change(name, rename, channel, skip_paused, workspace, json))


async def _change(
    name: str, rename: str | None, given: list[str] | None, skip_paused: bool | None,
    workspace: str | None, json: bool,
) -> None:  # fmt: skip
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await find(connection, name)
        members = [await _member(connection, one) for one in given] if given else None
        await pooling.change(
            connection, here.services, found["id"], name=rename, members=members, skip_paused=skip_paused
        )
        _show(await pools.get(connection, found["id"]), json)


@app.command()
def remove(name: Name, workspace: options.Workspace = None) -> None:
    """Remove a pool that no announcement needs any more; its channels stay."""
    place.run(_remove(name, workspace))


async def _remove(name: str, workspace: str | None) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        await pooling.remove(connection, (await find(connection, name))["id"])
    terminal.say("Removed.")


async def _member(connection: Connection, given: str) -> PoolMember:
    """Of `CHANNEL[=PREFIX,…][*WEIGHT]`. Raises NotFound, Invalid."""
    rest, star, weight = given.rpartition("*")
    if not (star and weight.strip().isdigit()):
        rest, weight = given, "1"
    name, _, prefixes = rest.partition("=")
    found = await channels.find(connection, name.strip())
    try:
        return PoolMember(
            channel_id=found["id"], weight=int(weight),
            prefixes=tuple(one for one in prefixes.split(",") if one.strip()),
        )  # fmt: skip
    except ValidationError as error:
        words = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise Invalid(f"{given!r} is no channel of a pool: {words}", where="--channel") from None


async def find(connection: Connection, named: str) -> Row:
    """A pool by name or id. Raises NotFound that lists those there are."""
    try:
        return await pools.get(connection, UUID(named))
    except (ValueError, NotFound):
        pass
    try:
        return await pools.by_name(connection, named)
    except NotFound:
        names = ", ".join(row["name"] for row in await pools.page(connection, None, 20))
        hint = f"There are: {names}." if names else "`clarion pool create NAME --channel …` makes one."
        raise NotFound(f"there is no pool {named!r}", hint=hint) from None


# --- what an announcement goes over


@dataclass(frozen=True, slots=True)
class Over:
    """One of a channel and a pool, its channels, and who carries its messages."""

    channel_id: UUID | None
    pool_id: UUID | None
    channel_ids: tuple[UUID, ...]
    providers: tuple[Provider, ...]


async def over(connection: Connection, channel: str | None, pool: str | None) -> Over:
    """What was named, else the workspace's default, else the only channel. Raises NotFound, Invalid."""
    if channel is not None and pool is not None:
        raise Invalid("it goes over either a channel or a pool", where="--pool", hint="Give one of the two.")
    channel_id, pool_id = route.named_default((await workspaces.get(connection))["settings"])
    if pool is not None or (channel is None and pool_id is not None):
        found = await find(connection, pool or str(pool_id))
        ids = tuple(one["channel_id"] for one in found["channels"])
        return Over(None, found["id"], ids, tuple(dict.fromkeys(map(registry.of, found["channels"]))))
    if channel is None and channel_id is not None:
        channel = str(channel_id)
    row = await channels.only(connection, channel)
    return Over(row["id"], None, (row["id"],), (registry.of(row),))


async def named(connection: Connection, campaign: Row) -> tuple[str, str]:
    """What an announcement goes over, as ("channel" or "pool", its name)."""
    pool_id = Announcement.read(campaign["definition"]).pool_id
    if pool_id is None:
        return "channel", (await stored.get(connection, campaign["channel_id"]))["name"]
    try:
        return "pool", (await pools.get(connection, pool_id))["name"]
    except NotFound:
        return "pool", f"{pool_id} (removed)"


async def set_default(connection: Connection, channel: str | None, pool: str | None) -> None:
    """The workspace's default by name or id; what is empty takes it away. Raises NotFound, Invalid."""
    channel_id, pool_id = await identified(connection, channel, pool)
    await pooling.set_default(connection, channel_id=channel_id, pool_id=pool_id)


async def identified(
    connection: Connection, channel: str | None, pool: str | None
) -> tuple[UUID | None, UUID | None]:
    """The ids of a channel and of a pool by their names; None of what is not named. Raises NotFound."""
    channel_id = (await channels.find(connection, channel))["id"] if channel else None
    return channel_id, (await find(connection, pool))["id"] if pool else None


async def default_name(connection: Connection, workspace: Row) -> str | None:
    """The workspace's default in words."""
    channel_id, pool_id = route.named_default(workspace["settings"])
    if pool_id is not None:
        return f"pool {(await pools.get(connection, pool_id))['name']}"
    return f"channel {(await stored.get(connection, channel_id))['name']}" if channel_id else None


def _show(row: Row, json: bool) -> None:
    if json:
        terminal.json({name: row[name] for name in SHOWN})
        return
    terminal.pairs([("id", row["id"]), ("name", row["name"]), *_members(row)])
    if row["skip_paused"]:
        terminal.result("Another stands in for a paused channel.")


def _members(row: Row) -> list[tuple[str, object]]:
    lines: list[tuple[str, object]] = []
    for one in row["channels"]:
        takes = ", ".join(one["prefixes"]) or "any address"
        weight = f", weight {one['weight']}" if one["weight"] > 1 else ""
        lines.append(("channel", f"{one['name']} ({one['provider']}, {one['state']}), {takes}{weight}"))
    return lines
