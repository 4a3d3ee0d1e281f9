"""Taking people in by the thousand comes to the same as one after the other, whoever they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clarion.domain.address import SCHEMES
from clarion.domain.field import FieldType
from clarion.domain.person import Customs, Given, Person, read_person
from clarion.kit.clock import Clock
from clarion.kit.db import Connection, Database, rows
from clarion.kit.ids import uuid7
from clarion.store import workspace as workspaces
from tests.store.people import NOW, store

# Few of each, so that people meet: the same id with another name, the same phone with another id.
IDS = st.sampled_from([None, None, "E-1", "E-2"])
NAMES = st.sampled_from([None, "", "Amina", "AMINA", "Abebe"])
PLACES = st.sampled_from(
    ["0712000001", "+254712000001", "0712000002", "whatsapp:+254712000001", "a@example.org", "0712", "x y"]
)
GIVEN = st.builds(
    Given,
    external_id=IDS,
    name=NAMES,
    language=st.sampled_from([None, None, "sw", "en", ""]),
    fields=st.dictionaries(st.sampled_from(["ward", "floor"]), st.sampled_from(["A", "B", ""]), max_size=2),
    addresses=st.lists(PLACES.map(lambda raw: ("phone", None, raw)), max_size=3),
    groups=st.lists(st.sampled_from(["Nurses", "nurses", "Drivers"]), max_size=2),
    opted_out=st.sampled_from([None, None, None, "yes"]),
)
CUSTOMS = Customs("KE", fields={"ward": FieldType.TEXT, "floor": FieldType.TEXT})


def read(given_people: Sequence[Given]) -> list[Person]:
    found = [read_person(one, CUSTOMS)[0] for one in given_people]
    return [person for person in found if person is not None]


class Ward:
    """A workspace in which every attempt is rolled back."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.db = Database(url, size=2)
        self.workspace = uuid7(Clock().now())
        self.loop.run_until_complete(self._open())

    async def _open(self) -> None:
        await self.db.__aenter__()
        async with self.db.tenant(self.workspace) as connection:
            await workspaces.create(connection, self.workspace, name="Ward", country="KE", now=NOW)

    def close(self) -> None:
        self.loop.run_until_complete(self.db.__aexit__())
        self.loop.close()

    def after(self, batches: Sequence[Sequence[Person]]) -> tuple[list[int], Any]:
        """Who turned out to be whom, and all that is known of them, when these batches were stored."""
        return self.loop.run_until_complete(self._after(batches))

    async def _after(self, batches: Sequence[Sequence[Person]]) -> tuple[list[int], Any]:
        async with self.db.tenant(self.workspace) as connection, connection.transaction(force_rollback=True):
            who = [one.contact_id for batch in batches for one in await store(connection, batch)]
            order = {identifier: place for place, identifier in enumerate(dict.fromkeys(who))}
            return [order[one] for one in who], await everything(connection, order)


async def everything(connection: Connection, order: dict[UUID, int]) -> Any:
    """All that is known of everybody, by who came first; without moments and identifiers."""
    contacts = await rows(
        connection,
        """SELECT c.id, c.external_id, c.name, c.folded_name, c.language, c.fields,
             ARRAY(SELECT a.scheme || ':' || a.value || ' ' || a.status FROM address a
                   WHERE a.contact_id = c.id ORDER BY 1) AS addresses,
             ARRAY(SELECT a.value FROM address a WHERE a.contact_id = c.id AND a.status = 'active'
                   ORDER BY a.scheme, a.position) AS preferred,
             ARRAY(SELECT i.raw FROM invalid_address i WHERE i.contact_id = c.id ORDER BY 1) AS unreadable,
             ARRAY(SELECT g.name FROM group_member m JOIN contact_group g ON g.id = m.group_id
                   WHERE m.contact_id = c.id ORDER BY 1) AS groups,
             ARRAY(SELECT encode(k.key, 'hex') || k.kind FROM identity k
                   WHERE k.contact_id = c.id ORDER BY 1) AS keys
           FROM contact c""",
    )
    consents = await rows(
        connection, "SELECT encode(consent_key, 'hex') AS key, state FROM consent ORDER BY 1"
    )
    known = [{**one, "id": order[one["id"]]} for one in contacts]
    return sorted(known, key=lambda one: int(one["id"])), consents


@pytest.fixture(scope="module")
def ward(database_url: str) -> Iterator[Ward]:
    place = Ward(database_url)
    yield place
    place.close()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(people=st.lists(GIVEN, min_size=1, max_size=8).map(read))
def test_a_batch_comes_to_the_same_as_one_after_the_other(ward: Ward, people: list[Person]) -> None:
    assert ward.after([people]) == ward.after([[person] for person in people])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(people=st.lists(GIVEN, min_size=2, max_size=8).map(read), at=st.integers(0, 8))
def test_where_a_file_is_cut_into_batches_makes_no_difference(
    ward: Ward, people: list[Person], at: int
) -> None:
    assert ward.after([people]) == ward.after([people[:at], people[at:]])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(people=st.lists(GIVEN, min_size=1, max_size=6).map(read))
def test_a_file_taken_in_again_changes_nothing(ward: Ward, people: list[Person]) -> None:
    who, known = ward.after([people])
    assert ward.after([people, people]) == (who + who, known)


# Any character at all: NUL, halves of pairs, marks, and what people really type.
ANY = st.text(st.characters(exclude_categories=()), max_size=12)
SOME = ANY | st.sampled_from(
    ["07", "+254712", "@", "a@b.org", "tel:", "\0", "\ud800", "\ud800a@b.org", "Ⅷ", "a\u0300", "  "]
)
ANYTHING = st.builds(
    Given,
    external_id=st.none() | SOME,
    name=st.none() | SOME,
    language=st.none() | SOME,
    country=st.none() | SOME,
    timezone=st.none() | SOME,
    fields=st.dictionaries(st.sampled_from(["ward", "floor"]), SOME, max_size=2),
    addresses=st.lists(
        st.tuples(
            st.just("phone"),
            st.sampled_from([None, *SCHEMES]),
            st.builds("".join, st.lists(SOME, max_size=3)),
        ),
        max_size=3,
    ),
    groups=st.lists(SOME, max_size=2),
    opted_out=st.none() | SOME,
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(people=st.lists(ANYTHING, min_size=1, max_size=6))
def test_whatever_is_written_is_stored_or_refused_and_never_breaks_an_import(
    ward: Ward, people: list[Given]
) -> None:
    read_ones = [read_person(one, CUSTOMS) for one in people]
    assert all(person is not None or findings[-1].severity == "refused" for person, findings in read_ones)
    who, _ = ward.after([[person for person, _ in read_ones if person is not None]])
    assert len(who) == sum(person is not None for person, _ in read_ones)
    "".join(f.field + f.reason for _, findings in read_ones for f in findings).encode()
