"""Clock changes, in every zone there is: never twice, never none, and moved only where there is nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest

from clarion.domain.schedule.zones import DAY, LeftOut, Wall, Zone, seconds
from tests.domain.schedule.computed import NEW_YORK, due, subject

ZONES = sorted(available_timezones() - {"Factory", "localtime"})
YEAR = 2026


def nine_every_day(**changes: str) -> dict[str, object]:
    return {
        "start": {"from": "moment", "moment": "2026-01-01"}, "steps": [{"number": 1, "time": "02:30"}],
        "repeat": {"every": 1, "count": 365}, "clock_changes": changes,
    }  # fmt: skip


@cache
def changes(name: str, year: int = YEAR) -> tuple[int, ...]:
    """The moments of a year at which a zone's offset changes: found by walking through it, hour by hour, and
    then minute by minute."""
    info = ZoneInfo(name)

    def offset(at: datetime) -> timedelta | None:
        return at.astimezone(info).utcoffset()

    found, at = [], datetime(year, 1, 1, tzinfo=UTC)
    while at.year == year:
        later = at + timedelta(hours=6)
        if offset(at) != offset(later):
            while offset(at) == offset(at + timedelta(minutes=1)):
                at += timedelta(minutes=1)
            found.append(seconds(at + timedelta(minutes=1)))
            at += timedelta(minutes=1)
        else:
            at = later
    return tuple(found)


def around(zone: Zone, change: int) -> Iterator[Wall]:
    """Local times, a quarter of an hour apart, from some hours before a change to some hours after."""
    first = zone.wall(change - 4 * 3600)
    for quarter in range(40):
        more, second = divmod(first.second + quarter * 900, DAY)
        yield Wall(first.day + more, second)


@pytest.mark.parametrize("name", ZONES)
def test_a_time_is_when_the_clocks_show_it_or_the_first_moment_after_a_gap(name: str) -> None:
    first, second, skipping = Zone(name), Zone(name, overlap="second"), Zone(name, gap="skip")
    for change in changes(name):
        moments = []
        for wall in around(first, change):
            moment, moved = first.moment(*wall)
            moments.append(moment)
            if moved:
                assert moment == change, "the first moment that there is"
                with pytest.raises(LeftOut):
                    skipping.moment(*wall)
                continue
            assert first.wall(moment) == wall
            assert skipping.moment(*wall) == (moment, False)
            later, _ = second.moment(*wall)
            assert second.wall(later) == wall
            assert later >= moment
            assert not any(first.wall(moment - back) == wall for back in (1800, 3600)), "the first of two"
        assert moments == sorted(moments)


@pytest.mark.parametrize("name", ZONES)
def test_every_day_of_the_year_has_one_and_no_day_two(name: str) -> None:
    found = due(nine_every_day(), subject("2025-12-25 00:00", zone=name), most=400)
    assert len(found) == 365
    assert len(set(found)) == 365


def test_what_a_gap_leaves_out_may_be_skipped_and_what_comes_twice_be_the_second() -> None:
    somebody = subject("2025-12-25 00:00", zone=NEW_YORK)
    assert "2026-03-08 07:00" in due(nine_every_day(), somebody, most=400), "02:30 is 03:00 there"
    assert len(due(nine_every_day(gap="skip"), somebody, most=400)) == 364
    twice = {
        "start": {"from": "moment", "moment": "2026-11-01"}, "steps": [{"number": 1, "time": "01:30"}],
    }  # fmt: skip
    assert due(twice, somebody) == ["2026-11-01 05:30"]
    assert due({**twice, "clock_changes": {"overlap": "second"}}, somebody) == ["2026-11-01 06:30"]


def test_a_day_that_was_left_out_altogether() -> None:
    apia = Zone("Pacific/Apia")
    left_out = datetime(2011, 12, 30).toordinal()  # noqa: DTZ001
    moment, moved = apia.moment(left_out, 9 * 3600)
    assert moved
    assert apia.wall(moment) == (left_out + 1, 0)


def test_a_schedule_that_begins_on_a_day_that_was_left_out_begins_all_the_same() -> None:
    document = {
        "start": {"from": "moment", "moment": "2011-12-30"}, "repeat": {"every": 1, "count": 2},
        "steps": [{"number": 1, "time": "09:00"}], "clock_changes": {"gap": "skip"},
    }  # fmt: skip
    somebody = subject("2011-12-01 00:00", zone="Pacific/Apia")
    assert due(document, somebody) == ["2011-12-30 19:00", "2011-12-31 19:00"], "on the 31st there"
