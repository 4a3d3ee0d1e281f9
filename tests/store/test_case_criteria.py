"""The SQL of a case's criteria means what the reference says, of any tree and any cases: whether they hold,
and the day on which they may turn."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clarion.domain.criteria import parse_criteria
from clarion.store import case_criteria
from clarion.store.criteria import Values
from tests.domain import case_cast as cast
from tests.domain.case_cast import NOW
from tests.store.case_place import Somewhere


@pytest.fixture(scope="module")
def somewhere(database_url: str) -> Iterator[Somewhere]:
    place = Somewhere(database_url)
    yield place
    place.close()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=cast.criteria(), days=st.integers(-3, 9))
def test_sql_and_the_reference_say_the_same_of_every_case(
    somewhere: Somewhere, tree: dict[str, Any], days: int
) -> None:
    by_sql, by_rule = somewhere.ask(tree, NOW + timedelta(days=days))
    assert by_sql == by_rule


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(leaves=st.lists(cast.properties() | cast.changes() | cast.of_people(), min_size=1, max_size=6))
def test_every_leaf_alone_is_the_same_to_both(somewhere: Somewhere, leaves: list[dict[str, Any]]) -> None:
    for leaf in leaves:
        by_sql, by_rule = somewhere.ask(leaf)
        assert by_sql == by_rule, leaf


@pytest.mark.parametrize("of", ["case", "parent", "host"])
@pytest.mark.parametrize(
    "asked",
    [
        {"property": "due", "op": "has_value"},
        {"property": "score", "op": "no_value"},
        {"property": "note", "op": "equal", "value": "Finance"},
        {"property": "note", "op": "matches", "value": "^F.*e$"},
        {"property": "score", "op": "gt", "value": 4},
        {"property": "urgent", "op": "equal", "value": True},
        {"property": "due", "op": "lte", "value": {"days_from_today": 0}},
        {"property": "extra", "op": "between", "value": [{"days_from_today": -1}, {"days_from_today": 7}]},
        {"property": "modified_at", "op": "lte", "value": {"days_from_today": 0}},
        {"property": "type", "op": "equal", "value": "visit"},
    ],
)
def test_what_is_asked_is_true_of_some_case_and_false_of_another(
    somewhere: Somewhere, asked: dict[str, Any], of: str
) -> None:
    by_sql, by_rule = somewhere.ask(asked | {"of": of})
    assert by_sql == by_rule
    assert {true for true, _ in by_sql.values()} == {True, False}


@pytest.mark.parametrize("of", ["contact", "owner", "modified_by", "role:helper"])
def test_contacts_are_asked_by_every_way_to_them(somewhere: Somewhere, of: str) -> None:
    soon = {"field": "start_date", "op": "lte", "value": {"days_from_today": 0}, "of": of}
    speaks = {"field": "language", "op": "equal", "value": "sw", "of": of}
    member = {"in_group": "finance", "of": of}
    for asked in (soon, speaks, member, member | {"nested": False}):
        by_sql, by_rule = somewhere.ask(asked)
        assert by_sql == by_rule
        assert {true for true, _ in by_sql.values()} == {True, False}
    assert any(turn for _, turn in somewhere.ask(soon)[0].values())


@pytest.mark.parametrize("joined", ["all", "any"])
@pytest.mark.parametrize("turned", [False, True])
def test_what_is_joined_turns_when_the_first_does_or_the_last(
    somewhere: Somewhere, joined: str, turned: bool
) -> None:
    for n in range(-4, 4):
        soon = {"property": "due", "op": "gt", "value": {"days_from_today": n}}
        later = {"property": "modified_at", "op": "lte", "value": {"days_from_today": -n}}
        whose = {"field": "start_date", "op": "gt", "value": {"days_from_today": n}, "of": "role:helper"}
        tree: dict[str, Any] = {joined: [soon, later, whose]}
        by_sql, by_rule = somewhere.ask({"not": tree} if turned else tree)
        assert by_sql == by_rule


@pytest.mark.parametrize("nested", [None, True, False])
@pytest.mark.parametrize("name", ["finance", "managers", "night"])
def test_an_owner_that_is_a_group_is_in_itself_and_in_those_above_it(
    somewhere: Somewhere, name: str, nested: bool | None
) -> None:
    by_sql, by_rule = somewhere.ask({"in_group": name, "of": "owner", "nested": nested})
    assert by_sql == by_rule
    owned = {one.external_id for one in somewhere.cases if one.owner == "G-managers" and one.state == "open"}
    meant = name == "managers" or (name == "finance" and nested is not False)
    assert owned
    assert {by_sql[one][0] for one in owned} == {meant}
    asked, told = somewhere.ask({"not": {"in_group": name, "of": "owner", "nested": nested}})
    assert asked == told


def test_the_deepest_tree_and_the_widest_are_asked_in_one_statement(somewhere: Somewhere) -> None:
    today = {"property": "due", "op": "equal", "value": {"days_from_today": 0}}
    deepest: dict[str, Any] = today
    for n in range(49):
        deepest = {("all", "any")[n % 2]: [deepest]}
    for tree in (deepest, {"any": [today] * 200}):
        by_sql, by_rule = somewhere.ask(tree)
        assert by_sql == by_rule


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("^A[0-9]+$", None),
        ("", "blank"),
        ("(", "bad_pattern"),
        ("a{2,1}", "bad_pattern"),
        ("(a)\\1", "back_reference"),
        ("((((a{1,250}){1,250}){1,250}){1,250})", "bad_pattern"),
    ],
)
def test_a_pattern_is_tried_where_it_will_be_used(
    somewhere: Somewhere, pattern: str, reason: str | None
) -> None:
    why = somewhere.tried(pattern)
    assert (why and why.reason) == reason


def test_a_pattern_that_takes_too_long_is_refused(
    somewhere: Somewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_criteria, "PATIENCE", 1)
    why = somewhere.tried("((a|b|1| ){1,20}x){1,12}")
    assert why is not None
    assert why.reason == "slow_pattern"


@pytest.mark.parametrize(
    ("asked", "by"),
    [
        ({"property": "note", "of": "parent", "op": "equal", "value": "Finance"}, "(external_id = k.parent)"),
        ({"property": "note", "of": "host", "op": "no_value"}, "(external_id = k.host)"),
        ({"property": "note", "of": "host", "changed_to": "Finance"}, "(external_id = k.host)"),
        ({"field": "language", "of": "owner", "op": "equal", "value": "sw"}, "(external_id = k.owner)"),
        (
            {"in_group": "0199c0de-0000-7000-8000-000000000001", "of": "owner"},
            "(external_id = k.owner)",
        ),
        ({"field": "language", "of": "role:helper", "op": "equal", "value": "sw"}, "(id = l.contact_id)"),
        ({"field": "language", "op": "has_value"}, "(id = r.contact_id)"),
    ],
)
def test_whom_a_case_is_linked_to_is_found_by_key(
    somewhere: Somewhere, asked: dict[str, Any], by: str
) -> None:
    """However few contacts and cases the database believes that there are: nobody else is read."""
    plan = somewhere.loop.run_until_complete(_plan(somewhere, asked))
    assert "hashed" not in plan
    assert "Seq Scan" not in plan
    assert "Join Filter" not in plan
    assert any(by in line for line in plan.splitlines() if "Index Cond" in line)


async def _plan(somewhere: Somewhere, tree: dict[str, Any]) -> str:
    async with somewhere.db.tenant(somewhere.workspace) as connection:
        values = Values()
        read_in = await case_criteria.case_frame(connection, NOW)
        holds, _ = case_criteria.compiled(parse_criteria(tree), read_in, values)
        await connection.execute("SET LOCAL enable_seqscan = off")  # of few rows it would be the quickest
        cursor = await connection.execute(f'EXPLAIN SELECT {holds} FROM "case" k', values.params)
        return "\n".join(line for (line,) in await cursor.fetchall())
