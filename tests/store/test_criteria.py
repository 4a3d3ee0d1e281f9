"""The SQL of criteria means what the pure evaluator says it means, over any tree and any contact."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from clarion.domain.contact import fold_name
from clarion.domain.criteria import Node, parse_criteria
from clarion.domain.field import Field, FieldType, stored
from clarion.domain.matching import OPS, known_fields, matches
from clarion.kit.clock import Clock
from clarion.kit.db import Connection, Database
from clarion.kit.ids import uuid7
from clarion.store import contact as contacts
from clarion.store import criteria, group
from clarion.store import field as fields
from clarion.store import workspace as workspaces
from clarion.store.criteria import Frame, Values

NOW = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)  # already the third in Nairobi
ZONE = ZoneInfo("Africa/Nairobi")
DECLARED = {
    "department": FieldType.TEXT,
    "score": FieldType.NUMBER,
    "start_date": FieldType.DATE,
    "seen_at": FieldType.DATETIME,
    "remote": FieldType.BOOLEAN,
}
KNOWN = known_fields(DECLARED)
TODAY = NOW.astimezone(ZONE).date()

NAMES = ("Amina Wanjiru", "AMINA", "Rosa O'Neill", "rosa oneill", "አበበ", "")
WORDS = ("Finance", "finance", "Fin", "100%_sure", 'O\'Neill \\ "quoted"', "é", "é")
NUMBERS = (Decimal(0), Decimal(5), Decimal("5.5"), Decimal("-0.1"), Decimal("12345678901234.5"))
DAYS = tuple(TODAY + timedelta(days=n) for n in (-30, -1, 0, 1, 400))
MOMENTS = (
    NOW,
    NOW - timedelta(microseconds=1),
    datetime(2026, 3, 2, 21, 0, tzinfo=UTC),
    NOW - timedelta(days=9),
)
PER_TYPE: dict[FieldType, Sequence[Any]] = {
    FieldType.TEXT: WORDS,
    FieldType.NUMBER: NUMBERS,
    FieldType.DATE: DAYS,
    FieldType.DATETIME: MOMENTS,
    FieldType.BOOLEAN: (True, False),
}
# What may lie in a field whose type was changed since, beside proper values of every type.
STRAY = ("", "2026-03-02", "2026-3-2", "5", 7, 0, True, "true", "2026-03-02T22:30:00.000000Z", "soon")


def raw(value: Any) -> Any:
    """A value as a filter's JSON writes it."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date | datetime) else value


@st.composite
def comparisons(draw: st.DrawFn) -> dict[str, Any]:
    key = draw(st.sampled_from([*KNOWN, "undeclared"]))
    kind = KNOWN.get(key, FieldType.TEXT)
    op = draw(st.sampled_from(sorted(OPS[kind]))).value
    pool: list[Any] = [raw(value) for value in PER_TYPE[kind]]
    if key == "name":
        pool = [*NAMES[:-1], "amina"]
    if key in ("language", "country", "timezone", "external_id"):
        pool = ["sw", "KE", "Africa/Nairobi", "E-1"]
    if kind in (FieldType.DATE, FieldType.DATETIME):
        pool += [{"days_from_today": n} for n in (-30, -1, 0, 1)]
    node: dict[str, Any] = {"field": key, "op": op}
    if op in ("in", "between"):
        node["value"] = draw(st.lists(st.sampled_from(pool), min_size=2, max_size=2))
    elif op not in ("has_value", "no_value"):
        node["value"] = draw(st.sampled_from(pool))
    return node


def trees(groups: Sequence[str]) -> st.SearchStrategy[Node]:
    leaves = comparisons() | st.sampled_from([{"in_group": name} for name in (*groups, "nowhere")])
    tree = st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(lambda some: {"all": some}, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda some: {"any": some}, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda one: {"not": one}, inner),
        ),
        max_leaves=6,
    )
    return tree.map(parse_criteria)


class Crowd:
    """A workspace with people of every sort, for as many trees as one likes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.workspace = uuid7(Clock().now())
        self.groups: list[str] = []

    async def settle(self) -> None:
        async with Database(self.url, size=1) as db, db.tenant(self.workspace) as connection:
            await workspaces.create(
                connection, self.workspace, name="Crowd", timezone="Africa/Nairobi", country="KE", now=NOW
            )
            for key, kind in DECLARED.items():
                await fields.declare(connection, Field(key, key, kind))
            top = await group.create(connection, "Health", NOW)
            middle = await group.create(connection, "Clinics", NOW, top)
            low = await group.create(connection, "Nurses", NOW, middle)
            other = await group.create(connection, "Drivers", NOW)
            self.groups = [str(one) for one in (top, middle, low, other)]
            draw = random.Random(11)
            for number in range(120):
                await self._add(connection, number, (low, middle, other), draw)

    async def _add(
        self, connection: Connection, number: int, groups: Sequence[UUID], draw: random.Random
    ) -> None:
        identifier = uuid7(NOW)
        kept: dict[str, Any] = {}
        for key, kind in DECLARED.items():
            choices = [*map(stored, PER_TYPE[kind]), *STRAY, None, None]
            value = draw.choice(choices)
            if value is not None:
                kept[key] = value
        name = NAMES[number % len(NAMES)]
        await connection.execute(
            """INSERT INTO contact (id, workspace_id, external_id, name, folded_name, language, country,
                 timezone, fields, created_at, modified_at)
               VALUES (%s, clarion_workspace(), %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            (
                identifier,
                f"E-{number}" if number % 2 else None,
                name,
                fold_name(name),
                (None, "sw", "en", "")[number % 4],
                (None, "KE", "ET")[number % 3],
                (None, "Africa/Nairobi")[number % 2],
                Jsonb(kept),
                NOW,
                NOW,
            ),
        )
        if number % 4:
            await group.add_members(connection, groups[number % 3], [identifier])

    async def answers(self, tree: Node) -> tuple[set[UUID], set[UUID]]:
        """Whom SQL finds, and whom the evaluator finds."""
        async with Database(self.url, size=1) as db, db.tenant(self.workspace) as connection:
            values = Values()
            condition = criteria.compiled(tree, Frame(KNOWN, NOW, ZONE), values)
            cursor = await connection.execute(
                "SELECT c.id, (" + condition + ") FROM contact c",
                values.params,
            )
            said = dict(await cursor.fetchall())
            seen = await contacts.as_seen(connection, list(said), DECLARED)
        assert None not in said.values(), "a condition is true or false, never unknown"
        by_sql = {identifier for identifier, holds in said.items() if holds}
        by_rule = {
            identifier
            for identifier, contact in seen.items()
            if matches(tree, contact, KNOWN, now=NOW, zone=ZONE)
        }
        return by_sql, by_rule


@pytest.fixture(scope="module")
def crowd(database_url: str) -> Crowd:
    crowd = Crowd(database_url)
    asyncio.run(crowd.settle())
    return crowd


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_sql_and_the_evaluator_mean_the_same_people(crowd: Crowd, data: st.DataObject) -> None:
    tree = data.draw(trees(crowd.groups))
    by_sql, by_rule = asyncio.run(crowd.answers(tree))
    assert by_sql == by_rule


EVERY_OP = [
    {"field": key, "op": op.value, **({"value": value} if op.value not in ("has_value", "no_value") else {})}
    for key, kind in DECLARED.items()
    for op in sorted(OPS[kind])
    for value in [
        [raw(one) for one in sorted(PER_TYPE[kind][:2])]
        if op.value in ("in", "between")
        else raw(PER_TYPE[kind][1])
    ]
]


@pytest.mark.parametrize("leaf", EVERY_OP, ids=lambda leaf: f"{leaf['field']}-{leaf['op']}")
def test_every_comparison_of_every_type_is_true_of_somebody_and_false_of_somebody(
    crowd: Crowd, leaf: dict[str, Any]
) -> None:
    by_sql, by_rule = asyncio.run(crowd.answers(parse_criteria(leaf)))
    assert by_sql == by_rule
    assert 0 < len(by_sql) < 120


def test_a_group_means_those_below_it_too(crowd: Crowd) -> None:
    found = [len(asyncio.run(crowd.answers(parse_criteria({"in_group": name})))[0]) for name in crowd.groups]
    health, clinics, nurses, drivers = found
    assert health == clinics > nurses > 0
    assert drivers > 0
