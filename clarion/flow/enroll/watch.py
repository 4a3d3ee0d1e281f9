"""The loop of a worker that follows people: it looks often for what has fallen due and for who was touched.

Each campaign is fired, and each workspace kept in step, by one task of this process at a time; other workers
may do the same beside it.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TypeVar
from uuid import UUID

from clarion.errors import ClarionError
from clarion.flow import campaign
from clarion.flow.enroll.due import fire
from clarion.flow.enroll.match import match
from clarion.flow.services import Services
from clarion.kit.db import AWAY
from clarion.kit.log import logger
from clarion.store import campaign as campaigns
from clarion.store import enrollment

LOOK = 0.25  # seconds between two looks
BACK_AFTER = 1.0  # when the database was away
PLACES = 3  # campaigns and workspaces at once
log = logger(__name__)
E = TypeVar("E", bound=Exception)


class Watcher:
    """Follows people until it is stopped."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._under_way: dict[tuple[UUID, UUID | None], asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(PLACES)
        self._failed: BaseException | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Look and follow until `stop`; what is under way then is finished. Raises what nobody foresaw: the
        worker then ends, and its supervisor starts it anew."""
        while not stop.is_set():
            if self._failed is not None:
                raise self._failed
            pause = min(LOOK, self._services.settings.poll)
            try:
                await self.look()
            except AWAY as error:
                log.warning("following waits for the database", error=type(error).__name__)
                pause = BACK_AFTER
            try:
                await asyncio.wait_for(stop.wait(), pause)
            except TimeoutError:
                continue
        await asyncio.gather(*self._under_way.values())

    async def look(self) -> None:
        """Begin whatever there is to do and is not under way."""
        async with self._services.db.glance() as connection:
            found = await enrollment.awaited(connection, self._services.clock.now())
        for key in found:
            if key not in self._under_way:
                task = asyncio.create_task(self._follow(*key))
                self._under_way[key] = task
                task.add_done_callback(partial(self._ended, key))

    async def _follow(self, workspace_id: UUID, campaign_id: UUID | None) -> None:
        async with self._places:
            try:
                if campaign_id is None:
                    await match(self._services, workspace_id)
                while campaign_id is not None and await fire(self._services, workspace_id, campaign_id):
                    pass
            except* AWAY as group:  # of whichever stream
                log.warning("following waits for the database", error=type(_first(group)).__name__)
                await asyncio.sleep(BACK_AFTER)
            except* ClarionError as group:
                if campaign_id is not None:
                    await self._stuck(workspace_id, campaign_id, _first(group))

    async def _stuck(self, workspace_id: UUID, campaign_id: UUID, error: ClarionError) -> None:
        log.error("a campaign cannot go on", campaign=str(campaign_id), error=error.code)
        async with self._services.db.tenant(workspace_id) as connection:
            row = await campaigns.lock(connection, campaign_id)
            await campaign.stuck(connection, workspace_id, row, error, self._services.clock.now())

    def _ended(self, key: tuple[UUID, UUID | None], task: asyncio.Task[None]) -> None:
        del self._under_way[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed = error


def _first(group: BaseExceptionGroup[E]) -> E:
    one: BaseExceptionGroup[E] | E = group
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    return one
