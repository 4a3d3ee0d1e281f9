"""What the caps hold of one campaign: the same as the dispatch would hold, message by message."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from clarion.domain.caps import Cap, next_room
from clarion.domain.message import Skip
from clarion.domain.rehearsal.enough import Enough
from clarion.domain.rehearsal.late import Coming
from clarion.domain.schedule.subject import Occurrence
from clarion.domain.schedule.subject import Skip as Left
from clarion.domain.schedule.zones import DAY, seconds, utc

MONDAY = seconds(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
HOUR = 3_600


def at(*hours: float) -> list[Occurrence]:
    """Messages so many hours after Monday, nine o'clock."""
    return [Occurrence(MONDAY + int(n * HOUR), 1, number) for number, n in enumerate(hours, 1)]


def heard(cap: Cap, coming: Iterable[Coming], patience: float = 2 * DAY) -> list[tuple[float, str]]:
    """(hours after Monday nine o'clock, what moved it or why it is not sent) of each, in order."""
    found = Enough(cap, "UTC", patience).judged(coming)
    return [((one.due - MONDAY) / HOUR, one.skip or " ".join(one.moved)) for one in found]


def test_what_is_seldom_is_left_as_it_is() -> None:
    assert heard(Cap(day=1), at(0, 24, 48)) == [(0, ""), (24, ""), (48, "")]


def test_the_third_on_a_day_comes_on_the_next_at_the_same_time() -> None:
    assert heard(Cap(day=2), at(0, 3, 6)) == [(0, ""), (3, ""), (30, "enough_today")]


def test_whose_turn_comes_first_takes_the_room_of_one_that_is_held() -> None:
    assert heard(Cap(day=1), at(0, 3, 26), 3 * DAY) == [(0, ""), (26, ""), (51, "enough_today")]


def test_a_gap_moves_it_by_as_much_as_is_wanting() -> None:
    assert heard(Cap(gap=90), at(0, 1, 5)) == [(0, ""), (1.5, "minimum_gap"), (5, "")]


def test_what_has_no_room_before_it_expires_is_left_out() -> None:
    assert heard(Cap(day=1), at(0, 3), patience=20 * HOUR) == [(0, ""), (3, "enough_today")]
    assert heard(Cap(week=1), at(0, 24)) == [(0, ""), (24, "enough_this_week")]


def test_what_is_not_sent_anyway_takes_no_room() -> None:
    first, second = at(0, 3)
    left_out = first._replace(skip=Left.HOLIDAY)
    assert heard(Cap(day=1), [left_out, second]) == [(0, "holiday"), (3, "")]


CAPS = st.builds(
    Cap, gap=st.none() | st.integers(1, 3_000), day=st.none() | st.integers(1, 3), week=st.none() | st.just(4)
)


@given(cap=CAPS, hours=st.lists(st.floats(0, 500), max_size=12), zone=st.sampled_from(["UTC", "Asia/Tokyo"]))
def test_it_holds_what_the_dispatch_would(cap: Cap, hours: list[float], zone: str) -> None:
    """By the dispatch's own rule, asked about each message that waits, the earliest first."""
    coming, patience = at(*sorted(hours)), 3 * DAY
    found = [
        (one.due, one.step, str(one.skip or "".join(one.moved)))
        for one in Enough(cap, zone, patience).judged(coming)
    ]
    waiting = [(one.due, n, one, "") for n, one in enumerate(coming)]
    number, said, wanted = len(coming), list[datetime](), []
    while waiting:
        waiting.sort(key=lambda one: one[:2])
        now, _, one, why = waiting.pop(0)
        held = next_room(cap, said, utc(one.due), utc(now), zone)
        if held is None:
            said.append(utc(now))
            wanted.append((now, one.step, why))
        elif held.until >= utc(one.due) + timedelta(seconds=patience):
            wanted.append((one.due, one.step, held.reason.value))
        else:
            waiting.append((seconds(held.until), number, one, held.reason.value))
            number += 1
    assert found == wanted
    assert {why for *_, why in found} <= {"", *Skip}
