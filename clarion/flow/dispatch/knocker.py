"""Asking a provider that fell silent whether it is there again, without risking a message.

One call at a time would find it out too. But each that is not answered is one more of which nobody knows,
and an outage of an hour would add sixty.
"""

from __future__ import annotations

from dataclasses import dataclass

from yarl import URL

from clarion.flow.dispatch.account import Channel
from clarion.flow.dispatch.breaker import Breaker
from clarion.kit.clock import Clock
from clarion.kit.http import Http

LONGEST = 5.0  # seconds for an answer


@dataclass(slots=True)
class Knocker:
    """Of one channel. Without `http`, or where the provider speaks another protocol, the breaker probes with
    a call."""

    clock: Clock
    http: Http | None
    channel: Channel
    breaker: Breaker
    _asking: bool = False

    def __post_init__(self) -> None:
        self.breaker.knocks = self.http is not None and self.channel.provider.speaks_http

    async def ask(self) -> None:
        """Ask where the breaker wants to know now; one at a time."""
        if self.http is None or self._asking or not self.breaker.wants_knock(self.clock.monotonic()):
            return
        self._asking = True
        account = self.channel.account
        try:
            there = await self.http.answers(
                URL(account.base_url), connect_timeout=min(account.connect_timeout, LONGEST),
                total_timeout=min(account.total_timeout, LONGEST),
            )  # fmt: skip
            self.breaker.knocked(there, self.clock.monotonic())
        finally:
            self._asking = False
