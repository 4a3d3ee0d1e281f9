"""How much one person hears at most, and when they hear what is held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from clarion.domain.caps import Caps, Held, cap_of, caps_of, next_room
from clarion.domain.message import Skip

NAIROBI = "Africa/Nairobi"
NOON = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)  # a Wednesday, in Nairobi
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def room(caps: Caps, heard: list[datetime], due: datetime = NOON, zone: str = NAIROBI) -> Held | None:
    return next_room(caps, heard, due, NOON, zone)


def test_whoever_heard_nothing_hears_it_now() -> None:
    assert room(Caps(gap=60, day=1, week=1), []) is None


def test_a_second_message_waits_until_the_gap_is_over() -> None:
    assert room(Caps(gap=90), [NOON - HOUR]) == Held(NOON + HOUR / 2, Skip.MINIMUM_GAP)
    assert room(Caps(gap=90), [NOON - HOUR * 3 / 2]) is None


def test_the_gap_is_counted_from_the_last_one_in_whatever_order_they_stand() -> None:
    assert room(Caps(gap=90), [NOON - HOUR, NOON - 5 * HOUR]) == Held(NOON + HOUR / 2, Skip.MINIMUM_GAP)


def test_whoever_heard_enough_today_hears_it_tomorrow_at_the_time_at_which_it_was_due() -> None:
    due = NOON - HOUR
    assert room(Caps(day=2), [NOON - 3 * HOUR, NOON - 2 * HOUR], due) == Held(due + DAY, Skip.ENOUGH_TODAY)
    assert room(Caps(day=2), [NOON - 3 * HOUR], due) is None


def test_a_day_is_one_of_the_persons_own() -> None:
    """It is yesterday's evening in Nairobi, and the same day in Lagos, two hours behind."""
    late = datetime(2026, 3, 3, 20, 30, tzinfo=UTC)
    early = datetime(2026, 3, 3, 22, 30, tzinfo=UTC)
    assert next_room(Caps(day=1), [late], early, early, NAIROBI) is None
    assert next_room(Caps(day=1), [late], early, early, "Africa/Lagos") == Held(
        early + DAY, Skip.ENOUGH_TODAY
    )


def test_seven_days_in_a_row_are_a_week_wherever_they_begin() -> None:
    heard = [NOON - 6 * DAY, NOON - 2 * DAY]
    assert room(Caps(week=2), heard) == Held(NOON + DAY, Skip.ENOUGH_THIS_WEEK)
    assert room(Caps(week=2), [NOON - 7 * DAY, NOON - 2 * DAY]) is None
    assert room(Caps(week=1), [NOON - HOUR]) == Held(NOON + 7 * DAY, Skip.ENOUGH_THIS_WEEK)


def test_the_same_day_every_week_is_one_a_week() -> None:
    assert room(Caps(week=1), [NOON - 7 * DAY]) is None


def test_the_cap_that_holds_longest_says_why() -> None:
    held = room(Caps(gap=120, day=1, week=3), [NOON - HOUR])
    assert held == Held(NOON + DAY, Skip.ENOUGH_TODAY)
    assert room(Caps(gap=3 * 1440, day=1), [NOON - HOUR]) == Held(NOON + 3 * DAY - HOUR, Skip.MINIMUM_GAP)


def test_a_time_that_the_clocks_leave_out_on_the_next_day_is_the_first_that_there_is() -> None:
    now = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
    due = datetime(2026, 3, 28, 1, 30, tzinfo=UTC)  # half past two in Berlin, which is left out on the 29th
    held = next_room(Caps(day=1), [now - HOUR], due, now, "Europe/Berlin")
    assert held == Held(datetime(2026, 3, 29, 1, 0, tzinfo=UTC), Skip.ENOUGH_TODAY)


def test_where_nobody_knows_the_zone_its_days_are_those_of_utc() -> None:
    assert room(Caps(day=1), [NOON - HOUR], zone="Mars/Base") == Held(NOON + DAY, Skip.ENOUGH_TODAY)


def test_what_is_more_urgent_has_caps_of_its_own_or_none() -> None:
    text = '{"day": 3, "kinds": {"announcement": {"day": 1}, "sequence": {}}}'
    announcement = cap_of(text, 50)
    assert announcement is not None
    assert announcement.day == 1
    assert cap_of(text, 40) is None
    other = cap_of(text, 30)
    assert other is not None
    assert other.day == 3


def test_caps_of_another_version_hold_nobody_up() -> None:
    assert cap_of('{"per_moon": 1}', 50) is None
    assert caps_of({"caps": {"per_moon": 1}}) is None
    assert caps_of({"caps": {}}) is None


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"day": 3, "week": 2}, "3 a day never come about where 2 are enough in a week"),
        ({"kinds": {"anouncement": {}}}, "there is no kind of campaign 'anouncement'"),
        ({"gap": 0}, "greater than or equal to 1"),
        ({"dya": 1}, "Extra inputs are not permitted"),
    ],
)
def test_caps_that_cannot_be_meant_are_refused(wrong: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Caps.model_validate(wrong)
