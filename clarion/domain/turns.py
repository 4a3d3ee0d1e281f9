"""Whose turn it is: the urgent first, everybody some, and campaigns of one urgency by their weight.

Two rules, one inside the other. Among priorities the most urgent goes first, but each that waits is owed
a small share of what goes, so that none starves. Among the lanes of one priority it is start-time fair
queueing (Goyal, Vin and Cheng, 1996): each lane has a virtual time that runs by what it sent over its
weight, and who is least far goes next. Who comes late begins where the others are: waiting earns nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

SHARE = 0.04  # of what goes, owed to each priority that waits behind another
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a lane asks for: how urgent it is (least goes first), its weight, how many wait in it."""

    priority: int
    weight: float
    waiting: int


@dataclass(slots=True)
class _Level(Generic[K]):
    """The lanes of one priority."""

    owed: float = 0.0
    now: float = 0.0  # the virtual time of whoever was served last
    times: dict[K, float] = field(default_factory=dict)


class Turns(Generic[K]):
    """Remembers who has had how much; lanes are known by whatever key the caller has for them."""

    def __init__(self, share: float = SHARE) -> None:
        self._share = share
        self._levels: dict[int, _Level[K]] = {}

    def divide(self, claims: Mapping[K, Claim], room: int) -> dict[K, int]:
        """How many of each lane go next, of `room` in all. Nothing is left over while anybody waits.

        The claims are all that there are: a lane that is missing has nothing waiting, and is forgotten.
        """
        left = {lane: claim.waiting for lane, claim in claims.items() if claim.waiting > 0}
        self._meet({lane: claims[lane] for lane in left})
        if len(left) == 1:  # the usual case, and its time runs against nobody
            return {lane: most for lane, count in left.items() if (most := min(room, count)) > 0}
        taken: dict[K, int] = {}
        for _ in range(min(room, sum(left.values()))):
            level = self._next_level()
            lane = min(level.times, key=level.times.__getitem__)
            taken[lane] = taken.get(lane, 0) + 1
            level.now = level.times[lane]
            level.times[lane] += 1 / claims[lane].weight
            left[lane] -= 1
            if not left[lane]:
                self._rest(claims[lane].priority, lane)
        return taken

    def refund(self, lane: K, priority: int, weight: float) -> None:
        """One that was given to this lane did not go after all."""
        times = self._levels[priority].times if priority in self._levels else {}
        if lane in times:
            times[lane] -= 1 / weight

    def _meet(self, claims: Mapping[K, Claim]) -> None:
        """Levels and lanes are those that wait now; a new one begins where the others are."""
        waiting: dict[int, dict[K, float]] = {}
        for lane, claim in claims.items():
            level = self._levels.setdefault(claim.priority, _Level())
            waiting.setdefault(claim.priority, {})[lane] = level.times.get(lane, level.now)
        for priority, level in self._levels.items():
            level.times = waiting.get(priority, {})
            if not level.times:
                level.owed = 0.0

    def _next_level(self) -> _Level[K]:
        waiting = [
            self._levels[priority] for priority in sorted(self._levels) if self._levels[priority].times
        ]
        owed = max(waiting, key=lambda level: level.owed)
        served = owed if owed.owed >= 1.0 else waiting[0]
        for level in waiting[1:]:
            level.owed += self._share
        served.owed = max(0.0, served.owed - 1.0) if served is not waiting[0] else 0.0
        return served

    def _rest(self, priority: int, lane: K) -> None:
        level = self._levels[priority]
        del level.times[lane]
        if not level.times:
            level.owed = 0.0
