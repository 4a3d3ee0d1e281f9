"""What an author is told who writes the criteria of a case wrongly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clarion.domain.case_check import patterns
from clarion.domain.criteria import parse_criteria
from clarion.domain.matching import check
from clarion.errors import Invalid
from tests.domain.case_cast import TYPES
from tests.domain.case_visit import checked, leaf, today
from tests.domain.criteria_strategies import GROUPS, KNOWN


@pytest.mark.parametrize(
    ("tree", "where", "what", "hint"),
    [
        ({"not": leaf("Due", "has_value")}, "$.not.property", "no property can be called 'Due'", "due"),
        (leaf("score", "contains", "7"), "$.op", "a number cannot be compared by contains", "between"),
        (leaf("score", "matches", "7"), "$.op", "a number cannot be compared by matches", ""),
        (leaf("note", "gt", "a"), "$.op", "a text cannot be compared by gt", "matches"),
        (leaf("extra", "gt", "soon"), "$.value", "not a date", "2026-03-01"),
        (leaf("extra", "lt", "03/04/2026"), "$.value", "day-month or month-day", "2026-03-01"),
        (leaf("extra", "gt", True), "$.op", "a boolean cannot be compared by gt", ""),
        (leaf("extra", "starts_with", today()), "$.op", "a date cannot be compared by starts_with", ""),
        (leaf("score", "gt", today()), "$.value", "cannot be compared with a day", ""),
        (leaf("score", "gt", "many"), "$.value", "not a number", ""),
        (leaf("due", "equal", 5), "$.value", "not a date", ""),
        (leaf("due", "equal", " "), "$.value", "blank", "no_value"),
        (leaf("note", "equal", ""), "$.value", "blank", "no_value"),
        (leaf("due", "between", [today(2), today(1)]), "$.value", "beyond the second", "least first"),
        (leaf("due", "between", ["2026-03-02", "2026-03-01"]), "$.value", "beyond the second", ""),
        (leaf("extra", "between", [5, 1]), "$.value", "beyond the second", ""),
        (leaf("note", "matches", "(a|b)\\1"), "$.value", "back-reference", "write out"),
        (leaf("note", "matches", "a(?=b)"), "$.value", "looks ahead", "all and not"),
        (leaf("note", "matches", "(?<!a)b"), "$.value", "looks ahead or behind", ""),
        (leaf("note", "matches", "***=a"), "$.value", "another kind of pattern", ""),
        (leaf("note", "matches", "(?e)[\\]a"), "$.value", "another kind of pattern", ""),
        (leaf("note", "matches", "a" * 501), "$.value", "longer than 500", ""),
        (leaf("note", "matches", ""), "$.value", "empty pattern", "has_value"),
        (leaf("note", "matches", 5), "$.value", "a pattern is text", ""),
        (leaf("state", "equal", "shut", "parent"), "$.value", "no state 'shut'", "closed"),
        (leaf("opened_at", "gt", "soon"), "$.value", "not a date", ""),
        ({"property": "state", "changed_to": "closed"}, "$.property", "changes of state", "equal"),
        ({"property": "score", "changed_to": "many"}, "$.changed_to", "not a number", ""),
        ({"all": [{"in_group": "finanse"}]}, "$.all[0].in_group", "no such group", "finance"),
        ({"field": "salary", "op": "has_value", "of": "owner"}, "$.field", "no field 'salary'", ""),
        ({"field": "age", "op": "gt", "value": "x"}, "$.value", "not a number", ""),
        ({"field": "language", "op": "matches", "value": "s"}, "$.op", "cannot be compared by matches", "in"),
    ],
)
def test_what_could_hold_of_no_case_is_told_by_its_path_with_advice(
    tree: dict[str, Any], where: str, what: str, hint: str
) -> None:
    (problem,) = checked(tree)
    assert problem.where == where
    assert what in problem.what
    assert hint in problem.hint


def test_escapes_hide_what_follows_them() -> None:
    for pattern in ("\\\\1", "\\(?=a", "[(]?=", "(?:a)(?i:b)?", "(?i)abc", "\\d+"):
        assert checked(leaf("note", "matches", pattern)) == [], pattern
    for pattern in ("\\\\\\1", "(?:\\1)", "(\\(?=a)(?=b)", "(?#\\)\\1"):
        assert checked(leaf("note", "matches", pattern)) != [], pattern


def test_of_a_parent_it_is_enough_that_some_type_could_hold_it() -> None:
    for op, value in (("gt", 3), ("contains", "3")):  # a number of visits, a text of homes
        assert checked(leaf("score", op, value, "parent")) == []
    assert checked(leaf("score", "contains", "3")) != []


def test_a_type_may_have_declared_properties_only() -> None:
    strict = replace(TYPES["visit"], declared_only=True)
    (problem,) = checked(leaf("scor", "has_value"), strict)
    assert (problem.what, problem.hint) == ("no property 'scor'", "did you mean score?")
    assert checked(leaf("scor", "has_value", None, "parent"), strict) == []


def test_a_field_needs_to_be_told_whose_it_is_where_no_address_names_anybody() -> None:
    (problem,) = checked({"in_group": "finance"}, TYPES["free"])
    assert "names a contact" in problem.what
    assert "of: owner" in problem.hint
    assert checked({"in_group": "finance", "of": "owner"}, TYPES["free"]) == []


@pytest.mark.parametrize(
    ("tree", "where", "what"),
    [
        ({"property": "a"}, "$.op", "is missing"),
        ({"property": "a", "op": "in", "value": 1}, "$", "in takes a list"),
        ({"property": "a", "op": "equal", "value": {"x": 1}}, "$.value", "a value is text, a number"),
        ({"property": "a", "changed_to": {"x": 1}}, "$.changed_to", "a value is text, a number"),
        ({"property": "a", "changed_to": 1, "op": "equal"}, "$.op", "no such key here"),
        ({"changed_to": 1}, "$.property", "is missing"),
        ({"property": "a", "op": "has_value", "of": "child"}, "$.of", "'parent'"),
        (
            {"not": {"field": "a", "op": "has_value", "of": "Owner"}},
            "$.not.of",
            "owner, modified_by or role:",
        ),
        ({"in_group": "a", "of": "role:A b"}, "$.of", "role:<role>"),
        ({"in_group": "a", "nested": "no"}, "$.nested", "valid boolean"),
    ],
)
def test_a_leaf_of_a_wrong_shape_is_refused_by_its_path(tree: object, where: str, what: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_criteria(tree)
    (problem,) = caught.value.problems
    assert problem.where == where
    assert what in problem.what


@pytest.mark.parametrize(
    ("tree", "where"),
    [
        (leaf("due", "has_value"), "$.property"),
        ({"not": {"property": "due", "changed_to": 1}}, "$.not.property"),
        ({"field": "age", "op": "has_value", "of": "owner"}, "$.of"),
        ({"in_group": "finance", "of": "contact"}, "$.of"),
        ({"field": "department", "op": "matches", "value": "x"}, "$.op"),
    ],
)
def test_an_audience_refuses_what_only_a_case_can_be_asked(tree: Any, where: str) -> None:
    (problem,) = check(parse_criteria(tree), KNOWN, groups=GROUPS)
    assert problem.where == where
    assert problem.hint


def test_the_patterns_are_told_with_their_places() -> None:
    tree = parse_criteria({"all": [leaf("note", "has_value"), {"not": leaf("note", "matches", "^A")}]})
    assert patterns(tree) == [("$.all[1].not.value", "^A")]
