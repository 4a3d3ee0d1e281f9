"""Keeping a rate: never more than the limit in any window of one second, on monotonic time, and spread
over that second: otherwise its whole worth would leave at its beginning, and who comes then, however
urgent, would wait for the next."""

from __future__ import annotations

import math
from collections import deque

SLICE = 0.25  # seconds of the rate that may leave together


class Pacer:
    """Counts releases over the last window and says how many more may go.

    `rate` is per second. A rate below one a second is kept as one in each 1/rate seconds. What is
    reserved but not yet released counts, so that a slow database commit cannot bunch two batches.
    Of each quarter of a second only a quarter's worth goes, rounded up. The quarters are the clock's, so
    that work which begins late in one is not late in all that follow.
    """

    def __init__(self, rate: float) -> None:
        self._released: deque[tuple[float, int]] = deque()
        self._sum = 0
        self._reserved = 0
        self._slice = 0.0  # which quarter it was when last something went
        self._of_slice = 0
        self.change(rate)

    def change(self, rate: float) -> None:
        """A new limit, from now on."""
        if rate <= 0:
            raise ValueError("a rate must be above zero")
        self.rate = rate
        self.window = max(1.0, 1.0 / rate)
        self.limit = max(1, int(rate * self.window + 1e-9))
        self._share = max(1, math.ceil(rate * SLICE - 1e-9))

    def free(self, ticks: float) -> int:
        """How many may be reserved at monotonic time `ticks` (seconds)."""
        return max(0, min(self._of_window(ticks), self._of_this_slice(ticks)))

    def _of_window(self, ticks: float) -> int:
        while self._released and self._released[0][0] <= ticks - self.window:
            self._sum -= self._released.popleft()[1]
        return self.limit - self._sum - self._reserved

    def _of_this_slice(self, ticks: float) -> int:
        gone = self._of_slice if ticks // SLICE == self._slice else 0
        return self._share - gone - self._reserved

    def reserve(self, count: int) -> None:
        """`count` are about to go; give back with `unreserve` what does not."""
        self._reserved += count

    def unreserve(self, count: int) -> None:
        """These will not go after all."""
        self._reserved -= count

    def release(self, ticks: float, count: int = 1) -> None:
        """So many that were reserved go now. What is more than the limit counts for as long as it would
        have taken."""
        self._reserved -= count
        self._sum += count
        if self._slice != (now := ticks // SLICE):
            self._slice, self._of_slice = now, 0
        self._of_slice += count
        late = max(0.0, count / self.limit - 1.0) * self.window
        # Whole milliseconds, rounded up: few entries, and a release never leaves its window early.
        ticks = math.ceil((ticks + late) * 1000) / 1000
        if self._released and self._released[-1][0] == ticks:
            self._released[-1] = (ticks, self._released[-1][1] + count)
        else:
            self._released.append((ticks, count))

    def wait(self, ticks: float, count: int = 1) -> float:
        """Seconds until so many are free: 0 when they are, a window when all are only reserved. What is
        more than the limit waits until nothing else is there."""
        needed = min(count, self.limit) - self._of_window(ticks)
        if needed <= 0:
            if min(count, self._share) <= self._of_this_slice(ticks):
                return 0.0
            return (ticks // SLICE + 1) * SLICE - ticks
        for released, gone in self._released:
            needed -= gone
            if needed <= 0:
                return max(0.0, released + self.window - ticks)
        return self.window
