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

from clarion.domain.event import OF_ENDS
from clarion.domain.message import Skip, State, reference
from clarion.domain.pace import Pacer
from clarion.flow.compose import Unsayable
from clarion.flow.dispatch.account import Channel
from clarion.flow.dispatch.breaker import Breaker
from clarion.flow.dispatch.calls import Calls
from clarion.flow.dispatch.judge import Beyond, Judgement, not_begun
from clarion.flow.dispatch.lanes import Lanes
from clarion.flow.dispatch.shared import Call, Shared
from clarion.kit.crash import crash_point
from clarion.kit.db import AWAY
from clarion.kit.ids import ascending7
from clarion.kit.log import logger
from clarion.providers.contract import Parcel, Sender, Told
from clarion.store import event, queue
from clarion.store.queue import Intended, Waiting

BATCH = 500
MOST_AHEAD = 3_000
SLICE = 0.25  # one intent covers at most this many seconds of the channel's rate (DESIGN, rule 4)
LOOK, REST = 0.1, 0.25  # seconds between looks at the lanes: while something waits, and while nothing does
log = logger(__name__)


@dataclass(slots=True)
class Desk:
    """Sends for one channel while this process owns it under `epoch`."""

    shared: Shared
    channel: Channel
    sender: Sender
    epoch: int
    valid_until: float = 0.0  # monotonic; after it no call begins until a beat succeeds again
    lanes: Lanes = field(init=False)
    calls: Calls = field(init=False)
    breaker: Breaker = field(init=False)
    pacer: Pacer = field(init=False)
    idle_since: float = 0.0
    held_until: float = 0.0
    _intending: int = 0  # taken, and their intent not yet committed
    _stopping: bool = False
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _thirst: asyncio.Event = field(default_factory=asyncio.Event)
    _doubtful: list[tuple[Waiting, UUID]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pacer = Pacer(self.channel.rate)
        # Read ahead what goes within a second: more would only grow old.
        self.lanes = Lanes(ahead=min(MOST_AHEAD, max(BATCH // 2, int(self.channel.rate))))
        self.breaker = Breaker(self.channel.config.breaker)
        places = min(self.shared.places, self.channel.config.max_in_flight)
        self.calls = Calls(
            self.shared, self.channel, self.sender, self.pacer, self.breaker, places,
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
            async with asyncio.TaskGroup() as body:
                body.create_task(self._keep_on(self._look, self._blink))
                for least in (1, BATCH):
                    body.create_task(self._keep_on(partial(self._round, least), partial(self._rest, least)))
        finally:
            self._recheck()

    async def _keep_on(
        self, act: Callable[[], Awaitable[bool]], pause: Callable[[], Awaitable[None]]
    ) -> None:
        """Act for as long as there is something to do, then pause, until stopped."""
        while not self._stopping:
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
        if self._may_begin(self.shared.clock.monotonic()):
            async with self.shared.db.tenant(self.channel.workspace_id) as connection:
                prepare = self.shared.composer.prepare
                await self.lanes.refill(connection, self.channel.id, self.shared.clock, prepare)
                await prepare(connection, self.lanes.contents())  # what waits long stays known, and fresh
            self._wake.set()
        return False

    async def _blink(self) -> None:
        """Wait until there may be more to read."""
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
        if not self._may_begin(ticks) or ticks < self.held_until:
            return False
        if self.lanes.waiting:
            self.idle_since = ticks
        room = min(self._room(ticks), self.lanes.waiting)
        if room < least:
            return False
        self._intending += room
        self.pacer.reserve(room)
        self.shared.recorder.reserve(room)
        began = 0
        try:
            taken = self.lanes.take(room)
            if self.lanes.low(ticks):
                self._thirst.set()
            began = await self._send(taken)
        finally:
            self._intending -= room
            self.pacer.unreserve(room - began)
            self.shared.recorder.release(room - began)
        return True

    def _room(self, ticks: float) -> int:
        """How many may go now: rate, a slice of it, places, the breaker."""
        most = max(1, int(self.channel.rate * SLICE))
        room = min(self.calls.room(self._intending), self.breaker.allows(ticks) - self._intending)
        return max(0, min(self.pacer.free(ticks), most, room, BATCH))

    async def _rest(self, least: int) -> None:
        """Wait until something may have changed: read, settled, or for few also the passing of time."""
        ticks = self.shared.clock.monotonic()
        pause = REST
        if self.lanes.waiting and least == 1:
            pause = min(pause, max(0.002, self.pacer.wait(ticks)))
        self._wake.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), pause)

    def wake(self) -> None:
        """Look again at once."""
        self._thirst.set()
        self._wake.set()

    def stop(self) -> None:
        """Begin no further call."""
        self._stopping = True
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
        return ticks <= self.valid_until and not self._stopping

    # --- a batch

    async def _send(self, taken: list[Waiting]) -> int:
        """Say it, commit to it, and make the calls; how many were begun."""
        now = self.shared.clock.now()
        try:
            calls = await self._prepare(taken, now)
        except AWAY:
            for waiting in taken:
                self._read_again(waiting)
            raise
        if not calls:
            return 0
        try:
            granted = await self._intend(calls, now)
        except (*AWAY, asyncio.CancelledError):
            self._doubtful += [(call.waiting, call.attempt_id) for call in calls]
            raise
        crash_point("intent.committed")
        for call in calls:
            if call.attempt_id in granted:
                self.calls.begin(call, now)
            else:
                self.lanes.forget(call.waiting.lane_id, call.waiting.message_id)
        return len(granted)

    async def _prepare(self, taken: list[Waiting], now: datetime) -> list[Call]:
        """Say it to each; those to whom it cannot be said leave the queue with the reason."""
        calls: list[Call] = []
        ids = ascending7(now)
        ends: dict[tuple[State, str], list[Waiting]] = {}
        for waiting in taken:
            if waiting.expires_at <= now:
                ends.setdefault((State.EXPIRED, "expired"), []).append(waiting)
            elif waiting.erased:
                ends.setdefault((State.SKIPPED, Skip.ERASED.value), []).append(waiting)
            elif waiting.opted_out:
                ends.setdefault((State.SKIPPED, Skip.OPTED_OUT.value), []).append(waiting)
            else:
                attempt_id = next(ids)
                try:
                    content, said = self.shared.composer.compose(self.channel, waiting, now)
                except Unsayable as error:
                    ends.setdefault((State.SKIPPED, error.reason), []).append(waiting)
                    continue
                parcel = Parcel(
                    reference(waiting.cohort, attempt_id), waiting.scheme, waiting.address, content
                )
                calls.append(Call(waiting, attempt_id, parcel, said))
        for (state, reason), some in ends.items():
            await self._end(some, state, reason, now)
        return calls

    async def _end(self, some: list[Waiting], state: State, reason: str, now: datetime) -> None:
        rows = [(w.lane_id, w.due_at, w.message_id, w.cohort) for w in some]
        async with self.shared.db.tenant(self.channel.workspace_id) as connection:
            await queue.end(connection, rows, state.value, reason, now)
            if self.shared.listening.wants(self.channel.workspace_id, OF_ENDS):
                await event.of_ends(connection, [(w.message_id, w.cohort) for w in some], now)
            crash_point("end.before_commit")
        crash_point("end.committed")
        for waiting in some:
            self.lanes.forget(waiting.lane_id, waiting.message_id)

    async def _intend(self, calls: list[Call], now: datetime) -> set[UUID]:
        tries = [
            Intended(c.waiting, self.lanes.epoch(c.waiting.lane_id), c.attempt_id, c.said) for c in calls
        ]
        async with self.shared.db.tenant(self.channel.workspace_id) as connection:
            granted = await queue.intend(
                connection, channel_id=self.channel.id, worker_id=self.shared.worker_id, epoch=self.epoch,
                tries=tries, now=now,
            )  # fmt: skip
            crash_point("intent.before_commit")
        return granted

    def _recheck(self) -> None:
        """The database went away during an intent's commit: whatever was committed was not sent."""
        doubtful, self._doubtful = self._doubtful, []
        now = self.shared.clock.now()
        for waiting, attempt_id in doubtful:
            self.calls.begun[attempt_id] = now
            away = Judgement(not_begun(attempt_id, now, "database_away"))
            self.calls.settle(waiting, attempt_id, away, doubtful=True)

    def _read_again(self, waiting: Waiting) -> None:
        """Nothing became of it: it is still in the queue, behind the cursor."""
        self.lanes.forget(waiting.lane_id, waiting.message_id)
        self.lanes.look_again(waiting.lane_id)

    # --- what the calls tell

    def _settled(self, waiting: Waiting, doubtful: bool) -> None:
        self.lanes.forget(waiting.lane_id, waiting.message_id)
        if doubtful:
            self.lanes.look_again(waiting.lane_id)
        self._wake.set()

    def _heard(self, waiting: Waiting, judgement: Judgement, told: Told | None) -> None:
        """A pause, an opt-out: what the answer means beyond its message."""
        if judgement.beyond is Beyond.HOLD:
            self.held_until = max(self.held_until, self.shared.clock.monotonic() + judgement.hold)
        elif judgement.beyond is not None and told is not None:
            if judgement.beyond is Beyond.PAUSE_CHANNEL:
                self.stop()
            self.shared.beyond(self.channel, waiting, judgement.beyond, told)
