"""How a channel does, as its owner sees it: up, degraded or down, and since when.

Down is the breaker's word: the provider answers nothing, or cannot be reached; one call at a time finds out
whether it does again. Degraded: more than a fifth of the last calls had no answer, or one that blames the
provider or the pace. A refusal of one person is an answer like any other.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from clarion.flow.dispatch.breaker import Breaker
from clarion.flow.dispatch.broker import Broker
from clarion.flow.dispatch.lanes import Lanes
from clarion.providers.contract import Answered, Fault, Told
from clarion.store.owner import Sight

Word = Literal["up", "degraded", "down"]
LOOKED_AT, FEWEST = 50, 10  # calls
TOO_MANY = 0.2
LASTING, OVER = timedelta(seconds=30), timedelta(seconds=60)  # before an operator is told of it
_TROUBLE = frozenset((Fault.NETWORK, Fault.PROVIDER, Fault.RATE))


@dataclass(slots=True)
class Health:
    """Of one channel, while it is owned. `news` is asked now and then, `heard` at every call's end."""

    breaker: Breaker
    word: Word = "up"
    why: str = ""
    since: datetime | None = None
    told: bool | None = None  # whether an operator was told that it is down
    _recent: deque[bool] = field(default_factory=lambda: deque(maxlen=LOOKED_AT))
    _code: str = ""

    def heard(self, told: Told) -> None:
        """A call has ended so."""
        trouble = told.answered is Answered.UNKNOWN or (
            told.answered is Answered.LATER and told.fault in _TROUBLE
        )
        self._recent.append(trouble)
        if trouble:
            self._code = told.code or self._code

    def look(self, now: datetime) -> None:
        """Judge anew."""
        before = self.word
        self.word, self.why = self._judged()
        if self.since is None or self.word != before:
            self.since = now

    def news(self, now: datetime) -> Word | None:
        """What an operator should hear now, once: that it is down and stays so, that it is over and stays so.
        A new owner says the latter anew: it does not know what the one before has said."""
        self.look(now)
        assert self.since is not None
        down, lasts = self.word == "down", now - self.since
        if down == self.told or lasts < (LASTING if down else OVER):
            return None
        return self.word

    def was_told(self) -> None:
        """They have heard."""
        self.told = self.word == "down"

    def _judged(self) -> tuple[Word, str]:
        code = f" ({self._code})" if self._code else ""
        if self.breaker.open:
            if self.breaker.unreachable:
                return "down", f"the provider cannot be reached{code}"
            return "down", f"{self.breaker.unknowns} calls in a row were not answered{code}"
        failed = sum(self._recent)
        if len(self._recent) >= FEWEST and failed > TOO_MANY * len(self._recent):
            return "degraded", f"{failed} of the last {len(self._recent)} calls failed{code}"
        return "up", ""


def sight(health: Health, broker: Broker, lanes: Lanes, ticks: float, now: datetime) -> Sight:
    """What a person may know of a channel now."""
    full = broker.full(ticks) if lanes.waiting else None
    own = broker.limiters[0]
    return Sight(
        health.word, health.why, health.since, full and full.value, lanes.parked,
        own.outstanding if broker.limited else None, own.limits.capacity, now,
    )  # fmt: skip
