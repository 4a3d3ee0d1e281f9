"""Asking again under the same reference: what a provider knows again is not processed twice.

Where nobody knows what became of a call, and the provider keeps the reference as its idempotency key, the
call is repeated: the answer is the first one's, or the first one's lack of effect is made good. It is the
same attempt, so nothing in the ledger changes until there is an answer (DESIGN, ledger rule 6).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from clarion.domain.event import OF_ATTEMPTS
from clarion.domain.message import Outcome, reference
from clarion.flow.compose import Unsayable, window_open
from clarion.flow.dispatch import deaths
from clarion.flow.dispatch.account import Channel
from clarion.flow.dispatch.admission import units_of
from clarion.flow.dispatch.breaker import Breaker
from clarion.flow.dispatch.broker import Broker, Out
from clarion.flow.dispatch.judge import Judgement, Try, fitting, judge, not_begun
from clarion.flow.dispatch.knocker import Knocker
from clarion.flow.dispatch.recover import VANISHED
from clarion.flow.dispatch.shared import Call, Shared
from clarion.kit.crash import crash_point
from clarion.kit.db import AWAY
from clarion.kit.http import departing
from clarion.kit.log import logger
from clarion.providers.contract import Answered, Parcel, Sender, Told
from clarion.store import attempt, event, replay, worker
from clarion.store.queue import Waiting
from clarion.store.receipt import Contended
from clarion.store.replay import Unanswered

EVERY = 1.0  # seconds between looks
AT_ONCE = 10  # calls under way
TO_LEAVE = 10.0  # seconds from the claim to the first byte, at most
LONGEST = 60.0  # seconds between two tries at one that is never answered
ANSWERS = (Answered.ACCEPTED, Answered.REFUSED)
log = logger(__name__)


@dataclass(slots=True)
class Replayer:
    """Of one owned channel. `may_begin` says whether it is still ours to send for, at a monotonic moment.

    While the breaker is open it asks nothing, but it may be the one who finds out that it can close: nothing
    else may be waiting, and then no message would.
    """

    shared: Shared
    channel: Channel
    sender: Sender
    broker: Broker
    breaker: Breaker
    knocker: Knocker
    epoch: int
    may_begin: Callable[[float], bool]
    open_until: Callable[[Waiting, datetime], datetime | None]
    some: bool = True  # whether anything may be unknown; who is new here cannot tell yet
    _asked: dict[UUID, tuple[int, float]] = field(default_factory=dict)  # how often, and when again
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()

    def asks_until(self, now: datetime) -> datetime | None:
        """When the last of what is unknown is forgotten by the provider, at most; None where there is nothing
        to ask about."""
        return now + timedelta(seconds=self._lifetime) if self.asking else None

    @property
    def asking(self) -> bool:
        """Whether there is something to ask about."""
        return self.some and self._lifetime > 0.0

    @property
    def _lifetime(self) -> float:
        """For how many seconds from its beginning a call may be made once more: what of ours arrives after
        that would be a message of its own."""
        if self.channel.replays_for <= 0.0:
            return 0.0
        return 0.9 * self.channel.replays_for - self.channel.config.total_timeout - TO_LEAVE

    async def run(self) -> None:
        """Look now and then until stopped; nothing at all where the provider knows no reference again."""
        while not self._over.is_set() and self.channel.replays_for > 0.0:
            try:
                await self.look()
            except (*AWAY, Contended) as error:
                log.warning("what is unknown cannot be asked again", error=type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), EVERY)

    async def look(self) -> int:
        """Repeat what is due to, within the limits; how many were answered."""
        found = await self._due()
        if found:
            await self.knocker.ask()
        due = [(one, again) for one in found if (again := self._reserved(one)) is not None]
        claimed: set[UUID] = set()
        try:
            claimed = await self._claim([one for one, _ in due])
        finally:
            for one, again in due:
                if one.attempt_id not in claimed:
                    again.end()
                    again.never_began()
        if not claimed:
            return 0
        crash_point("replay.claimed")
        made = (self._repeat(again) for one, again in due if one.attempt_id in claimed)
        return sum(await asyncio.gather(*made))

    def _reserved(self, one: Unanswered) -> _Again | None:
        """The same call once more, within the limits; what it holds of them already is used for it."""
        call, ticks = self._call(one), self.shared.clock.monotonic()
        if call is None or not self.breaker.allows(ticks):
            return None
        lent = self.broker.lend(call.attempt_id)
        if self.broker.obstacle(call, ticks) is not None:
            self.broker.give_back(call.attempt_id, lent)
            return None
        self.broker.reserve(call)
        call.opened = self.breaker.began()
        return _Again(self, call, lent, ticks + TO_LEAVE)

    async def _due(self) -> list[Unanswered]:
        """What may be repeated now: nobody else will speak of its call, and it is not forgotten before ours
        arrives."""
        now, ticks = self.shared.clock.now(), self.shared.clock.monotonic()
        lifetime = self._lifetime
        if lifetime <= 0.0:
            return []
        async with self.shared.db.tenant(self.channel.workspace_id) as connection:
            since = now - timedelta(seconds=lifetime)
            found = await replay.unanswered(connection, self.channel.id, since, now, AT_ONCE)
            await self.shared.composer.inform(connection, [one.waiting for one in found])
            silent = {one.worker_id for one in found if one.code == VANISHED}
            owners = await worker.some(connection, list(silent))
            ended = await deaths.ended(connection, owners.values(), now)
        self.some = bool(found)
        known = {one.attempt_id for one in found}
        self._asked = {id: last for id, last in self._asked.items() if id in known or last[1] > ticks}
        return [
            one
            for one in found
            if (one.code != VANISHED or one.worker_id in ended)
            and self._asked.get(one.attempt_id, (0, ticks))[1] <= ticks
        ]

    async def _claim(self, some: list[Unanswered]) -> set[UUID]:
        if not some:
            return set()
        async with self.shared.db.tenant(self.channel.workspace_id) as connection:
            return await replay.claim(
                connection, self.channel.id, self.shared.worker_id, self.epoch, some, self.shared.clock.now()
            )

    def _call(self, one: Unanswered) -> Call | None:
        """The same call once more, or None where what was said can no longer be made."""
        waiting, now = one.waiting, self.shared.clock.now()
        try:
            content, said = self.shared.composer.compose(self.channel, waiting, now)
        except Unsayable:
            return None
        if self.open_until(waiting, now) is None:  # at night nobody is asked whether they heard it
            return None
        name = reference(waiting.cohort, one.attempt_id)
        parcel = Parcel(name, waiting.scheme, waiting.address, content)
        inside = window_open(self.channel.provider, self.channel.id, waiting, now)
        return Call(waiting, one.attempt_id, parcel, said, units_of(self.channel, content), inside=inside)

    async def _repeat(self, again: _Again) -> bool:
        """One call; whether its answer settled the attempt. Any other leaves it as it is."""
        call = again.call
        departing.set(again)  # of this task alone
        try:
            again.check()
            if not self.channel.provider.speaks_http:
                again.leave()
            told = fitting(await self.sender.send(call.parcel))
        except _Stays:
            again.never_began()
            self._put_off(call.attempt_id, 0.0)
            return False
        except Exception as error:  # a fault of ours: nothing is known that was not known before
            log.exception("a provider's code failed", error=type(error).__name__)
            told = Told(Answered.UNKNOWN)
        finally:
            again.end()
        if told.answered is Answered.UNKNOWN and not again.left:  # it was too late while it was connected
            again.never_began()
            self._put_off(call.attempt_id, 0.0)
            return False
        tried = Try(call.attempt_id, call.waiting.tries, call.waiting.expires_at)
        judgement = judge(told, tried, self.channel.config, self.shared.clock.now(), random.random())  # noqa: S311
        self.breaker.heard(judgement.verdict, told, self.shared.clock.monotonic())
        if told.answered not in ANSWERS:
            self._put_off(call.attempt_id, told.retry_after or 0.0)
            return False
        await self._settle(call, judgement)
        if judgement.beyond is not None:
            self.shared.beyond(self.channel, call.waiting, judgement.beyond, told)
        return True

    def _put_off(self, attempt_id: UUID, wished: float) -> None:
        """Ask about it again later, and not sooner than the provider wishes (seconds)."""
        times, _ = self._asked.get(attempt_id, (0, 0.0))
        wait = max(wished, min(LONGEST, self.channel.config.backoff_cap, EVERY * 2**times))
        self._asked[attempt_id] = times + 1, self.shared.clock.monotonic() + wait

    async def _settle(self, call: Call, judgement: Judgement) -> None:
        now, cohort = self.shared.clock.now(), call.waiting.cohort
        async with self.shared.db.tenant(self.channel.workspace_id) as connection:
            await attempt.settle(connection, cohort, [judgement.verdict], now)
            if self.shared.listening.wants(self.channel.workspace_id, OF_ATTEMPTS):
                await event.of_attempts(connection, cohort, [call.attempt_id], now)


class _Stays(Exception):
    """It is too late for this call."""


@dataclass(slots=True)
class _Again:
    """A call that is made once more, and the last look before its first byte (`kit.http.departing`): whoever
    claimed and was then stopped for long sends no more, since a person may have decided meanwhile."""

    replayer: Replayer
    call: Call
    lent: Out | None  # what its attempt has outstanding
    until: float  # monotonic
    left: bool = False

    def check(self) -> None:
        """Raises _Stays when it is too late."""
        ticks = self.replayer.shared.clock.monotonic()
        stays = self.replayer.breaker.stays(self.call.opened)
        if stays or ticks > self.until or not self.replayer.may_begin(ticks):
            raise _Stays

    def leave(self) -> None:
        """It leaves now."""
        if not self.left:
            self.check()
            self.left = True
            self.replayer.broker.release(self.call)

    def end(self) -> None:
        """What it holds of the limits is the attempt's, or nobody's."""
        broker = self.replayer.broker
        if self.left:
            broker.ended(self.call, Outcome.UNKNOWN)
        else:
            broker.unreserve(self.call)
            broker.give_back(self.call.attempt_id, self.lent)
        self.until = float("-inf")

    def never_began(self) -> None:
        """Nothing was heard of the provider; it may have been the breaker's probe."""
        breaker, clock = self.replayer.breaker, self.replayer.shared.clock
        if not breaker.stays(self.call.opened):
            breaker.heard(not_begun(self.call.attempt_id, clock.now(), "not_asked"), None, clock.monotonic())
