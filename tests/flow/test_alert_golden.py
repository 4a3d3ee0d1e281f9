"""The golden cases of the reference for alerts, end to end: a case is saved, an alert launched, time goes by.

`tests/domain/schedule/test_commcare.py` holds the engine to the same numbers. Each test names its golden
case. Where Clarion differs by design its docstring says how (docs/decisions/alerts.md, golden cases).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from clarion.flow.enroll.match import match_cases
from clarion.flow.services import Services
from tests.flow.alert_story import begun, saved, utc
from tests.flow.announcing import at
from tests.store.people import ABEBE, person, store

DATED = {"from": "property", "key": "appointment_date"}
DAILY = {
    "start": DATED, "time": "12:00", "steps": [{"number": 1}], "repeat": {"every": 1, "count": 2},
}  # fmt: skip
NIGHT = "2017-03-16 06:00"  # two in the morning there


# --- 1 to 3: daily at noon, twice


async def test_daily_at_noon_twice_and_then_it_is_finished(services: Services) -> None:
    """Golden case 1."""
    story = await begun(services, NIGHT, DAILY, appointment_date="2017-03-16")
    assert await story.stands() == ("active", "2017-03-16 16:00")
    await story.until("2017-04-16 00:00")
    assert await story.sent() == ["2017-03-16 16:00", "2017-03-17 16:00"]
    assert await story.stands() == ("finished", None)


async def test_a_start_that_moves_a_day_back_goes_on_with_the_second_iteration(services: Services) -> None:
    """Golden case 2: the same enrollment, in the same generation."""
    story = await begun(services, NIGHT, DAILY, appointment_date="2017-03-16")
    await story.says(appointment_date="2017-03-15")
    assert await story.stands() == ("active", "2017-03-16 16:00")
    await story.until("2017-04-16 00:00")
    assert (await story.sent(), await story.iterations()) == (["2017-03-16 16:00"], [(1, 2)])
    assert await story.stands() == ("finished", None)


async def test_a_start_that_moves_so_far_back_that_all_has_passed_is_over_without_a_word(
    services: Services,
) -> None:
    """Golden case 2. The reference calls it finished; here it is lapsed: it is over, and nothing was said."""
    story = await begun(services, NIGHT, DAILY, appointment_date="2017-03-16")
    await story.says(appointment_date="2017-03-14")
    await story.until("2017-04-16 00:00")
    assert (await story.became(), await story.stands()) == ([], ("lapsed", None))


async def test_a_fixed_start_that_an_edit_moves_back_does_the_same(services: Services) -> None:
    """Golden case 2, of an alert that begins on the same day for everybody."""
    fixed = DAILY | {"start": {"from": "moment", "moment": "2017-03-16"}}
    story = await begun(services, NIGHT, fixed)
    await story.edits(DAILY | {"start": {"from": "moment", "moment": "2017-03-15"}})
    await story.until("2017-04-16 00:00")
    assert (await story.sent(), await story.iterations()) == (["2017-03-16 16:00"], [(1, 2)])


@pytest.mark.parametrize(
    ("goes_on", "became", "stands"),
    [
        ("2017-03-16 07:00", [], ("active", "2017-03-16 16:00")),
        ("2017-03-16 17:00", [("2017-03-16 16:00", "paused")], ("active", "2017-03-17 16:00")),
        (
            "2017-04-01 00:00",
            [("2017-03-16 16:00", "paused"), ("2017-03-17 16:00", "paused")],
            ("finished", None),
        ),
    ],
)
async def test_what_was_paused_goes_on_with_what_is_to_come_and_says_nothing_of_what_passed(
    services: Services, goes_on: str, became: list[tuple[str, str]], stands: tuple[str, str | None]
) -> None:
    """Golden case 3. What fell due in the pause has a row that says so; the reference keeps none."""
    story = await begun(services, NIGHT, DAILY, appointment_date="2017-03-16")
    await story.pauses()
    await story.until(goes_on)
    assert await story.became() == []
    await story.goes_on()
    assert (await story.became(), await story.stands()) == (became, stands)
    await story.until("2017-04-16 00:00")
    assert len(await story.became()) == 2
    assert len(await story.sent()) == 2 - len(became)


async def test_an_alert_that_is_paused_stays_in_step_and_floods_nobody(services: Services) -> None:
    """Golden case 3, with cases that move and come meanwhile."""
    story = await begun(services, NIGHT, DAILY, appointment_date="2017-03-16")
    await story.pauses()
    await story.until("2017-03-16 12:00")
    await story.says(appointment_date="2017-03-20")
    await story.says("V2", appointment_date="2017-03-17")
    assert await story.stands("V1") == ("active", "2017-03-20 16:00")
    await story.until("2017-03-18 00:00")
    await story.goes_on()
    assert await story.sent() == []
    await story.until("2017-04-16 00:00")
    assert await story.sent() == ["2017-03-18 16:00", "2017-03-20 16:00", "2017-03-21 16:00"]
    assert await story.became() == [
        ("2017-03-17 16:00", "paused"), ("2017-03-18 16:00", "accepted"), ("2017-03-20 16:00", "accepted"),
        ("2017-03-21 16:00", "accepted"),
    ]  # fmt: skip


# --- 4 and 7 to 9: which days, at which times

_ON = {"start": DATED, "time": "12:00"}
_TWO_A_DAY: dict[str, Any] = {
    "start": DATED, "repeat": {"every": 1, "count": 2},
    "steps": [{"number": 1, "time": "12:00"}, {"number": 2, "time": "13:00"}],
}  # fmt: skip
_MONTHS = {"every": 1, "unit": "month", "count": 2}
_TWICE_A_MONTH = _ON | {
    "repeat": _MONTHS, "steps": [{"number": 1, "month_day": 1}, {"number": 2, "month_day": 15}],
}  # fmt: skip
_LAST_OF_THE_MONTH = _ON | {"repeat": _MONTHS, "steps": [{"number": 1, "month_day": -1}]}
_EVERY_OTHER_WEEK = _ON | {
    "repeat": {"every": 2, "unit": "week", "count": 3},
    "steps": [{"number": 1, "weekday": "mon"}, {"number": 2, "weekday": "fri"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("schedule", "begins", "sent"),
    [
        pytest.param(
            _TWO_A_DAY, "2017-03-16",
            ["2017-03-16 16:00", "2017-03-16 17:00", "2017-03-17 16:00", "2017-03-17 17:00"],
            id="4: twice a day, two days",
        ),
        pytest.param(
            _TWICE_A_MONTH, "2017-04-01",
            ["2017-04-01 16:00", "2017-04-15 16:00", "2017-05-01 16:00", "2017-05-15 16:00"],
            id="7: on the first and the fifteenth",
        ),
        pytest.param(
            _LAST_OF_THE_MONTH, "2017-04-01", ["2017-04-30 16:00", "2017-05-31 16:00"],
            id="8: on the last day of the month",
        ),
        pytest.param(
            _EVERY_OTHER_WEEK, "2018-03-05",
            ["2018-03-05 17:00", "2018-03-09 17:00", "2018-03-19 16:00", "2018-03-23 16:00",
             "2018-04-02 16:00", "2018-04-06 16:00"],
            id="9: every other Monday and Friday, while the clocks change",
        ),
    ],
)  # fmt: skip
async def test_it_is_said_on_the_days_and_at_the_times_that_the_schedule_names(
    services: Services, schedule: dict[str, Any], begins: str, sent: list[str]
) -> None:
    """Golden cases 4, 7, 8 and 9."""
    story = await begun(services, f"{begins} 00:00", schedule, appointment_date=begins)
    assert await story.stands() == ("active", sent[0])
    await story.until("2018-12-31 00:00")
    assert (await story.sent(), await story.stands()) == (sent, ("finished", None))
    assert len(await story.became()) == len(sent)


async def test_a_day_that_a_month_does_not_have_takes_no_iteration(services: Services) -> None:
    """A weakness of the reference: there such a month uses one up."""
    thirtieth = _ON | {
        "repeat": _MONTHS, "steps": [{"number": 1, "month_day": 30}], "missing_day": "skip",
    }  # fmt: skip
    story = await begun(services, "2017-01-31 12:00", thirtieth, appointment_date="2017-01-31")
    await story.until("2017-12-31 00:00")
    assert await story.sent() == ["2017-03-30 16:00", "2017-04-30 16:00"]


# --- 5: a random time


@pytest.mark.parametrize(
    ("opens", "closes", "first", "last"),
    [
        ("12:00", "14:00", "2017-03-16 16:00", "2017-03-16 17:59"),
        ("23:00", "01:00", "2017-03-17 03:00", "2017-03-17 04:59"),
    ],
    ids=["over noon", "over midnight"],
)
async def test_a_random_time_is_within_its_window_and_is_drawn_once(
    services: Services, opens: str, closes: str, first: str, last: str
) -> None:
    """Golden case 5. The reference draws anew at every recalculation; here nothing moves it."""
    window = {"from": opens, "to": closes}
    story = await begun(services, NIGHT, DAILY | {"time": window}, appointment_date="2017-03-16")
    for number in range(2, 9):
        await story.says(f"V{number}", appointment_date="2017-03-16")
    drawn = [(await story.stands(f"V{number}"))[1] for number in range(1, 9)]
    await story.edits(DAILY | {"time": window, "until": {"moment": "2030-01-01"}})
    await story.says("V1", ward="3")
    assert [(await story.stands(f"V{number}"))[1] for number in range(1, 9)] == drawn
    assert all(one is not None and first <= one <= last for one in drawn), drawn
    assert len(set(drawn)) > 3
    await story.until("2017-03-20 00:00")
    day = timedelta(days=1)
    some = [utc(one) for one in await story.sent()]
    assert [one for one in some if one <= utc(last)] == sorted(utc(str(one)) for one in drawn)
    later = [one for one in some if one > utc(last)]
    assert len(later) == 8
    assert all(utc(first) + day <= one <= utc(last) + day for one in later), later


# --- 6 and 12: no start date


async def test_the_first_monday_after_the_case_came_to_meet_the_criteria(services: Services) -> None:
    """Golden case 6."""
    monday = {"start": {"weekday": "mon"}, "time": "12:00", "steps": [{"number": 1}]}
    story = await begun(services, "2017-08-09 07:00", monday)
    assert await story.stands() == ("active", "2017-08-14 16:00")
    await story.until("2017-09-01 00:00")
    assert await story.sent() == ["2017-08-14 16:00"]


@pytest.mark.parametrize(
    ("now", "sent"),
    [("2018-03-01 12:00", "2018-03-01 14:00"), ("2018-03-01 15:00", "2018-03-02 14:00")],
    ids=["before nine", "after nine"],
)
async def test_without_a_start_date_it_begins_on_the_first_day_on_which_its_time_is_still_to_come(
    services: Services, now: str, sent: str
) -> None:
    """Golden case 12. Here the schedule says so: by default what has passed is not said."""
    story = await begun(services, now, {"time": "09:00", "steps": [{"number": 1}], "past": "next"})
    assert await story.stands() == ("active", sent)
    await story.until("2018-03-10 00:00")
    assert await story.sent() == [sent]


async def test_without_a_start_date_a_time_that_has_passed_is_not_said_by_default(services: Services) -> None:
    """Golden case 12, as Clarion has it where a schedule says nothing of it."""
    story = await begun(services, "2018-03-01 15:00", {"time": "09:00", "steps": [{"number": 1}]})
    assert (await story.became(), await story.stands()) == ([], ("lapsed", None))


# --- 10: until a date that a property says


@pytest.mark.parametrize(
    ("stop", "due", "zone", "said"),
    [
        ("2018-07-01", "2018-06-30 23:59", "workspace", True),
        ("2018-07-01", "2018-07-01 00:00", "workspace", False),
        ("2018-07-01", "2018-06-30 23:59", "UTC", True),
        ("2018-07-01", "2018-07-01 00:00", "UTC", False),
        ("", "2018-07-01 00:00", "workspace", True),
        ("when she says so", "2018-07-01 00:00", "workspace", True),
        (None, "2018-07-01 00:00", "workspace", True),
    ],
)
async def test_nothing_is_said_on_the_stop_date_or_later(
    services: Services, stop: str | None, due: str, zone: str, *, said: bool
) -> None:
    """Golden case 10. A date is its midnight, by the clock of the schedule's zone."""
    day, time = due.split()
    schedule = {
        "start": DATED, "time": time, "steps": [{"number": 1}], "zone": zone, "until": {"property": "stop"},
    }  # fmt: skip
    story = await begun(services, "2018-06-29 12:00", schedule, appointment_date=day, stop=stop)
    await story.until("2018-07-03 00:00")
    expected = due if zone == "UTC" else {"00:00": "2018-07-01 04:00", "23:59": "2018-07-01 03:59"}[time]
    assert await story.sent() == ([expected] if said else [])
    assert await story.stands() == ("finished" if said else "lapsed", None)


async def test_a_later_stop_date_goes_on_from_now_and_makes_up_for_nothing(services: Services) -> None:
    """Of the reference's semantics: a later stop date re-activates and fast-forwards."""
    daily = {
        "start": DATED, "time": "12:00", "steps": [{"number": 1}], "repeat": {"every": 1},
        "until": {"property": "stop"},
    }  # fmt: skip
    story = await begun(services, NIGHT, daily, appointment_date="2017-03-16", stop="2017-03-17")
    await story.until("2017-03-20 06:00")
    assert await story.stands() == ("finished", None)
    await story.says(stop="2017-03-22")
    await story.until("2017-04-16 00:00")
    assert await story.sent() == ["2017-03-16 16:00", "2017-03-20 16:00", "2017-03-21 16:00"]
    assert {generation for generation, _ in await story.iterations()} == {1}


# --- 11: from a date that a property says


async def test_a_start_that_a_property_says_is_followed_wherever_it_goes(services: Services) -> None:
    """Golden case 11. Where it says no date the reference removes the recipient; here they wait for one
    (`no_start`), and nothing is sent. Where all has passed the reference calls it finished; here lapsed."""
    once = {"start": DATED, "time": "09:00", "steps": [{"number": 1}]}
    story = await begun(services, "2017-05-01 00:00", once, appointment_date="")
    told = [await story.stands()]
    for date in ("2017-06-01", "2017-07-01", "2017-04-01", "xyz", "2017-06-01"):
        await story.says(appointment_date=date)
        told.append(await story.stands())
    assert told == [
        ("no_start", None), ("active", "2017-06-01 13:00"), ("active", "2017-07-01 13:00"), ("lapsed", None),
        ("no_start", None), ("active", "2017-06-01 13:00"),
    ]  # fmt: skip
    await story.until("2017-06-10 00:00")
    await story.says(appointment_date="2017-07-01")
    await story.until("2017-08-01 00:00")
    assert await story.sent() == ["2017-06-01 13:00", "2017-07-01 13:00"]
    assert await story.iterations() == [(1, 1), (2, 1)], "what was said begins the next time round"


# --- 13: at once

AT_ONCE = {"steps": [{"number": 1}]}
WAITS = {"steps": [{"number": 1, "minutes": 5}, {"number": 2, "minutes": 20}]}
BOTH = {"recipients": [{"to": "role", "role": "phone"}, {"to": "role", "role": "helper"}]}
TRIGGERED = "2017-03-16 06:42:21"


async def test_it_is_said_in_the_second_in_which_the_case_comes_to_meet_the_criteria(
    services: Services,
) -> None:
    """Golden case 13."""
    story = await begun(services, "2017-03-16 06:00", AT_ONCE, status="open")
    assert await story.became() == []
    await story.until(TRIGGERED)
    await story.says()
    assert (await story.sent(), await story.stands()) == ([TRIGGERED], ("finished", None))


@pytest.mark.parametrize(
    ("joins", "heard"),
    [
        ("2017-03-16 06:43:00", ["2017-03-16 06:47:21", "2017-03-16 07:02:21"]),
        ("2017-03-16 06:50:00", ["2017-03-16 07:02:21"]),
        ("2017-03-16 08:00:00", []),
    ],
)
async def test_a_recipient_who_is_added_later_takes_the_place_that_was_reached(
    services: Services, joins: str, heard: list[str]
) -> None:
    """Golden case 13: waits of five and fifteen minutes, and nothing for who comes after the last."""
    story = await begun(services, TRIGGERED, WAITS, more=BOTH)
    async with story.services.db.tenant(story.workspace) as connection:
        await store(connection, [person("Abebe", ABEBE, external_id="H")], story.services.clock.now())
    await story.until(joins)
    await story.says(contacts={"helper": ["H"]})
    await story.until("2017-03-17 00:00")
    assert await story.sent() == ["2017-03-16 06:47:21", "2017-03-16 07:02:21"]
    assert await story.sent("Abebe") == heard
    assert (await story.stands(name="Abebe"))[0] == ("finished" if heard else "lapsed")


@pytest.mark.parametrize(
    ("late", "became"),
    [("2017-03-18 06:42:20", "accepted"), ("2017-03-18 06:42:22", "missed")],
    ids=["two days but for a second", "two days and a second"],
)
async def test_what_is_more_than_two_days_late_is_skipped_and_that_was_it(
    services: Services, late: str, became: str
) -> None:
    """Golden case 13. The skipped one has a row, with its reason. At two days to the second it expires."""
    story = await begun(services, "2017-03-16 06:00", AT_ONCE, status="open")
    story.sleeps(TRIGGERED)
    await saved(story.services, story.workspace)
    await match_cases(story.services, story.workspace)  # it is due, and then no worker runs
    story.sleeps(late)
    await story.work()
    assert (await story.became(), await story.stands()) == ([(TRIGGERED, became)], ("finished", None))


# --- what else the reference does


async def test_another_value_of_the_restart_property_begins_anew_at_once_or_from_today(
    services: Services,
) -> None:
    """Of the reference's semantics: an alert goes again now, a timed schedule from today."""
    again = {"restart_on": "round"}
    at_once = await begun(services, TRIGGERED, AT_ONCE, more=again, round="1")
    timed = await begun(
        services, TRIGGERED, {"time": "12:00", "steps": [{"number": 1}]}, more=again, round="1"
    )
    for story in (at_once, timed):
        await story.until("2017-03-20 06:00")
        await story.says(round="1")
        await story.says(round="2")
        await story.until("2017-03-25 00:00")
        assert await story.iterations() == [(1, 1), (2, 1)]
    assert await at_once.sent() == [TRIGGERED, "2017-03-20 06:00"]
    assert await timed.sent() == ["2017-03-16 16:00", "2017-03-20 16:00"]


@pytest.mark.parametrize(("hour", "sent"), [("9:30", "13:30"), ("soon", "16:00"), (None, "16:00")])
async def test_the_time_of_day_may_be_the_cases_own_or_else_noon(
    services: Services, hour: str | None, sent: str
) -> None:
    """Of the reference's semantics: a case property H:MM, else 12:00."""
    own = {"start": DATED, "time": {"property": "hour"}, "steps": [{"number": 1}]}
    story = await begun(services, NIGHT, own, appointment_date="2017-03-16", hour=hour)
    await story.until("2017-03-20 00:00")
    assert await story.sent() == [f"2017-03-16 {sent}"]


async def test_what_the_criteria_end_is_over_and_what_they_begin_again_is_the_next_time_round(
    services: Services,
) -> None:
    """Stopped and begun again: of what was left of the first time round nothing comes."""
    story = await begun(services, NIGHT, DAILY, appointment_date="2017-03-16")
    await story.until("2017-03-16 20:00")
    await story.says(status="done", appointment_date="2017-03-16")
    assert await story.stands() == ("no_match", None)
    await story.until("2017-06-01 00:00")
    await story.says(appointment_date="2017-06-10")
    assert at(story.services).now() == utc("2017-06-01 00:00")
    await story.until("2017-07-01 00:00")
    assert await story.sent() == ["2017-03-16 16:00", "2017-06-10 16:00", "2017-06-11 16:00"]
    assert await story.iterations() == [(1, 1), (2, 1), (2, 2)]
