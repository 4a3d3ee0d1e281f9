"""Criteria of a case: what they mean of a visit to Amina, and when the calendar turns them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.domain import point
from clarion.domain.case_matching import case_matches, next_turn
from clarion.domain.case_view import CaseView
from clarion.domain.criteria import parse_criteria
from clarion.domain.field import FieldType, parse_value
from tests.domain import case_cast as cast
from tests.domain.case_visit import AMINA, ROSA, VISIT, checked, holds, leaf, today, turns
from tests.domain.criteria_strategies import KNOWN


@pytest.mark.parametrize(
    ("tree", "true"),
    [
        (leaf("note", "starts_with", "line"), True),
        (leaf("note", "equal", "LINE\nA-17"), False),
        (leaf("note", "matches", "A-[0-9]+$"), True),
        (leaf("note", "matches", "^A"), False),
        (leaf("note", "matches", "line.A"), True),
        (leaf("count", "matches", "^5$"), True),
        (leaf("score", "gt", 6.5), True),
        (leaf("score", "in", ["7", 8]), True),
        (leaf("score", "between", [8, 9]), False),
        (leaf("urgent", "equal", True), True),
        (leaf("urgent", "equal", "no"), False),
        (leaf("type", "equal", "visit"), True),
        (leaf("external_id", "starts_with", "V-"), True),
        (leaf("name", "equal", "visit"), False),
        (leaf("closed", "equal", False), True),
        (leaf("owner", "equal", "CHW-4"), True),
        (leaf("host", "no_value"), True),
        (leaf("closed_at", "has_value"), False),
        # a date by its day, and a moment by its day there
        (leaf("due", "equal", today(2)), True),
        (leaf("due", "between", [today(0), today(2)]), True),
        (leaf("due", "between", ["2026-03-01", today(1)]), False),
        (leaf("due", "gte", "4.3.2026"), True),
        (leaf("at", "lt", today(0)), True),
        (leaf("at", "equal", "2026-03-01T23:30"), True),
        (leaf("at", "gt", "2026-03-01T20:29:59Z"), True),
        (leaf("due", "gt", "2026-03-03T23:59"), True),  # a time of day: where the day begins
        (leaf("due", "gt", "2026-03-04T00:01"), False),
        (leaf("opened_at", "lt", today(-10)), False),
        (leaf("modified_at", "lte", today(-2)), True),
        (leaf("modified_at", "lte", today(-3)), False),  # since 27 February, 13:00 there: not yet three days
        # what nobody declared, by what it is compared with
        (leaf("extra", "equal", 5), True),
        (leaf("extra", "equal", "5"), True),
        (leaf("extra", "equal", "5.0"), False),
        (leaf("extra", "gt", 4), True),
        (leaf("count", "equal", "5"), True),
        (leaf("flag", "equal", True), True),
        (leaf("flag", "equal", "true"), True),
        (leaf("day", "lte", today(2)), True),
        (leaf("day", "lt", "2026-03-05"), True),
        (leaf("day", "equal", "2026-03-04"), True),
        (leaf("day", "in", [today(2), "2026-03-09"]), True),
        # the parent, as its own type declares it
        (leaf("closed", "equal", True, "parent"), True),
        (leaf("score", "equal", "034", "parent"), True),
        (leaf("score", "gt", 3, "parent"), False),
        (leaf("extra", "gt", 33, "parent"), True),
        (leaf("extra", "no_value", None, "host"), True),
        (leaf("extra", "not_equal", "x", "host"), False),
        # changes
        ({"property": "note", "changed_to": "line\nA-17"}, True),
        ({"property": "note", "changed_to": "line"}, False),
        ({"property": "extra", "changed_to": 5}, False),
        ({"property": "extra", "changed_to": 34, "of": "parent"}, True),
        # people
        ({"field": "language", "op": "equal", "value": "sw"}, True),
        ({"field": "language", "op": "equal", "value": "sw", "of": "owner"}, False),
        ({"field": "language", "op": "equal", "value": "en", "of": "role:helper"}, True),
        ({"field": "language", "op": "no_value", "of": "modified_by"}, False),
        ({"in_group": "finance"}, True),
        ({"in_group": "finance", "nested": False}, False),
        ({"in_group": "managers", "nested": False, "of": "role:helper"}, True),
        ({"in_group": "managers", "of": "owner"}, False),
    ],
)
def test_criteria_mean_of_a_visit(tree: dict[str, Any], true: bool) -> None:
    assert checked(tree) == []
    assert holds(tree) is true
    assert holds({"not": tree}) is not true


@pytest.mark.parametrize("state", ["closed", "deleted"])
def test_a_closed_or_deleted_case_never_matches_and_nothing_turns(state: str) -> None:
    gone = replace(VISIT, state=state)
    soon = leaf("due", "equal", today(1))
    for tree in (soon, {"not": soon}, leaf("state", "equal", state)):
        assert not holds(tree, gone)
        assert turns(tree, gone) is None


@pytest.mark.parametrize(
    "tree",
    [
        leaf("missing", "equal", "x"), leaf("missing", "not_equal", "x"), leaf("missing", "has_value"),
        leaf("missing", "matches", ".*"), leaf("odd", "not_equal", 5), leaf("odd", "lt", today(100)),
        leaf("odd", "equal", False), leaf("closed_at", "lt", today(1)), leaf("note", "gt", today(0)),
        leaf("note", "matches", "(a)\\1"), {"property": "missing", "changed_to": "x"},
    ],
)  # fmt: skip
def test_a_missing_value_makes_everything_false_but_its_negation(tree: dict[str, Any]) -> None:
    assert not holds(tree)
    assert holds({"not": tree})
    assert turns(tree) is turns({"not": tree}) is None


def test_the_first_address_property_that_names_anybody_is_whom_fields_are_asked_of() -> None:
    english = {"field": "language", "op": "equal", "value": "en"}
    assert not holds(english)  # phone names nobody, spouse names Amina; "aaa" is a role, no address
    assert holds(english, replace(VISIT, contacts={"phone": (ROSA,), "spouse": (AMINA,)}))
    assert not holds(english, replace(VISIT, contacts={}))


@pytest.mark.parametrize(
    ("tree", "day"),
    [
        (leaf("due", "equal", today(0)), date(2026, 3, 4)),
        (leaf("due", "equal", today(1)), date(2026, 3, 3)),
        (leaf("due", "equal", today(2)), date(2026, 3, 3)),  # it is today, and tomorrow no more
        (leaf("due", "equal", today(3)), None),
        (leaf("due", "in", [today(1), today(2)]), date(2026, 3, 4)),
        (leaf("due", "in", [today(1), "2026-03-04"]), None),
        (leaf("due", "not_equal", today(0)), date(2026, 3, 4)),
        (leaf("due", "gt", today(0)), date(2026, 3, 4)),
        (leaf("due", "gte", today(0)), date(2026, 3, 5)),
        (leaf("due", "lt", today(0)), date(2026, 3, 5)),
        (leaf("due", "lte", today(0)), date(2026, 3, 4)),
        (leaf("due", "lte", today(5)), None),
        (leaf("due", "between", [today(0), today(1)]), date(2026, 3, 3)),
        (leaf("due", "between", [today(0), today(2)]), date(2026, 3, 5)),
        (leaf("due", "between", [today(1), today(0)]), None),
        (leaf("due", "between", ["2026-03-01", today(0)]), date(2026, 3, 4)),
        (leaf("due", "between", ["2026-03-05", today(0)]), None),
        (leaf("due", "between", [today(0), "2026-03-10"]), date(2026, 3, 5)),
        (leaf("due", "equal", "2026-03-04"), None),
        (leaf("due", "has_value"), None),
        (leaf("modified_at", "lte", today(-7)), date(2026, 3, 7)),
        (leaf("modified_at", "equal", today(-7)), None),  # no midnight
        ({"property": "note", "op": "has_value"}, None),
        ({"field": "start_date", "op": "lte", "value": today(0)}, date(2026, 3, 4)),
        # of any: the first of them; while it is true of one, until it is true of none
        ({"field": "start_date", "op": "lte", "value": today(0), "of": "role:helper"}, date(2026, 3, 4)),
        ({"field": "start_date", "op": "gt", "value": today(0), "of": "role:helper"}, date(2026, 3, 10)),
        ({"field": "start_date", "op": "lte", "value": today(0), "of": "modified_by"}, None),
        ({"all": [leaf("due", "gt", today(0)), leaf("day", "gte", today(0))]}, date(2026, 3, 4)),
        ({"all": [leaf("due", "lte", today(0)), leaf("day", "lt", today(0))]}, date(2026, 3, 5)),
        ({"all": [leaf("due", "lte", today(0)), leaf("note", "equal", "x")]}, None),
        ({"any": [leaf("due", "lte", today(0)), leaf("note", "equal", "x")]}, date(2026, 3, 4)),
        ({"any": [leaf("due", "gt", today(0)), leaf("note", "has_value")]}, None),
        ({"not": {"any": [leaf("due", "gt", today(0)), leaf("day", "gte", today(0))]}}, date(2026, 3, 5)),
    ],
)
def test_the_calendar_turns_criteria_on_a_day(tree: dict[str, Any], day: date | None) -> None:
    assert turns(tree) == day
    assert turns({"not": tree}) == day


CAST = list(cast.views(cast.cast(11, 80), cast.contacts()).values())


@given(tree=cast.criteria(), case=st.sampled_from(CAST))
def test_the_next_turn_is_never_too_late(tree: dict[str, Any], case: CaseView) -> None:
    criteria = parse_criteria(tree)
    turn = next_turn(criteria, case, KNOWN, now=cast.NOW, zone=cast.ZONE)
    now = case_matches(criteria, case, KNOWN, now=cast.NOW, zone=cast.ZONE)
    for noon in noons(40):
        if noon.date() == turn:
            break
        assert case_matches(criteria, case, KNOWN, now=noon, zone=cast.ZONE) is now, noon


@given(tree=cast.counted() | cast.properties() | cast.changes(), case=st.sampled_from(CAST))
def test_of_a_single_comparison_the_next_turn_is_the_very_day(tree: dict[str, Any], case: CaseView) -> None:
    criteria = parse_criteria(tree)
    turn = next_turn(criteria, case, KNOWN, now=cast.NOW, zone=cast.ZONE)
    if turn is None:
        return
    asked: dict[str, Any] = {"known": KNOWN, "zone": cast.ZONE}
    then = datetime.combine(turn, time(12), cast.ZONE)
    assert turn > cast.NOW.astimezone(cast.ZONE).date()
    assert case_matches(criteria, case, now=then, **asked) is not case_matches(
        criteria, case, now=cast.NOW, **asked
    )


def noons(days: int) -> list[datetime]:
    first = cast.NOW.astimezone(cast.ZONE).date()
    return [datetime.combine(first + timedelta(days=n), time(12), cast.ZONE) for n in range(1, days + 1)]


def test_a_day_that_there_is_has_the_shape_of_one_and_no_other() -> None:
    there = [date(year, month, day) for year in (1850, 1900, 1904, 2000, 2100, 2199) for month, day in (
        (1, 31), (2, 28), (4, 30), (12, 31))]  # fmt: skip
    leap = [date(year, 2, 29) for year in range(1852, 2200, 4) if year not in (1900, 2100)]
    for day in [*there, *leap]:
        assert point.kept(day.isoformat(), UTC) == point.of_day(day)
        assert point.kept(f"{day}T23:59:59.999999Z", UTC) is not None
    for wrong in NO_DAYS:
        assert point.kept(wrong, UTC) is None


NO_DAYS = (
    "1900-02-29", "2100-02-29", "2026-02-29", "2026-04-31", "2026-00-10", "1849-12-31", "2200-01-01",
    "2026-03-01 ", "2026-03-01\n", "2026-03-01T24:00:00.000000Z", "٢٠٢٦-03-01", 20260301,
)  # fmt: skip


def test_a_day_begins_where_its_midnight_was_left_out_or_came_twice() -> None:
    for moment, begins in (("2026-03-08T05:00Z", True), ("2026-03-08T05:00:00.000001Z", False),
                           ("2026-11-01T04:00Z", True), ("2026-11-01T05:00Z", False)):  # fmt: skip
        found = point.of_moment(datetime.fromisoformat(moment), cast.ZONE)
        assert (found.floor == found.ceiling) is begins


@pytest.mark.parametrize(
    "word", ["yes", "Y", "TRUE", "t", "1", "on", "no", "N", "false", "F", "0", "off", " No "]
)
def test_yes_and_no_are_read_as_everywhere(word: str) -> None:
    case = replace(VISIT, properties={"urgent": word})
    assert case.boolean("urgent") is parse_value(FieldType.BOOLEAN, word)
