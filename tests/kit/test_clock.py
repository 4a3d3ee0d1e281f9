"""The clock, and the guard that says when it cannot be trusted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.kit.clock import Clock, ClockGuard, FakeClock

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def guard(clock: FakeClock) -> ClockGuard:
    """One that has looked once."""
    guard = ClockGuard(clock)
    assert guard.suspicion() is None
    return guard


def test_the_real_clock_is_utc_and_its_ticks_only_grow() -> None:
    clock = Clock()
    assert clock.now().utcoffset() == timedelta(0)
    ticks = [clock.monotonic() for _ in range(1000)]
    assert ticks == sorted(ticks)


def test_time_that_passes_is_no_reason_for_suspicion(clock: FakeClock, guard: ClockGuard) -> None:
    for seconds in (0.1, 60, 86_400, 0):
        clock.advance(seconds)
        assert guard.suspicion() is None
        assert guard.suspicion(clock.now()) is None


@pytest.mark.parametrize("seconds", [2.1, -2.1, 3600, -86_400])
def test_a_clock_that_was_set_is_suspect_until_the_database_agrees(
    clock: FakeClock, guard: ClockGuard, seconds: float
) -> None:
    clock.step(seconds)
    assert f"jumped by {seconds:+.1f} s" in str(guard.suspicion())
    clock.advance(10)
    assert guard.suspicion() is not None, "it is remembered"
    assert guard.suspicion(clock.now()) is None
    assert guard.suspicion() is None, "and forgotten once the database agrees"


@pytest.mark.parametrize("seconds", [1.9, -1.9])
def test_a_small_correction_is_no_step(clock: FakeClock, guard: ClockGuard, seconds: float) -> None:
    clock.step(seconds)
    assert guard.suspicion() is None


def test_a_machine_that_slept_is_suspect(clock: FakeClock, guard: ClockGuard) -> None:
    """Monotonic time stands still while a machine is suspended; the wall clock is set when it wakes."""
    clock.step(1800)
    assert guard.suspicion() is not None


@pytest.mark.parametrize("off", [2.1, -2.1])
def test_a_clock_that_is_off_the_databases_is_suspect_and_says_which_way(
    clock: FakeClock, guard: ClockGuard, off: float
) -> None:
    told = guard.suspicion(clock.now() - timedelta(seconds=off))
    assert told is not None
    assert f"{off:+.1f} s" in told
    assert "NTP" in told


def test_a_clock_that_is_a_little_off_the_databases_is_trusted(clock: FakeClock, guard: ClockGuard) -> None:
    assert guard.suspicion(clock.now() + timedelta(seconds=1.9)) is None


def test_a_step_that_the_database_does_not_share_stays_suspect(clock: FakeClock, guard: ClockGuard) -> None:
    true = clock.now()
    clock.step(30)
    assert guard.suspicion(true) is not None
    assert guard.suspicion() is not None
    clock.step(-30)
    assert guard.suspicion() is not None, "it was set again"
    assert guard.suspicion(clock.now()) is None


@given(
    st.lists(st.tuples(st.sampled_from(["advance", "step", "ask"]), st.floats(-5, 5)), max_size=40),
)
def test_a_clock_is_never_trusted_between_a_step_and_the_databases_word(
    events: list[tuple[str, float]],
) -> None:
    clock = FakeClock(NOW)
    guard, off, stepped = ClockGuard(clock), 0.0, False
    guard.suspicion()
    for what, seconds in events:
        if what == "advance":
            clock.advance(abs(seconds))
        elif what == "step":
            clock.step(seconds)
            off += seconds
            stepped |= abs(seconds) > 2.001
            guard.suspicion()
        elif abs(off) < 1.999:
            assert guard.suspicion(clock.now() - timedelta(seconds=off)) is None
            stepped = False
        elif abs(off) > 2.001:
            assert guard.suspicion(clock.now() - timedelta(seconds=off)) is not None
        assert not stepped or guard.suspicion() is not None
