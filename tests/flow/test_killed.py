"""Killed in the middle of an expansion or a withdrawal: what is left is all or nothing of each step, and
whoever comes next ends it. (The places of dispatch are in tests/faults, the inbox's in test_receive.)"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from uuid import UUID

import pytest

from clarion.flow import announce, fire
from clarion.flow.services import Services
from tests.flow.announcing import NOON, channel, counted, launched, people, sent_out, written

_CHILD = """
import asyncio, sys
from datetime import datetime
from uuid import UUID
from clarion.flow import announce, fire
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import Database
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings

async def do(verb, url, moment, workspace, one):
    fire.CHUNK = announce.WITHDRAW = 1
    async with Database(url, size=4) as db:
        clock = FakeClock(datetime.fromisoformat(moment))
        services = Services(db, clock, Settings(), SecretBox(["x" * 40]))
        run = fire.fire if verb == "fire" else announce.withdraw_cancelled
        await run(services, UUID(workspace), UUID(one))

asyncio.run(do(*sys.argv[1:]))
"""


async def _killed(place: str, verb: str, url: str, workspace: UUID, one: UUID) -> None:
    """Do it in a process that dies at this place."""
    words = [sys.executable, "-c", _CHILD, verb, url, NOON.isoformat(), str(workspace), str(one)]
    environment = {**os.environ, "CLARION_CRASH": place}
    ended = await asyncio.to_thread(subprocess.run, words, env=environment, check=False)
    assert ended.returncode == -9


@pytest.mark.parametrize("place", ["expand.before_commit:1", "expand.before_commit:3", "expand.committed:2"])
async def test_an_expansion_that_was_killed_is_ended_by_the_next_worker(
    services: Services, workspace: UUID, database_url: str, place: str
) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace))
    run_id = await launched(services, workspace, campaign_id)
    await _killed(place, "fire", database_url, workspace, run_id)

    assert (workspace, run_id) in await fire.due(services)
    while (workspace, run_id) in await fire.due(services):  # until the server has let the dead one's rows go
        await fire.fire(services, workspace, run_id)

    assert await counted(services, workspace, run_id) == {"ready": 4}


@pytest.mark.parametrize(("place", "ended"), [("end.before_commit:2", 1), ("end.committed:2", 2)])
async def test_a_cancellation_that_was_killed_is_ended_by_the_next_worker(
    services: Services, workspace: UUID, database_url: str, place: str, ended: int
) -> None:
    await people(services, workspace)
    campaign_id, run_id = await sent_out(services, workspace)
    async with services.db.tenant(workspace) as connection:
        await announce.cancel(connection, services, campaign_id)
    await _killed(place, "withdraw", database_url, workspace, campaign_id)

    assert await counted(services, workspace, run_id) == {"cancelled": ended, "ready": 4 - ended}
    await announce.withdraw_cancelled(services, workspace, campaign_id)

    assert await counted(services, workspace, run_id) == {"cancelled": 4}
