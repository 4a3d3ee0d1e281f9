"""The caps of a workspace: how much one person hears of all its campaigns together (`domain.caps`).

They hold from now on: what people heard before is not known. Workers learn of them with their next look.
"""

from __future__ import annotations

from clarion.domain.caps import SETTING, Caps
from clarion.kit.db import Connection
from clarion.store import workspace as workspaces


async def set_caps(connection: Connection, caps: Caps | None) -> None:
    """Other caps of the transaction's workspace; None: none. What is held for others stays where it is."""
    stored = {} if caps is None else caps.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    await workspaces.set_setting(connection, SETTING, stored)
