"""All limits at once: never exceeded in any window, whatever stays, and used up while there is work."""

from __future__ import annotations

import itertools
import math
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.domain.limits import DAY, Limit, Limiter, Limits, Obstacle, obstacle

MONDAY = date(2026, 3, 2)
AMINA, BEKELE = "whatsapp:+254712000001", "whatsapp:+251911000002"


def day_of(ticks: float) -> date:
    return MONDAY + timedelta(days=int(ticks // DAY))


@dataclass
class Sent:
    """One message that left."""

    address: str
    units: int
    at: float
    over: float = math.inf


@dataclass
class Line:
    """A desk, as far as limits go: it asks, commits for a while, and then sends; some never leave."""

    limiter: Limiter
    chance: random.Random
    ticks: float = 1000.0
    sent: list[Sent] = field(default_factory=list)

    def batch(self, wanted: list[tuple[str, int]], commit: float, lost: float) -> int:
        """Send those of them that may go, in this order; how many left."""
        before = len(self.sent)
        taken = []
        for address, units in wanted:
            if self.limiter.obstacle(address, units, self.ticks, day_of(self.ticks)) is None:
                self.limiter.reserve(address, units)
                taken.append((address, units))
        self.ticks += commit
        for address, units in taken:
            if self.chance.random() < lost:
                self.limiter.unreserve(address, units)
            else:
                self.limiter.release(address, units, self.ticks, day_of(self.ticks))
                self.sent.append(Sent(address, units, self.ticks))
        return len(self.sent) - before

    def free(self, count: int) -> None:
        """The provider tells the end of the oldest so many."""
        for one in [one for one in self.sent if one.over == math.inf][:count]:
            one.over = self.ticks
            self.limiter.freed(one.units)


def exceeded(sent: list[Sent], limits: Limits) -> set[Limit]:
    """Which limits these releases broke, judged from the list alone."""
    broken = set()
    window = max(1.0, 1 / limits.rate)
    most = max(1, int(limits.rate * window + 1e-9))
    for n, first in enumerate(sent):
        within = [one for one in sent[n:] if one.at < first.at + window]
        if sum(one.units for one in within) > max(most, first.units):
            broken.add(Limit.RATE)
        lately = {one.address for one in sent[n:] if one.at < first.at + DAY}
        if limits.uniques is not None and len(lately) > limits.uniques:
            broken.add(Limit.UNIQUES)
        there = [one for one in sent[: n + 1] if one.over > first.at]
        if limits.capacity is not None and len(there) > 1 and sum(o.units for o in there) > limits.capacity:
            broken.add(Limit.CAPACITY)
    by_day: dict[date, int] = defaultdict(int)
    by_address: dict[str, list[float]] = defaultdict(list)
    for one in sent:
        by_day[day_of(one.at)] += one.units
        by_address[one.address].append(one.at)
    if limits.daily is not None and max(by_day.values(), default=0) > limits.daily:
        broken.add(Limit.DAILY)
    if any(not conforms(moments, limits) for moments in by_address.values()):
        broken.add(Limit.PAIR)
    return broken


def conforms(moments: list[float], limits: Limits) -> bool:
    """Never more than the burst and what time has given back, between any two moments (a token bucket)."""
    if limits.pair_interval is None:
        return True
    return all(
        last - first + 1 <= limits.pair_burst + (moments[last] - moments[first]) / limits.pair_interval + 1e-6
        for first in range(len(moments))
        for last in range(first, len(moments))
    )


Step = tuple[list[tuple[str, int]], float, float, float, int]

LIMITS = st.builds(
    Limits,
    rate=st.one_of(st.floats(0.2, 1), st.integers(1, 60).map(float)),
    capacity=st.none() | st.integers(1, 20),
    pair_interval=st.none() | st.floats(0.5, 8),
    pair_burst=st.integers(1, 5),
    uniques=st.none() | st.integers(1, 6),
    daily=st.none() | st.integers(1, 60),
)
MESSAGES = st.tuples(st.sampled_from([f"tel:+25471200000{n}" for n in range(9)]), st.integers(1, 3))
STEPS = st.lists(
    st.tuples(
        st.lists(MESSAGES, max_size=40),
        st.floats(0, 0.5),  # seconds that a commit takes
        st.sampled_from([0.0, 0.1, 0.9]),  # how many never leave
        st.one_of(st.floats(0, 3), st.floats(0, 90_000)),  # seconds until the next batch
        st.integers(0, 30),  # how many are told to be over
    ),
    max_size=25,
)


@settings(max_examples=400, deadline=None)
@given(limits=LIMITS, steps=STEPS, seed=st.integers())
def test_no_limit_is_exceeded_in_any_window(limits: Limits, steps: list[Step], seed: int) -> None:
    line = Line(Limiter(limits), random.Random(seed))
    for wanted, commit, lost, pause, over in steps:
        fitting = [(a, u) for a, u in wanted if limits.daily is None or u <= limits.daily]
        line.batch(fitting, commit, lost)
        line.free(over)
        line.ticks += pause
    assert exceeded(line.sent, limits) == set()


@settings(max_examples=200, deadline=None)
@given(limits=LIMITS, steps=STEPS, cut=st.integers(0, 200), seed=st.integers())
def test_whoever_takes_over_keeps_the_limits_of_before(
    limits: Limits,
    steps: list[Step],
    cut: int,
    seed: int,
) -> None:
    """A crash: the next owner knows what had left, and goes on at once."""
    line = Line(Limiter(limits), random.Random(seed))
    for n, (wanted, commit, lost, pause, over) in enumerate(steps):
        line.batch([(a, u) for a, u in wanted if limits.daily is None or u <= limits.daily], commit, lost)
        line.free(over)
        if n == cut % max(1, len(steps)):
            line.limiter = Limiter(limits)
            for one in line.sent:
                line.limiter.remember(
                    one.address, one.units, one.at, day_of(one.at), over=one.over < math.inf
                )
        line.ticks += pause
    assert exceeded(line.sent, limits) == set()


@pytest.mark.parametrize(
    "limits",
    [
        Limits(rate=80),
        Limits(rate=0.5),
        Limits(rate=20, pair_interval=6, pair_burst=45),
        Limits(rate=50, capacity=10),
        Limits(rate=7, capacity=5, uniques=1000, pair_interval=0.1, pair_burst=2),
    ],
    ids=str,
)
def test_a_rate_is_used_up_while_there_is_work(limits: Limits) -> None:
    line = Line(Limiter(limits), random.Random(1))
    people = (f"tel:+2547{n:08}" for n in itertools.count())
    while line.ticks < 1100:
        line.free(10)
        line.batch([(next(people), 1) for _ in range(int(limits.rate) + 1)], 0.001, 0.0)
        line.ticks += 0.005
    used = sum(one.units for one in line.sent)
    assert used >= 0.96 * 100 * limits.rate


def asked(limiter: Limiter, address: str, ticks: float, units: int = 1) -> Obstacle | None:
    return limiter.obstacle(address, units, ticks, day_of(ticks))


def send(limiter: Limiter, address: str, ticks: float, units: int = 1) -> None:
    assert asked(limiter, address, ticks, units) is None
    limiter.reserve(address, units)
    limiter.release(address, units, ticks, day_of(ticks))


def test_a_pair_may_borrow_its_burst_and_then_waits_for_each() -> None:
    """WhatsApp: one in six seconds to one person, 45 borrowed from the future."""
    limiter = Limiter(Limits(rate=1000, pair_interval=6, pair_burst=45))
    for n in range(45):
        send(limiter, AMINA, 0.01 * n)
    waits = asked(limiter, AMINA, 1.0)
    assert waits is not None
    assert (waits.by, waits.alone, round(waits.wait)) == (Limit.PAIR, True, 5)
    send(limiter, BEKELE, 1.0)
    send(limiter, AMINA, 1.0 + waits.wait)
    assert asked(limiter, AMINA, 1.0 + waits.wait) is not None


def test_who_was_written_to_today_is_no_new_person() -> None:
    limiter = Limiter(Limits(rate=1000, uniques=1))
    send(limiter, AMINA, 0.0)
    send(limiter, AMINA, 20.0)
    waits = asked(limiter, BEKELE, 30.0)
    assert waits == Obstacle(Limit.UNIQUES, 20.0 + DAY - 30.0)
    send(limiter, BEKELE, 20.0 + DAY)


def test_a_new_day_begins_a_new_daily_limit() -> None:
    limiter = Limiter(Limits(rate=1000, daily=2))
    send(limiter, AMINA, 100.0, units=2)
    assert asked(limiter, BEKELE, 200.0) == Obstacle(Limit.DAILY, math.inf)
    send(limiter, BEKELE, DAY + 1)


def test_what_is_freed_lets_exactly_so_many_follow() -> None:
    """Capacity 5, ten respondents: five calls; two completions, two more."""
    limiter = Limiter(Limits(rate=1000, capacity=5))
    people = [f"tel:+2547120000{n:02}" for n in range(10)]
    for person in people[:5]:
        send(limiter, person, 1.0)
    full = asked(limiter, people[5], 1.0)
    limiter.freed(2)
    for person in people[5:7]:
        send(limiter, person, 1.1)
    assert full == asked(limiter, people[7], 1.2) == Obstacle(Limit.CAPACITY, math.inf)


def test_freeing_more_than_was_taken_gives_no_more_than_there_is() -> None:
    limiter = Limiter(Limits(rate=1000, capacity=2))
    send(limiter, AMINA, 1.0)
    limiter.freed(7)
    send(limiter, AMINA, 1.1)
    send(limiter, BEKELE, 1.1)
    assert asked(limiter, AMINA, 1.2) == Obstacle(Limit.CAPACITY, math.inf)


def test_a_message_larger_than_a_second_carries_goes_alone_and_is_rested_for() -> None:
    """Three segments over a number of one segment a second (a United States long code)."""
    limiter = Limiter(Limits(rate=1))
    send(limiter, AMINA, 0.0, units=3)
    waits = asked(limiter, BEKELE, 0.5)
    assert waits is not None
    assert (waits.by, round(waits.wait, 2)) == (Limit.RATE, 2.5)
    send(limiter, BEKELE, 3.001)


def test_another_limit_applies_to_a_live_limiter() -> None:
    limiter = Limiter(Limits(rate=1000, capacity=1))
    send(limiter, AMINA, 1.0)
    limiter.change(Limits(rate=2, capacity=5))
    send(limiter, BEKELE, 1.3)
    waits = asked(limiter, AMINA, 1.4)
    assert waits is not None
    assert (waits.by, round(waits.wait, 2)) == (Limit.RATE, 0.6)


def test_an_account_and_its_number_hold_together() -> None:
    account, number = Limiter(Limits(rate=1000, uniques=1)), Limiter(Limits(rate=1))
    for limiter in (account, number):
        send(limiter, AMINA, 0.0)
    both = obstacle((account, number), BEKELE, 1, 0.5, day_of(0.5))
    later = obstacle((account, number), BEKELE, 1, 1.5, day_of(1.5))
    assert (both and both.by, later and later.by) == (Limit.RATE, Limit.UNIQUES)
    assert obstacle((account, number), AMINA, 1, 1.5, day_of(1.5)) is None


def test_who_is_about_to_be_written_to_counts_when_their_last_day_ends() -> None:
    limiter = Limiter(Limits(rate=1000, uniques=1))
    send(limiter, AMINA, 0.0)
    limiter.reserve(AMINA, 1)
    assert asked(limiter, BEKELE, DAY + 1) is not None
    limiter.unreserve(AMINA, 1)
    send(limiter, BEKELE, DAY + 2)


def test_one_person_who_is_about_to_hear_two_things_is_one() -> None:
    limiter = Limiter(Limits(rate=1000, uniques=2))
    limiter.reserve(AMINA, 1)
    limiter.reserve(AMINA, 1)
    limiter.release(AMINA, 1, 1.0, MONDAY)
    send(limiter, BEKELE, 1.0)
    assert asked(limiter, "tel:+353850000003", 1.0) is not None


def test_everybody_waits_for_their_own_turn_however_many_they_are() -> None:
    limiter = Limiter(Limits(rate=10_000, pair_interval=6))
    people = [f"tel:+2547{n:08}" for n in range(3000)]
    for n, person in enumerate(people):
        send(limiter, person, n / 1000)
    held_back = [asked(limiter, person, 3.0) for person in people]
    assert {waits.by for waits in held_back if waits} == {Limit.PAIR}
    assert None not in held_back


def test_what_comes_in_takes_of_a_rate_that_counts_both_ways() -> None:
    limiter = Limiter(Limits(rate=80))
    limiter.came_in(15, 1000.0)
    assert limiter.room(1000.0, MONDAY) == 5, "a quarter of a second has 20"
    limiter.came_in(100, 1000.1)
    assert limiter.room(1000.5, MONDAY) == 0, "more than there is, and nobody was asked"
    assert limiter.rest(1000.5) > 0
    assert limiter.room(1003.0, MONDAY) == 20
    assert limiter.outstanding == 0


def test_who_wrote_to_us_is_no_new_person_whom_we_speak_to() -> None:
    limiter = Limiter(Limits(rate=1000, uniques=1))
    limiter.reserve(AMINA, 1)
    limiter.release(AMINA, 1, 1000.0, MONDAY)
    assert limiter.obstacle(BEKELE, 1, 1001.0, MONDAY) is not None
    assert limiter.obstacle(BEKELE, 1, 1001.0, MONDAY, inside=True) is None
    limiter.reserve(BEKELE, 1, inside=True)
    limiter.release(BEKELE, 1, 1001.0, MONDAY, inside=True)
    assert limiter.obstacle(AMINA, 1, 1002.0, MONDAY) is None, "one person so far"
    assert limiter.obstacle(BEKELE, 1, 1002.0, MONDAY) is not None
