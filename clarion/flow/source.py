"""Sources: other systems that cases come from. A secret goes in and never comes out, but for one that was
made here, which is shown once. Each verb is part of the caller's transaction."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from clarion.domain.source import COMMCARE, INBOUND, checked_secret, settings_of, source_name
from clarion.errors import Conflict, Invalid
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.kit.ids import uuid7
from clarion.kit.secrets import binding
from clarion.store import pull
from clarion.store import source as sources


async def create(
    connection: Connection, services: Services, workspace_id: UUID, *, name: str, kind: str,
    settings: Mapping[str, Any], secret: str | None = None,
) -> str | None:  # fmt: skip
    """Add a source. `secret` is CommCare's key, or what a system that posts proves itself by; that is made
    where none is given, and returned this once. Raises Invalid, Conflict."""
    told = settings_of(kind, settings)
    made = None
    if secret is None and kind == COMMCARE:
        raise Invalid("the user's API key is missing", where="secret", hint="My Account, API Keys there.")
    if secret is None:
        secret = made = secrets.token_urlsafe(32)
    now = services.clock.now()
    source_id = uuid7(now)
    await sources.create(
        connection, source_id, name=source_name(name), kind=kind, settings=told.model_dump(mode="json"),
        secret=_sealed(services, workspace_id, source_id, checked_secret(secret, kind)), now=now,
    )  # fmt: skip
    return made


async def change(
    connection: Connection, services: Services, workspace_id: UUID, name: str, *,
    new_name: str | None = None, settings: Mapping[str, Any] | None = None, secret: str | None = None,
) -> Row:  # fmt: skip
    """Another name, secret or settings (whole); what is None stays. Where CommCare is asked for something
    else, the next pull reads everything. Raises NotFound, Invalid, Conflict."""
    found = await sources.named(connection, name)
    told = None if settings is None else settings_of(found["kind"], settings).model_dump(mode="json")
    if told is not None and told != found["settings"] and found["kind"] == COMMCARE:
        _refuse_under_way(found)
        await pull.forget(connection, found["id"])
    sealed = None
    if secret is not None:
        sealed = _sealed(services, workspace_id, found["id"], checked_secret(secret, found["kind"]))
    called = None if new_name is None else source_name(new_name)
    await sources.change(
        connection, found["id"], services.clock.now(), name=called, settings=told, secret=sealed
    )
    return await sources.named(connection, called or name)


async def rotate(connection: Connection, services: Services, workspace_id: UUID, name: str) -> str:
    """Another secret for a system that posts, shown this once; the one before is worth nothing from now on.
    Raises NotFound."""
    found = await sources.named(connection, name, INBOUND)
    made = secrets.token_urlsafe(32)
    sealed = _sealed(services, workspace_id, found["id"], made)
    await sources.change(connection, found["id"], services.clock.now(), secret=sealed)
    return made


async def remove(connection: Connection, name: str) -> None:
    """Take a source away; the cases that came from it stay. Raises NotFound, Conflict (it is pulled now)."""
    found = await sources.named(connection, name)
    _refuse_under_way(found)
    await sources.remove(connection, found["id"])


async def ask_to_pull(
    connection: Connection, services: Services, workspace_id: UUID, name: str, *, anew: bool = False
) -> Row:
    """Have a job pull the cases; the source as it is then. One that is under way is left to go on. Raises
    NotFound."""
    found = await sources.named(connection, name, COMMCARE)
    if await pull.ask(connection, found["id"], services.clock.now(), anew=anew):
        arguments = {"workspace": str(workspace_id), "source": str(found["id"])}
        await services.defer("pull", arguments, once=f"pull:{found['id']}", connection=connection)
    return await sources.named(connection, name)


async def stop_pulling(connection: Connection, services: Services, name: str) -> Row:
    """End the pull before its next page; the source as it is then. Raises NotFound."""
    found = await sources.named(connection, name, COMMCARE)
    await pull.stop(connection, found["id"], services.clock.now())
    return await sources.named(connection, name)


async def rotate_seals(services: Services, workspace_id: UUID) -> int:
    """Seal again with the present key what a key of before sealed; how many sources changed."""
    changed = 0
    async with services.db.tenant(workspace_id) as connection:
        for row in await sources.sealed(connection):
            kept, bound = bytes(row["secret"]), _bound(workspace_id, row["id"])
            again = services.box.rotate(kept, bound_to=bound)
            if again != kept:
                await sources.change(connection, row["id"], services.clock.now(), secret=again)
                changed += 1
    return changed


def secret_of(services: Services, workspace_id: UUID, row: Row) -> str:
    """The secret of a source (`store.source.with_secret`). Raises Misconfigured."""
    return services.box.open(bytes(row["secret"]), bound_to=_bound(workspace_id, row["id"])).decode()


def _refuse_under_way(found: Row) -> None:
    if found["state"] in pull.UNDER_WAY:
        raise Conflict("it is being pulled", where="source", hint="Stop that first.")


def _sealed(services: Services, workspace_id: UUID, source_id: UUID, secret: str) -> bytes:
    return services.box.seal(secret.encode(), bound_to=_bound(workspace_id, source_id))


def _bound(workspace_id: UUID, source_id: UUID) -> bytes:
    return binding("source secret", workspace_id, source_id)
