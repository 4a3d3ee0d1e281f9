"""Workspaces: the tenants."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from clarion.errors import NotFound
from clarion.kit.db import Connection, Row, row, rows


async def create(
    connection: Connection,
    workspace_id: UUID,
    *,
    name: str,
    now: datetime,
    country: str = "US",
    language: str = "en",
    timezone: str = "UTC",
    operator_address: str | None = None,
    settings: dict[str, object] | None = None,
) -> None:
    """Add a workspace, inside a transaction of that workspace (`Database.tenant`)."""
    await connection.execute(
        """INSERT INTO workspace (id, name, country, language, timezone, operator_address, settings, pepper,
             created_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (
            workspace_id,
            name,
            country,
            language,
            timezone,
            operator_address,
            Jsonb(settings or {}),
            os.urandom(32),
            now,
        ),
    )


async def get(connection: Connection) -> Row:
    """The transaction's own workspace. Raises NotFound when there is none."""
    found = await row(connection, "SELECT * FROM workspace")
    if found is None:
        raise NotFound("there is no such workspace", hint="`clarion workspace list` shows those there are.")
    return found


async def names(connection: Connection) -> list[Row]:
    """Identifier and name of every workspace; needs no tenant."""
    return await rows(connection, "SELECT workspace_id, name FROM clarion_workspaces()")


async def errands(connection: Connection, errand: str) -> list[UUID]:
    """The workspaces that have something to `finish`, `reconcile`, `notify` or `tidy`; needs no tenant."""
    found = await rows(connection, "SELECT workspace_id FROM clarion_errands(%s)", (errand,))
    return [one["workspace_id"] for one in found]


async def change(
    connection: Connection,
    *,
    name: str | None = None,
    country: str | None = None,
    language: str | None = None,
    timezone: str | None = None,
    operator_address: str | None = None,
) -> None:
    """Other values for the transaction's own workspace; None leaves one, an empty address takes it away."""
    await connection.execute(
        """UPDATE workspace SET name = coalesce(%s, name), country = coalesce(%s, country),
             language = coalesce(%s, language), timezone = coalesce(%s, timezone),
             operator_address = nullif(coalesce(%s, operator_address), '')""",
        (name, country, language, timezone, operator_address),
    )


async def settings(connection: Connection) -> dict[str, Any]:
    """The settings of the transaction's own workspace, locked against another change."""
    found = await row(connection, "SELECT settings FROM workspace FOR NO KEY UPDATE")
    return {} if found is None else dict(found["settings"])


async def set_setting(connection: Connection, name: str, value: Mapping[str, object]) -> None:
    """Another value for one setting of the transaction's own workspace."""
    await connection.execute(
        "UPDATE workspace SET settings = settings || jsonb_build_object(%s::text, %s::jsonb)",
        (name, Jsonb(dict(value))),
    )
