"""`clarion explain`: why a message, or a person, is as they are."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from clarion.cli import options, place, terminal
from clarion.cli.commands import single
from clarion.cli.place import Place
from clarion.domain.address import parse_address
from clarion.domain.contact import clean_external_id
from clarion.domain.refusal import Refusal
from clarion.errors import NotFound
from clarion.flow import explain as explanations
from clarion.flow.explain import Explanation
from clarion.kit.db import Connection
from clarion.store import contact as contacts

app = single()


@app.command()
def explain(
    what: Annotated[
        str, typer.Argument(metavar="MESSAGE|CONTACT", help="An id; of a person also external id or number.")
    ],
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Say in sentences why a message, or a person, is as they are, and what happens next.

    [dim]$[/] clarion explain E00012
    [dim]$[/] clarion explain +254712345678
    """
    place.run(_explain(what, workspace, json))


async def _explain(what: str, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await _found(connection, here, what)
    if json:
        terminal.json([asdict(one) for one in found])
        return
    for one in found:
        terminal.result(f"{one.kind} {one.id}")
        for sentence in one.sentences:
            terminal.result(f"  {sentence}")


async def _found(connection: Connection, here: Place, what: str) -> list[Explanation]:
    """A message or contact by id, or everybody who is known by an external id or at an address."""
    try:
        return [await explanations.explain(connection, UUID(what), here.now(), here.zone)]
    except ValueError:
        pass
    except NotFound as error:
        raise NotFound(error.what, hint="Of an announcement: `clarion announcement show`.") from None
    who: list[UUID] = []
    external = clean_external_id(what)
    if external is not None and (known := await contacts.by_external_id(connection, external)):
        who = [known]
    else:
        read = parse_address(what, country=here.workspace["country"])
        if not isinstance(read, Refusal):
            who = await contacts.by_address(connection, read.path)
    if not who:
        raise NotFound(
            "nobody is known by this, and it is no message's id",
            hint="Give an id, an external id, a number or another address.",
        )
    return [await explanations.contact(connection, one, here.now(), here.zone) for one in who]
