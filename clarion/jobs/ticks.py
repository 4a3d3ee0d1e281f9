"""What happens by the clock in every worker. Each tick may run on several machines at once: the
verbs it calls bear that, and running one again changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from procrastinate import App

from clarion.errors import ClarionError
from clarion.flow import fall_back, fire, notify, reconcile
from clarion.flow.enroll import new_day
from clarion.flow.receive.poller import Poller
from clarion.flow.services import Services
from clarion.flow.tell import forget
from clarion.kit import jobs
from clarion.kit.db import AWAY
from clarion.kit.http import Http
from clarion.kit.log import logger
from clarion.store import housekeeping, workspace

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Ticks:
    """The periodic work of one process."""

    services: Services
    app: App
    http: Http

    async def run(self, stop: asyncio.Event) -> None:
        """Until stopped."""
        poll, poller = self.services.settings.poll, Poller(self.services, self.http)
        await asyncio.gather(
            self._every(poll * 2, self.due, stop),
            self._polling(poll * 6, poller, stop),  # each is asked once a minute or so
            self._every(poll * 2, self._each_with("finish", self._finish), stop),
            self._every(poll * 2, self._fall_back, stop),
            self._every(poll * 10, self._each_with("reconcile", self._reconcile), stop),
            self._every(10.0, self._each_with("notify", self._notify), stop),
            self._every(10.0, self.sweep, stop),
            self._every(60.0, self._each_with("tidy", self._housekeeping), stop),
            self._every(60.0, self._each_with("finish", self._new_day), stop),
            self._every(60.0, self._forget, stop),
        )

    async def due(self) -> None:
        """Ask for the expansion of every run whose moment has come, or comes before the next look."""
        ahead = min(self.services.settings.poll * 4, fire.AHEAD)
        for workspace_id, run_id in await fire.due(self.services, ahead):
            await jobs.defer(
                self.app, "fire", {"workspace": str(workspace_id), "run": str(run_id)}, once=f"fire:{run_id}"
            )

    async def sweep(self) -> None:
        """Jobs of dead workers run again."""
        await jobs.sweep(self.app)

    async def _finish(self, workspace_id: UUID) -> None:
        await fire.finish(self.services, workspace_id)

    async def _new_day(self, workspace_id: UUID) -> None:
        await new_day.look_again(self.services, workspace_id)

    async def _polling(self, seconds: float, poller: Poller, stop: asyncio.Event) -> None:
        async def look() -> None:
            await poller.round()

        try:
            await self._every(seconds, look, stop)
        finally:
            await poller.close()

    async def _fall_back(self) -> None:
        for workspace_id in await fall_back.workspaces(self.services):
            await fall_back.fall_back(self.services, workspace_id)

    async def _reconcile(self, workspace_id: UUID) -> None:
        await reconcile.workspace(self.services, self.http, workspace_id)

    async def _notify(self, workspace_id: UUID) -> None:
        await notify.notify(self.services, self.http, workspace_id)

    async def _forget(self) -> None:
        await forget.forget(self.services)

    async def _housekeeping(self, workspace_id: UUID) -> None:
        async with self.services.db.tenant(workspace_id) as connection:
            await housekeeping.tidy(connection, self.services.clock.now())

    def _each_with(
        self, errand: str, verb: Callable[[UUID], Awaitable[None]]
    ) -> Callable[[], Awaitable[None]]:
        """A visit of every workspace that has such an errand; the others cost nothing."""

        async def visit() -> None:
            async with self.services.db.glance() as connection:
                found = await workspace.errands(connection, errand)
            for each in found:
                await verb(each)

        return visit

    async def _every(self, seconds: float, tick: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await tick()
            except AWAY as error:
                log.warning("a tick waits for the database", error=type(error).__name__)
            except ClarionError as error:
                log.error("a tick failed", error=error.code)
            try:
                await asyncio.wait_for(stop.wait(), seconds)
            except TimeoutError:
                continue
