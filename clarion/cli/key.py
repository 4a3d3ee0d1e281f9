"""`clarion key`: keys to the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer

from clarion.cli import options, place, terminal
from clarion.cli.commands import group
from clarion.domain.scope import Scope
from clarion.flow import access
from clarion.store import api_key as keys

app = group(
    "Keys to the API: each belongs to one workspace and may do what its scopes say.",
    [
        'clarion key create "employer portal" --scope announcements:write --scope contacts:write',
        "clarion key revoke 0199…",
    ],
)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What uses it.")],
    scope: Annotated[
        list[Scope], typer.Option(help="What it may do; several times for several. Writing includes reading.")
    ],
    days: Annotated[int | None, typer.Option(min=1, help="Expires after so many days.")] = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Make a key. It is shown this once and stored nowhere: keep it."""
    place.run(_create(name, scope, days, workspace, json))


async def _create(name: str, scope: list[Scope], days: int | None, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        now = here.now()
        ends = None if days is None else now + timedelta(days=days)
        key = await access.create_key(
            connection, here.id, name=name, scopes=set(scope), now=now, expires_at=ends
        )
    if json:
        terminal.json(
            {"id": key.key_id, "key": key.shown(), "scopes": sorted(set(scope)), "expires_at": ends}
        )
    else:
        terminal.pairs([("id", key.key_id), ("key", key.shown())])
        terminal.say("It is not shown again.")


@app.command("list")
def listed(workspace: options.Workspace = None, json: options.Json = False) -> None:
    """List the keys, without their secrets."""
    place.run(_list(workspace, json))


async def _list(workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await keys.page(connection, None, 10_000)
    if json:
        terminal.json(found)
        return
    terminal.table(
        ("id", "name", "scopes", "last used", "state"),
        (
            (
                row["id"], row["name"], " ".join(row["scopes"]),
                terminal.moment(row["last_used_at"], here.zone) or "never",
                "revoked" if row["revoked_at"] else
                f"until {terminal.moment(row['expires_at'], here.zone)}" if row["expires_at"] else "valid",
            )
            for row in found
        ),
    )  # fmt: skip


@app.command()
def revoke(
    key: Annotated[UUID, typer.Argument(help="Its id.")],
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """End a key at once and for good."""
    place.run(_revoke(key, workspace, json))


async def _revoke(key: UUID, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        await access.revoke_key(connection, key, here.now())
    if json:
        terminal.json({"id": key, "revoked": True})
        return
    terminal.say("The key is refused from now on.")
