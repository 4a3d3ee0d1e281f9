"""The SQL of criteria means what the pure evaluator says it means, over any tree and any contacts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from clarion.domain.contact import Contact, fold_name
from clarion.domain.criteria import Node, parse_criteria
from clarion.domain.field import Stored, stored
from clarion.domain.matching import OPS, matches
from clarion.kit.db import Connection, Database
from clarion.kit.ids import uuid7
from clarion.store import contact as contacts
from clarion.store import criteria, group
from clarion.store import workspace as workspaces
from clarion.store.criteria import Frame, Values
from tests.domain import criteria_strategies as drawn

ZONE = ZoneInfo("Africa/Nairobi")
# What may lie in a field whose type was changed since.
STRAY = ("", "Finance", "2026-03-01", "2026-3-1", "2026-13-01", "34", 34, 0, True, "true", "soon")


class Somewhere:
    """A workspace with three groups, `managers` below `finance`; what is tried in it is rolled back."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.db = Database(url, size=1)
        self.workspace = uuid7(drawn.NOW)
        self.groups: dict[str, UUID] = {}
        self.loop.run_until_complete(self._settle())

    def close(self) -> None:
        self.loop.run_until_complete(self.db.__aexit__())
        self.loop.close()

    def ask(
        self, tree: Mapping[str, Any], people: Sequence[tuple[Contact, Mapping[str, Stored]]]
    ) -> tuple[list[bool], list[bool]]:
        """Of whom a tree is true: as SQL finds, and as the evaluator does of what it reads back."""
        return self.loop.run_until_complete(self._ask(parse_criteria(self._with_ids(tree)), people))

    async def _settle(self) -> None:
        await self.db.__aenter__()
        async with self.db.tenant(self.workspace) as connection:
            await workspaces.create(
                connection, self.workspace, name="Somewhere", timezone=str(ZONE), now=drawn.NOW
            )
            for name in drawn.GROUPS:
                parent = self.groups.get("finance") if name == "managers" else None
                self.groups[name] = await group.create(connection, name, drawn.NOW, parent)

    def _with_ids(self, tree: Any) -> Any:
        """The tree with the groups' ids for their names."""
        if isinstance(tree, list):
            return [self._with_ids(child) for child in tree]
        if not isinstance(tree, dict):
            return tree
        if "in_group" in tree:
            return {"in_group": str(self.groups[tree["in_group"]])}
        return {key: self._with_ids(child) for key, child in tree.items()}

    async def _ask(
        self, tree: Node, people: Sequence[tuple[Contact, Mapping[str, Stored]]]
    ) -> tuple[list[bool], list[bool]]:
        async with self.db.tenant(self.workspace) as connection, connection.transaction(force_rollback=True):
            ids = [await self._add(connection, person, kept) for person, kept in people]
            values = Values()
            condition = criteria.compiled(tree, Frame(drawn.KNOWN, drawn.NOW, ZONE), values)
            cursor = await connection.execute(f"SELECT c.id, ({condition}) FROM contact c", values.params)
            found = dict(await cursor.fetchall())
            seen = await contacts.as_seen(connection, ids, drawn.FIELDS)
        return [found[one] for one in ids], [
            matches(tree, seen[one], drawn.KNOWN, now=drawn.NOW, zone=ZONE) for one in ids
        ]

    async def _add(self, connection: Connection, person: Contact, kept: Mapping[str, Stored]) -> UUID:
        identifier = uuid7(drawn.NOW)
        name = person.name or ""
        await connection.execute(
            """INSERT INTO contact (id, workspace_id, external_id, name, folded_name, language, country,
                 timezone, fields, created_at, modified_at)
               VALUES (%s, clarion_workspace(), %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            (
                identifier, str(identifier) if person.external_id else None, name, fold_name(name),
                person.language, person.country, person.timezone, Jsonb(dict(kept)), drawn.NOW, drawn.NOW,
            ),
        )  # fmt: skip
        for member_of in person.groups:
            await group.add_members(connection, self.groups[member_of], [identifier])
        return identifier


@pytest.fixture(scope="module")
def somewhere(database_url: str) -> Iterator[Somewhere]:
    place = Somewhere(database_url)
    yield place
    place.close()


def as_kept(person: Contact) -> dict[str, Stored]:
    return {key: stored(value) for key, value in person.fields.items()}


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=drawn.criteria(), people=st.lists(drawn.contacts(), min_size=1, max_size=8))
def test_sql_and_the_evaluator_mean_the_same_people(
    somewhere: Somewhere, tree: dict[str, Any], people: list[Contact]
) -> None:
    by_sql, by_rule = somewhere.ask(tree, [(person, as_kept(person)) for person in people])
    assert by_sql == by_rule


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    tree=drawn.criteria(),
    kept=st.lists(
        st.dictionaries(st.sampled_from(sorted(drawn.FIELDS)), st.sampled_from(STRAY)), min_size=1, max_size=8
    ),
)
def test_a_value_of_a_former_type_is_missing_to_both(
    somewhere: Somewhere, tree: dict[str, Any], kept: list[dict[str, Stored]]
) -> None:
    by_sql, by_rule = somewhere.ask(tree, [(Contact(name="Amina"), values) for values in kept])
    assert by_sql == by_rule


@pytest.mark.parametrize(
    ("key", "op"), [(key, op.value) for key, kind in drawn.FIELDS.items() for op in sorted(OPS[kind])]
)
def test_every_comparison_is_true_of_somebody_and_false_of_somebody(
    somewhere: Somewhere, key: str, op: str
) -> None:
    low, middle, high = LADDER[key]
    value = {"in": [low, middle], "between": [low, middle], "has_value": None, "no_value": None}.get(
        op, middle
    )
    tree = {"field": key, "op": op} | ({} if value is None else {"value": value})
    people: list[tuple[Contact, dict[str, Stored]]] = [
        (Contact(name="Rosa"), {key: kept}) for kept in (low, middle, high)
    ]
    by_sql, by_rule = somewhere.ask(tree, [*people, (Contact(name="Nobody"), {})])
    assert by_sql == by_rule
    assert set(by_sql) == {True, False}


LADDER: dict[str, tuple[Any, Any, Any]] = {
    "department": ("Finance", "Health", "Healthy"),
    "age": (-1, 9, 34.5),
    "start_date": ("2026-02-09", "2026-02-10", "2026-12-01"),
    "appointment": (
        "2026-03-01T22:30:00.000000Z", "2026-03-01T22:30:00.000001Z", "2026-03-02T00:00:00.000000Z",
    ),
    "active": (True, False, True),
}  # fmt: skip


def test_a_group_means_those_below_it_too(somewhere: Somewhere) -> None:
    manager = Contact(name="Abebe", groups=frozenset(("managers",)))
    for name, holds in (("finance", True), ("managers", True), ("night", False)):
        assert somewhere.ask({"in_group": name}, [(manager, {})]) == ([holds], [holds])
