"""How many requests are answered: so many in any window, for each scope."""

from __future__ import annotations

import math
from collections import deque


class Throttle:
    """The requests of one workspace. Times are seconds."""

    def __init__(self) -> None:
        self._taken: dict[str, deque[float]] = {}

    def wait(self, scope: str, now: float, requests: int, window: float) -> int | None:
        """None where this request is answered, and counted; else the whole seconds until one would be."""
        taken = self._taken.setdefault(scope, deque())
        while taken and taken[0] <= now - window:
            taken.popleft()
        if len(taken) >= requests:
            return max(1, math.ceil(taken[0] + window - now))
        taken.append(now)
        return None
