"""How far a re-run is, in figures and in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clarion.domain.rerun import Gone, Stage, rerun

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
GOING = Gone("expanding", NOON, NOON + timedelta(seconds=1), None, 1_000, 250, 2, 1)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_it_tells_its_rate_and_when_it_may_be_done() -> None:
    far = rerun(GOING, after(6))
    assert (far.state, far.done, far.cases, far.rate, far.eta) == (Stage.GOING, 250, 1_000, 50.0, after(21))
    assert str(far) == "250 of 1,000 cases are gone over, 25 %"
    assert far.locks


def test_what_waits_for_a_worker_has_counted_nothing() -> None:
    far = rerun(Gone("planned", NOON, NOON - timedelta(days=1), None, None, 0, 0, 0), after(6))
    assert (far.state, far.cases, far.rate, far.eta) == (Stage.WAITING, None, 0.0, None)
    assert str(far) == "its cases wait to be gone over"
    assert far.locks


@pytest.mark.parametrize(
    ("parts", "left", "state"), [(2, 0, Stage.DONE), (2, 1, Stage.CANCELLED), (0, 0, Stage.CANCELLED)]
)
def test_it_is_done_only_when_every_part_is_at_its_end(parts: int, left: int, state: Stage) -> None:
    far = rerun(replace(GOING, state="expanded", ended_at=after(11), parts=parts, left=left), after(60))
    assert (far.state, far.ended_at, far.rate, far.eta) == (state, after(11), 25.0, None)
    assert not far.locks


def test_cases_that_came_meanwhile_are_counted_too() -> None:
    far = rerun(replace(GOING, looked=1_200), after(6))
    assert (far.done, far.cases, far.eta) == (1_200, 1_200, after(6))
