"""The breaker: stops a channel that answers nothing before it makes many more unknowns.

Twenty unknowns in a row open it (DESIGN, ledger rule 5; the channel's `breaker`), and so do five
failures to connect. While open it lets nothing through; then, once somebody answers a knock at the
provider's door (`knocker`), one call at a time, until one of them is answered.
"""

from __future__ import annotations

from dataclasses import dataclass

from clarion.domain.message import Outcome, Verdict
from clarion.providers.contract import Fault, Told

UNREACHABLE = 5
FIRST_HOLD, LONGEST_HOLD = 1.0, 60.0
_MANY = 1 << 30


@dataclass(slots=True)
class Breaker:
    """`allows` and `heard` take monotonic seconds."""

    threshold: int = 20
    unknowns: int = 0
    unreachable: int = 0
    hold: float = 0.0
    until: float = 0.0
    probing: bool = False
    knocks: bool = False  # whether it is asked by other means first; else a call alone finds out
    there: bool = False  # since it opened, somebody has answered a knock
    opened: int = 0  # how often; what was intended before the last time waits

    @property
    def open(self) -> bool:
        return self.hold > 0.0

    def allows(self, ticks: float) -> int:
        """How many calls may begin now: any, one as a probe, or none."""
        if not self.open:
            return _MANY
        waits = ticks < self.until or self.probing or (self.knocks and not self.there)
        return 0 if waits else 1

    def wants_knock(self, ticks: float) -> bool:
        """Whether it is time to ask if anybody is there."""
        due = self.open and not self.probing and ticks >= self.until
        return self.knocks and due and not self.there

    def knocked(self, there: bool, ticks: float) -> None:
        """Somebody has answered, or nobody."""
        self.there = there
        if not there:
            self._open(ticks)

    def began(self) -> int:
        """A call is intended. While open it is the probe, and no other is until it was heard of. How often
        the breaker had opened by then, for `stays`."""
        self.probing = self.open
        return self.opened

    def stays(self, opened: int) -> bool:
        """Whether a call that was intended then must not be made: the breaker has opened since."""
        return self.open and opened < self.opened

    def heard(self, verdict: Verdict, told: Told | None, ticks: float) -> None:
        """Learn from the end of a call."""
        if verdict.outcome is Outcome.UNKNOWN:
            self.unknowns += 1
        elif told is not None and told.fault is Fault.NETWORK:
            self.unreachable += 1
        elif told is None:  # it never began: says nothing about the provider
            self.probing = False
            return
        else:
            self.unknowns = self.unreachable = 0
            self.hold, self.probing = 0.0, False
            return
        if (self.open and self.probing) or (
            not self.open and (self.unknowns >= self.threshold or self.unreachable >= UNREACHABLE)
        ):
            self._open(ticks)

    def _open(self, ticks: float) -> None:
        self.hold = min(max(FIRST_HOLD, self.hold * 2), LONGEST_HOLD)
        self.until = ticks + self.hold
        self.probing = self.there = False
        self.opened += 1
