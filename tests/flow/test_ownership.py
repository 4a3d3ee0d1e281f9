"""Sharing the channels out: who is silent, what is free, what is a fair share."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from clarion.flow.dispatch.ownership import Watch
from clarion.store.owner import Holding

ME, OTHER, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)
LEASE = 5.0


def held(n: int, worker: UUID | None, *, epoch: int = 1, beat: int = 1, due: bool = False) -> Holding:
    return Holding(UUID(int=99), UUID(int=100 + n), worker, epoch, beat, due)


def watching() -> Watch:
    return Watch(LEASE)


def nobody(_: UUID) -> bool:
    return False


def test_a_holder_seen_for_the_first_time_is_not_silent() -> None:
    watch, other = watching(), held(0, OTHER)
    assert not watch.silent(other, 1e9), "nothing is known of it yet"
    watch.look([other], 1000.0)
    assert watch.free([other], 1000.0, nobody) == []


def test_a_holder_that_has_not_beaten_for_a_lease_is_silent() -> None:
    watch, other = watching(), held(0, OTHER)
    watch.look([other], 1000.0)
    watch.look([other], 1004.0)
    assert not watch.silent(other, 1000.0 + LEASE)
    assert watch.silent(other, 1000.1 + LEASE)
    assert watch.free([other], 1000.1 + LEASE, nobody) == [other]


def test_a_beat_begins_the_lease_anew() -> None:
    watch, other = watching(), held(0, OTHER)
    watch.look([other], 1000.0)
    beaten = replace(other, beat=2)
    watch.look([beaten], 1004.0)
    assert watch.free([beaten], 1008.0, nobody) == []
    assert watch.free([beaten], 1009.1, nobody) == [beaten]


def test_another_owner_begins_the_lease_anew() -> None:
    watch, other = watching(), held(0, OTHER)
    watch.look([other], 1000.0)
    taken = replace(other, worker_id=THIRD, epoch=2)
    watch.look([taken], 1004.9)
    assert watch.free([taken], 1006.0, nobody) == []


def test_a_channel_that_left_the_board_is_forgotten() -> None:
    watch, other = watching(), held(0, OTHER)
    watch.look([other], 1000.0)
    watch.look([], 1001.0)
    watch.look([other], 1010.0)
    assert not watch.silent(other, 1011.0)


def test_a_proven_dead_holder_is_not_waited_for() -> None:
    watch, other = watching(), held(0, OTHER)
    watch.look([other], 1000.0)
    assert watch.free([other], 1000.0, lambda worker: worker == OTHER) == [other]


def test_what_nobody_holds_is_free_when_something_is_due() -> None:
    watch, due, idle = watching(), held(0, None, due=True), held(1, None)
    watch.look([due, idle], 1000.0)
    assert watch.free([due, idle], 1000.0, nobody) == [due]


def test_what_a_dead_owner_left_comes_before_what_merely_waits() -> None:
    watch, waits, orphan = watching(), held(0, None, due=True), held(1, OTHER)
    watch.look([waits, orphan], 1000.0)
    assert watch.free([waits, orphan], 1000.0, lambda _: True) == [orphan, waits]


def test_a_channel_of_ours_that_nobody_beats_for_is_free_again() -> None:
    """We took it, or meant to give it up, and the database went away in between: it is ours on the board
    and in nobody's hands."""
    watch, mine = watching(), held(0, ME)
    watch.look([mine], 1000.0)
    assert watch.free([mine], 1001.0, nobody) == []
    assert watch.free([mine], 1000.1 + LEASE, nobody) == [mine]


def test_a_fair_share_is_rounded_up_so_that_no_channel_is_left() -> None:
    watch = watching()
    board = [held(n, OTHER) for n in range(5)] + [held(9, None)]
    assert watch.share(board, 2) == 3
    assert watch.share(board, 1) == 5
    assert watch.share(board, 0) == 5, "alone, as far as is known"
    assert watch.share([], 3) == 0


@given(
    owners=st.lists(st.sampled_from([None, OTHER, THIRD]), max_size=20),
    due=st.lists(st.booleans(), min_size=20, max_size=20),
    alive=st.integers(1, 6),
)
def test_shares_cover_everything_and_no_more_than_needed(
    owners: list[UUID | None], due: list[bool], alive: int
) -> None:
    board = [held(n, worker, due=due[n]) for n, worker in enumerate(owners)]
    wanted = [one for one in board if one.worker_id or one.due]
    share = watching().share(board, alive)
    assert share * alive >= len(wanted)
    assert (share - 1) * alive < max(1, len(wanted))


@given(
    beats=st.lists(st.tuples(st.floats(0.1, 20), st.booleans()), min_size=1, max_size=30),
    wait=st.floats(0, 20),
)
def test_nobody_is_silent_within_a_lease_of_a_beat_that_was_seen(
    beats: list[tuple[float, bool]], wait: float
) -> None:
    """And whoever has not beaten for longer than a lease, as far as we have looked, is."""
    watch, other, ticks, since = watching(), held(0, OTHER), 1000.0, 1000.0
    watch.look([other], ticks)
    for pause, beats_now in beats:
        ticks += pause
        if beats_now:
            other, since = replace(other, beat=other.beat + 1), ticks
        watch.look([other], ticks)
    assert watch.silent(other, ticks + wait) == (ticks + wait - since > LEASE)
