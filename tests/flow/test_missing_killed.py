"""Killed while something begins to wait for a value, or is released: whoever comes next ends it, and it is
said once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from uuid import UUID

import pytest

from clarion.flow.services import Services
from tests.flow.alerting import say, types, work
from tests.flow.lacking import alerting, dispatch, ends
from tests.store.people import AMINA

LACKS = "missing:case.clinic"

_CHILD = """
import asyncio, sys
from datetime import datetime
from uuid import UUID
from clarion.flow.enroll import match
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import Database
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings
from tests.flow.lacking import dispatch

async def do(what, url, moment, workspace, campaign):
    async with Database(url, size=6) as db:
        clock = FakeClock(datetime.fromisoformat(moment))
        services = Services(db, clock, Settings(), SecretBox(["x" * 40]))
        if what == "dispatch":
            await dispatch(services, UUID(workspace), UUID(campaign))
        else:
            await match.match_cases(services, UUID(workspace))

asyncio.run(do(*sys.argv[1:]))
"""


async def killed(
    place: str, what: str, services: Services, url: str, workspace: UUID, campaign_id: UUID
) -> None:
    """A worker that dies at this place."""
    moment = services.clock.now().isoformat()
    words = [sys.executable, "-c", _CHILD, what, url, moment, str(workspace), str(campaign_id)]
    environment = {**os.environ, "CLARION_CRASH": place}
    ended = await asyncio.to_thread(subprocess.run, words, env=environment, check=False)
    assert ended.returncode == -9


async def visit(services: Services, workspace: UUID, **said: object) -> None:
    await say(services, workspace, "V1", **{"name": "Amina", "phone": AMINA, "status": "scheduled", **said})


@pytest.mark.parametrize(
    ("place", "left"), [("end.before_commit", ("ready", None)), ("end.committed", ("waits", LACKS))]
)
async def test_a_desk_that_dies_as_it_lets_somebody_wait(
    services: Services, workspace: UUID, database_url: str, place: str, left: tuple[str, str | None]
) -> None:
    await types(services, workspace)
    await visit(services, workspace)
    campaign_id = await alerting(services, workspace, "At {{ case.clinic }}")
    await work(services, workspace, campaign_id)
    await killed(place, "dispatch", services, database_url, workspace, campaign_id)
    assert await ends(services, workspace, campaign_id) == [left]
    await visit(services, workspace, clinic="Ruiru")
    await work(services, workspace, campaign_id)
    assert await dispatch(services, workspace, campaign_id) == ["At Ruiru"]
    assert await ends(services, workspace, campaign_id) == [("ready", None)]


@pytest.mark.parametrize(
    ("place", "left"), [("match.before_commit", ("waits", LACKS)), ("match.committed", ("ready", None))]
)
async def test_a_worker_that_dies_as_it_releases_somebody(
    services: Services, workspace: UUID, database_url: str, place: str, left: tuple[str, str | None]
) -> None:
    await types(services, workspace)
    await visit(services, workspace)
    campaign_id = await alerting(services, workspace, "At {{ case.clinic }}")
    await work(services, workspace, campaign_id)
    assert await dispatch(services, workspace, campaign_id) == []
    await visit(services, workspace, clinic="Ruiru")
    await killed(place, "match", services, database_url, workspace, campaign_id)
    assert await ends(services, workspace, campaign_id) == [left]
    await work(services, workspace, campaign_id)
    assert await dispatch(services, workspace, campaign_id) == ["At Ruiru"]
    assert await ends(services, workspace, campaign_id) == [("ready", None)]
