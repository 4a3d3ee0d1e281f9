"""What an account or one of its numbers may carry: every limit that applies, all at once.

Pure: times are parameters, in seconds on one clock that never goes back (`ticks`), and the day is the
caller's. A message passes three moments: it is *reserved* when its intent is about to be committed,
*released* when its first byte leaves (or *unreserved* when nothing left), and what it holds of a capacity
is *freed* when it is known to be over. What is reserved counts against every limit as if it might go at
any later moment: no limit is exceeded however long the commit between the two takes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from clarion.domain.pace import Pacer

DAY = 86_400.0
SOON = 0.1  # seconds: when only what is reserved stands in the way, and may leave or stay at any moment


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one account or number; None: no such limit.

    `rate` is units (messages or segments) a second, `capacity` units that may be outstanding at once.
    `pair_interval` is the seconds between two messages to one address, of which `pair_burst` may go at
    once, borrowed from the future (WhatsApp: 6 s, 45). `uniques` are different addresses in any 24 hours
    (who is `inside` the service window, having written to us, is none: Meta counts whom we begin with),
    `daily` units in one calendar day. An address is known by whatever key the caller has for it.
    """

    rate: float
    capacity: int | None = None
    pair_interval: float | None = None
    pair_burst: int = 1
    uniques: int | None = None
    daily: int | None = None

    @property
    def kinds(self) -> frozenset[str]:
        """What is limited beside the rate: each needs to know what was sent before."""
        kinds = ("capacity", "pair_interval", "uniques", "daily")
        return frozenset(kind for kind in kinds if getattr(self, kind) is not None)


class Limit(StrEnum):
    """Which limit it is that a message waits for."""

    RATE = "rate"
    CAPACITY = "capacity"
    PAIR = "pair"
    UNIQUES = "uniques"
    DAILY = "daily"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a message may not go now, and after how many seconds to ask again. Infinite: time alone changes
    nothing, but what is freed, or another day."""

    by: Limit
    wait: float

    @property
    def alone(self) -> bool:
        """Whether others may go before it: it is the address that waits, not the channel."""
        return self.by in (Limit.PAIR, Limit.UNIQUES)

    @property
    def holds(self) -> tuple[bool, float]:
        """What is larger holds for longer: the channel before the address."""
        return not self.alone, self.wait


class Limiter:
    """Keeps the limits of one account or of one number."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.outstanding = 0  # units that are reserved, or released and not freed
        self._pacer = Pacer(limits.rate)
        self._pairs = _Pairs()
        self._uniques = _Uniques()
        self._reserved = 0
        self._today = date.min
        self._of_today = 0

    def change(self, limits: Limits) -> None:
        """Other limits of the same kinds, from now on; what went before counts against them."""
        self.limits = limits
        self._pacer.change(limits.rate)

    @property
    def pressed(self) -> bool:
        """Whether more than half of the capacity is taken."""
        return self.limits.capacity is not None and 2 * self.outstanding > self.limits.capacity

    def obstacle(
        self, address: Hashable, units: int, ticks: float, today: date, *, inside: bool = False
    ) -> Obstacle | None:
        """What stands in the way of sending so many units to `address`; None: they may be reserved.

        What is larger than a rate or a capacity goes alone, and then the limit rests for as long as it
        would have taken; what is larger than a daily limit never goes.
        """
        limits = self.limits
        if (wait := self._pacer.wait(ticks, units)) > 0.0:
            return Obstacle(Limit.RATE, wait)
        if limits.capacity is not None and self.outstanding and self.outstanding + units > limits.capacity:
            return Obstacle(Limit.CAPACITY, math.inf)
        if limits.daily is not None and self._so_far(today) + self._reserved + units > limits.daily:
            return Obstacle(Limit.DAILY, math.inf)
        if limits.pair_interval is not None:
            wait = self._pairs.wait(address, ticks, limits.pair_interval, limits.pair_burst)
            if wait > 0.0:
                return Obstacle(Limit.PAIR, wait)
        if limits.uniques is not None and not inside:
            wait = self._uniques.wait(address, ticks, limits.uniques)
            if wait > 0.0:
                return Obstacle(Limit.UNIQUES, wait)
        return None

    def room(self, ticks: float, today: date) -> int:
        """How many units may be reserved, whoever they are for; a rate of one a minute has room for one."""
        limits = self.limits
        rooms = [self._pacer.free(ticks)]
        if limits.capacity is not None:
            rooms.append(limits.capacity - self.outstanding)
        if limits.daily is not None:
            rooms.append(limits.daily - self._so_far(today) - self._reserved)
        return max(0, min(rooms))

    def full(self, ticks: float, today: date) -> Limit | None:
        """Which limit has room for nobody."""
        limits = self.limits
        if limits.capacity is not None and self.outstanding >= limits.capacity:
            return Limit.CAPACITY
        if limits.daily is not None and self._so_far(today) + self._reserved >= limits.daily:
            return Limit.DAILY
        return None if self._pacer.free(ticks) else Limit.RATE

    def rest(self, ticks: float) -> float:
        """Seconds until the rate has room again: 0 when it has. Other limits end at no known moment."""
        return self._pacer.wait(ticks)

    def reserve(self, address: Hashable, units: int, *, inside: bool = False) -> None:
        """These are about to go; `obstacle` has just found nothing in their way."""
        self.outstanding += units
        self._reserved += units
        self._pacer.reserve(units)
        if self.limits.pair_interval is not None:
            self._pairs.reserve(address)
        if self.limits.uniques is not None and not inside:
            self._uniques.reserve(address)

    def unreserve(self, address: Hashable, units: int, *, inside: bool = False) -> None:
        """They stay after all."""
        self.outstanding = max(0, self.outstanding - units)
        self._reserved -= units
        self._pacer.unreserve(units)
        if self.limits.pair_interval is not None:
            self._pairs.unreserve(address)
        if self.limits.uniques is not None and not inside:
            self._uniques.unreserve(address)

    def release(
        self, address: Hashable, units: int, ticks: float, today: date, *, inside: bool = False
    ) -> None:
        """They go now. `ticks` never fall from one release to the next."""
        self._reserved -= units
        self._of_today = self._so_far(today) + units
        self._pacer.release(ticks, units)
        if self.limits.pair_interval is not None:
            self._pairs.release(address, ticks, self.limits.pair_interval)
        if self.limits.uniques is not None and not inside:
            self._uniques.release(address, ticks)

    def came_in(self, units: int, ticks: float) -> None:
        """So many came the other way, and take of the rate what was not asked for."""
        self._pacer.reserve(units)
        self._pacer.release(ticks, units)

    def hold(self, units: int) -> None:
        """So many are outstanding that were released before, and counted then by all but capacity."""
        self.outstanding += units

    def freed(self, units: int) -> None:
        """So many of those that were released are over."""
        self.outstanding = max(0, self.outstanding - units)

    def remember(
        self, address: Hashable, units: int, ticks: float, day: date, *, over: bool, inside: bool = False
    ) -> None:
        """What another owner released, oldest first; `over`: it is outstanding no longer."""
        self.reserve(address, units, inside=inside)
        self.release(address, units, ticks, day, inside=inside)
        if over:
            self.freed(units)

    def _so_far(self, today: date) -> int:
        if today > self._today:
            self._today, self._of_today = today, 0
        return self._of_today


def obstacle(
    limiters: Iterable[Limiter],
    address: Hashable,
    units: int,
    ticks: float,
    today: date,
    *,
    inside: bool = False,
) -> Obstacle | None:
    """The same of an account and its number together: what holds for longest."""
    worst: Obstacle | None = None
    for limiter in limiters:  # for every message: a loop costs half of what max() over a generator does
        one = limiter.obstacle(address, units, ticks, today, inside=inside)
        if one is not None and (worst is None or one.holds > worst.holds):
            worst = one
    return worst


class _Pairs:
    """The generic cell rate algorithm for each address (ITU-T I.371, virtual scheduling)."""

    def __init__(self) -> None:
        self._due: dict[Hashable, float] = {}  # the theoretical arrival time of the next message
        self._reserved: dict[Hashable, int] = {}
        self._sweep_at = 1024

    def wait(self, address: Hashable, ticks: float, interval: float, burst: int) -> float:
        waiting = self._reserved.get(address, 0)
        if waiting >= burst:  # they may all go at the last moment, together
            return SOON
        due = self._due.get(address, -math.inf)
        return max(0.0, due + (waiting - burst + 1) * interval - ticks)

    def reserve(self, address: Hashable) -> None:
        self._reserved[address] = self._reserved.get(address, 0) + 1

    def unreserve(self, address: Hashable) -> None:
        left = self._reserved.pop(address, 1) - 1
        if left > 0:
            self._reserved[address] = left

    def release(self, address: Hashable, ticks: float, interval: float) -> None:
        self.unreserve(address)
        self._due[address] = max(self._due.get(address, ticks), ticks) + interval
        if len(self._due) >= self._sweep_at:  # whose time has passed is as if never met
            self._due = {one: due for one, due in self._due.items() if due > ticks}
            self._sweep_at = max(1024, 2 * len(self._due))


class _Uniques:
    """Different addresses in any 24 hours."""

    def __init__(self) -> None:
        self._last: dict[Hashable, float] = {}  # of each address the last release, the oldest first
        self._reserved: Counter[Hashable] = Counter()
        self._new = 0  # addresses that are reserved and not among the released

    def wait(self, address: Hashable, ticks: float, limit: int) -> float:
        self._forget(ticks)
        if address in self._last or address in self._reserved or len(self._last) + self._new < limit:
            return 0.0
        oldest = next(iter(self._last.values()), None)
        return SOON if oldest is None else max(SOON, oldest + DAY - ticks)

    def reserve(self, address: Hashable) -> None:
        if address not in self._last and address not in self._reserved:
            self._new += 1
        self._reserved[address] += 1

    def unreserve(self, address: Hashable) -> None:
        self._reserved[address] -= 1
        if self._reserved[address] <= 0:
            del self._reserved[address]
            if address not in self._last:
                self._new -= 1

    def release(self, address: Hashable, ticks: float) -> None:
        self.unreserve(address)
        if self._last.pop(address, None) is None and address in self._reserved:
            self._new -= 1
        self._last[address] = ticks

    def _forget(self, ticks: float) -> None:
        while self._last:
            address = next(iter(self._last))
            if self._last[address] > ticks - DAY:
                return
            del self._last[address]
            if address in self._reserved:
                self._new += 1
