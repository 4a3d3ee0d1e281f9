"""For tests of the flow: a second tenant, to be a stranger."""

from __future__ import annotations

from uuid import UUID

import pytest

from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.ids import uuid7
from clarion.store import workspace as workspaces


@pytest.fixture
async def another_workspace(db: Database, clock: Clock) -> UUID:
    identifier = uuid7(clock.now())
    async with db.tenant(identifier) as connection:
        await workspaces.create(connection, identifier, name="Elsewhere", now=clock.now())
    return identifier
