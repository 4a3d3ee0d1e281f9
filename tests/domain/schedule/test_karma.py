"""The Karma schedule: iterations of twelve days, bot 1 three times and bot 2 once, at hours that all come."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from clarion.domain.schedule.check import read
from clarion.domain.schedule.plan import Plan
from clarion.domain.schedule.subject import Subject
from clarion.domain.schedule.zones import EPOCH, zone
from tests.domain.schedule.computed import KOLKATA, NAIROBI, NEW_YORK, moment

KARMA = Path(__file__).parents[3] / "examples" / "karma.json"
DAYS = [12 * turn + day for turn in range(4) for day in (0, 3, 6, 9)]
ZONES = (NAIROBI, KOLKATA, NEW_YORK)


def test_sixteen_interactions_of_2_000_people_in_three_zones() -> None:
    schedule = read(json.loads(KARMA.read_text()))
    plan, content = Plan(schedule), {step.number: step.content for step in schedule.steps}
    calendars = set()
    for n in range(2_000):
        where = ZONES[n % 3]
        person = Subject(
            f"person {n}",
            moment("2026-02-20 00:00"),
            "karma",
            where,
            fields={"registration_date": "2026-03-01"},
        )
        found = list(plan.occurrences(person))
        assert Counter(content[one.step] for one in found) == {"bot 1": 12, "bot 2": 4}
        assert [(one.iteration, one.step) for one in found] == [
            (turn, step) for turn in range(1, 5) for step in range(1, 5)
        ]
        walls = [zone(where).wall(one.due) for one in found]
        day0 = moment("2026-03-01 00:00").toordinal()
        assert [wall.day - day0 for wall in walls] == DAYS
        assert DAYS[0] == 0
        assert DAYS[-1] == 45
        hours = Counter(wall.second / 3600 for wall in walls)
        assert set(hours) == set(range(9, 22)), "every hourly slot, the last one too"
        assert {hour for hour, times in hours.items() if times == 2} == {12, 18, 20}
        assert day0 > EPOCH
        calendars.add(tuple(wall.second for wall in walls))
    assert len(calendars) == 2_000, "everybody has times of their own"
