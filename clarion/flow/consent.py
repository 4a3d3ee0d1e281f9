"""Consent: stop and start, as somebody asks by the API, the command line or a form.

A reply's STOP is handled where replies are received; both end in `store.consent`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from clarion.domain.address import Address, parse_address
from clarion.domain.identity import consent_hash
from clarion.domain.refusal import Refusal
from clarion.errors import Conflict
from clarion.kit.clock import Clock
from clarion.kit.db import Connection, Database
from clarion.store import consent, contact, workspace


@dataclass(frozen=True, slots=True)
class Said:
    """One entry of the consent ledger of an address."""

    state: str
    at: datetime
    how: str
    by: str
    note: str


async def opt_out(
    db: Database,
    clock: Clock,
    workspace_id: UUID,
    address: str,
    *,
    how: str = "api",
    by: str = "",
    note: str = "",
) -> bool:
    """Nothing more goes to this address, whoever's it is; what waits for it is skipped in the same
    transaction. An opt-out of a number covers every scheme. True when it changed anything.

    `address` is a URN or a number, a national one of the workspace's country. Raises Invalid.
    """
    async with db.tenant(workspace_id) as connection:
        key = await _key(connection, address)
        return bool(await consent.opt_out(connection, [key], clock.now(), how=how, by=by, note=note))


async def opt_in(
    db: Database,
    clock: Clock,
    workspace_id: UUID,
    address: str,
    *,
    how: str = "api",
    by: str = "",
    note: str = "",
) -> bool:
    """Messages may go to this address again. True when it changed anything. Raises Invalid."""
    async with db.tenant(workspace_id) as connection:
        key = await _key(connection, address)
        return bool(await consent.opt_in(connection, [key], clock.now(), how=how, by=by, note=note))


async def person_out(
    db: Database, clock: Clock, workspace_id: UUID, contact_id: UUID, *, by: str = "", note: str = ""
) -> bool:
    """Nothing more goes to any address of this contact, nor to anyone who shares one.

    True when it changed anything. Raises NotFound, and Conflict where there is no address to keep it for.
    """
    async with db.tenant(workspace_id) as connection:
        keys = await _keys(connection, contact_id)
        return bool(await consent.opt_out(connection, keys, clock.now(), how="api", by=by, note=note))


async def person_in(
    db: Database, clock: Clock, workspace_id: UUID, contact_id: UUID, *, by: str = "", note: str = ""
) -> bool:
    """Messages may go to this contact's addresses again. True when it changed anything. Raises as above."""
    async with db.tenant(workspace_id) as connection:
        keys = await _keys(connection, contact_id)
        return bool(await consent.opt_in(connection, keys, clock.now(), how="api", by=by, note=note))


async def history(db: Database, workspace_id: UUID, address: str) -> list[Said]:
    """What was said for this address, newest first. Raises Invalid."""
    async with db.tenant(workspace_id) as connection:
        found = await consent.history(connection, [await _key(connection, address)])
    return [Said(one["state"], one["at"], one["how"], one["by"], one["note"]) for one in found]


async def _keys(connection: Connection, contact_id: UUID) -> list[bytes]:
    await contact.get(connection, contact_id)
    keys = await consent.keys_of(connection, contact_id)
    if not keys:
        raise Conflict(
            "this contact has no address, and consent is kept by address",
            where="contact",
            hint="give an address first; of a merged contact, ask for who they are now",
        )
    return keys


async def _key(connection: Connection, raw: str) -> bytes:
    home = await workspace.get(connection)
    address = parse_address(raw, country=home["country"])
    if isinstance(address, Refusal):
        raise address.error("address")
    assert isinstance(address, Address)
    return consent_hash(bytes(home["pepper"]), address)
