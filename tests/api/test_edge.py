"""The one transaction of a POST."""

from __future__ import annotations

from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from clarion.api.edge import OneTransaction
from clarion.errors import Conflict
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.ids import uuid7
from clarion.store import member
from clarion.store import workspace as workspaces


async def _add(db: Database, workspace_id: UUID, email: str) -> None:
    now = Clock().now()
    async with db.tenant(workspace_id) as connection:
        await member.create(
            connection, uuid7(now), workspace_id, name="A", email=email, role="viewer", now=now
        )


async def _emails(db: Database, workspace_id: UUID) -> set[str]:
    async with db.tenant(workspace_id) as connection:
        return {found["email"] for found in await member.page(connection, None, 100)}


async def test_nothing_is_seen_outside_before_the_end(db: Database, workspace: UUID) -> None:
    async with AsyncExitStack() as stack:
        one = OneTransaction(db, workspace, stack)
        await _add(one, workspace, "a@selam.example")
        await _add(one, workspace, "b@selam.example")
        assert await _emails(one, workspace) == {"a@selam.example", "b@selam.example"}
        assert await _emails(db, workspace) == set()
    assert await _emails(db, workspace) == {"a@selam.example", "b@selam.example"}


async def _add_and_fail(db: Database, workspace: UUID) -> None:
    async with AsyncExitStack() as stack:
        one = OneTransaction(db, workspace, stack)
        await _add(one, workspace, "a@selam.example")
        raise ValueError("late")


async def test_a_late_failure_undoes_all_parts(db: Database, workspace: UUID) -> None:
    with pytest.raises(ValueError, match="late"):
        await _add_and_fail(db, workspace)
    assert await _emails(db, workspace) == set()


async def test_a_part_that_failed_is_undone_alone(db: Database, workspace: UUID) -> None:
    async with AsyncExitStack() as stack:
        one = OneTransaction(db, workspace, stack)
        await _add(one, workspace, "a@selam.example")
        with pytest.raises(Conflict):
            await _add(one, workspace, "a@selam.example")
        await _add(one, workspace, "b@selam.example")
    assert await _emails(db, workspace) == {"a@selam.example", "b@selam.example"}


async def test_no_connection_is_held_before_it_is_needed(database_url: str, workspace: UUID) -> None:
    """A long upload must not starve the pool."""
    async with Database(database_url, size=2) as small, AsyncExitStack() as stack:
        many = [OneTransaction(small, workspace, stack) for _ in range(10)]
        assert await _emails(many[0], workspace) == set()


async def test_another_workspace_is_another_transaction(db: Database, workspace: UUID) -> None:
    now = Clock().now()
    other = uuid7(now)
    async with db.tenant(other) as connection:
        await workspaces.create(connection, other, name="Nyota School", now=now)
    async with AsyncExitStack() as stack:
        one = OneTransaction(db, workspace, stack)
        await _add(one, workspace, "a@selam.example")
        await _add(one, other, "n@nyota.example")
        assert await _emails(one, workspace) == {"a@selam.example"}
        assert await _emails(db, other) == {"n@nyota.example"}
