"""What a channel carries of what falls due, by cases that were reckoned by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from clarion.domain.limits import Limiter, Limits
from clarion.domain.rehearsal.carrying import Carried, Line, Meter, carry
from clarion.domain.schedule.allowed import Allowed
from clarion.domain.schedule.hours import Hours
from clarion.domain.schedule.zones import seconds, utc, zone

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAY = 86_400.0
UTC_ZONE = zone("UTC")


def at(hour: int, minute: int = 0, second: int = 0, day: int = 0) -> int:
    return seconds(MONDAY + timedelta(days=day, hours=hour, minutes=minute, seconds=second))


def meter(rate: float, **more: int) -> Meter:
    return Meter(Limits(rate=rate, **more), UTC_ZONE)


def carried(
    rate: float,
    *batches: tuple[int, int],
    units: float = 1.0,
    hours: Mapping[str, object] | None = None,
    patience: float = DAY,
    where: str = "UTC",
    **more: int,
) -> Carried:
    """What becomes of (moment, messages) over a channel of this rate."""
    allowed = None if hours is None else Allowed(Hours.model_validate(hours))
    line = Line([meter(rate, **more)], allowed, patience)
    for due, many in batches:
        line.add(due, where, many, units)
    carry([line])
    return line.told


def shown(moment: float | None) -> str:
    assert moment is not None
    return f"{utc(int(moment)):%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("rate", "batches", "last"),
    [
        (1, [(at(9), 120)], "02 09:01:59"),
        (80, [(at(9), 1)], "02 09:00:00"),
        (80, [(at(9), 4_800)], "02 09:00:59"),
        (80, [(at(9), 4_801)], "02 09:01:00"),
        (2, [(at(9), 120), (at(9, 0, 30), 120)], "02 09:01:59"),
        (2, [(at(9), 10), (at(10), 10)], "02 10:00:04"),
        (0.5, [(at(23, 59), 60)], "03 00:00:58"),
    ],
)
def test_one_goes_after_the_other_at_the_channels_rate(
    rate: float, batches: list[tuple[int, int]], last: str
) -> None:
    told = carried(rate, *batches)
    assert shown(told.last) == last
    assert told.left.total() == told.due.total() == sum(many for _, many in batches)
    assert max(told.left.values()) <= rate * 60


def test_each_minute_has_what_leaves_in_it() -> None:
    told = carried(1, (at(9), 130), (at(9, 1), 20))
    assert told.due == {at(9): 130, at(9, 1): 20}
    assert told.left == {at(9): 60, at(9, 1): 60, at(9, 2): 30}
    assert (told.longest, told.longest_due) == (129, at(9))


def test_a_text_of_two_segments_takes_twice_as_long() -> None:
    told = carried(2, (at(9), 60), units=2)
    assert (shown(told.last), told.left_units, told.due_units[at(9)]) == ("02 09:00:59", 120, 120)


def test_what_does_not_go_in_time_expires() -> None:
    told = carried(1, (at(9), 1_000), patience=600)
    assert (told.left.total(), told.expired) == (600, {at(9): 400})
    assert shown(told.last) == "02 09:09:59"


def test_what_does_not_fit_into_a_day_goes_on_the_next() -> None:
    told = carried(1, (at(23), 500), daily=200, patience=3 * DAY)
    assert told.left == {
        at(23): 60, at(23, 1): 60, at(23, 2): 60, at(23, 3): 20,
        at(0, day=1): 60, at(0, 1, day=1): 60, at(0, 2, day=1): 60, at(0, 3, day=1): 20,
        at(0, day=2): 60, at(0, 1, day=2): 40,
    }  # fmt: skip


def test_others_wait_until_a_day_has_passed_since_the_first_of_as_many_as_may_be_begun_with() -> None:
    told = carried(10, (at(9), 250), uniques=100, patience=3 * DAY)
    assert told.left == {at(9): 100, at(9, day=1): 100, at(9, day=2): 50}


def test_what_comes_at_night_waits_for_the_morning() -> None:
    told = carried(10, (at(3), 20), (at(12), 5), hours={"allowed": [{"from": "08:00", "to": "20:00"}]})
    assert (told.held, told.due) == (20, {at(8): 20, at(12): 5})
    assert told.left == {at(8): 20, at(12): 5}
    assert told.longest == pytest.approx(1.9, abs=0.001)


def test_hours_are_those_of_the_persons_own_clock() -> None:
    hours = {"allowed": [{"from": "08:00", "to": "20:00"}]}
    told = carried(10, (at(3), 20), hours=hours, where="Africa/Nairobi")
    assert told.left == {at(5): 20}


def test_what_does_not_fit_before_quiet_hours_goes_on_in_the_morning() -> None:
    told = carried(1, (at(19, 58), 300), hours={"quiet": [{"from": "20:00", "to": "08:00"}]})
    assert told.left == {
        at(19, 58): 60, at(19, 59): 60, at(8, day=1): 60, at(8, 1, day=1): 60, at(8, 2, day=1): 60
    }  # fmt: skip
    assert (told.put_off, told.held) == ({at(20): 180}, 0)


def test_who_comes_at_night_is_not_waited_for_where_the_hours_say_so() -> None:
    hours = {"allowed": [{"from": "08:00", "to": "20:00"}], "outside": "drop"}
    told = carried(1, (at(3), 10), (at(19, 59), 100), hours=hours)
    assert (told.quiet, told.left.total(), told.put_off) == (10 + 40, 60, {at(20): 40})


def test_who_would_wait_for_longer_than_they_may_is_not_waited_for() -> None:
    hours = {"allowed": [{"from": "08:00", "to": "20:00"}], "late": 120}
    told = carried(1, (at(3), 10), (at(7), 20), hours=hours)
    assert (told.quiet, told.held, told.left.total()) == (10, 20, 20)


def test_who_waits_for_the_morning_may_expire_first() -> None:
    hours = {"allowed": [{"from": "08:00", "to": "20:00"}]}
    told = carried(1, (at(3), 10), hours=hours, patience=3_600)
    assert (told.expired, told.left) == ({at(3): 10}, {})


def test_channels_of_one_account_share_what_it_carries() -> None:
    account = meter(2)
    lines = [Line([meter(2), account], None, DAY) for _ in range(2)]
    for line in lines:
        line.add(at(9), "", 120)
    carry(lines)
    assert sum(line.told.left.total() for line in lines) == 240
    assert shown(max(line.told.last or 0 for line in lines)) == "02 09:01:59"


def test_a_rate_that_is_no_whole_number_of_seconds_loses_and_adds_nothing() -> None:
    told = carried(0.65, (at(9), 10_000), patience=30 * DAY)
    assert told.left.total() == 10_000
    assert told.last == pytest.approx(at(9) + 9_999 / 0.65, abs=0.01)


# --- beside the real limiter


def really(limits: Limits, many: int, patience: float) -> list[float]:
    """How many seconds after nine messages leave that are due then, by the limiter that the dispatch has."""
    limiter, ticks, left = Limiter(limits), 0.0, []
    for address in range(many):
        while True:
            today = utc(at(9) + int(ticks)).date()
            found = limiter.obstacle(address, 1, ticks, today)
            if found is None:
                break
            ticks += found.wait if found.wait < DAY else 60.0  # another day: it is asked again
        if ticks >= patience:
            break
        limiter.reserve(address, 1)
        limiter.release(address, 1, ticks, today)
        left.append(ticks)
    return left


@pytest.mark.parametrize(
    "limits",
    [
        *(Limits(rate=rate) for rate in (0.4, 1.0, 3.0, 10.0, 80.0, 250.0)),
        Limits(rate=10, daily=300),
        Limits(rate=10, uniques=250),
        Limits(rate=25, daily=400, uniques=300),
    ],
    ids=str,
)
def test_the_model_is_never_far_from_the_limiter_that_really_sends(limits: Limits) -> None:
    patience = 2 * DAY
    left = really(limits, 1_000, patience)
    line = Line([Meter(limits, UTC_ZONE)], None, patience)
    line.add(at(9), "", 1_000)
    carry([line])
    assert line.told.left.total() == len(left)
    near = 1.5 if limits.uniques is None else 1_000 / limits.rate  # who waits for a place asks now and then
    assert line.told.last == pytest.approx(at(9) + left[-1], abs=near)
