"""The loop that tells subscribers what happened: in every worker, each subscription in a task of its own.

A round takes what is due for one subscription, calls all of it at once, and writes down how it ended. A
subscriber that answers well is told ever more at once, one that fails one event at a time and then rests;
so a slow or a dead one keeps nobody else waiting. Several workers share one subscription's events without
waiting for each other.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from clarion.domain.event import EventType
from clarion.domain.subscription import Reaction
from clarion.errors import Misconfigured
from clarion.flow import subscribe
from clarion.flow.services import Services
from clarion.flow.tell import aftermath
from clarion.flow.tell.call import Heard, Subscriber, call
from clarion.flow.tell.words import bodies
from clarion.kit.db import AWAY, Connection, Row
from clarion.kit.http import Http
from clarion.kit.log import logger
from clarion.store import subscription as subscriptions
from clarion.store import telling
from clarion.store.telling import Told

LEASE = timedelta(seconds=60)  # longer than a call and what is written after it
AT_ONCE = 32  # calls to one subscriber
PLACES = 128  # calls of one process, shared equally by the subscriptions that have something to hear
KEPT = 3.0  # seconds that a connection is kept: less than what common servers allow
FIRST_REST, LONGEST_REST = 1.0, 60.0  # seconds after a round in which nothing arrived, doubled each time
UNHEARD = 4  # times more seldom it looks while nobody listens at all
TROUBLED = 30.0  # seconds until a subscription is looked at again that failed by our own fault
KNOWN = [kind.value for kind in EventType]
log = logger(__name__)


@dataclass(slots=True)
class _Pace:
    """How one subscription is told things by this process."""

    width: int = 1
    rest: float = 0.0
    until: float = 0.0  # monotonic: it rests

    def well(self) -> None:
        self.width, self.rest = min(self.width * 2, AT_ONCE), 0.0

    def mixed(self) -> None:
        self.width = max(1, self.width // 2)

    def badly(self, ticks: float) -> None:
        self.width, self.rest = 1, min(max(self.rest * 2, FIRST_REST), LONGEST_REST)
        self.until = ticks + self.rest


@dataclass(slots=True)
class Teller:
    """One a process. `run` until `stop`; calls under way then may end for the settings' `drain`."""

    services: Services
    http: Http
    _paces: dict[UUID, _Pace] = field(default_factory=dict)
    _serving: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    _stopping: bool = False

    async def run(self, stop: asyncio.Event) -> None:
        """Until stopped; what was taken and not told is told by whoever comes next."""
        while not stop.is_set():
            try:
                await self.look()
            except AWAY as error:
                log.warning("telling waits for the database", error=type(error).__name__)
            pause = self.services.settings.poll * (1 if self._paces else UNHEARD)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
        self._stopping = True
        leaving = list(self._serving.values())
        if leaving:
            await asyncio.wait(leaving, timeout=self.services.settings.drain)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)

    async def look(self) -> None:
        """See who listens to what, and begin to tell those for whom something is due."""
        services, ticks = self.services, self.services.clock.monotonic()
        async with services.db.glance() as connection:
            listed = await telling.listed(connection, services.clock.now())
        services.listening.learn((one.workspace_id, one.types) for one in listed if one.state == "active")
        active = [one.subscription_id for one in listed if one.state == "active"]
        self._paces = {id: self._pace(id) for id in active}
        for one in listed:
            id = one.subscription_id
            if one.due and id not in self._serving and self._pace(id).until <= ticks:
                self._serving[id] = asyncio.create_task(self.serve(one.workspace_id, id))

    async def idle(self) -> None:
        """Wait until nothing is being told."""
        while self._serving:
            await asyncio.wait(self._serving.values())

    async def serve(self, workspace_id: UUID, subscription_id: UUID) -> None:
        """Round after round, until nothing is due or it must rest."""
        pace = self._pace(subscription_id)
        try:
            while not self._stopping and pace.until <= self.services.clock.monotonic():
                if not await self.round(workspace_id, subscription_id):
                    break
        except AWAY as error:
            log.warning("telling waits for the database", error=type(error).__name__)
        except Exception:
            log.exception("a subscription cannot be told anything", subscription=str(subscription_id))
            pace.until = self.services.clock.monotonic() + TROUBLED
        finally:
            self._serving.pop(subscription_id, None)

    async def round(self, workspace_id: UUID, subscription_id: UUID) -> int:
        """Tell a subscription some of what is due; how many events that were. Raises AWAY's errors."""
        pace, clock = self._pace(subscription_id), self.services.clock
        room = min(pace.width, max(1, PLACES // max(1, len(self._serving))))
        async with self.services.db.tenant(workspace_id) as connection:
            row = await subscriptions.for_telling(connection, subscription_id)
            if row is None:
                return 0
            now = clock.now()
            taken = await telling.take(
                connection, subscription_id, types=KNOWN, limit=room, now=now, until=now + LEASE
            )
            said = await bodies(connection, workspace_id, taken)
            subscriber = await self._subscriber(connection, row)
        if not taken or subscriber is None:
            return 0
        calls = [call(self.http, subscriber, one, said[one.id], now) for one in taken if one.id in said]
        heard = list(await asyncio.gather(*calls))
        nothing_left = [Told(one.id, False, "nothing left to tell") for one in taken if one.id not in said]
        await self._settle(row, heard, nothing_left)
        self._learn(pace, heard)
        return len(taken)

    async def _subscriber(self, connection: Connection, row: Row) -> Subscriber | None:
        """None, and the subscription paused, where its secrets do not open."""
        now = self.services.clock.now()
        try:
            secrets = subscribe.open_secrets(self.services, row, now)
        except Misconfigured as error:
            why = f"{error.what}; give it a new secret, then resume it"
            await aftermath.stop(connection, row, why, now)
            return None
        return Subscriber(row["id"], row["name"], row["url"], secrets)

    async def _settle(self, row: Row, heard: list[Heard], nothing_left: list[Told]) -> None:
        """Written down however long the database is away, unless the process must end: what it cannot
        write is told again."""
        while True:
            try:
                async with self.services.db.tenant(row["workspace_id"]) as connection:
                    now = self.services.clock.now()
                    ends = [one.told for one in heard] + nothing_left
                    await telling.settle(connection, row["id"], ends, now)
                    await aftermath.draw(connection, row, heard, now)
                break
            except AWAY:
                if self._stopping:
                    raise
                await asyncio.sleep(0.5)
        self._count(row["id"], heard)

    def _learn(self, pace: _Pace, heard: list[Heard]) -> None:
        arrived = sum(1 for one in heard if one.reaction is Reaction.TOLD)
        if arrived == len(heard):
            pace.well()
        elif arrived:
            pace.mixed()
        else:
            pace.badly(self.services.clock.monotonic())

    def _count(self, subscription_id: UUID, heard: list[Heard]) -> None:
        for one in heard:
            if one.told.told:
                outcome = "told"
            else:
                outcome = "given_up" if one.told.due_at is None else "failed"
            self.services.metrics.events.labels(str(subscription_id), outcome).inc()

    def _pace(self, subscription_id: UUID) -> _Pace:
        return self._paces.setdefault(subscription_id, _Pace())
