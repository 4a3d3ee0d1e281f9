"""Any words about cases, in any batches, make of them what they make one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clarion.kit.db import Connection, Database, rows
from clarion.kit.ids import uuid7
from clarion.store import workspace as workspaces
from tests.store.case_words import Kept, Reference
from tests.store.cases import read, say, types
from tests.store.people import NOW

NAMES = ["A", "B", "C", "D"]
VALUES = ["x", "", "60", 60, 60.0, 61.5, True, False, None, "2026-03-01", "2026-03-01T09:30+03:00", "é\\\t\n"]
MOMENTS = ["2026-03-01T06:00:00Z", "2026-03-02T06:30:00Z", "2026-03-02T09:31:00.25+03:00"]

properties = st.dictionaries(
    st.sampled_from(["a", "b", "null", "edd", "weight"]), st.sampled_from(VALUES), max_size=5
)
words = st.fixed_dictionaries(
    {"external_id": st.sampled_from(NAMES)},
    optional={
        "type": st.sampled_from(["pregnancy"] * 9 + ["household"]),
        "name": st.sampled_from(["Amina", "Rosa", ""]),
        "owner": st.sampled_from(["CHW-4", "CHW-5", None]),
        "modified_by": st.sampled_from(["CHW-4", None]),
        "parent": st.sampled_from([*NAMES, "H", None]),
        "host": st.sampled_from([*NAMES, None]),
        "closed": st.booleans(),
        "opened_at": st.sampled_from(MOMENTS),
        "modified_at": st.sampled_from(MOMENTS),
        "replace": st.booleans(),
        "properties": properties,
    },
).filter(lambda word: word["external_id"] not in (word.get("parent"), word.get("host")))
batches = st.lists(st.lists(words, min_size=1, max_size=6), min_size=1, max_size=5)
FREELY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


class Undo(Exception):
    """What an example did is rolled back."""


class Somewhere:
    """A workspace with two types of cases, and none yet."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.db = Database(url, size=1)
        self.workspace = uuid7(NOW)
        self.loop.run_until_complete(self._open())

    async def _open(self) -> None:
        await self.db.__aenter__()
        async with self.db.tenant(self.workspace) as connection:
            await workspaces.create(connection, self.workspace, name="Somewhere", country="KE", now=NOW)
            await types(connection)

    def close(self) -> None:
        self.loop.run_until_complete(self.db.__aexit__())
        self.loop.close()

    def tell(self, some: Sequence[Sequence[dict[str, Any]]]) -> None:
        """Tell these batches to the database and to the reference, and look after each that they agree."""
        self.loop.run_until_complete(self._tell(some))

    async def _tell(self, some: Sequence[Sequence[dict[str, Any]]]) -> None:
        reference = Reference()
        try:
            async with self.db.tenant(self.workspace) as connection:
                for nth, batch in enumerate(some):
                    now = NOW + timedelta(minutes=nth)
                    expected = reference.take(await read(connection, batch, now), now)
                    taken = await say(connection, batch, now)
                    assert [one.outcome for one in taken] == expected
                    assert await everything(connection) == reference.cases
                raise Undo
        except Undo:
            pass


async def everything(connection: Connection) -> dict[str, Kept]:
    """What the database knows, as the reference keeps it."""
    found = await rows(
        connection,
        """SELECT c.*, t.name AS type, ARRAY(
             SELECT jsonb_build_array(h.at, h.changes) FROM case_change h
             WHERE h.case_id = c.id ORDER BY h.id) AS history
           FROM "case" c JOIN case_type t ON t.id = c.type_id""",
    )
    return {one["external_id"]: _kept(one) for one in found}


def _kept(one: dict[str, Any]) -> Kept:
    same = ("type", "name", "state", "opened_at", "modified_at", "stored_at", "closed_at")
    more = ("properties", "numbers", "dates", "changed")
    links = {key: one[key] for key in ("owner", "modified_by", "parent", "host")}
    history = [(datetime.fromisoformat(at), changes) for at, changes in one["history"]]
    return Kept(
        **{key: one[key] for key in same}, links=links, **{key: one[key] for key in more}, history=history
    )


@pytest.fixture(scope="module")
def somewhere(database_url: str) -> Iterator[Somewhere]:
    place = Somewhere(database_url)
    yield place
    place.close()


@FREELY
@given(some=batches)
def test_words_in_batches_make_what_they_make_one_after_the_other(
    somewhere: Somewhere, some: list[list[dict[str, Any]]]
) -> None:
    somewhere.tell(some)


@FREELY
@given(first=properties, second=properties, later=st.booleans(), replace=st.booleans())
def test_whatever_a_case_holds_and_is_told_the_difference_is_kept(
    somewhere: Somewhere, first: dict[str, Any], second: dict[str, Any], later: bool, replace: bool
) -> None:
    word = {"external_id": "A", "properties": second, "replace": replace}
    again = {**word, "modified_at": MOMENTS[2]} if later else word
    somewhere.tell([[{"external_id": "A", "properties": first}], [again], [again], [word]])


def test_more_than_a_few_at_once_are_written_as_few_are(somewhere: Somewhere) -> None:
    some = [
        {"external_id": f"P-{n}", "parent": f"P-{n - n % 10}" if n % 10 else None, "properties": {"a": n}}
        for n in range(120)
    ]
    moved = [{**one, "parent": "P-0", "properties": {"a": n % 3}} for n, one in enumerate(some[5::10])]
    ring = [{"external_id": "P-0", "parent": "P-55"}, {"external_id": "P-7", "host": "P-8"}]
    somewhere.tell([some[:60], some, [*moved, *some[100:]], ring, [{"external_id": "P-8", "host": "P-7"}]])
