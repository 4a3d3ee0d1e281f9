"""`clarion channel templates`: what a channel's provider keeps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated

import typer

from clarion.cli import options, place, terminal
from clarion.domain.catalogue import Kept
from clarion.flow import catalogue
from clarion.flow.catalogue import Catalogue
from clarion.kit.db import Connection, Row

Find = Callable[[Connection, str], Awaitable[Row]]


def add_to(app: typer.Typer, find: Find) -> None:
    """Add the command to `clarion channel`, whose channels `find` looks up."""

    @app.command()
    def templates(
        name: Annotated[str, typer.Argument(metavar="NAME|ID", help="Which channel.")],
        refresh: Annotated[bool, typer.Option("--refresh", help="Ask the provider now.")] = False,
        workspace: options.Workspace = None,
        json: options.Json = False,
    ) -> None:
        """List the templates that the channel's provider keeps, with what each takes.

        They are asked for where the last reading is older than an hour. The channel's options say whose they
        are: `--set 'options={"business_account_id": "…"}'`.
        """
        place.run(_templates(find, name, workspace, refresh=refresh, json=json))


async def _templates(find: Find, name: str, workspace: str | None, *, refresh: bool, json: bool) -> None:
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await find(connection, name)
        found = await catalogue.read(here.services, here.id, row["id"], refresh=refresh)
        if json:
            terminal.json(_plain(found))
            return
        if found.problem:
            terminal.say(f"They could not be read now: {found.problem}.")
        if found.read_at is not None:
            terminal.say(
                f"{len(found.templates)} templates, read {terminal.moment(found.read_at, here.zone)}"
            )
            _table(found)


def _table(found: Catalogue) -> None:
    terminal.table(
        ("name", "language", "category", "status", "takes"),
        (
            (one.name, one.language, one.category.lower(), one.status.lower(), takes(one))
            for one in found.templates
        ),
    )


def takes(one: Kept) -> str:
    """What a template is filled with, in few words."""
    shape = one.shape
    if shape.beyond:
        return f"{shape.beyond}: not filled from here"
    parts = [f"{shape.parameters} {'names' if shape.named else 'parameters'}"] if shape.parameters else []
    if shape.header not in ("", "text") or shape.header_parameters:
        parts.append(f"header: {shape.header}")
    parts += [f"button {index}: {kind}" for index, kind in enumerate(shape.buttons) if kind]
    return ", ".join(parts) or "nothing"


def _plain(found: Catalogue) -> dict[str, object]:
    return {
        "channel_id": found.channel_id, "read_at": found.read_at, "problem": found.problem,
        "templates": [asdict(one) for one in found.templates],
    }  # fmt: skip
