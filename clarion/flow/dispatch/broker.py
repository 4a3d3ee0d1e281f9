"""What one channel may carry, at work: who may go now, and what is still out.

Every limit of the channel and of the account that it belongs to is asked at once (`domain.limits`). What
is outstanding is kept by attempt, so that evidence that comes twice, or for an attempt of before, frees
nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from uuid import UUID

from clarion.domain import limits
from clarion.domain.limits import Limit, Limiter, Obstacle
from clarion.domain.message import Outcome
from clarion.flow.dispatch.shared import Call
from clarion.kit.clock import Clock

_MAY_BE_THERE = frozenset((Outcome.ACCEPTED, Outcome.UNKNOWN))


_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Out:
    """An attempt that the provider may still be busy with; when it left, and when the provider was last asked
    about it, are monotonic."""

    cohort: date
    units: int
    left_at: float
    asked_at: float


@dataclass(slots=True)
class Broker:
    """`limiters`: the channel's own first, then its account's. `zone` says when a day begins."""

    clock: Clock
    limiters: Sequence[Limiter]
    zone: tzinfo
    out: dict[UUID, Out] = field(default_factory=dict)
    limited: bool = field(init=False)  # whether it counts what is outstanding
    _by_day: bool = field(init=False)
    _day: date = date.min  # since `_midnight`, until `_next`
    _midnight: datetime = _NEVER
    _next: datetime = _NEVER

    def __post_init__(self) -> None:
        self.learn()

    def learn(self) -> None:
        """The limits have changed."""
        self.limited = any(limiter.limits.capacity is not None for limiter in self.limiters)
        self._by_day = any(limiter.limits.daily is not None for limiter in self.limiters)

    def room(self, ticks: float) -> int:
        """How many units may go now, whoever they are for."""
        return min(limiter.room(ticks, self._today()) for limiter in self.limiters)

    @property
    def pressed(self) -> bool:
        """Whether more than half of a capacity is taken."""
        return any(limiter.pressed for limiter in self.limiters)

    def rest(self, ticks: float) -> float:
        """Seconds until the rates have room."""
        return max(limiter.rest(ticks) for limiter in self.limiters)

    def full(self, ticks: float) -> Limit | None:
        """Which limit lets nobody go now, whoever they are for."""
        found = [limit for limiter in self.limiters if (limit := limiter.full(ticks, self._today()))]
        return max(found, key=lambda limit: limit is not Limit.RATE, default=None)

    def obstacle(self, call: Call, ticks: float) -> Obstacle | None:
        """What stands in the way of a call now."""
        address, units, today = call.waiting.consent_key, call.units, self._today()
        if len(self.limiters) == 1:  # the usual case
            return self.limiters[0].obstacle(address, units, ticks, today, inside=call.inside)
        return limits.obstacle(self.limiters, address, units, ticks, today, inside=call.inside)

    def reserve(self, call: Call) -> None:
        """Its intent is about to be committed."""
        for limiter in self.limiters:
            limiter.reserve(call.waiting.consent_key, call.units, inside=call.inside)

    def unreserve(self, call: Call) -> None:
        """Nothing of it left."""
        for limiter in self.limiters:
            limiter.unreserve(call.waiting.consent_key, call.units, inside=call.inside)

    def release(self, call: Call) -> None:
        """Its first byte leaves."""
        ticks, today = self.clock.monotonic(), self._today()
        for limiter in self.limiters:
            limiter.release(call.waiting.consent_key, call.units, ticks, today, inside=call.inside)

    def came_in(self, count: int) -> None:
        """People wrote so many to this number, which its provider counts as if we had sent them."""
        if count:
            self.limiters[0].came_in(count, self.clock.monotonic())

    def ended(self, call: Call, outcome: Outcome) -> None:
        """A call that left has ended so."""
        if self.limited and outcome in _MAY_BE_THERE:
            now = self.clock.monotonic()
            self.out[call.attempt_id] = Out(call.waiting.cohort, call.units, now, now)
        else:
            self._free(call.units)

    def lend(self, attempt_id: UUID) -> Out | None:
        """The place of what is outstanding, for the same call once more; to be given back, or `ended`."""
        out = self.out.pop(attempt_id, None)
        if out is not None:
            self._free(out.units)
        return out

    def give_back(self, attempt_id: UUID, out: Out | None) -> None:
        """It was not called after all."""
        if out is not None:
            self.out[attempt_id] = out
            for limiter in self.limiters:
                limiter.hold(out.units)

    def leave(self) -> None:
        """Nobody collects for this channel any more: what it holds of its account is the others' again."""
        self.freed(list(self.out))

    def freed(self, attempt_ids: Iterable[UUID]) -> int:
        """These are over; how many of them were out."""
        gone = [out for id in attempt_ids if (out := self.out.pop(id, None)) is not None]
        for out in gone:
            self._free(out.units)
        return len(gone)

    def _free(self, units: int) -> None:
        for limiter in self.limiters:
            limiter.freed(units)

    def _today(self) -> date:
        """The day, where any limit asks for it."""
        if not self._by_day:
            return date.min
        now = self.clock.now()
        if not self._midnight <= now < self._next:
            self._day = now.astimezone(self.zone).date()
            self._midnight, self._next = (
                datetime.combine(self._day + timedelta(days=later), time(), self.zone).astimezone(UTC)
                for later in (0, 1)
            )
        return self._day
