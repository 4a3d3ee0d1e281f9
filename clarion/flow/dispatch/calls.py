"""The calls of one desk: a place to be had, the mark, the first byte, the verdict, until it is durable."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from clarion.flow.dispatch.account import Channel
from clarion.flow.dispatch.breaker import Breaker
from clarion.flow.dispatch.broker import Broker
from clarion.flow.dispatch.gauges import Gauges
from clarion.flow.dispatch.judge import Judgement, Try, fitting, judge, not_begun, unanswered
from clarion.flow.dispatch.settler import Ended
from clarion.flow.dispatch.shared import Call, Shared
from clarion.kit.crash import crash_point
from clarion.kit.http import departing
from clarion.kit.log import logger
from clarion.providers.abilities import Naming
from clarion.providers.contract import Sender, Told
from clarion.store.queue import Waiting

log = logger(__name__)


@dataclass(slots=True)
class Calls:
    """At most `places` are under way at once, and at most what the process may have over all its desks;
    more may be intended and wait in line. A caller holds each place and makes one call after the other: a
    task a call would cost more than its verdict does.

    `may_begin(ticks)`: whether a call may begin at this monotonic moment. `settled(waiting, doubtful)`
    is told when a verdict is durable, `heard(waiting, judgement, told)` when an answer came.
    """

    shared: Shared
    channel: Channel
    sender: Sender
    broker: Broker
    breaker: Breaker
    places: int
    may_begin: Callable[[float], bool]
    settled: Callable[[Waiting, bool], None]
    heard: Callable[[Waiting, Judgement, Told | None], None]
    begun: dict[UUID, datetime] = field(default_factory=dict)  # intended, and not yet durably settled
    gauges: Gauges = field(init=False)
    _line: deque[Call] = field(default_factory=deque)
    _under_way: int = 0
    _callers: set[asyncio.Task[None]] = field(default_factory=set)
    _idle: list[asyncio.Future[None]] = field(default_factory=list)
    _quiet: asyncio.Event = field(default_factory=asyncio.Event)
    _over: bool = False
    _names_on: UUID | None = None  # our channel, where receipts call a try by the provider's name for it

    def __post_init__(self) -> None:
        if isinstance(self.channel.provider, Naming):
            self._names_on = self.channel.id
        self.gauges = Gauges(self.shared.metrics, self.channel.id, lambda: self._under_way + len(self._line))

    def begin(self, call: Call, intended_at: datetime) -> None:
        """The intent is committed: make the call as soon as there is a place."""
        self.begun[call.attempt_id] = intended_at
        self.shared.busy.add(self.channel.id)
        call.opened = self.breaker.began()
        if self._over:
            self._not_begun(call, "drained")
            return
        self._line.append(call)
        if self._idle:
            self._idle.pop().set_result(None)
        elif len(self._callers) < self.places:
            caller = asyncio.create_task(self._call_on())
            self._callers.add(caller)
            caller.add_done_callback(self._callers.discard)

    def room(self, intending: int) -> int:
        """How many more may be intended now, beside `intending`.

        What waits for its place counts, and what is answered and not yet durable: so much is on its way
        that neither the database nor the provider waits for the other, and no more. Too little room is
        none, so that statements do not shrink to a row each.
        """
        places = min(self.places, self.shared.share(self.channel.id))
        # Each needs a place for its mark; other desks take such places too.
        free = min(3 * places - len(self.begun) - intending, self.shared.recorder.free)
        return free if free >= max(1, places // 8) or not (self._under_way or self._line) else 0

    async def drain(self, timeout: float) -> None:
        """Wait for the calls under way and in line; of those that last longer, what has begun is left to
        its end as unknown, and the rest goes back to the queue. No call can be made afterwards."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._under_way or self._line:
                    self._quiet.clear()
                    await self._quiet.wait()
        self._over = True
        for caller in self._callers:
            caller.cancel()
        if self._callers:
            await asyncio.wait(set(self._callers))
        while self._line:
            self._not_begun(self._line.popleft(), "drained")

    async def _call_on(self) -> None:
        """Hold one place: make a call after the other, and wait for the next."""
        while not self._over:
            while self._line and not self._over:
                async with self.shared.gate:
                    if self._line:
                        await self._make(self._line.popleft())
            self._idle.append(idle := asyncio.get_running_loop().create_future())
            await idle

    async def _make(self, call: Call) -> None:
        crash_point("call.before_mark")
        self._under_way += 1
        try:
            await self._made(call)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._quiet.set()

    async def _made(self, call: Call) -> None:
        shared, waiting = self.shared, call.waiting
        if self.breaker.stays(call.opened):  # what answers nothing is not asked by those who stand in line
            self._not_begun(call, "breaker_open")
            return
        departure = _Departure(self, call)
        departing.set(departure)  # of this caller alone, until its next call
        told: Told | None = None
        began = shared.clock.monotonic()
        try:
            departure.check()
            if not self.channel.provider.speaks_http:
                departure.leave()
            told = fitting(await self.sender.send(call.parcel))
            crash_point("call.answered")
            tried = Try(call.attempt_id, waiting.tries, waiting.expires_at)
            judgement = judge(told, tried, self.channel.config, shared.clock.now(), random.random())  # noqa: S311
        except _Stays as error:
            self._not_begun(call, error.code)
            return
        except asyncio.CancelledError:
            if not departure.left:
                self._not_begun(call, "drained")
                return
            judgement = Judgement(unanswered(call.attempt_id, "drained"))
        except Exception as error:  # a fault of ours must not lose the attempt: bytes may have left
            log.exception("a provider's code failed")
            judgement = Judgement(unanswered(call.attempt_id, "fault", type(error).__name__))
        finally:
            departure.end()
        if departure.left:
            self.broker.ended(call, judgement.verdict.outcome)
        else:
            self.broker.unreserve(call)
        ended = shared.clock.monotonic()
        self.gauges.took(ended - began)
        self.breaker.heard(judgement.verdict, told, ended)
        self.settle(waiting, call.attempt_id, judgement)
        self.heard(waiting, judgement, told)

    def _not_begun(self, call: Call, code: str) -> None:
        """Nothing left: back to the queue, at once."""
        self.broker.unreserve(call)
        verdict = not_begun(call.attempt_id, self.shared.clock.now(), code)
        if not self.breaker.stays(call.opened):  # it may have been the probe
            self.breaker.heard(verdict, None, self.shared.clock.monotonic())
        self.settle(call.waiting, call.attempt_id, Judgement(verdict))

    def settle(
        self, waiting: Waiting, attempt_id: UUID, judgement: Judgement, *, doubtful: bool = False
    ) -> None:
        """Have a verdict written down. `doubtful`: it is not known whether there is such an attempt."""

        def durable(settled: UUID) -> None:
            if not doubtful:
                self.shared.recorder.clear(settled)
            self.begun.pop(settled, None)
            if not self.begun:
                self.shared.busy.discard(self.channel.id)
            self.settled(waiting, doubtful)

        self.gauges.ended(judgement.verdict.outcome)
        ended = Ended(self.channel.workspace_id, waiting.cohort, judgement.verdict, durable, self._names_on)
        self.shared.settler.put(ended)


class _Stays(Exception):
    """Nothing of the call has left, and nothing will."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class _Departure:
    """The last look before a call's first byte, and the mark (`kit.http.departing`)."""

    calls: Calls
    call: Call
    left: bool = False
    ended: bool = False  # the call is judged: who still had it to write must not

    def check(self) -> None:
        """Raises _Stays when it is too late."""
        shared = self.calls.shared
        late = shared.clock.now() >= (self.call.until or self.call.waiting.expires_at)
        if late or not self.calls.may_begin(shared.clock.monotonic()):
            raise _Stays("too_late_to_begin")

    def leave(self) -> None:
        """Mark it: whatever happens from now on, it may have gone."""
        if self.left:
            return
        calls, shared = self.calls, self.calls.shared
        if self.ended:
            raise _Stays("the call is over")
        shared.recorder.mark(self.call.attempt_id)
        self.left = True
        calls.broker.release(self.call)
        calls.gauges.begins(self.call.waiting.due_at, shared.clock.now())
        crash_point("call.marked")

    def end(self) -> None:
        """From now on nothing of this call leaves."""
        self.ended = True
