"""An account that this process owns: a desk for each of its active channels, and what they share.

Limits of an account hold over all its channels, so they have one owner, one epoch, and one limiter that
every desk asks beside its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from clarion.domain.limits import Limiter
from clarion.errors import ClarionError
from clarion.flow.dispatch import history
from clarion.flow.dispatch.account import Channel, Siblings
from clarion.flow.dispatch.broker import Broker
from clarion.flow.dispatch.desk import Desk
from clarion.flow.dispatch.health import Health, sight
from clarion.flow.dispatch.shared import Shared
from clarion.kit.http import Http
from clarion.kit.log import logger
from clarion.providers.abilities import Hearing
from clarion.store.owner import Sight

log = logger(__name__)


@dataclass(slots=True)
class Working:
    """A desk and the task that runs it."""

    desk: Desk
    task: asyncio.Task[None]


@dataclass(slots=True)
class Tree:
    """`account_id` is the channel that leads the account. `leaving` once it is being given up."""

    shared: Shared
    http: Http
    account_id: UUID
    workspace_id: UUID
    epoch: int
    together: Limiter | None
    valid_until: float = 0.0
    leaving: asyncio.Task[None] | None = None
    working: dict[UUID, Working] = field(default_factory=dict)
    broken: list[tuple[UUID, ClarionError]] = field(default_factory=list)  # what could not be opened, and why
    _ids: list[UUID] = field(default_factory=list)
    _before: dict[UUID, list[Broker]] = field(default_factory=dict)  # of channels whose desk is opened anew
    _first: list[Broker] | None = None  # those that learned together what was sent before
    learning: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def open(cls, shared: Shared, http: Http, members: Siblings, epoch: int, valid_until: float) -> Tree:
        """Begin to send for every active channel of an account that has just become ours; there is one."""
        together = None if members.limits is None else Limiter(members.limits)
        workspace_id = members.active[0].workspace_id
        tree = cls(shared, http, members.ids[0], workspace_id, epoch, together, valid_until)
        tree._ids = members.ids
        for channel in members.active:
            tree._begin(channel)
        return tree

    # --- what the owner tells and asks

    def extend(self, until: float) -> None:
        """A beat has succeeded: calls may begin until this monotonic moment."""
        self.valid_until = until
        for one in self.working.values():
            one.desk.valid_until = until

    async def adopt(self, members: Siblings) -> bool:
        """The account as it is now. False where it must be given up: nothing in it is active, or what its
        channels share is of another kind.

        Other limits apply at once; a channel that is paused or changed stops alone, and one that may begin
        (again, or as it is now) does so when its calls of before have ended.
        """
        before = None if self.together is None else self.together.limits.kinds
        if before != (None if members.limits is None else members.limits.kinds):
            return False
        if self.together is not None and members.limits not in (None, self.together.limits):
            self.together.change(members.limits)
            for one in self.working.values():
                one.desk.reconsider()
        active = {channel.id: channel for channel in members.active}
        for channel_id, one in list(self.working.items()):
            channel = active.get(channel_id)
            if one.desk.refused and channel and channel.modified_at == one.desk.channel.modified_at:
                continue  # its pause is on its way: to begin anew would be refused anew
            if channel is None or not one.desk.adopt(channel):
                one.desk.stop()
            if one.desk.stopping and one.task.done() and not one.desk.calls.begun:
                await self._end(channel_id)
        self._begin_all(members.active)
        return bool(active)

    def nudge(self, channel_id: str, came_in: str = "0") -> None:
        """What a channel holds may be over, and so many messages came in that its provider counts."""
        for one in self.working.values():
            if str(one.desk.channel.id) == channel_id:
                one.desk.broker.came_in(int(came_in))
                one.desk.collector.nudge()

    def wake(self) -> None:
        """Look again at once."""
        for one in self.working.values():
            one.desk.wake()

    def stop(self) -> None:
        """Begin no further call."""
        for one in self.working.values():
            one.desk.stop()

    @property
    def in_flight(self) -> int:
        """Calls that were committed to and are not yet durably settled."""
        return sum(len(one.desk.calls.begun) for one in self.working.values())

    @property
    def idle_since(self) -> float:
        """Since when none of them had anything to send, monotonic."""
        return max((one.desk.idle_since for one in self.working.values()), default=0.0)

    @property
    def busy(self) -> bool:
        """Whether it is needed though nothing waits: for calls under way, for what is unknown and may be
        asked again, for a provider that may tell something over a connection of ours at any time."""
        desks = [one.desk for one in self.working.values()]
        return bool(self.in_flight) or any(
            isinstance(desk.sender, Hearing) or desk.replayer.asking for desk in desks
        )

    @property
    def failed(self) -> bool:
        """Whether a desk ended by itself."""
        return any(one.task.done() and not one.desk.stopping for one in self.working.values())

    def sights(self, now: datetime) -> dict[UUID, Sight]:
        """What a person may know of each channel now."""
        ticks = self.shared.clock.monotonic()
        desks = [one.desk for one in self.working.values()]
        return {one.channel.id: sight(one.health, one.broker, one.lanes, ticks, now) for one in desks}

    def news(self, now: datetime) -> list[tuple[Channel, Health]]:
        """Those of whose health an operator should hear now."""
        desks = [one.desk for one in self.working.values()]
        return [(desk.channel, desk.health) for desk in desks if desk.health.news(now)]

    def asks_until(self, now: datetime) -> datetime | None:
        """Until when something that is unknown may be asked again; None where there is nothing."""
        asked = [one.desk.replayer.asks_until(now) for one in self.working.values()]
        return max((moment for moment in asked if moment is not None), default=None)

    def settled_through(self, now: datetime) -> datetime:
        """Every attempt of ours that began before this is settled, durably."""
        return min([now, *(one.desk.settled_through(now) for one in self.working.values())])

    async def end(self, drain: float, settled: float) -> bool:
        """Stop, await what is under way for so many seconds, then its verdicts. Whether all is durable."""
        self.stop()
        some = list(self.working.values())
        for ended in await asyncio.gather(*(one.task for one in some), return_exceptions=True):
            if isinstance(ended, Exception):
                log.error("a desk ended by a fault", account=str(self.account_id), exc_info=ended)
        await asyncio.gather(*(one.desk.drain(drain) for one in some))
        await asyncio.gather(*(one.desk.settled(settled) for one in some))
        return not self.in_flight

    def forget(self) -> None:
        """The metrics of these channels are another owner's from now on."""
        for one in self.working.values():
            one.desk.calls.gauges.forget()

    # --- desks

    def _begin_all(self, active: Sequence[Channel]) -> None:
        for channel in active:
            if channel.id not in self.working:
                self._begin(channel)
        for channel_id in self._before.keys() - self.working.keys():
            self._leave(channel_id)

    def _begin(self, channel: Channel) -> None:
        try:
            sender = channel.provider.sender(channel.account, self.http)
        except ClarionError as error:
            self.broken.append((channel.id, error))
            return
        desk = Desk(self.shared, channel, sender, self.epoch, self.together, self._learn, self.http)
        desk.valid_until = self.valid_until
        self.working[channel.id] = Working(desk, asyncio.create_task(desk.run()))

    async def _learn(self, shared: Shared, channel: Channel, broker: Broker) -> None:
        """What was sent before: at first for all desks together, so that nobody goes before the account's
        limiter knows of everybody; of a channel that comes later, for its own alone."""
        async with self.learning:
            if self._first is None:
                brokers = {id: (one.desk.channel, one.desk.broker) for id, one in self.working.items()}
                others = [id for id in self._ids if id not in brokers]
                await history.remember(shared, brokers, self.together, others)
                self._first = [broker for _, broker in brokers.values()]
            if not any(broker is one for one in self._first):
                await history.remember_one(shared, channel, broker)
            self._leave(channel.id)

    async def _end(self, channel_id: UUID) -> None:
        """What it holds of the account stays held until its successor knows of that, or there is none: the
        other channels must not send into a gap between the two."""
        one = self.working.pop(channel_id)
        self._before.setdefault(channel_id, []).append(one.desk.broker)
        await one.desk.drain(0.0)
        one.desk.calls.gauges.forget()

    def _leave(self, channel_id: UUID) -> None:
        for broker in self._before.pop(channel_id, []):
            broker.leave()
