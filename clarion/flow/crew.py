"""The crew: the workers on all machines, and how each is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from clarion.flow.dispatch import deaths
from clarion.flow.services import Services
from clarion.store import worker as workers
from clarion.store.worker import Worker

LATELY = timedelta(hours=1)


class Standing(StrEnum):
    """How a worker is, as far as can be told from here."""

    ALIVE = "alive"
    SUSPECT_CLOCK = "suspect_clock"
    SILENT = "silent"
    DEAD = "dead"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Member:
    """One worker and its standing."""

    worker: Worker
    standing: Standing


async def crew(services: Services) -> list[Member]:
    """Workers that were seen within the last hour, newest first."""
    now = services.clock.now()
    lease = timedelta(seconds=services.settings.lease)
    async with services.db.system() as connection:
        found = await workers.lately(connection, now - LATELY)
    return [Member(one, _standing(one, now, lease)) for one in found]


def _standing(one: Worker, now: datetime, lease: timedelta) -> Standing:
    if one.stopped_at is not None:
        return Standing.LEFT
    if one.dead_at is not None or deaths.proven(one, now):
        return Standing.DEAD
    if now - one.seen_at > lease * 2:
        return Standing.SILENT
    return Standing.SUSPECT_CLOCK if one.state.get("suspicion") else Standing.ALIVE
