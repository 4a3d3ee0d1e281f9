"""Asking the database how much waits on each channel, for whoever reads the metrics.

Every process that is asked says the same, of all channels, also of those that nobody owns; so one scrape
of one process is enough, and sums over processes would count twice.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from clarion.flow.services import Services
from clarion.kit.db import AWAY, Row
from clarion.kit.log import logger
from clarion.kit.metrics import Metrics
from clarion.store import measure, telling
from clarion.store.measure import Measure

EVERY = 10.0  # seconds; however often we are asked, the database is asked no more often than this
PATIENCE = 3.0
log = logger(__name__)


class Measurer:
    """One a process, beside its metrics."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._fresh_until = float("-inf")
        self._one_at_a_time = asyncio.Lock()

    async def refresh(self) -> None:
        """Set the gauges, unless they were set lately. Where the database does not answer they go away:
        numbers that stand still would be believed."""
        services = self._services
        async with self._one_at_a_time:
            ticks = services.clock.monotonic()
            if ticks < self._fresh_until:
                return
            try:
                async with asyncio.timeout(PATIENCE), services.db.system() as connection:
                    found = await measure.channels(connection, services.clock.now())
                    events = await telling.measures(connection, measure.COUNTED)
            except (*AWAY, TimeoutError) as error:
                log.warning("the metrics are without the database", error=type(error).__name__)
                services.metrics.database_away()
                return
            self._fresh_until = ticks + EVERY
            _show(services.metrics, found, services.clock.now())
            _show_events(services.metrics, events)


def _show(metrics: Metrics, found: list[Measure], now: datetime) -> None:
    """All at once: nobody reads the metrics in between."""
    metrics.database_answers()
    for one in found:
        channel = str(one.channel_id)
        metrics.due.labels(channel).set(one.due)
        metrics.queued.labels(channel).set(one.queued)
        metrics.unknown.labels(channel).set(one.unknown)
        age = (now - one.unknown_since).total_seconds() if one.unknown_since else 0.0
        metrics.unknown_age.labels(channel).set(max(0.0, age))
        metrics.inbox.labels(channel).set(one.inbox)
        metrics.rate_limit.labels(channel).set(one.rate)
        metrics.paused.labels(channel).set(one.paused)


def _show_events(metrics: Metrics, found: list[Row]) -> None:
    for one in found:
        subscription = str(one["subscription_id"])
        metrics.events_waiting.labels(subscription).set(one["waiting"])
        metrics.events_given_up.labels(subscription).set(one["given_up"])
        metrics.subscription_paused.labels(subscription).set(one["paused"])
