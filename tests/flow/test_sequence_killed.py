"""Killed while it follows people: what is left is all or nothing of each step, and whoever comes next ends
it, with everything said once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from clarion.flow import sequence
from clarion.flow.services import Services
from tests.flow.announcing import at, channel
from tests.flow.following import counted, definition, people, work, written
from tests.store.people import ABEBE, AMINA, JOHN, ROSA

NINE = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # tomorrow in Nairobi
TOMORROW = "2026-03-03"

_CHILD = """
import asyncio, sys
from datetime import datetime
from uuid import UUID
from clarion.flow import fire
from clarion.flow.enroll import due, fill, match
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import Database
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings

async def do(url, moment, workspace, campaign):
    fill.FIRST = fill.CHUNK = due.BATCH = due.RECKONED = match.BATCH = 1
    async with Database(url, size=6) as db:
        clock = FakeClock(datetime.fromisoformat(moment))
        services = Services(db, clock, Settings(), SecretBox(["x" * 40]))
        for _ in range(3):
            await match.match(services, UUID(workspace))
            for found, run in await fire.due(services):
                if found == UUID(workspace):
                    await fire.fire(services, found, run)
            while await due.fire(services, UUID(workspace), UUID(campaign)):
                pass

asyncio.run(do(*sys.argv[1:]))
"""


async def _killed(place: str, services: Services, url: str, workspace: UUID, campaign_id: UUID) -> None:
    """A worker that dies at this place."""
    moment = services.clock.now().isoformat()
    words = [sys.executable, "-c", _CHILD, url, moment, str(workspace), str(campaign_id)]
    environment = {**os.environ, "CLARION_CRASH": place}
    ended = await asyncio.to_thread(subprocess.run, words, env=environment, check=False)
    assert ended.returncode == -9


async def _begun(services: Services, workspace: UUID) -> tuple[UUID, list[UUID]]:
    """A sequence that was launched, and nobody was gone through yet; its four people."""
    some = [("Amina", AMINA), ("Abebe", ABEBE), ("Rosa", ROSA), ("John", JOHN)]
    ids = await people(services, workspace, *((name, number, TOMORROW) for name, number in some))
    channel_id = await channel(services, workspace)
    async with services.db.tenant(workspace) as connection:
        campaign_id = await sequence.create(
            connection, services, name="Welcome", channel_id=channel_id, definition=definition()
        )
        await sequence.launch(connection, services, campaign_id)
    return campaign_id, ids


@pytest.mark.parametrize("place", ["enroll.before_commit:1", "enroll.before_commit:3", "enroll.committed:2"])
async def test_whoever_comes_next_enrolls_the_rest(
    services: Services, workspace: UUID, database_url: str, place: str
) -> None:
    campaign_id, _ = await _begun(services, workspace)
    await _killed(place, services, database_url, workspace, campaign_id)
    await _to_the_end(services, workspace, campaign_id)


@pytest.mark.parametrize(
    "place",
    [
        f"{place}:{nth}"
        for place in ("due.before_commit", "due.committed", "reckon.before_commit", "reckon.committed")
        for nth in (1, 3)
    ],
)
async def test_whoever_comes_next_fires_the_rest(
    services: Services, workspace: UUID, database_url: str, place: str
) -> None:
    campaign_id, _ = await _begun(services, workspace)
    await work(services, workspace, campaign_id)
    at(services).advance((NINE - services.clock.now()).total_seconds())
    if place.startswith("reckon"):  # what was kept beside them runs out
        await work(services, workspace, campaign_id)
        at(services).advance(86_400)
    await _killed(place, services, database_url, workspace, campaign_id)
    await _to_the_end(services, workspace, campaign_id)


@pytest.mark.parametrize("place", ["match.before_commit:1", "match.committed:1"])
async def test_whoever_comes_next_brings_in_step_who_was_touched(
    services: Services, workspace: UUID, database_url: str, place: str
) -> None:
    campaign_id, (amina, *_) = await _begun(services, workspace)
    await work(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        await connection.execute(
            """UPDATE contact SET fields = fields || '{"registration_date": "2026-03-05"}' WHERE id = %s""",
            (amina,),
        )
    await _killed(place, services, database_url, workspace, campaign_id)
    await _to_the_end(services, workspace, campaign_id)
    assert [one[4] for one in await written(services, workspace, campaign_id) if one[0] == "Amina"] == [
        NINE + timedelta(days=2 + day) for day in range(4)
    ]  # fmt: skip


async def _to_the_end(services: Services, workspace: UUID, campaign_id: UUID) -> None:
    """All of it is said to everybody, each once."""
    end = NINE + timedelta(days=7)
    for _ in range(3):  # until the server has let the dead one's rows go
        await work(services, workspace, campaign_id)
        await asyncio.sleep(0.05)
    while services.clock.now() < end:
        await work(services, workspace, campaign_id)
        at(services).advance(3600 * 3)
    assert await counted(services, workspace, campaign_id) == {"ready": 16}
