"""One owned channel: takes what is due within the channel's rate, commits the intent, makes the calls.

The order of things is the promise: read ahead → intent committed → mark → first byte → verdict →
durable. Whatever kills the process between two of these, the next owner can tell what to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from uuid import UUID

from clarion.domain.limits import Limiter
from clarion.domain.pace import SLICE
from clarion.flow.dispatch import history
from clarion.flow.dispatch.account import Channel
from clarion.flow.dispatch.admission import Admission, Admitted
from clarion.flow.dispatch.breaker import Breaker
from clarion.flow.dispatch.broker import Broker
from clarion.flow.dispatch.calls import Calls
from clarion.flow.dispatch.collector import Collector
from clarion.flow.dispatch.health import Health
from clarion.flow.dispatch.judge import Beyond, Judgement, not_begun
from clarion.flow.dispatch.lanes import Lanes
from clarion.flow.dispatch.leavers import Leavers
from clarion.flow.dispatch.replayer import Replayer
from clarion.flow.dispatch.shared import Call, Shared
from clarion.kit.crash import crash_point
from clarion.kit.db import AWAY
from clarion.kit.log import logger
from clarion.providers.contract import Sender, Told
from clarion.store import queue
from clarion.store.queue import Intended, Waiting

BATCH = 500
MOST_AHEAD = 3_000
LOOK, REST = 0.1, 0.25  # seconds between looks at the lanes: while something waits, and while nothing does
Memory = Callable[[Shared, Channel, Broker], Awaitable[object]]
log = logger(__name__)


@dataclass(slots=True)
class Desk:
    """Sends for one channel while this process owns it under `epoch`."""

    shared: Shared
    channel: Channel
    sender: Sender
    epoch: int
    account: Limiter | None = None  # what all channels of the account may carry together
    memory: Memory = history.remember_one  # learns what was sent before
    valid_until: float = 0.0  # monotonic; after it no call begins until a beat succeeds again
    lanes: Lanes = field(init=False)
    calls: Calls = field(init=False)
    collector: Collector = field(init=False)
    replayer: Replayer = field(init=False)
    breaker: Breaker = field(init=False)
    health: Health = field(init=False)
    leavers: Leavers = field(init=False)
    broker: Broker = field(init=False)
    admission: Admission = field(init=False)
    idle_since: float = 0.0
    held_until: float = 0.0
    stopping: bool = False  # it begins no further call
    refused: bool = False  # because the provider refuses the account
    _intending: int = 0  # taken, and their intent not yet committed
    _woken: bool = False
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _thirst: asyncio.Event = field(default_factory=asyncio.Event)
    _doubtful: list[tuple[Waiting, UUID]] = field(default_factory=list)

    def __post_init__(self) -> None:
        own = Limiter(self.channel.limits)
        limiters = [own] if self.account is None else [own, self.account]
        self.broker = Broker(self.shared.clock, limiters, self.channel.zone)
        # Read ahead what goes within a second: more would only grow old.
        self.lanes = Lanes(ahead=min(MOST_AHEAD, max(BATCH // 2, int(self.channel.rate))))
        self.collector = Collector(self.shared, self.channel, self.sender, self.broker, self._wake.set)
        self.replayer = Replayer(
            self.shared, self.channel, self.sender, self.broker, self.epoch, self._may_begin
        )
        self.admission = Admission(self.shared, self.channel, self.lanes, self.broker)
        self.leavers = Leavers(self.shared, self.channel.workspace_id, self.lanes)
        self.breaker = Breaker(self.channel.config.breaker)
        self.health = Health(self.breaker)
        places = min(self.shared.places, self.channel.config.max_in_flight)
        self.calls = Calls(
            self.shared, self.channel, self.sender, self.broker, self.breaker, places,
            self._may_begin, self._settled, self._heard,
        )  # fmt: skip
        self.idle_since = self.shared.clock.monotonic()

    # --- the loop

    async def run(self) -> None:
        """Send until stopped. What is under way then is awaited by `drain`.

        One eye reads ahead. Of two hands, while one waits for an intent's commit the other may take the
        next whole batch; what is less than a batch goes by one hand alone, in order.
        """
        try:
            await self._remember()
            async with asyncio.TaskGroup() as body:
                body.create_task(self.collector.run())
                body.create_task(self.replayer.run())
                body.create_task(self._keep_on(self._look, self._blink))
                for least in (1, BATCH):
                    body.create_task(self._keep_on(partial(self._round, least), partial(self._rest, least)))
        finally:
            self._recheck()

    async def _remember(self) -> None:
        """What was sent before counts against the limits; nothing goes until that is known."""
        while not self.stopping:
            try:
                await self.memory(self.shared, self.channel, self.broker)
                return
            except AWAY:
                await asyncio.sleep(0.2)

    async def _keep_on(
        self, act: Callable[[], Awaitable[bool]], pause: Callable[[], Awaitable[None]]
    ) -> None:
        """Act for as long as there is something to do, then pause, until stopped."""
        while not self.stopping:
            try:
                busy = await act()
            except AWAY as error:
                log.warning("a channel waits for the database", error=type(error).__name__)
                busy = False
                await asyncio.sleep(0.2)
            if not busy:
                await pause()

    async def _look(self) -> bool:
        """Which lanes are open, and what waits in them; False, since then there is time for a blink."""
        self._woken = False  # who wakes us during the look is seen to by the next
        if self._may_begin(self.shared.clock.monotonic()):
            async with self.shared.db.tenant(self.channel.workspace_id) as connection:
                prepare = self.shared.composer.prepare
                await self.lanes.refill(connection, self.channel.id, self.shared.clock, prepare)
                await prepare(connection, self.lanes.contents())  # what waits long stays known, and fresh
            self._wake.set()
            await self.leavers.end_late(self.shared.clock.now())
        return False

    async def _blink(self) -> None:
        """Wait until there may be more to read."""
        if self._woken:
            return
        self._thirst.clear()
        ticks = self.shared.clock.monotonic()
        if self._may_begin(ticks) and self.lanes.low(ticks):
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._thirst.wait(), LOOK if self.lanes.waiting else REST)

    async def _round(self, least: int) -> bool:
        """One batch of at least so many; False when there is none to send now."""
        self._recheck()
        ticks = self.shared.clock.monotonic()
        if self.lanes.waiting or self.lanes.parked:
            self.idle_since = ticks  # also while it is held: whoever took it over would not know of that
        if not self._may_begin(ticks) or ticks < self.held_until:
            return False
        self.lanes.unpark(ticks)
        room = min(self._room(ticks), self.lanes.waiting)
        if room < least:
            return False
        admitted = self.admission.admit(room, self.shared.clock.now(), ticks)
        if self.lanes.low(ticks):
            self._thirst.set()
        if admitted.calls or admitted.ends:
            await self._send(admitted)
        else:
            await asyncio.sleep(0)  # many may stand aside one after the other
        return admitted.some

    def _room(self, ticks: float) -> int:
        """How many may go now: the limits, a slice of the rate, places, the breaker."""
        most = max(1, int(self.channel.rate * SLICE))  # of an intent (DESIGN, rule 4)
        room = min(self.calls.room(self._intending), self.breaker.allows(ticks) - self._intending)
        return max(0, min(self.broker.room(ticks), most, room, BATCH))

    async def _rest(self, least: int) -> None:
        """Wait until something may have changed: read, settled, freed, or for few also the passing of
        time: until the rate has room, or somebody who stands aside may go."""
        ticks = self.shared.clock.monotonic()
        pause = REST
        if least == 1 and self._may_begin(ticks) and ticks >= self.held_until:
            if self.lanes.waiting and (rest := max(self.broker.rest(ticks), self.admission.wait)):
                pause = rest
            pause = max(0.002, min(pause, REST, self.lanes.rest(ticks)))
        self._wake.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), pause)

    def wake(self) -> None:
        """Look again at once."""
        self.lanes.hurry()
        self._woken = True
        self._thirst.set()
        self._wake.set()

    def adopt(self, channel: Channel) -> bool:
        """The channel as it is now: other limits apply at once. False where more than that has changed."""
        if channel.modified_at == self.channel.modified_at:
            return True
        if not channel.differs_by_limits_alone(self.channel):
            return False
        for part in (self, self.calls, self.admission, self.collector, self.replayer):
            part.channel = channel
        self.broker.limiters[0].change(channel.limits)
        self.reconsider()
        return True

    def reconsider(self) -> None:
        """What it may carry is another: everybody who waits for that is asked about again."""
        self.broker.learn()
        self.lanes.reconsider()
        self.wake()

    def stop(self) -> None:
        """Begin no further call."""
        self.stopping = True
        self.collector.stop()
        self.replayer.stop()
        self.wake()

    async def drain(self, timeout: float) -> None:
        """Wait for the calls under way; those that last longer are left to their end as unknown."""
        await self.calls.drain(timeout)

    async def settled(self, timeout: float) -> None:
        """Wait until every verdict is durable, at most `timeout` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self.calls.begun:
                    self._wake.clear()
                    await self._wake.wait()

    def settled_through(self, now: datetime) -> datetime:
        """Every attempt of ours that began before this is settled, durably."""
        return min([now, *self.calls.begun.values()])

    def _may_begin(self, ticks: float) -> bool:
        return ticks <= self.valid_until and not self.stopping

    # --- a batch

    async def _send(self, admitted: Admitted) -> None:
        """Commit to it, and make the calls; who is not called leaves the queue with the reason."""
        calls, now = admitted.calls, self.shared.clock.now()
        granted: set[UUID] = set()
        self._intending += len(calls)
        self.shared.recorder.reserve(len(calls))
        try:
            await self.leavers.end(admitted.ends, now, others=[call.waiting for call in calls])
            granted = await self._intend(calls, now) if calls else granted
            crash_point("intent.committed")
            for call in calls:
                if call.attempt_id in granted:
                    self.calls.begin(call, now)
                else:
                    self.lanes.forget(call.waiting.lane_id, call.waiting.message_id)
        finally:
            stay = [call for call in calls if call.attempt_id not in granted]
            for call in stay:
                self.broker.unreserve(call)
            self._intending -= len(calls)
            self.shared.recorder.release(len(stay))

    async def _intend(self, calls: list[Call], now: datetime) -> set[UUID]:
        """Those that are ours to make, by attempt. When the database goes away meanwhile, whether they
        were committed to is found out later (`_recheck`)."""
        tries = [
            Intended(c.waiting, self.lanes.epoch(c.waiting.lane_id), c.attempt_id, c.said, c.units)
            for c in calls
        ]
        try:
            async with self.shared.db.tenant(self.channel.workspace_id) as connection:
                granted = await queue.intend(
                    connection, channel_id=self.channel.id, worker_id=self.shared.worker_id,
                    epoch=self.epoch, tries=tries, now=now,
                )  # fmt: skip
                await self.lanes.watch(connection, granted, tries, now)
                crash_point("intent.before_commit")
        except (*AWAY, asyncio.CancelledError):
            self._doubtful += [(call.waiting, call.attempt_id) for call in calls]
            raise
        return granted

    def _recheck(self) -> None:
        """The database went away during an intent's commit: whatever was committed was not sent."""
        doubtful, self._doubtful = self._doubtful, []
        now = self.shared.clock.now()
        for waiting, attempt_id in doubtful:
            self.calls.begun[attempt_id] = now
            away = Judgement(not_begun(attempt_id, now, "database_away"))
            self.calls.settle(waiting, attempt_id, away, doubtful=True)

    # --- what the calls tell

    def _settled(self, waiting: Waiting, doubtful: bool) -> None:
        self.lanes.forget(waiting.lane_id, waiting.message_id)
        if doubtful:
            self.lanes.look_again(waiting.lane_id)
        self._wake.set()

    def _heard(self, waiting: Waiting, judgement: Judgement, told: Told | None) -> None:
        """A pause, an opt-out: what the answer means beyond its message."""
        if told is not None:
            self.health.heard(told)
        if judgement.beyond is Beyond.HOLD:
            self.held_until = max(self.held_until, self.shared.clock.monotonic() + judgement.hold)
        elif judgement.beyond is not None and told is not None:
            if judgement.beyond is Beyond.PAUSE_CHANNEL:
                self.refused = True
                self.stop()
            self.shared.beyond(self.channel, waiting, judgement.beyond, told)
