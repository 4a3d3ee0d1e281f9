"""What falls due is counted by who is alike and by moment; and what was late is judged as firing does."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo

from clarion.domain.rehearsal.late import Lateness
from clarion.domain.rehearsal.reckoning import Due, Lot, Reckoning
from clarion.domain.rehearsal.tables import busiest, by_day, by_hour
from clarion.domain.schedule.subject import Occurrence, Skip

STAFF = Lot(UUID(int=1), "", "")
NINE = 1_772_442_000  # 2026-03-02 09:00 UTC
DAY = 86_400


def test_who_is_alike_is_counted_together() -> None:
    reckoning = Reckoning(NINE + 3 * DAY)
    coming = [Occurrence(NINE, 1, 1), Occurrence(NINE + DAY, 1, 2, ("holiday",))]
    assert reckoning.count(coming, STAFF, "+2547", 3) == (2, 0, False)
    assert reckoning.count(coming[:1], STAFF, "+2511") == (1, 0, False)
    assert list(reckoning) == [Due(STAFF, 1, NINE, 4), Due(STAFF, 2, NINE + DAY, 3)]
    assert reckoning.sold == {(STAFF, "+2547"): {1: 3, 2: 3}, (STAFF, "+2511"): {1: 1}}
    assert reckoning.moved == {("holiday",): 3}


def test_what_is_skipped_says_why_and_the_schedules_own_reason_goes_first() -> None:
    reckoning = Reckoning(NINE + 3 * DAY)
    coming = [Occurrence(NINE, 1, 1), Occurrence(NINE + DAY, 1, 2, (), Skip.HOLIDAY)]
    assert reckoning.count(coming, STAFF, "") == (1, 1, False)
    assert reckoning.skip(coming, "no_address", 2) == (0, 2, False)
    assert reckoning.skipped == {"holiday": 3, "no_address": 2}


def test_what_comes_later_is_told_and_not_counted() -> None:
    reckoning = Reckoning(NINE + DAY)
    assert reckoning.count([Occurrence(NINE, 1, 1), Occurrence(NINE + DAY, 1, 2)], STAFF, "") == (1, 0, True)
    assert reckoning.beyond


def test_too_many_moments_are_counted_more_coarsely_and_none_is_lost() -> None:
    reckoning = Reckoning(NINE + 9 * DAY, most=10)
    for second in range(0, 1_200, 40):
        reckoning.count([Occurrence(NINE + second, 1, 1)], STAFF, "")
    reckoning.thin()
    assert (reckoning.grain, len(list(reckoning)), sum(one.many for one in reckoning)) == (300, 4, 30)
    reckoning.count([Occurrence(NINE + 301, 1, 1)], STAFF, "")
    assert reckoning.by_minute()[NINE + 300] == 8


def test_what_is_late_when_it_begins_is_judged_as_firing_judges_it() -> None:
    now = NINE + 10 * DAY
    late = Lateness(now, patience=2 * DAY, pressing=600, paused=NINE + 5 * DAY)
    days = (4, 5, 7, 9, 10, 11)
    coming = [Occurrence(NINE + day * DAY, 1, day) for day in days]
    coming[1] = coming[1]._replace(skip=Skip.QUIET)
    judged = {one.step: one.skip for one in late.judged(coming)}
    # of two that are late and may still be sent the last is
    assert judged == {4: "paused", 5: "quiet_hours", 7: "missed", 9: "missed", 10: None, 11: None}


def test_counts_by_minute_are_told_by_day_and_hour_of_a_zone() -> None:
    minutes = {NINE: 3, NINE + 15 * 3_600: 2}  # 14:30 in Kolkata, and 05:30 on the next day
    kolkata = ZoneInfo("Asia/Kolkata")
    assert [(day.day, many) for day, many in by_day(minutes, kolkata).items()] == [(2, 3), (3, 2)]
    assert by_hour(minutes, kolkata) == {NINE - 1_800: 3, NINE + 15 * 3_600 - 1_800: 2}
    assert busiest(minutes, {NINE: 3.0, NINE + 15 * 3_600: 6.0}) == (NINE + 15 * 3_600, 2, 6.0)
    assert busiest({}, {}) is None
