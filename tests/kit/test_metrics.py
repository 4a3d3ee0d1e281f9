"""Metrics: named after Prometheus' conventions, by channel, and forgotten with it."""

from __future__ import annotations

import re

from clarion.kit.metrics import Metrics


def test_names_follow_the_conventions() -> None:
    metrics = Metrics()
    ours = [family for family in metrics.registry.collect() if family.name.startswith("clarion_")]
    assert len(ours) > 10
    for family in ours:
        assert re.fullmatch(r"clarion_[a-z_]+", family.name)
        assert family.documentation
        if family.type == "histogram":
            assert family.name.endswith("_seconds")


def test_a_channels_figures_are_shown_and_what_is_under_way_is_forgotten_with_it() -> None:
    metrics = Metrics()
    metrics.in_flight.labels("staff").set(12)
    metrics.in_flight.labels("other").set(3)
    metrics.lateness.labels("staff").observe(0.2)
    metrics.attempts.labels("staff", "accepted").inc(5)
    text = metrics.render().decode()
    assert 'clarion_messages_in_flight{channel="staff"} 12.0' in text
    assert 'clarion_message_lateness_seconds_bucket{channel="staff",le="0.25"} 1.0' in text
    metrics.forget("staff")
    metrics.forget("never seen")
    text = metrics.render().decode()
    assert 'clarion_messages_in_flight{channel="staff"}' not in text
    assert 'clarion_messages_in_flight{channel="other"} 3.0' in text
    assert 'clarion_attempts_total{channel="staff",outcome="accepted"} 5.0' in text


def test_what_the_database_told_is_gone_when_it_does_not_answer() -> None:
    metrics = Metrics()
    metrics.database_answers()
    metrics.queued.labels("staff").set(12)
    metrics.in_flight.labels("staff").set(3)
    assert 'clarion_messages_queued{channel="staff"} 12.0' in metrics.render().decode()
    metrics.database_away()
    text = metrics.render().decode()
    assert "clarion_database_up 0.0" in text
    assert "clarion_messages_queued{" not in text
    assert 'clarion_messages_in_flight{channel="staff"} 3.0' in text


def test_two_processes_parts_do_not_share_figures() -> None:
    one, other = Metrics(), Metrics()
    one.in_flight.labels("staff").set(1)
    assert "staff" not in other.render().decode()
