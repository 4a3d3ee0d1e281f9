"""What is random: where it may be, how it is spread, and that nothing moves it once it is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.domain.schedule.days import choose
from clarion.domain.schedule.draws import below, draw, even, person_key, shuffled
from clarion.domain.schedule.subject import Occurrence
from clarion.domain.schedule.zones import zone
from tests.domain.schedule.computed import KOLKATA, NAIROBI, NEW_YORK, occurrences, said, subject

PEOPLE = [f"person {n}" for n in range(2_000)]
FROM = {"from": "moment", "moment": "2026-01-05"}
CHI_SQUARED = {11: 31.3, 12: 32.9, 59: 98.3, 119: 172.4}  # exceeded by one in a thousand


def local(one: Occurrence, where: str = NEW_YORK) -> tuple[int, int]:
    """(day, minute) as the person's clocks show it."""
    day, second = zone(where).wall(one.due)
    return day, second // 60


def chi_squared(counts: Sequence[int], expected: float) -> float:
    return sum((count - expected) ** 2 / expected for count in counts)


def window(strategy: str, opens: str = "09:00", closes: str = "21:00", **more: Any) -> dict[str, Any]:
    return {"from": opens, "to": closes, "strategy": strategy, **more}


def daily(count: int, time: dict[str, Any]) -> dict[str, Any]:
    return {"start": FROM, "time": time, "steps": [{"number": 1}], "repeat": {"every": 1, "count": count}}


# --- uniform


def test_uniform_times_fall_on_all_hours_and_minutes_alike() -> None:
    minutes = [
        local(one)[1]
        for person in PEOPLE
        for one in occurrences(daily(6, window("uniform")), subject(key=person))
    ]
    assert len(minutes) == 12_000
    assert min(minutes) == 9 * 60
    assert max(minutes) == 21 * 60 - 1
    hours = Counter(minute // 60 for minute in minutes)
    assert chi_squared([hours[hour] for hour in range(9, 21)], 1_000) < CHI_SQUARED[11]
    of_hour = Counter(minute % 60 for minute in minutes)
    assert chi_squared([of_hour[minute] for minute in range(60)], 200) < CHI_SQUARED[59]


def test_the_times_of_one_person_are_no_hint_of_the_next_ones() -> None:
    pairs: Counter[tuple[int, int]] = Counter()
    for person in PEOPLE:
        first, second = (
            local(one)[1] // 180 for one in occurrences(daily(2, window("uniform")), subject(key=person))
        )
        pairs[first, second] += 1
    assert len(pairs) == 16
    assert chi_squared(list(pairs.values()), len(PEOPLE) / 16) < 37.7  # 15 degrees of freedom


# --- spread


@pytest.mark.parametrize("people", [1, 7, 500, 719, 720, 721, 2_000])
def test_spread_over_an_audience_no_minute_has_more_than_one_more_than_another(people: int) -> None:
    found = [
        one for place in range(people)
        for one in occurrences(daily(3, window("spread")), subject(key=f"person {place}", place=place))
    ]  # fmt: skip
    for day in range(3):
        load = Counter(local(one)[1] for one in found if one.iteration == day + 1)
        assert sum(load.values()) == people
        assert max(load.values()) - (min(load.values()) if people >= 720 else 0) <= 1
        assert all(9 * 60 <= minute < 21 * 60 for minute in load)


def test_few_people_are_spread_out_too() -> None:
    for width in (60, 720, 1_440):
        for people in (10, 30):
            minutes = sorted(even(place, width, 0) for place in range(people))
            gaps = [b - a for a, b in pairwise([*minutes, minutes[0] + width])]
            assert max(gaps) <= 3 * width / people


def test_somebody_early_today_is_not_early_every_day() -> None:
    hours = {local(one)[1] // 60 for one in occurrences(daily(30, window("spread")), subject(place=4))}
    assert len(hours) > 6


# --- cover


@pytest.mark.parametrize("person", PEOPLE[:200])
def test_every_hour_of_the_window_comes_once_before_any_comes_again(person: str) -> None:
    valued = {"12:00": 1, "18:00": 1, "20:00": 1}
    found = occurrences(daily(16, window("cover", valued=valued)), subject(key=person))
    hours = [local(one)[1] / 60 for one in found]
    assert sorted(hours[:13]) == list(range(9, 22)), "the last hour included"
    assert sorted(hours[13:]) == [12, 18, 20]


def test_the_order_in_which_the_hours_come_is_fair() -> None:
    firsts = Counter(
        local(occurrences(daily(16, window("cover", valued={"12:00": 3})), subject(key=person))[0])[1]
        for person in PEOPLE
    )
    assert chi_squared([firsts[hour * 60] for hour in range(9, 22)], len(PEOPLE) / 13) < CHI_SQUARED[12]


def test_when_all_have_come_they_begin_anew_in_another_order() -> None:
    hours = [local(one)[1] // 60 for one in occurrences(daily(26, window("cover", again=True)), subject())]
    assert sorted(hours[:13]) == sorted(hours[13:]) == list(range(9, 22))
    assert hours[:13] != hours[13:]


def test_two_windows_that_open_together_are_covered_each_by_itself() -> None:
    steps = [{"number": 1}, {"number": 2, "time": window("cover", closes="12:00")}]
    found = occurrences({**daily(4, window("cover")), "steps": steps}, subject())
    hours = {number: [local(one)[1] // 60 for one in found if one.step == number] for number in (1, 2)}
    assert sorted(hours[2]) == [9, 10, 11, 12]
    assert len(set(hours[1])) == 4


def test_a_window_over_midnight_is_covered_too() -> None:
    found = occurrences(daily(4, window("cover", "22:00", "01:00")), subject())
    assert sorted(local(one)[1] // 60 for one in found) == [0, 1, 22, 23]


# --- random days and intervals


def test_every_choice_of_days_is_as_likely_as_another() -> None:
    weekdays, key = (True, True, False, True, True, True, False), person_key("", "Amina")
    possible = [
        days for days in combinations(range(7), 3)
        if all(weekdays[day] for day in days) and all(b - a >= 2 for a, b in pairwise(days))
    ]  # fmt: skip
    drawn = Counter(
        tuple(choose(weekdays, 3, 2, 0, draw(key, "days", n))) for n in range(len(possible) * 500)
    )
    assert set(drawn) == set(possible)
    assert chi_squared(list(drawn.values()), 500) < 3 * len(possible) + 20


def tracks(**more: Any) -> dict[str, Any]:
    """Bot 1 three times and bot 2 once in every iteration of twelve days, at random."""
    random = {"days": 12, "tracks": [{"numbers": [1, 2, 3]}, {"numbers": [4]}], "gap": 2, **more}
    return {
        "start": FROM, "time": window("uniform"), "random_days": random,
        "repeat": {"every": 12, "count": 6},
    }  # fmt: skip


@pytest.mark.parametrize("person", PEOPLE[:100])
def test_so_many_a_round_on_allowed_days_with_days_between_them(person: str) -> None:
    weekdays = ["mon", "tue", "wed", "thu", "fri"]
    found = occurrences(tracks(weekdays=weekdays), subject(key=person))
    assert Counter(one.iteration for one in found) == dict.fromkeys(range(1, 7), 4)
    assert len({(one.iteration, one.step) for one in found}) == 24
    on = [local(one)[0] for one in found]
    assert all(later - earlier >= 2 for earlier, later in pairwise(on)), "from one iteration to the next too"
    assert {date.fromordinal(day).weekday() for day in on} <= set(range(5))
    for n, one in enumerate(found):
        begins = date(2026, 1, 5) + timedelta(days=12 * (one.iteration - 1))
        assert 0 <= on[n] - begins.toordinal() < 12


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_random_days_are_the_same_from_wherever_they_are_computed(data: st.DataObject) -> None:
    """Iterations are apart, and none need be computed for the sake of one that is long past."""
    count = data.draw(st.integers(1, 4))
    gap = data.draw(st.integers(0, 28 // count))
    days = data.draw(st.integers(max(1, count * max(1, gap)), 28))
    random = {"days": days, "gap": gap, "tracks": [{"numbers": list(range(1, count + 1))}]}
    if data.draw(st.booleans()):
        random["weekdays"] = ["mon", "tue", "thu", "sun"]
    repeat = data.draw(st.sampled_from([{"every": days}, {"every": days + 1}, {"unit": "month"}]))
    document = {"start": FROM, "time": "09:00", "random_days": random, "repeat": repeat}
    somebody = subject(key=data.draw(st.sampled_from(PEOPLE[:50])))
    begins = data.draw(st.integers(0, 4_000))
    since, until = (f"{date(2026, 1, 5) + timedelta(days=n)} 00:00" for n in (begins, begins + 60))
    all_of_it = occurrences(document, somebody, until=until, most=20_000)
    later = [one for one in all_of_it if said(one) >= since]
    assert occurrences(document, somebody, since=since, until=until, most=20_000) == later


def test_a_gap_is_kept_between_iterations_that_are_long_past_the_first() -> None:
    for person in PEOPLE[:50]:
        found = occurrences(
            tracks(gap=3) | {"repeat": {"every": 12}}, subject(key=person), since="2090-01-01 00:00"
        )
        assert all(later - earlier >= 3 for earlier, later in pairwise(local(one)[0] for one in found))


def test_which_track_has_which_day_is_random_and_each_keeps_its_order() -> None:
    places: Counter[int] = Counter()
    for person in PEOPLE:
        found = occurrences(tracks(), subject(key=person))[:4]
        assert [one.step for one in found if one.step < 4] == [1, 2, 3]
        places[[one.step for one in found].index(4)] += 1
    assert chi_squared(list(places.values()), len(PEOPLE) / 4) < 16.3  # 3 degrees of freedom


def test_a_round_begins_a_random_number_of_days_after_the_one_before() -> None:
    document = {
        "start": FROM, "steps": [{"number": 1, "time": "09:00"}], "repeat": {"every": [2, 5], "count": 30},
    }  # fmt: skip
    gaps = Counter(
        later - earlier
        for person in PEOPLE[:200]
        for earlier, later in pairwise(local(one)[0] for one in occurrences(document, subject(key=person)))
    )
    assert set(gaps) == {2, 3, 4, 5}
    assert chi_squared(list(gaps.values()), sum(gaps.values()) / 4) < 16.3


# --- what is drawn stays drawn


def test_the_same_person_has_the_same_times_whatever_else_changes() -> None:
    before = occurrences(daily(10, window("uniform")), subject())
    more = daily(20, window("uniform"))
    more["steps"].append({"number": 2, "days": 1})
    more["missing_day"] = "skip"
    after = [one for one in occurrences(more, subject(place=9, fields={"a": 1}), most=80) if one.step == 1]
    assert [said(one) for one in after[:10]] == [said(one) for one in before]
    assert occurrences(daily(10, window("uniform")), subject(), since="2026-01-09 00:00")[0] in before


def test_another_person_another_campaign_and_another_occurrence_draw_anew() -> None:
    document = daily(5, window("uniform"))
    times = {tuple(said(one) for one in occurrences(document, subject(key=key))) for key in PEOPLE[:50]}
    assert len(times) == 50
    assert occurrences(document, subject(seed="one")) != occurrences(document, subject(seed="another"))
    assert len({local(one)[1] for one in occurrences(document, subject())}) > 2


def test_draws_are_what_they_were_in_the_first_version() -> None:
    """For ever: a change here would move every time that was ever shown to somebody."""
    key = person_key("a campaign", "Amina")
    assert key.hex() == "763c0294c977ce81adaa4fbeaa09bd1f"
    assert draw(key, "time", 3, 1) == 7823884012570401722
    assert [below(draw(key, "time", n, 1), 720) for n in range(5)] == [588, 282, 609, 305, 695]
    order = [8, 0, 11, 12, 5, 9, 10, 7, 4, 6, 1, 3, 2]
    assert list(shuffled(draw(key, "cover", 540, 0), range(13))) == order


@pytest.mark.parametrize("where", [NAIROBI, KOLKATA, NEW_YORK])
def test_windows_are_of_the_persons_own_day(where: str) -> None:
    for one in occurrences(daily(30, window("uniform")), subject(zone=where)):
        assert 9 * 60 <= local(one, where)[1] < 21 * 60


@pytest.mark.parametrize(("passed", "enrolled", "first"), [
    ("now", "2026-01-05 18:00", "2026-01-05 18:00"),  # 13:00 there, and her slot was in the morning
    ("skip", "2026-01-05 18:00", "2026-01-06"),
    ("now", "2026-01-06 03:00", "2026-01-06"),  # the window is over
])  # fmt: skip
def test_a_slot_that_has_passed_at_the_enrollment(passed: str, enrolled: str, first: str) -> None:
    key = next(
        person for person in PEOPLE
        if local(occurrences(daily(1, window("uniform")), subject(key=person))[0])[1] < 11 * 60
    )  # fmt: skip
    document = daily(2, window("uniform", passed=passed))
    found = occurrences(document, subject(enrolled, key))
    assert said(found[0]).startswith(first)
    assert ("already_passed" in found[0].moved) == (first == enrolled)
