"""Whose turn it is: the urgent first, everybody some, campaigns by their weight."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.domain.turns import SHARE, Claim, Turns

REPLY, RETRY, ALERT, SEQUENCE, ANNOUNCEMENT = 10, 20, 30, 40, 50
MANY = 1_000_000


def waiting(**lanes: Claim) -> dict[str, Claim]:
    return lanes


def served(turns: Turns[str], claims: dict[str, Claim], rounds: int, room: int = 20) -> Counter[str]:
    """What each lane got in so many rounds in which as much is always waiting."""
    total: Counter[str] = Counter()
    for _ in range(rounds):
        total.update(turns.divide(claims, room))
    return total


def test_a_reminder_goes_before_a_million_that_wait() -> None:
    claims = waiting(staff=Claim(ANNOUNCEMENT, 1, MANY), reminder=Claim(ALERT, 1, 3))
    assert Turns[str]().divide(claims, 20)["reminder"] == 3


def test_nobody_starves_behind_the_urgent() -> None:
    claims = waiting(
        replies=Claim(REPLY, 1, MANY), alerts=Claim(ALERT, 1, MANY), staff=Claim(ANNOUNCEMENT, 1, MANY)
    )
    got = served(Turns(), claims, 500)
    assert got["alerts"] == pytest.approx(SHARE * 10_000, rel=0.02)
    assert got["staff"] == pytest.approx(SHARE * 10_000, rel=0.02)
    assert got["replies"] == 10_000 - got["alerts"] - got["staff"]


def test_campaigns_of_one_urgency_share_by_weight() -> None:
    claims = waiting(large=Claim(ANNOUNCEMENT, 3, MANY), small=Claim(ANNOUNCEMENT, 1, MANY))
    got = served(Turns(), claims, 100)
    assert (got["large"], got["small"]) == (1500, 500)


def test_one_place_at_a_time_is_shared_as_well() -> None:
    claims = waiting(a=Claim(ANNOUNCEMENT, 1, MANY), b=Claim(ANNOUNCEMENT, 1, MANY))
    got = served(Turns(), claims, 100, room=1)
    assert (got["a"], got["b"]) == (50, 50)


def test_who_comes_late_has_no_claim_to_what_went_before() -> None:
    turns = Turns[str]()
    first = waiting(early=Claim(ANNOUNCEMENT, 1, MANY))
    served(turns, first, 100)
    got = turns.divide(first | waiting(late=Claim(ANNOUNCEMENT, 1, MANY)), 20)
    assert (got["early"], got["late"]) == (10, 10)


def test_who_had_nothing_for_a_while_has_no_claim_either() -> None:
    turns = Turns[str]()
    both = waiting(a=Claim(ANNOUNCEMENT, 1, MANY), b=Claim(ANNOUNCEMENT, 1, MANY))
    served(turns, both, 10)
    served(turns, waiting(a=Claim(ANNOUNCEMENT, 1, MANY)), 100)
    got = turns.divide(both, 20)
    assert (got["a"], got["b"]) == (10, 10)


def test_a_share_that_was_owed_lapses_with_nothing_waiting() -> None:
    turns = Turns[str]()
    replies = waiting(replies=Claim(REPLY, 1, MANY))
    turns.divide(replies | waiting(staff=Claim(ANNOUNCEMENT, 1, MANY)), 20)
    turns.divide(replies, 20)
    assert turns.divide(replies | waiting(staff=Claim(ANNOUNCEMENT, 1, MANY)), 20) == {"replies": 20}


CLAIMS = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.builds(
        Claim, st.sampled_from([REPLY, RETRY, ALERT, SEQUENCE, ANNOUNCEMENT]), st.floats(0.1, 10),
        st.integers(0, 30),
    ),
    max_size=8,
)  # fmt: skip


@given(st.lists(st.tuples(CLAIMS, st.integers(0, 60)), max_size=20))
def test_nothing_is_left_over_while_anybody_waits_and_nobody_gets_more_than_waits(
    rounds: list[tuple[dict[str, Claim], int]],
) -> None:
    turns = Turns[str]()
    for claims, room in rounds:
        got = turns.divide(claims, room)
        assert sum(got.values()) == min(room, sum(claim.waiting for claim in claims.values()))
        assert all(0 < count <= claims[lane].waiting for lane, count in got.items())


@given(
    st.dictionaries(st.sampled_from("abcd"), st.floats(0.5, 8), min_size=2),
    st.lists(st.integers(1, 40), min_size=60, max_size=60),
)
def test_between_lanes_that_always_wait_nobody_is_ever_far_from_its_share(
    weights: dict[str, float], rooms: list[int]
) -> None:
    """The bound of start-time fair queueing: one message of each, over its weight."""
    turns = Turns[str]()
    claims = {lane: Claim(ANNOUNCEMENT, weight, MANY) for lane, weight in weights.items()}
    got: Counter[str] = Counter()
    for room in rooms:
        got.update(turns.divide(claims, room))
        for a in claims:
            for b in claims:
                apart = got[a] / weights[a] - got[b] / weights[b]
                assert apart <= 1 / weights[a] + 1 / weights[b] + 1e-6
