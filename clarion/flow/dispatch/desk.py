"""One owned channel: takes what is due within the channel's rate, commits the intent, makes the calls.

The order of things is the promise: read ahead → intent committed → mark → first byte → verdict →
durable. Whatever kills the process between two of these, the next owner can tell what to do.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from clarion.domain.message import Skip, State, reference
from clarion.domain.pace import Pacer
from clarion.flow.compose import Unsayable
from clarion.flow.dispatch.account import Channel
from clarion.flow.dispatch.breaker import Breaker
from clarion.flow.dispatch.gauges import Gauges
from clarion.flow.dispatch.judge import Beyond, Judgement, Try, judge, not_begun, unanswered
from clarion.flow.dispatch.lanes import Lanes
from clarion.flow.dispatch.settler import Ended
from clarion.flow.dispatch.shared import Call, Shared
from clarion.kit.crash import crash_point
from clarion.kit.db import AWAY
from clarion.kit.ids import uuid7
from clarion.kit.log import logger
from clarion.providers.contract import Parcel, Sender, Told
from clarion.store import queue
from clarion.store.queue import Intended, Waiting

BATCH = 500
SLICE = 0.25  # one intent covers at most this many seconds of the channel's rate (DESIGN, rule 4)
log = logger(__name__)


@dataclass(slots=True)
class Desk:
    """Sends for one channel while this process owns it under `epoch`."""

    shared: Shared
    channel: Channel
    sender: Sender
    epoch: int
    valid_until: float = 0.0  # monotonic; after it no call begins until a beat succeeds again
    begun: dict[UUID, datetime] = field(default_factory=dict)
    lanes: Lanes = field(default_factory=Lanes)
    breaker: Breaker = field(init=False)
    pacer: Pacer = field(init=False)
    gauges: Gauges = field(init=False)
    idle_since: float = 0.0
    held_until: float = 0.0
    sent: int = 0
    _stopping: bool = False
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _calls: set[asyncio.Task[None]] = field(default_factory=set)
    _doubtful: list[tuple[Waiting, UUID]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pacer = Pacer(self.channel.rate)
        self.breaker = Breaker(self.channel.config.breaker)
        self.gauges = Gauges(self.shared.metrics, self.channel.id, lambda: len(self._calls))
        self.idle_since = self.shared.clock.monotonic()

    # --- the loop

    async def run(self) -> None:
        """Send until stopped. What is under way then is awaited by `drain`."""
        while not self._stopping:
            try:
                busy = await self._round()
            except AWAY as error:
                log.warning("a channel waits for the database", error=type(error).__name__)
                busy = False
                await asyncio.sleep(0.2)
            if not busy:
                await self._rest()

    async def _round(self) -> bool:
        """One batch; False when there is nothing to do now."""
        shared = self.shared
        if self._doubtful:
            await self._recheck()
        ticks = shared.clock.monotonic()
        if ticks > self.valid_until or ticks < self.held_until:
            return False
        async with shared.db.tenant(self.channel.workspace_id) as connection:
            await self.lanes.refill(connection, self.channel.id, shared.clock)
            await shared.composer.prepare(connection, self.lanes.contents())
        if self.lanes.waiting:
            self.idle_since = ticks
        room = self._room(ticks)
        taken = self.lanes.take(room) if room else []
        if not taken:
            return False
        await self._send(taken)
        return True

    def _room(self, ticks: float) -> int:
        """How many may go now: rate, a slice of it, places, the breaker."""
        most = max(1, int(self.channel.rate * SLICE))
        places = min(self.shared.places, self.channel.config.max_in_flight)
        # Answered calls whose verdict is not yet durable count apart: they hold no connection.
        places = min(places - len(self._calls), 2 * places - len(self.begun), self.shared.recorder.free)
        return max(0, min(self.pacer.free(ticks), most, places, BATCH, self.breaker.allows(ticks)))

    async def _rest(self) -> None:
        """Wait until something may have changed."""
        ticks = self.shared.clock.monotonic()
        pause = 0.25
        if self.lanes.waiting:
            pause = min(pause, max(0.002, self.pacer.wait(ticks)))
        self._wake.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), pause)

    def wake(self) -> None:
        """Look again at once."""
        self._wake.set()

    def stop(self) -> None:
        """Begin no further call."""
        self._stopping = True
        self._wake.set()

    async def drain(self, timeout: float) -> None:
        """Wait for the calls under way; those that last longer are left to their end as unknown."""
        if self._calls:
            _, late = await asyncio.wait(self._calls, timeout=timeout)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def settled(self, timeout: float) -> None:
        """Wait until every verdict is durable, at most `timeout` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self.begun:
                    self._wake.clear()
                    await self._wake.wait()

    # --- a batch

    async def _send(self, taken: list[Waiting]) -> None:
        now = self.shared.clock.now()
        try:
            calls = await self._prepare(taken, now)
        except AWAY:
            for waiting in taken:
                self._read_again(waiting)
            raise
        if not calls:
            return
        self.pacer.reserve(len(calls))
        granted: set[UUID] = set()
        try:
            granted = await self._intend(calls, now)
        except AWAY:
            self._doubtful += [(call.waiting, call.attempt_id) for call in calls]
            raise
        finally:
            self.pacer.unreserve(len(calls) - len(granted))
        crash_point("intent.committed")
        for call in calls:
            if call.attempt_id not in granted:
                self.lanes.forget(call.waiting.lane_id, call.waiting.message_id)
                continue
            self.begun[call.attempt_id] = now
            self.breaker.began()
            task = asyncio.create_task(self._call(call))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _prepare(self, taken: list[Waiting], now: datetime) -> list[Call]:
        """Say it to each; those to whom it cannot be said leave the queue with the reason."""
        calls: list[Call] = []
        ends: dict[tuple[State, str], list[Waiting]] = {}
        for waiting in taken:
            if waiting.expires_at <= now:
                ends.setdefault((State.EXPIRED, "expired"), []).append(waiting)
            elif waiting.erased:
                ends.setdefault((State.SKIPPED, Skip.ERASED.value), []).append(waiting)
            elif waiting.opted_out:
                ends.setdefault((State.SKIPPED, Skip.OPTED_OUT.value), []).append(waiting)
            else:
                attempt_id = uuid7(now)
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

    async def _recheck(self) -> None:
        """The database went away during an intent's commit: whatever was committed was not sent."""
        doubtful, self._doubtful = self._doubtful, []
        now = self.shared.clock.now()
        for waiting, attempt_id in doubtful:
            self.begun[attempt_id] = now
            away = Judgement(not_begun(attempt_id, now, "database_away"))
            self._settle(waiting, attempt_id, away, doubtful=True)

    def _read_again(self, waiting: Waiting) -> None:
        """Nothing became of it: it is still in the queue, behind the cursor."""
        self.lanes.forget(waiting.lane_id, waiting.message_id)
        self.lanes.look_again(waiting.lane_id)

    # --- a call

    async def _call(self, call: Call) -> None:
        shared, waiting = self.shared, call.waiting
        crash_point("call.before_mark")
        now = shared.clock.now()
        if shared.clock.monotonic() > self.valid_until or now >= waiting.expires_at:
            self._not_begun(call, "too_late_to_begin")
            return
        if not shared.recorder.free:  # other desks took the last places; without a mark nothing leaves
            self._not_begun(call, "no_place")
            return
        shared.recorder.mark(call.attempt_id)
        began = shared.clock.monotonic()
        self.pacer.release(began)
        self.gauges.begins(waiting.due_at, now)
        crash_point("call.marked")
        told: Told | None = None
        try:
            told = await self.sender.send(call.parcel)
            crash_point("call.answered")
            tried = Try(call.attempt_id, waiting.tries, waiting.expires_at)
            judgement = judge(told, tried, self.channel.config, shared.clock.now(), random.random())  # noqa: S311
        except asyncio.CancelledError:
            judgement = Judgement(unanswered(call.attempt_id, "drained"))
        except Exception as error:  # a fault of ours must not lose the attempt: bytes may have left
            log.exception("a provider's code failed")
            judgement = Judgement(unanswered(call.attempt_id, "fault", type(error).__name__))
        self.gauges.took(shared.clock.monotonic() - began)
        self._settle(waiting, call.attempt_id, judgement)
        self._beyond(waiting, judgement, told)

    def _not_begun(self, call: Call, code: str) -> None:
        """Nothing left: back to the queue, at once."""
        self.pacer.unreserve(1)
        verdict = not_begun(call.attempt_id, self.shared.clock.now(), code)
        self.breaker.heard(verdict, None, self.shared.clock.monotonic())
        self._settle(call.waiting, call.attempt_id, Judgement(verdict))

    def _settle(
        self, waiting: Waiting, attempt_id: UUID, judgement: Judgement, *, doubtful: bool = False
    ) -> None:
        def durable(settled: UUID) -> None:
            self.shared.recorder.clear(settled)
            self.begun.pop(settled, None)
            self.lanes.forget(waiting.lane_id, waiting.message_id)
            if doubtful:
                self.lanes.look_again(waiting.lane_id)
            self._wake.set()

        self.sent += 1
        self.gauges.ended(judgement.verdict.outcome)
        self.shared.settler.put(Ended(self.channel.workspace_id, waiting.cohort, judgement.verdict, durable))

    def _beyond(self, waiting: Waiting, judgement: Judgement, told: Told | None) -> None:
        """The breaker, a pause, an opt-out: what the answer means beyond its message."""
        ticks = self.shared.clock.monotonic()
        self.breaker.heard(judgement.verdict, told, ticks)
        if judgement.beyond is Beyond.HOLD:
            self.held_until = max(self.held_until, ticks + judgement.hold)
        elif judgement.beyond is not None and told is not None:
            if judgement.beyond is Beyond.PAUSE_CHANNEL:
                self.stop()
            self.shared.beyond(self.channel, waiting, judgement.beyond, told)

    def settled_through(self, now: datetime) -> datetime:
        """Every attempt of ours that began before this is settled, durably."""
        return min([now, *self.begun.values()])
