"""What a plan yields, from when to when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clarion.domain.schedule.model import Schedule
from clarion.domain.schedule.plan import Plan
from clarion.domain.schedule.subject import Subject

AT_ONCE = Plan(Schedule.model_validate({"steps": [{"number": 1}], "repeat": {"every": 1, "count": 2}}))
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("fraction", [0, 1, 400_000, 999_999])
def test_what_begins_at_the_enrollment_is_said_in_whatever_part_of_a_second_that_was(fraction: int) -> None:
    enrolled_at = NOON.replace(microsecond=fraction)
    amina = Subject("Amina", enrolled_at)
    due = [one.due_at for one in AT_ONCE.occurrences(amina, enrolled_at)]
    assert due == [NOON, NOON + timedelta(days=1)]


def test_what_was_due_before_the_moment_from_which_on_one_asks_is_not_in_it() -> None:
    amina = Subject("Amina", NOON)
    since = NOON + timedelta(days=1, microseconds=1)
    assert list(AT_ONCE.occurrences(amina, since)) == []
    assert len(list(AT_ONCE.occurrences(amina, NOON + timedelta(days=1)))) == 1
