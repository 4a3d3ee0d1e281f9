"""Metrics for Prometheus. One registry a process, made by whoever makes the process's parts.

Names follow https://prometheus.io/docs/practices/naming/: base units (seconds), `_total` for what only
grows. Labels are identifiers and closed sets of words, never a person's data. Where several processes
work, counters, histograms and `in_flight` are each process's own: sum them over instances. What the
database knows (`_database`) every process says alike: take the maximum by channel.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
# Announcements begin within a second of their moment, so the buckets are fine below one second.
LATENESS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0)
CALL = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BY_CHANNEL = ("channel",)


class Metrics:
    """Everything that is counted. Hot paths keep the child: `metrics.attempts.labels(id, "accepted")`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._database()
        self._channels()
        self._requests()
        self._events()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def _database(self) -> None:
        self.database_up = Gauge(
            "clarion_database_up",
            "1 when the database told what follows, 0 when it did not answer",
            registry=self.registry,
        )
        gauge = self._gauge
        self.due = gauge("clarion_messages_due", "messages whose moment has come")
        self.queued = gauge("clarion_messages_queued", "messages that wait, due or not")
        self.unknown = gauge("clarion_messages_unknown", "messages of which nobody knows whether they went")
        self.unknown_age = gauge("clarion_unknown_oldest_seconds", "age of the oldest unknown")
        self.rate_limit = gauge("clarion_channel_rate_limit", "configured messages a second")
        self.paused = gauge("clarion_channel_paused", "1 while the channel is paused")
        self.inbox = gauge("clarion_inbox_waiting", "calls from the provider that wait to be read")
        self._told: tuple[Gauge, ...] = (
            self.due, self.queued, self.unknown, self.unknown_age, self.rate_limit, self.paused, self.inbox,
        )  # fmt: skip

    def _channels(self) -> None:
        self.in_flight = self._gauge("clarion_messages_in_flight", "tries intended and not answered yet")
        self.lateness = Histogram(
            "clarion_message_lateness_seconds",
            "from the moment a message was due to its first byte",
            BY_CHANNEL,
            buckets=LATENESS,
            registry=self.registry,
        )
        self.call = Histogram(
            "clarion_provider_call_seconds",
            "duration of calls to the provider",
            BY_CHANNEL,
            buckets=CALL,
            registry=self.registry,
        )
        counter = self._counter
        self.attempts = counter("clarion_attempts_total", "tries by outcome", "channel", "outcome")
        self.receipts = counter("clarion_receipts_total", "receipts by what they say", "channel", "status")
        self.inbound = counter("clarion_inbound_total", "messages from people", "channel")
        self.takeovers = counter("clarion_takeovers_total", "channels taken from a silent owner", "channel")

    def _requests(self) -> None:
        self.requests = self._counter(
            "clarion_http_requests_total", "requests to the API", "method", "route", "status"
        )
        self.request = Histogram(
            "clarion_http_request_seconds",
            "duration of requests to the API",
            ("route",),
            buckets=CALL,
            registry=self.registry,
        )
        self.clock_suspect = Gauge(
            "clarion_clock_suspect",
            "1 while the clock is suspect: nothing is sent",
            registry=self.registry,
        )
        self.jobs = self._counter("clarion_jobs_total", "housekeeping jobs by outcome", "task", "outcome")

    def _events(self) -> None:
        def gauge(name: str, help: str) -> Gauge:
            return Gauge(name, help, ("subscription",), registry=self.registry)

        self.events_waiting = gauge("clarion_events_waiting", "events that wait to be told")
        self.events_given_up = gauge("clarion_events_given_up", "events that were given up and are kept")
        self.subscription_paused = gauge("clarion_subscription_paused", "1 while the subscription is paused")
        self._told += (self.events_waiting, self.events_given_up, self.subscription_paused)
        self.events = self._counter(
            "clarion_events_total", "tries to tell an event by outcome", "subscription", "outcome"
        )

    def forget(self, channel: str) -> None:
        """A channel that this process no longer owns: its gauge would stand still and mislead."""
        self.in_flight.remove_by_labels({"channel": channel})

    def database_answers(self) -> None:
        """What it told before is gone; the caller sets what it tells now."""
        self.database_up.set(1)
        for gauge in self._told:
            gauge.clear()

    def database_away(self) -> None:
        """What it told before is not shown any more: nobody knows whether it is still so."""
        self.database_answers()
        self.database_up.set(0)

    def render(self) -> bytes:
        """All of it in Prometheus' text format (`CONTENT_TYPE`)."""
        return generate_latest(self.registry)

    def _gauge(self, name: str, help: str) -> Gauge:
        return Gauge(name, help, BY_CHANNEL, registry=self.registry)

    def _counter(self, name: str, help: str, *labels: str) -> Counter:
        return Counter(name, help, labels, registry=self.registry)
