"""The loop of a worker that follows people finds what is due and who was touched, and tells what is stuck."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest

from clarion.flow.enroll import watch
from clarion.flow.enroll.watch import Watcher
from clarion.flow.services import Services
from clarion.kit.db import rows
from clarion.store import campaign as campaigns
from tests.flow.announcing import at
from tests.flow.following import counted, of, people, running
from tests.store.people import AMINA, ROSA

NINE = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # tomorrow in Nairobi
TOMORROW = "2026-03-03"


async def looked(services: Services) -> None:
    """One look of a worker, with all that it leads to."""
    watcher, stop = Watcher(services), asyncio.Event()
    await watcher.look()
    stop.set()
    await watcher.run(stop)


async def test_what_is_due_is_fired_and_who_was_touched_is_brought_in_step(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace)
    (rosa,) = await people(services, workspace, ("Rosa", ROSA, "2026-03-05"))
    at(services).advance((NINE - services.clock.now()).total_seconds())
    await looked(services)
    assert await counted(services, workspace, campaign_id) == {"ready": 1}
    assert (await of(services, workspace, campaign_id, rosa))["state"] == "active"


async def test_what_cannot_be_read_is_paused_and_told(services: Services, workspace: UUID) -> None:
    """And keeps nobody else from being followed."""
    await people(services, workspace, ("Amina", AMINA, TOMORROW))
    broken, whole = await running(services, workspace), await running(services, workspace)
    async with services.db.tenant(workspace) as connection:
        await connection.execute("UPDATE campaign SET definition = '{}' WHERE id = %s", (broken,))
    at(services).advance((NINE - services.clock.now()).total_seconds())
    await looked(services)
    async with services.db.tenant(workspace) as connection:
        row = await campaigns.any_kind(connection, broken)
        (told,) = await rows(
            connection, "SELECT text FROM notice WHERE cause LIKE %s", (f"campaign:{broken}%",)
        )
    assert (row["state"], row["reason"]) == ("paused", "this sequence cannot be read: 3 problems")
    assert "cannot be read" in told["text"]
    assert await counted(services, workspace, whole) == {"ready": 1}


async def test_what_nobody_foresaw_ends_the_worker(
    services: Services, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its supervisor starts it anew: a worker half alive would be worse than none."""

    async def broken(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(watch, "fire", broken)
    await people(services, workspace, ("Amina", AMINA, TOMORROW))
    await running(services, workspace)
    at(services).advance((NINE - services.clock.now()).total_seconds())
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(Watcher(services).run(asyncio.Event()), 20)
