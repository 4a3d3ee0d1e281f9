"""`clarion unknown`: messages of which nobody knows whether they went."""

from __future__ import annotations

import getpass
from typing import Annotated, Any
from uuid import UUID

import typer

from clarion.cli import options, place, terminal
from clarion.cli.commands import group
from clarion.cli.place import Place
from clarion.errors import Invalid, NotFound
from clarion.flow import unknowns
from clarion.flow.unknowns import As, Unknown

app = group(
    "Messages of which nobody knows whether they went: the call began, and no answer came.",
    ["clarion unknown list", "clarion unknown settle 0199… --as not-sent"],
)
PAGE = 1_000


@app.command("list")
def listed(
    limit: options.Limit = 100, workspace: options.Workspace = None, json: options.Json = False
) -> None:
    """List them, oldest first. Receipts and look-ups at the provider may still settle them by themselves."""
    place.run(_list(limit, workspace, json))


async def _list(limit: int, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await unknowns.listed(connection, limit=limit)
    if json:
        terminal.json([_plain(one) for one in found])
        return
    terminal.table(
        ("id", "announcement", "person", "for", "what happened"),
        (
            (
                one.attempt.id, one.message["campaign"], one.message["name"],
                terminal.ago(here.now() - one.attempt.unknown_since), one.attempt.detail or one.attempt.code,
            )
            for one in found
        ),
    )  # fmt: skip
    if found:
        terminal.say(
            "Ask the person or the provider, then `clarion unknown settle ID --as sent|not-sent|send-again`."
        )


@app.command()
def settle(
    as_: Annotated[
        As, typer.Option("--as", help="What became of them; sending again may reach somebody twice.")
    ],
    ids: Annotated[list[UUID] | None, typer.Argument(metavar="ID", help="Which of them.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All of the workspace.")] = False,
    yes: options.Yes = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Decide what no evidence settles. It is kept who decided; evidence that comes later still counts.

    Exit code 66: one that was named is not unknown (any more); the others are settled.
    """
    if bool(ids) == all_:
        raise Invalid("say which by id, or --all", where="ID", hint="`clarion unknown list` shows them.")
    ask = as_ is As.SEND_AGAIN and not yes and terminal.asks()
    place.run(_settle(ids, as_, ask, workspace, json))


async def _settle(ids: list[UUID] | None, as_: As, ask: bool, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here:
        wanted = ids or await _all(here)
        if ask:
            typer.confirm(
                f"Whoever has it already gets it twice. Send {len(wanted):,} again?", abort=True, err=True
            )
        async with here.tenant() as connection:
            settled = await unknowns.settle(connection, here.services, wanted, as_, by=getpass.getuser())
    if json:
        terminal.json({"settled": settled, "as": as_, "asked": len(wanted)})
    elif settled or not ids:
        terminal.say(f"Settled {settled:,} as {as_}.")
    others = len(set(wanted)) - settled
    if ids and others:
        raise NotFound(
            f"{others:,} of those that were named are not unknown (any more), and stay as they are",
            where="ID",
            hint="`clarion unknown list` shows those that are; `clarion explain MESSAGE` tells of one.",
        )
    if others:
        terminal.say(f"{others:,} were settled by evidence meanwhile, and stay as that says.")


async def _all(here: Place) -> list[UUID]:
    found: list[UUID] = []
    while True:
        async with here.tenant() as connection:
            page = await unknowns.listed(connection, after=found[-1] if found else None, limit=PAGE)
        found += [one.attempt.id for one in page]
        if len(page) < PAGE:
            return found


def _plain(one: Unknown) -> dict[str, Any]:
    return {
        "id": one.attempt.id, "since": one.attempt.unknown_since, "code": one.attempt.code,
        "detail": one.attempt.detail, "message": one.message["id"], "announcement": one.message["campaign"],
        "contact": one.message["contact_id"], "name": one.message["name"],
    }  # fmt: skip
