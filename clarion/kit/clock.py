"""The clock. Every `now` in Clarion comes from here, so that tests can move it and a bad one is caught.

A clock is *suspect* when the wall clock is more than the tolerance away from the database's, or when
wall and monotonic time have moved apart since the last look (somebody stepped the clock, the machine
slept). While it is suspect nothing is claimed and nothing is sent (DESIGN, ledger rule 8).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


class Clock:
    """Wall and monotonic time of this machine."""

    def now(self) -> datetime:
        """The present moment, UTC, aware."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only ever grow; for durations, rates and leases."""
        return time.monotonic()


@dataclass
class FakeClock(Clock):
    """A clock that tests move. Wall and monotonic time move together unless told otherwise."""

    at: datetime
    ticks: float = 1000.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.ticks

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.at += timedelta(seconds=seconds)
        self.ticks += seconds

    def step(self, seconds: float) -> None:
        """Somebody sets the wall clock; no time passes."""
        self.at += timedelta(seconds=seconds)


@dataclass
class ClockGuard:
    """Watches a clock and says why it is suspect, if it is. `tolerance` in seconds."""

    clock: Clock
    tolerance: float = 2.0
    _wall: datetime | None = None
    _ticks: float = 0.0
    _stepped: str | None = field(default=None)

    def suspicion(self, database_now: datetime | None = None) -> str | None:
        """None while the clock can be trusted, else a sentence for the operator.

        A step is remembered until a comparison with the database's clock clears it.
        """
        wall, ticks = self.clock.now(), self.clock.monotonic()
        if self._wall is not None:
            apart = (wall - self._wall).total_seconds() - (ticks - self._ticks)
            if abs(apart) > self.tolerance:
                self._stepped = f"the wall clock jumped by {apart:+.1f} s against monotonic time"
        self._wall, self._ticks = wall, ticks
        if database_now is None:
            return self._stepped
        off = (wall - database_now).total_seconds()
        if abs(off) > self.tolerance:
            return f"this machine's clock is {off:+.1f} s from the database's; synchronise it (NTP)"
        self._stepped = None
        return None
