"""One owned channel: takes what is due within the channel's rate, commits the intent, makes the calls.

The order of things is the promise: read ahead → intent committed (`intents`) → mark → first byte
(`calls`) → verdict → durable (`settler`). Whatever kills the process between two of these, the next owner
can tell what to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from clarion.domain.limits import Limiter
from clarion.domain.message import Outcome
from clarion.domain.pace import SLICE
from clarion.flow.dispatch import history
from clarion.flow.dispatch.account import Channel
from clarion.flow.dispatch.admission import Admission
from clarion.flow.dispatch.breaker import Breaker
from clarion.flow.dispatch.broker import Broker
from clarion.flow.dispatch.calls import Calls
from clarion.flow.dispatch.collector import Collector
from clarion.flow.dispatch.health import Health
from clarion.flow.dispatch.intents import Intents
from clarion.flow.dispatch.judge import Beyond, Judgement
from clarion.flow.dispatch.knocker import Knocker
from clarion.flow.dispatch.lackers import Lackers
from clarion.flow.dispatch.lanes import Lanes
from clarion.flow.dispatch.leavers import Leavers
from clarion.flow.dispatch.lookout import REST, Lookout
from clarion.flow.dispatch.replayer import Replayer
from clarion.flow.dispatch.shared import Shared
from clarion.flow.dispatch.windows import Windows
from clarion.kit.db import AWAY
from clarion.kit.http import Http
from clarion.kit.log import logger
from clarion.providers.abilities import Hearing
from clarion.providers.contract import Sender, Told
from clarion.store.queue import Waiting

BATCH = 500
MOST_AHEAD = 3_000
HEARD_AGAIN = 5.0  # seconds until a connection is listened to again whose listener failed
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
    http: Http | None = None  # by which a provider that fell silent is asked whether it is there again
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
    intents: Intents = field(init=False)
    knocker: Knocker = field(init=False)
    lookout: Lookout = field(init=False)
    idle_since: float = 0.0
    held_until: float = 0.0
    stopping: bool = False  # it begins no further call
    refused: bool = False  # because the provider refuses the account
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _listening: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        own = Limiter(self.channel.limits)
        limiters = [own] if self.account is None else [own, self.account]
        self.broker = Broker(self.shared.clock, limiters, self.channel.zone)
        # Read ahead what goes within a second: more would only grow old.
        self.lanes = Lanes(ahead=min(MOST_AHEAD, max(BATCH // 2, int(self.channel.rate))))
        self.collector = Collector(self.shared, self.channel, self.sender, self.broker, self._wake.set)
        self.admission = Admission(self.shared, self.channel, self.lanes, self.broker)
        self.leavers = Leavers(self.shared, self.channel.workspace_id, self.lanes)
        self.lookout = Lookout(
            self.shared, self.channel.workspace_id, self.channel.id, self.lanes, self.leavers,
            self._may_begin, self._wake.set,
        )  # fmt: skip
        self.breaker = Breaker(self.channel.config.breaker)
        self.health = Health(self.breaker)
        places = min(self.shared.places, self.channel.config.max_in_flight)
        self.calls = Calls(
            self.shared, self.channel, self.sender, self.broker, self.breaker, places,
            self._may_begin, self._settled, self._heard,
        )  # fmt: skip
        self.intents = Intents(
            self.shared,
            self.channel,
            self.epoch,
            self.lanes,
            self.broker,
            self.calls,
            self.leavers,
            Windows(self.leavers, self.channel.id),
            Lackers(self.leavers),
        )
        self.knocker = Knocker(self.shared.clock, self.http, self.channel, self.breaker)
        self.replayer = Replayer(
            self.shared, self.channel, self.sender, self.broker, self.breaker, self.knocker, self.epoch,
            self._may_ask_again, self.admission.open_until,
        )  # fmt: skip
        self.idle_since = self.shared.clock.monotonic()

    # --- the loop

    async def run(self) -> None:
        """Send until stopped. What is under way then is awaited by `drain`.

        One eye reads ahead. Of two hands, while one waits for an intent's commit the other may take the
        next whole batch; what is less than a batch goes by one hand alone, in order.
        """
        if isinstance(self.sender, Hearing):
            self._listening = asyncio.create_task(self._hear_on(self.sender))
        try:
            await self._remember()
            async with asyncio.TaskGroup() as body:
                body.create_task(self.collector.run())
                body.create_task(self.replayer.run())
                body.create_task(self._keep_on(self.lookout.look, self.lookout.blink))
                for least in (1, BATCH):
                    body.create_task(self._keep_on(partial(self._round, least), partial(self._rest, least)))
        finally:
            self.intents.recheck()

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

    async def _round(self, least: int) -> bool:
        """One batch of at least so many; False when there is none to send now."""
        self.intents.recheck()
        ticks = self.shared.clock.monotonic()
        if self.lanes.waiting or self.lanes.parked:
            self.idle_since = ticks  # also while it is held: whoever took it over would not know of that
        if not self._may_begin(ticks) or ticks < self.held_until:
            return False
        self.lanes.unpark(ticks)
        if self.lanes.waiting:
            await self.knocker.ask()
        room = min(self._room(ticks), self.lanes.waiting)
        if room < least:
            return False
        admitted = self.admission.admit(room, self.shared.clock.now(), ticks)
        self.lookout.thirst(ticks)
        if admitted.calls or admitted.leaving:
            await self.intents.send(admitted)
        else:
            await asyncio.sleep(0)  # many may stand aside one after the other
        return admitted.some

    def _room(self, ticks: float) -> int:
        """How many may go now: the limits, a slice of the rate, places, the breaker."""
        most = max(1, int(self.channel.rate * SLICE))  # of an intent (DESIGN, rule 4)
        pending = self.intents.pending
        room = min(self.calls.room(pending), self.breaker.allows(ticks) - pending)
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
        self.lookout.wake()
        self._wake.set()

    def adopt(self, channel: Channel) -> bool:
        """The channel as it is now: other limits apply at once. False where more than that has changed."""
        if channel.modified_at == self.channel.modified_at:
            return True
        if not channel.differs_by_limits_alone(self.channel):
            return False
        parts = (self.calls, self.admission, self.collector, self.intents, self.knocker, self.replayer)
        for part in (self, *parts):
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
        """Wait for the calls under way; those that last longer are left to their end as unknown. Until then
        it also listens: answers come over the same connection."""
        await self.calls.drain(timeout)
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})

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

    async def _hear_on(self, sender: Hearing) -> None:
        """Listen until cancelled; a fault of a provider's code does not end that."""
        hear = partial(self.shared.ear, self.channel.workspace_id, self.channel.id)
        while True:
            try:
                await sender.listen(hear)
            except Exception:
                log.exception("a provider's code failed while it listened", channel=str(self.channel.id))
            await asyncio.sleep(HEARD_AGAIN)

    def _may_ask_again(self, ticks: float) -> bool:
        return self._may_begin(ticks) and ticks >= self.held_until

    def _may_begin(self, ticks: float) -> bool:
        return ticks <= self.valid_until and not self.stopping

    # --- what the calls tell

    def _settled(self, waiting: Waiting, doubtful: bool) -> None:
        self.lanes.forget(waiting.lane_id, waiting.message_id)
        if doubtful:
            self.lanes.look_again(waiting.lane_id)
        self._wake.set()

    def _heard(self, waiting: Waiting, judgement: Judgement, told: Told | None) -> None:
        """A pause, an opt-out: what the answer means beyond its message."""
        if judgement.verdict.outcome is Outcome.UNKNOWN:
            self.replayer.some = True
        if told is not None:
            self.health.heard(told)
        if judgement.beyond is Beyond.HOLD:
            self.held_until = max(self.held_until, self.shared.clock.monotonic() + judgement.hold)
        elif judgement.beyond is not None and told is not None:
            if judgement.beyond is Beyond.PAUSE_CHANNEL:
                self.refused = True
                self.stop()
            self.shared.beyond(self.channel, waiting, judgement.beyond, told)
