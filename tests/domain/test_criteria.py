"""Criteria: what they mean of Amina, and what an author is told who writes them wrongly."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from pydantic import BaseModel, ValidationError

from clarion.domain.contact import Contact
from clarion.domain.criteria import CRITERIA, Criteria, parse_criteria
from clarion.domain.matching import check, matches, walk
from clarion.errors import Invalid
from tests.domain.criteria_strategies import GROUPS, KNOWN, NOW, contacts, criteria

NAIROBI = ZoneInfo("Africa/Nairobi")  # where it is already 2 March at NOW

AMINA = Contact(
    name="Amina N’Guessan",
    language="sw",
    country="KE",
    fields={
        "department": "Finance",
        "age": Decimal(34),
        "start_date": date(2026, 3, 1),
        "appointment": datetime(2026, 3, 1, 21, 0, tzinfo=UTC),
        "active": True,
    },
    groups=frozenset(("finance",)),
)
NOBODY = Contact()


def holds(tree: dict[str, Any], contact: Contact = AMINA, zone: ZoneInfo = NAIROBI) -> bool:
    return matches(parse_criteria(tree), contact, KNOWN, now=NOW, zone=zone)


def leaf(field: str, op: str, value: object = None) -> dict[str, Any]:
    return {"field": field, "op": op} | ({} if value is None else {"value": value})


@pytest.mark.parametrize(
    ("tree", "true"),
    [
        (leaf("department", "equal", "Finance"), True),
        (leaf("department", "equal", "finance"), False),
        (leaf("department", "not_equal", "Sales"), True),
        (leaf("department", "in", ["Sales", "Finance"]), True),
        (leaf("department", "contains", "nan"), True),
        (leaf("department", "starts_with", "Fi"), True),
        (leaf("department", "starts_with", "nan"), False),
        (leaf("department", "contains", "%"), False),
        (leaf("name", "equal", "AMINA n'guessan"), True),
        (leaf("name", "contains", "N'GUE"), True),
        (leaf("name", "starts_with", "amina "), True),
        (leaf("age", "equal", 34.0), True),
        (leaf("age", "equal", "34"), True),
        (leaf("age", "gt", 34), False),
        (leaf("age", "gte", 34), True),
        (leaf("age", "lt", 34.5), True),
        (leaf("age", "lte", 33), False),
        (leaf("age", "between", [34, 40]), True),
        (leaf("age", "between", [30, 34]), True),
        (leaf("age", "between", [35, 40]), False),
        (leaf("start_date", "lt", {"days_from_today": 0}), True),
        (leaf("start_date", "equal", {"days_from_today": -1}), True),
        (leaf("start_date", "gte", "2026-03-01"), True),
        (leaf("appointment", "gte", {"days_from_today": 0}), True),  # midnight of 2 March there is 21:00 UTC
        (leaf("appointment", "equal", "2026-03-02T00:00"), True),
        (leaf("appointment", "lt", "2026-03-02T00:00+02:00"), True),
        (leaf("active", "equal", True), True),
        (leaf("active", "equal", "no"), False),
        (leaf("active", "has_value"), True),
        (leaf("timezone", "no_value"), True),
        ({"in_group": "finance"}, True),
        ({"in_group": "managers"}, False),
        ({"not": {"in_group": "managers"}}, True),
        ({"all": [leaf("age", "gt", 1), {"in_group": "managers"}]}, False),
        ({"any": [leaf("age", "gt", 1), {"in_group": "managers"}]}, True),
    ],
)
def test_criteria_mean_of_amina(tree: dict[str, Any], true: bool) -> None:
    assert check(parse_criteria(tree), KNOWN, groups=GROUPS, zone=NAIROBI) == []
    assert holds(tree) is true
    assert holds({"not": tree}) is not true


def test_the_day_is_the_workspaces() -> None:
    today = leaf("start_date", "equal", {"days_from_today": 0})
    assert not holds(today)
    assert holds(today, zone=ZoneInfo("UTC"))


@pytest.mark.parametrize(
    "tree",
    [
        leaf("department", "equal", "Finance"),
        leaf("department", "not_equal", "Finance"),
        leaf("department", "in", ["Finance"]),
        leaf("department", "contains", "F"),
        leaf("department", "has_value"),
        leaf("name", "not_equal", "Amina"),
        leaf("age", "lt", 100),
        leaf("age", "between", [0, 100]),
        leaf("start_date", "lt", {"days_from_today": 1}),
        leaf("active", "not_equal", True),
        leaf("active", "equal", False),
        leaf("salary", "has_value"),
        {"in_group": "finance"},
    ],
)
def test_a_missing_value_makes_everything_false_but_its_negation(tree: dict[str, Any]) -> None:
    assert not holds(tree, NOBODY)
    assert holds({"not": tree}, NOBODY)


@pytest.mark.parametrize("field", ["department", "name", "age", "salary"])
def test_only_no_value_is_true_of_what_is_missing(field: str) -> None:
    assert holds(leaf(field, "no_value"), NOBODY)
    assert not holds(leaf(field, "has_value"), NOBODY)


def test_blank_text_and_values_of_a_former_type_are_missing() -> None:
    blank = Contact(name=" - ", fields={"department": "", "age": "thirty", "start_date": True})
    for field in ("name", "department", "age", "start_date"):
        assert holds(leaf(field, "no_value"), blank)


@given(criteria(), contacts())
def test_every_tree_that_passes_is_true_or_false_and_its_negation_the_other(
    tree: dict[str, Any], contact: Contact
) -> None:
    assert check(parse_criteria(tree), KNOWN, groups=GROUPS) == []
    assert holds(tree, contact) is not holds({"not": tree}, contact)


@given(criteria(), criteria(), contacts())
def test_all_any_and_not_obey_de_morgan(one: dict[str, Any], other: dict[str, Any], contact: Contact) -> None:
    assert holds({"not": {"all": [one, other]}}, contact) is holds(
        {"any": [{"not": one}, {"not": other}]}, contact
    )
    assert holds({"all": [one, other]}, contact) is (holds(one, contact) and holds(other, contact))


@given(criteria())
def test_criteria_are_kept_as_they_were_given(tree: dict[str, Any]) -> None:
    parsed = parse_criteria(tree)
    kept = CRITERIA.dump_python(parsed, mode="json", by_alias=True, exclude_none=True)
    assert parse_criteria(json.loads(json.dumps(kept))) == parsed


@pytest.mark.parametrize(
    ("tree", "where", "what"),
    [
        ({}, "$", "one of the keys all, any, not, in_group, field"),
        ([], "$", "one of the keys"),
        ({"all": []}, "$.all", "at least one condition"),
        ({"any": [{"in_group": "x"}, {"some": 1}]}, "$.any[1]", "one of the keys"),
        ({"all": [{"not": leaf("age", "is", 1)}]}, "$.all[0].not.op", "Input should be 'equal'"),
        ({"all": [leaf("age", "has_value")], "any": []}, "$.any", "no such key here"),
        ({"field": "age"}, "$.op", "is missing"),
        (leaf("age", "equal"), "$", "equal takes one value"),
        (leaf("age", "equal", [1]), "$", "equal takes one value"),
        (leaf("age", "has_value", 1), "$", "has_value takes no value"),
        (leaf("age", "in", 1), "$", "in takes a list"),
        (leaf("age", "in", []), "$", "in takes 1 to 1000 values"),
        (leaf("age", "in", [1] * 1001), "$", "in takes 1 to 1000 values"),
        ({"not": leaf("age", "between", [1])}, "$.not", "between takes two values"),
        (leaf("age", "equal", {"days": 1}), "$.value", "a value is text, a number"),
        (leaf("age", "in", [1, {"a": 1}]), "$.value[1]", "a value is text, a number"),
        (leaf("age", "equal", float("nan")), "$.value", "a value is text, a number"),
        (leaf("department", "equal", "a\0"), "$.value", "not text"),
        ({"in_group": 7}, "$.in_group", "valid string"),
    ],
)
def test_a_tree_of_a_wrong_shape_is_refused_by_its_path(tree: object, where: str, what: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_criteria(tree)
    (problem,) = caught.value.problems
    assert problem.where == where
    assert what in problem.what


@pytest.mark.parametrize(
    ("tree", "where", "what", "hint"),
    [
        ({"not": leaf("departmnt", "has_value")}, "$.not.field", "no field 'departmnt'", "department"),
        ({"all": [{"in_group": "finanse"}]}, "$.all[0].in_group", "no such group", "finance"),
        (leaf("department", "gt", "A"), "$.op", "a text cannot be compared by gt", "equal"),
        (leaf("active", "in", [True]), "$.op", "a boolean cannot be compared by in", "equal"),
        (leaf("age", "equal", "old"), "$.value", "not a number", ""),
        (leaf("start_date", "equal", "03/04/2026"), "$.value", "day-month or month-day", "2026-03-01"),
        (leaf("start_date", "equal", 5), "$.value", "not a date", ""),
        (leaf("age", "gt", {"days_from_today": 1}), "$.value", "cannot be compared with a day", ""),
        (leaf("age", "between", [5, 1]), "$.value", "beyond the second", ""),
        (leaf("department", "equal", "  "), "$.value", "blank", "no_value"),
        (leaf("name", "equal", "-"), "$.value", "blank", "no_value"),
        (leaf("language", "equal", "swa"), "$.value", "swa is kept as sw", "write sw"),
        (leaf("age", "equal", 10**40), "$.value", "more than 15 digits", "text"),
        (leaf("country", "in", ["Kenya"]), "$.value", "Kenya is kept as KE", "write KE"),
        (leaf("timezone", "equal", "Nairobi"), "$.value", "not a time zone", "Africa/Nairobi"),
    ],
)
def test_what_could_hold_of_nobody_is_told_by_its_path_with_advice(
    tree: dict[str, Any], where: str, what: str, hint: str
) -> None:
    (problem,) = check(parse_criteria(tree), KNOWN, groups=GROUPS, zone=NAIROBI)
    assert problem.where == where
    assert what in problem.what
    assert hint in problem.hint
    assert not holds(tree.get("not", tree))


def test_ends_of_which_one_is_counted_from_today_are_judged_on_the_day() -> None:
    until_today = leaf("start_date", "between", ["2026-02-20", {"days_from_today": 0}])
    assert check(parse_criteria(until_today), KNOWN) == []
    assert holds(until_today)
    assert not holds(leaf("start_date", "between", ["2026-04-20", {"days_from_today": 0}]))


def nested(depth: int) -> dict[str, Any]:
    tree = leaf("age", "has_value")
    for _ in range(depth):
        tree = {"not": tree}
    return tree


def test_a_tree_may_be_50_deep_and_have_500_conditions_and_no_more() -> None:
    deepest, largest = parse_criteria(nested(50)), parse_criteria({"all": [leaf("age", "has_value")] * 499})
    assert check(deepest, KNOWN) == check(largest, KNOWN) == []
    for tree in (nested(51), nested(100_000), {"all": [leaf("age", "has_value")] * 500}):
        with pytest.raises(Invalid, match="too large"):
            parse_criteria(tree)


def test_a_tree_inside_another_model_is_bounded_too() -> None:
    class Request(BaseModel):
        filter: Criteria

    tree = Request.model_validate({"filter": nested(51)}).filter
    assert [problem.what for problem in check(tree, KNOWN)] == ["the filter is too large"]
    with pytest.raises(ValidationError):
        Request.model_validate({"filter": nested(100_000)})


def test_nodes_are_walked_parents_first_with_their_paths() -> None:
    tree = parse_criteria({"all": [{"not": {"in_group": "x"}}, {"any": [{"in_group": "y"}]}]})
    assert [where for where, _, _ in walk(tree)] == [
        "$", "$.all[0]", "$.all[0].not", "$.all[1]", "$.all[1].any[0]",
    ]  # fmt: skip


def test_criteria_have_a_json_schema() -> None:
    schema = CRITERIA.json_schema()
    assert {"All", "AnyOf", "Not", "InGroup", "Comparison"} <= set(schema["$defs"])
    assert "not" in schema["$defs"]["Not"]["properties"]
