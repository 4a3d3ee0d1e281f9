"""A schedule in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clarion.domain.schedule.check import read
from clarion.domain.schedule.sentence import describe

KARMA = Path(__file__).parents[3] / "examples" / "karma.json"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            {"steps": [{"number": 1, "time": "09:00"}]},
            "It begins when somebody is enrolled. Once: step 1 on that day at 09:00. Times are those "
            "where the contact is.",
        ),
        (
            {
                "start": {"from": "property", "key": "visit", "days": -2}, "zone": "workspace",
                "steps": [{"number": 1, "content": "reminder"}],
                "time": {"field": "hour", "otherwise": "9:00"},
            },
            "It begins 2 days before the case's visit. Once: reminder on that day. Each is sent "
            "at the time in hour, else at 09:00. Times are the workspace's.",
        ),
        (
            {
                "start": {"from": "moment", "moment": "2026-03-01", "weekday": "mon"},
                "zone": "Africa/Nairobi",
                "steps": [{"number": 1, "weekday": "mon"}, {"number": 2, "weekday": "fri", "time": "10:00"}],
                "time": {"from": "09:00", "to": "12:00", "strategy": "spread"},
                "repeat": {"every": 2, "unit": "week", "count": 3}, "until": {"field": "left_on"},
                "holidays": {"country": "KE", "policy": "skip"},
                "hours": {"quiet": [{"from": "21:00", "to": "07:00"}]},
            },
            "It begins on 2026-03-01, on the first Monday from then on. Every 2 weeks, 3 times: step 1 "
            "on Monday and step 2 on Friday at 10:00. Each is sent between 09:00 and 12:00, everybody "
            "at another time, evenly. Nothing is sent from the contact's left_on on. Times are those of "
            "Africa/Nairobi. People are told not from 21:00 to 07:00; what would come at another hour waits. "
            "What would fall on a public holiday of KE is not sent.",
        ),
        (
            {
                "random_days": {
                    "days": 7, "gap": 2, "weekdays": ["mon", "tue", "wed", "thu", "fri"],
                    "tracks": [{"numbers": [1, 2], "content": "bot 1"}],
                },
                "time": {"from": "09:00", "to": "21:00"}, "repeat": {"unit": "week"},
            },
            "It begins when somebody is enrolled. Every week, for ever: twice bot 1 on random days of "
            "7, on Monday, Tuesday, Wednesday, Thursday or Friday, at least 2 days apart. They are sent "
            "at a random time between 09:00 and 21:00. Times are those where the contact is.",
        ),
        (
            {"steps": [{"number": 1, "month_day": 1}, {"number": 2, "month_day": -1}],
             "time": "12:00", "repeat": {"unit": "month"}},
            "It begins when somebody is enrolled. Every month, for ever: step 1 on the 1st of the month "
            "and step 2 on the last day of the month. Each is sent at 12:00. Times are those where the "
            "contact is.",
        ),
    ],
)  # fmt: skip
def test_a_schedule_is_told_in_words(document: dict[str, Any], said: str) -> None:
    assert describe(read(document)) == said


@pytest.mark.parametrize(
    ("rrule", "said"),
    [
        ("FREQ=DAILY", "Every day, for ever"),
        ("FREQ=WEEKLY;BYDAY=MO,TH", "Every Monday and Thursday, for ever"),
        ("FREQ=MONTHLY;BYMONTHDAY=15", "On day 15 of every month, for ever"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "On the last day of every month, for ever"),
        ("FREQ=MONTHLY;BYMONTHDAY=-3", "By the rule FREQ=MONTHLY;BYMONTHDAY=-3, for ever"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "By the rule FREQ=WEEKLY;INTERVAL=2;BYDAY=MO, for ever"),
    ],
)
def test_the_rules_that_most_people_write_are_told_in_words(rrule: str, said: str) -> None:
    schedule = read({"steps": [{"number": 1, "time": "09:00"}], "repeat": {"rrule": rrule}})
    assert f" {said}: step 1" in describe(schedule)
    assert describe(schedule, announced=True).startswith("It begins when it is launched.")


def test_the_example_is_told_in_words() -> None:
    assert describe(read(json.loads(KARMA.read_text()))) == (
        "It begins on the contact's registration_date. Every 12 days, 4 times: bot 1 on the first "
        "day, bot 1 3 days later, bot 1 6 days later and bot 2 9 days later. Each is sent at a full "
        "hour between 09:00 and 21:00, each hour once before any comes again (12:00 once, 18:00 "
        "once and 20:00 once more). Times are those where the contact is."
    )


def test_of_very_many_steps_the_first_and_the_last_are_told() -> None:
    steps = [{"number": n + 1, "days": n, "content": f"tip {n}"} for n in range(365)]
    said = describe(read({"steps": steps, "time": "09:00"}))
    assert "Once: 365 steps, from tip 0 on the first day to tip 364 364 days later. Each is sent" in said
