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
from clarion.flow.enroll.match import match, match_cases, turn
from clarion.flow.services import Services
from clarion.kit.db import AWAY
from clarion.kit.log import logger
from clarion.store import campaign as campaigns
from clarion.store import enrollment, touched_case

LOOK = 0.25  # seconds between two looks
BACK_AFTER = 1.0  # when the database was away
PLACES = 3  # campaigns and workspaces at once
log = logger(__name__)
_Key = tuple[bool, UUID, UUID | None]  # whether it is of cases, workspace, campaign
E = TypeVar("E", bound=Exception)


class Watcher:
    """Follows people until it is stopped."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._under_way: dict[_Key, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(PLACES)
        self._failed: BaseException | None = None
        self._woken = asyncio.Event()

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
            await self._rest(stop, pause)
        await asyncio.gather(*self._under_way.values())

    def wake(self) -> None:
        """Look again at once."""
        self._woken.set()

    async def _rest(self, stop: asyncio.Event, pause: float) -> None:
        """Until the next look, somebody's word, or the end."""
        waits = [asyncio.create_task(one.wait()) for one in (stop, self._woken)]
        await asyncio.wait(waits, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()
        self._woken.clear()

    async def look(self) -> None:
        """Begin whatever there is to do and is not under way."""
        now = self._services.clock.now()
        async with self._services.db.glance() as connection:
            found = [(False, *one) for one in await enrollment.awaited(connection, now)]
            found += [(True, *one) for one in await touched_case.awaited(connection, now)]
        for key in found:
            if key not in self._under_way:
                task = asyncio.create_task(self._follow(*key))
                self._under_way[key] = task
                task.add_done_callback(partial(self._ended, key))

    async def _follow(self, of_cases: bool, workspace_id: UUID, campaign_id: UUID | None) -> None:
        async with self._places:
            try:
                if of_cases and campaign_id is None:
                    await match_cases(self._services, workspace_id)
                elif of_cases and campaign_id is not None:
                    await turn(self._services, workspace_id, campaign_id)
                elif campaign_id is None:
                    await match(self._services, workspace_id)
                while not of_cases and campaign_id and await fire(self._services, workspace_id, campaign_id):
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

    def _ended(self, key: _Key, task: asyncio.Task[None]) -> None:
        del self._under_way[key]
        if key[0] and key[2] is None:  # what was noted while the last notes were taken
            self._woken.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed = error


def _first(group: BaseExceptionGroup[E]) -> E:
    one: BaseExceptionGroup[E] | E = group
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    return one
