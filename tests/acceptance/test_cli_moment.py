"""Moments as people write them, in the workspace's zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from clarion.cli.moment import parse_moment
from clarion.errors import Invalid

NAIROBI, BERLIN = ZoneInfo("Africa/Nairobi"), ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-04 18:00", datetime(2026, 3, 4, 15, tzinfo=UTC)),
        ("2026-03-04T18:00:30", datetime(2026, 3, 4, 15, 0, 30, tzinfo=UTC)),
        ("2026-03-04T18:00+01:00", datetime(2026, 3, 4, 17, tzinfo=UTC)),
        ("2026-03-04T18:00:00Z", datetime(2026, 3, 4, 18, tzinfo=UTC)),
    ],
)
def test_local_times_are_of_the_workspace_and_an_offset_goes_before(text: str, moment: datetime) -> None:
    assert parse_moment(text, NAIROBI, NOW) == moment


@pytest.mark.parametrize("text", ["tomorrow", "2026-03-04", "18:00", "2026-13-01 10:00", ""])
def test_what_is_no_moment_is_refused_with_the_form_that_is(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_moment(text, NAIROBI, NOW)

    assert "YYYY-MM-DD HH:MM" in refused.value.hint


@pytest.mark.parametrize(("text", "why"), [("2026-03-29 02:30", "skipped"), ("2026-10-25 02:30", "twice")])
def test_an_hour_that_the_clocks_skip_or_repeat_is_asked_about(text: str, why: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_moment(text, BERLIN, NOW)

    assert why in refused.value.what
    assert "offset" in refused.value.hint


def test_a_repeated_hour_with_its_offset_is_a_moment() -> None:
    assert parse_moment("2026-10-25T02:30+01:00", BERLIN, NOW) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_a_past_moment_says_what_time_it_is_there() -> None:
    with pytest.raises(Invalid) as refused:
        parse_moment("2026-01-01 14:59", NAIROBI, NOW)

    assert "2026-01-01 15:00 EAT" in refused.value.what
