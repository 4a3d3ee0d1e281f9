"""Keeping a rate: never above it, and close to it while there is work."""

from __future__ import annotations

import itertools
import random
from bisect import bisect_left
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.domain.pace import SLICE, Pacer

RATES = st.one_of(st.integers(1, 2000).map(float), st.floats(0.05, 1), st.floats(1, 50))


@dataclass
class Line:
    """A desk, a database and a provider as far as time goes: batches are reserved, committed after a
    while, and then released one after the other; some are never made."""

    pacer: Pacer
    chance: random.Random
    ticks: float = 1000.0
    released: list[float] = field(default_factory=list)

    def batch(self, wanted: int, commit: float, lost: float) -> None:
        count = min(self.pacer.free(self.ticks), wanted)
        self.pacer.reserve(count)
        self.ticks += commit
        for _ in range(count):
            if self.chance.random() < lost:
                self.pacer.unreserve(1)
            else:
                self.pacer.release(self.ticks)
                self.released.append(self.ticks)

    def work(self, seconds: float) -> None:
        """As much as may go, for so long."""
        end = self.ticks + seconds
        while self.ticks < end:
            self.batch(max(1, int(self.pacer.rate * SLICE)), 0.001, 0.0)
            self.ticks += max(0.002, self.pacer.wait(self.ticks))


def most_in_a_window(moments: list[float], window: float) -> int:
    """The most that went within any half-open window of so many seconds."""
    return max((bisect_left(moments, at + window) - n for n, at in enumerate(moments)), default=0)


@given(
    rate=RATES,
    seed=st.integers(),
    batches=st.lists(
        st.tuples(st.integers(0, 600), st.floats(0, 0.5), st.floats(0, 2), st.sampled_from([0, 0.1, 0.9])),
        max_size=60,
    ),
)
def test_no_window_ever_holds_more_than_the_limit(
    rate: float, seed: int, batches: list[tuple[int, float, float, float]]
) -> None:
    line = Line(Pacer(rate), random.Random(seed))
    for wanted, commit, pause, lost in batches:
        line.batch(wanted, commit, lost)
        line.ticks += pause
    # a hair shorter: what goes a window later to the last bit of a float is in the next window
    assert most_in_a_window(line.released, line.pacer.window - 1e-6) <= line.pacer.limit
    assert line.pacer.limit <= max(1.0, rate * line.pacer.window) + 1e-6


@settings(max_examples=25)
@given(rate=RATES)
def test_while_there_is_work_the_limit_is_used(rate: float) -> None:
    line = Line(Pacer(rate), random.Random(0))
    line.work(20 * line.pacer.window)
    assert len(line.released) >= 0.96 * 20 * line.pacer.limit


@pytest.mark.parametrize("rate", [1.0, 2.0, 80.0, 1000.0, 0.5, 1 / 6])
def test_a_whole_rate_and_one_below_one_a_second_are_kept_exactly(rate: float) -> None:
    pacer = Pacer(rate)
    assert pacer.limit / pacer.window == pytest.approx(rate)


def test_one_in_ten_seconds_is_one_in_ten_seconds() -> None:
    pacer = Pacer(0.1)
    pacer.reserve(pacer.free(1000.0))
    pacer.release(1000.0)
    assert pacer.free(1009.9) == 0
    assert pacer.wait(1004.0) == pytest.approx(6.0, abs=0.01)
    assert pacer.free(1010.0) == 1


@settings(max_examples=25)
@given(rate=st.integers(40, 2000).map(float), late=st.floats(0, 0.2))
def test_who_comes_at_any_moment_finds_a_place_soon(rate: float, late: float) -> None:
    """A second's worth that left at its beginning would make a reminder wait for the next; also after
    a database that was late for once."""
    line = Line(Pacer(rate), random.Random(0))
    line.work(3)
    line.batch(1, late, 0.0)
    line.work(5)
    after = bisect_left(line.released, 1005.0)
    gaps = [later - one for one, later in itertools.pairwise(line.released[after:])]
    assert max(gaps) <= SLICE + late + 0.02


def test_what_is_reserved_counts_until_it_is_given_back() -> None:
    pacer = Pacer(40)
    pacer.reserve(7)
    assert pacer.free(1000.0) == 3
    pacer.unreserve(5)
    assert pacer.free(1000.0) == 8


def test_what_is_released_late_counts_from_then() -> None:
    """A commit that took long must not let two batches go within one second."""
    pacer = Pacer(10)
    pacer.reserve(10)
    assert pacer.free(1005.0) == 0
    for _ in range(10):
        pacer.release(1005.0)
    assert pacer.free(1005.9) == 0
    assert pacer.free(1006.0) == 3, "a quarter's worth of them"


def test_there_is_no_wait_while_something_is_free() -> None:
    pacer = Pacer(2)
    assert pacer.wait(1000.0) == 0.0
    pacer.reserve(2)
    assert pacer.wait(1000.0) == pacer.window, "nobody knows when what is reserved will go"


def test_another_rate_holds_from_now_on_for_what_went_before_too() -> None:
    pacer = Pacer(100)
    pacer.reserve(60)
    for _ in range(60):
        pacer.release(1000.0)
    pacer.change(50)
    assert pacer.free(1000.5) == 0
    assert pacer.free(1001.0) == 13
    pacer.change(200)
    assert pacer.free(1001.0) == 50


def test_of_each_quarter_of_a_second_a_quarters_worth_goes() -> None:
    pacer = Pacer(80)
    for moment in (1000.0, 1000.25, 1000.5, 1000.75):
        assert pacer.free(moment) == 20
        pacer.reserve(20)
        pacer.release(moment, 20)
        assert pacer.wait(moment + 0.05) == pytest.approx(0.2)
    assert pacer.free(1001.0) == 20


@pytest.mark.parametrize("rate", [0, -1])
def test_a_rate_is_above_zero(rate: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Pacer(rate)
