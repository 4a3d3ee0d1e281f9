"""`clarion subscription`: who is told what happens in a workspace, by signed web calls."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer

from clarion.cli import options, place, terminal
from clarion.cli.commands import group
from clarion.domain.event import EventType
from clarion.errors import NotFound
from clarion.flow import subscribe
from clarion.kit.db import Connection, Row
from clarion.store import subscription as subscriptions

app = group(
    "Subscriptions: who is told what happens, by signed web calls (docs/events.md).",
    [
        "clarion subscription create portal https://portal.example.org/clarion --type message.delivered",
        "clarion subscription test portal",
        "clarion subscription list",
    ],
)

Name = Annotated[str, typer.Argument(help="Its name or id.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What listens.")],
    url: Annotated[str, typer.Argument(help="Where: https, and reachable from the internet.")],
    type: Annotated[list[EventType], typer.Option(help="What it is told; several times for several.")],
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Make a subscription. Its secret is shown this once: keep it where the calls are verified."""
    place.run(_create(name, url, type, workspace, json))


async def _create(name: str, url: str, type: list[EventType], workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        subscription_id, secret = await subscribe.create(
            connection, here.services, here.id, name=name, url=url, types=type
        )
    _secret(subscription_id, secret, json)


@app.command("list")
def listed(workspace: options.Workspace = None, json: options.Json = False) -> None:
    """List the subscriptions, with how it goes; without their secrets."""
    place.run(_list(workspace, json))


async def _list(workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await subscriptions.page(connection, None, 1_000)
    if json:
        terminal.json(found)
        return
    terminal.table(
        ("id", "name", "url", "types", "waiting", "given up", "state"),
        (
            (
                row["id"], row["name"], row["url"], " ".join(row["types"]), row["waiting"], row["given_up"],
                f"{row['state']}: {row['reason']}" if row["reason"] else
                f"failing since {terminal.moment(row['failing_since'], here.zone)}" if row["failing_since"]
                else row["state"],
            )
            for row in found
        ),
        numbers=("waiting", "given up"),
    )  # fmt: skip


@app.command()
def rotate(
    name: Name,
    keep_hours: Annotated[
        int, typer.Option(min=0, max=168, help="So long the secret of before signs too; 0: it ends at once.")
    ] = 24,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Make a new secret; both sign for a while, so that the receiver can change over."""
    place.run(_rotate(name, keep_hours, workspace, json))


async def _rotate(name: str, keep_hours: int, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await _find(connection, name)
        secret = await subscribe.rotate(
            connection, here.services, here.id, found["id"], timedelta(hours=keep_hours)
        )
    _secret(found["id"], secret, json)


@app.command("test")
def try_out(name: Name, workspace: options.Workspace = None) -> None:
    """Tell it a `subscription.test`; a worker does so at once."""
    place.run(_try_out(name, workspace))


async def _try_out(name: str, workspace: str | None) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        event_id = await subscribe.test(connection, here.services, (await _find(connection, name))["id"])
    terminal.say(f"It will be told event {event_id}.")


@app.command()
def pause(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why, for whoever reads it later.")] = "",
    workspace: options.Workspace = None,
) -> None:
    """Tell it nothing, and keep nothing new for it."""
    place.run(_pause(name, reason, workspace))


async def _pause(name: str, reason: str, workspace: str | None) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await _find(connection, name)
        changed = await subscribe.pause(connection, found["id"], reason, here.now())
    terminal.say("Paused." if changed else f"It was paused already: {found['reason']}")


@app.command()
def resume(name: Name, workspace: options.Workspace = None) -> None:
    """Tell it what waits, and what happens from now on."""
    place.run(_resume(name, workspace))


async def _resume(name: str, workspace: str | None) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await _find(connection, name)
        changed = await subscribe.resume(connection, found["id"], here.now())
    terminal.say("It is told again." if changed else "It was not paused.")


@app.command()
def again(name: Name, workspace: options.Workspace = None) -> None:
    """Tell it once more what was given up."""
    place.run(_again(name, workspace))


async def _again(name: str, workspace: str | None) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        count = await subscribe.again(connection, here.services, (await _find(connection, name))["id"])
    terminal.say(f"{count:,} events are told once more.")


@app.command()
def remove(name: Name, workspace: options.Workspace = None) -> None:
    """End it for good; what waits is told no more."""
    place.run(_remove(name, workspace))


async def _remove(name: str, workspace: str | None) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        await subscribe.remove(connection, (await _find(connection, name))["id"], here.now())
    terminal.say("It is told nothing any more.")


async def _find(connection: Connection, named: str) -> Row:
    """A subscription by name or id. Raises NotFound that lists those there are."""
    try:
        return await subscriptions.get(connection, UUID(named))
    except (ValueError, NotFound):
        pass
    try:
        return await subscriptions.by_name(connection, named)
    except NotFound:
        names = ", ".join(row["name"] for row in await subscriptions.page(connection, None, 20))
        hint = f"There are: {names}." if names else "`clarion subscription create NAME URL` makes one."
        raise NotFound(f"there is no subscription {named!r}", hint=hint) from None


def _secret(subscription_id: UUID, secret: str, json: bool) -> None:
    if json:
        terminal.json({"id": subscription_id, "secret": secret})
        return
    terminal.pairs([("id", subscription_id), ("secret", secret)])
    terminal.say("It is not shown again.")
