"""What one desk counts: how late, how long, how it ended, how many calls are under way.

Label children are looked up once a channel, so that a message costs some microseconds
(docs/running.md says how many). What is under way is asked for only when somebody reads the metrics.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from clarion.domain.message import Outcome
from clarion.kit.metrics import Metrics


class Gauges:
    """A channel's figures in this process, from the moment it is owned until `forget`."""

    __slots__ = ("_channel", "_ended", "_late", "_metrics", "_took")

    def __init__(self, metrics: Metrics, channel_id: UUID, under_way: Callable[[], int]) -> None:
        self._metrics, self._channel = metrics, str(channel_id)
        metrics.in_flight.labels(self._channel).set_function(under_way)
        self._late = metrics.lateness.labels(self._channel).observe
        self._took = metrics.call.labels(self._channel).observe
        # Every outcome is there from the first moment, at zero: a rate needs a beginning.
        self._ended: dict[Outcome, Callable[[], None]] = {
            outcome: metrics.attempts.labels(self._channel, outcome.value).inc
            for outcome in Outcome
            if outcome is not Outcome.SETTLED_NOT_SENT  # a person's decision, not the end of a call
        }

    def begins(self, due_at: datetime, now: datetime) -> None:
        """The first byte leaves now."""
        self._late(max(0.0, (now - due_at).total_seconds()))

    def took(self, seconds: float) -> None:
        """A call is over, whatever came of it."""
        self._took(seconds)

    def ended(self, outcome: Outcome) -> None:
        """A try has its verdict."""
        self._ended[outcome]()

    def forget(self) -> None:
        """This process owns the channel no longer. What it counted stays counted."""
        self._metrics.forget(self._channel)
