"""`clarion contact`: one person who is known."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from clarion.cli import channel as channels
from clarion.cli import options, place, terminal
from clarion.cli.commands import group
from clarion.cli.place import Place
from clarion.domain.address import parse_address
from clarion.domain.contact import clean_external_id
from clarion.domain.person import Given
from clarion.domain.refusal import Refusal
from clarion.errors import Invalid, NotFound
from clarion.flow import edit
from clarion.kit.db import Connection
from clarion.store import contact as contacts

app = group(
    "People who are known.",
    ["clarion contact set E-1001 --channel nairobi", 'clarion contact set +254712345678 --channel ""'],
)


@app.callback()
def _group() -> None:
    """People who are known."""


@app.command("set")
def change(
    who: Annotated[str, typer.Argument(metavar="CONTACT", help="Id, external id or address of a person.")],
    channel: Annotated[
        str, typer.Option(help='Their own channel, over which pools speak to them; "" takes it away.')
    ],
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Give a person a channel of their own: of a pool that has it, they hear over this one."""
    place.run(_change(who, channel, workspace, json))


async def _change(who: str, channel: str, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            contact_id = await find(connection, here, who)
            own = str((await channels.find(connection, channel))["id"]) if channel else ""
        services = here.services
        row = await edit.edit_contact(
            services.db, services.clock, here.id, contact_id, Given(channel=own), whole=False
        )
    if json:
        terminal.json({"id": row["id"], "channel_id": row["channel_id"]})
    else:
        terminal.say(f"Pools that have it speak to them over {channel}." if channel else "It is taken away.")


async def find(connection: Connection, here: Place, who: str) -> UUID:
    """A contact by id, external id or address. Raises NotFound, and Invalid where several share it."""
    try:
        contact_id: UUID = (await contacts.get(connection, UUID(who)))["id"]
        return contact_id
    except ValueError:
        pass
    external_id = clean_external_id(who)
    if external_id and (known := await contacts.by_external_id(connection, external_id)):
        return known
    read = parse_address(who, country=here.workspace["country"])
    found = [] if isinstance(read, Refusal) else await contacts.by_address(connection, read.path)
    if not found:
        raise NotFound(
            "nobody is known by this", hint="Give an id, an external id, a number or another address."
        )
    if len(found) > 1:
        ids = ", ".join(str(one) for one in found[:10])
        raise Invalid(f"{len(found)} people are reached there", hint=f"Say which by id: {ids}")
    return found[0]
