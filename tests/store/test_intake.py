"""Who is who when people are taken in, one by one or thousands at a time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.identity import consent_hash
from clarion.domain.person import Person
from clarion.kit.clock import Clock
from clarion.kit.db import Connection, Database, rows
from clarion.kit.ids import uuid7
from clarion.store import consent
from clarion.store import workspace as workspaces
from clarion.store.intake import Outcome, Taken
from tests.house import House
from tests.store.people import ABEBE, AMINA, JOHN, NOW, ROSA, pepper_of, person, store, tel


async def everybody(connection: Connection) -> list[dict[str, Any]]:
    return await rows(connection, "SELECT * FROM contact WHERE status = 'active' ORDER BY id")


async def numbers(connection: Connection, contact: UUID) -> list[tuple[str, str]]:
    found = await rows(
        connection,
        "SELECT value, status FROM address WHERE contact_id = %s ORDER BY status, value",
        (contact,),
    )
    return [(row["value"], row["status"]) for row in found]


async def test_the_same_number_written_twice_is_one_person(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        first, second = await store(
            connection, [person("Amina Wanjiru", "0712 000 001"), person("AMINA  WANJIRU", "+254712000001")]
        )
        assert first.contact_id == second.contact_id
        assert (first.outcome, second.outcome) == (Outcome.CREATED, Outcome.UPDATED)
        (amina,) = await everybody(connection)
        assert amina["name"] == "AMINA WANJIRU"
        assert await numbers(connection, amina["id"]) == [(AMINA, "active")]


async def test_two_people_who_share_a_phone_are_two_contacts(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        amina, abebe = await store(connection, [person("Amina", AMINA), person("Abebe", AMINA)])
        assert amina.contact_id != abebe.contact_id
        assert len(await everybody(connection)) == 2


async def test_an_external_id_decides_even_when_all_else_is_equal(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        father, son = await store(
            connection,
            [person("John Smith", JOHN, external_id="E-1"), person("John Smith", JOHN, external_id="E-2")],
        )
        assert father.contact_id != son.contact_id
        assert son.twin == father.contact_id
        (again,) = await store(connection, [person("Johnny", ROSA, external_id="E-2")])
        assert (again.contact_id, again.outcome) == (son.contact_id, Outcome.UPDATED)


async def test_a_row_without_an_external_id_finds_the_contact_who_has_one(
    db: Database, workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        (known,) = await store(connection, [person("Rosa O'Neill", ROSA, external_id="E-3")])
        (again,) = await store(connection, [person("rosa o’neill", ROSA)])
        assert again.contact_id == known.contact_id


async def test_a_contact_without_an_external_id_gets_the_one_that_comes_later(
    db: Database, workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        (known,) = await store(connection, [person("Rosa O'Neill", ROSA)])
        (again,) = await store(connection, [person("Rosa O'Neill", ROSA, external_id="E-3")])
        assert (again.contact_id, again.outcome) == (known.contact_id, Outcome.UPDATED)
        (rosa,) = await everybody(connection)
        assert rosa["external_id"] == "E-3"


async def test_taking_the_same_people_in_again_changes_nothing(db: Database, workspace: UUID) -> None:
    people = [
        person("Amina", AMINA, "amina@example.org", groups=["Nurses"], language="sw"),
        person("Abebe", ABEBE, external_id="E-9"),
        person("John Smith", "12", "not a number", JOHN),
    ]
    async with db.tenant(workspace) as connection:
        first = await store(connection, people)
        before = await everybody(connection)
        again = await store(connection, people, NOW + timedelta(days=1))
        assert {taken.outcome for taken in first} == {Outcome.CREATED}
        assert {taken.outcome for taken in again} == {Outcome.UNCHANGED}
        assert await everybody(connection) == before


async def test_a_new_number_takes_the_place_of_the_old_one(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        (known,) = await store(connection, [person("Amina", AMINA, "amina@example.org", external_id="E-1")])
        await store(connection, [person("Amina", JOHN, external_id="E-1")])
        assert await numbers(connection, known.contact_id) == [
            (JOHN, "active"),
            ("amina@example.org", "active"),
            (AMINA, "retired"),
        ]
        await store(connection, [person("Amina", AMINA, external_id="E-1")])
        assert (AMINA, "active") in await numbers(connection, known.contact_id)


async def test_a_blank_says_nothing_and_an_empty_word_clears(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await store(connection, [person("Amina", AMINA, external_id="E-1", language="sw", country="KE")])
        await store(connection, [person(None, external_id="E-1", language="")])
        (amina,) = await everybody(connection)
        assert (amina["name"], amina["language"], amina["country"]) == ("Amina", None, "KE")


async def test_a_number_that_cannot_be_read_is_kept_with_its_person(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        (taken,) = await store(connection, [person("John Smith", "0712 34")])
        (again,) = await store(connection, [person("John Smith", "071234")])
        assert again.contact_id == taken.contact_id
        kept = await rows(connection, "SELECT contact_id, raw, reason FROM invalid_address")
        assert kept == [{"contact_id": taken.contact_id, "raw": "071234", "reason": "too_short"}]


async def test_a_good_number_clears_the_bad_one(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await store(connection, [person("John Smith", "071234", external_id="E-4")])
        await store(connection, [person("John", external_id="E-4")])
        assert len(await rows(connection, "SELECT raw FROM invalid_address")) == 1
        await store(connection, [person("John Smith", JOHN, external_id="E-4")])
        assert await rows(connection, "SELECT raw FROM invalid_address") == []


async def test_groups_are_made_when_they_are_new_whatever_their_case(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await store(connection, [person("Amina", AMINA, groups=["Nurses", "Nairobi"])])
        await store(connection, [person("Abebe", ABEBE, groups=["nurses "])])
        groups = await rows(
            connection,
            """SELECT g.name, count(m.contact_id) AS n FROM contact_group g
               LEFT JOIN group_member m ON m.group_id = g.id GROUP BY g.name ORDER BY g.name""",
        )
        assert groups == [{"name": "Nairobi", "n": 1}, {"name": "Nurses", "n": 2}]


async def test_an_opt_out_in_a_file_counts_and_a_no_never_opts_anybody_in(
    db: Database, workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        (amina,) = await store(connection, [person("Amina", AMINA, opted_out="yes")])
        assert await consent.opted_out(connection, amina.contact_id)
        await store(connection, [person("Amina", AMINA, opted_out="no")])
        assert await consent.opted_out(connection, amina.contact_id)
        key = consent_hash(await pepper_of(connection), tel(AMINA))
        events = await consent.history(connection, [key])
        assert [(event["state"], event["how"]) for event in events] == [("out", "import")]


async def test_people_of_another_workspace_are_strangers(
    db: Database, workspace: UUID, another_workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        (here,) = await store(connection, [person("Amina", AMINA, external_id="E-1")])
    async with db.tenant(another_workspace) as connection:
        (there,) = await store(connection, [person("Amina", AMINA, external_id="E-1")])
        assert there.outcome is Outcome.CREATED
        assert there.contact_id != here.contact_id
        assert len(await everybody(connection)) == 1


async def test_two_who_take_the_same_new_person_in_at_once_agree_on_one_contact(
    db: Database, workspace: UUID
) -> None:
    async def take_in(people: list[Person]) -> list[Taken]:
        async with db.tenant(workspace) as connection:
            return await store(connection, people)

    amina, abebe = person("Amina", AMINA, external_id="E-1"), person("Abebe", ABEBE, groups=["Drivers"])
    first, second = await asyncio.gather(take_in([amina, abebe]), take_in([abebe, amina]))
    assert [one.contact_id for one in first] == [one.contact_id for one in reversed(second)]
    assert {one.outcome for one in (*first, *second)} == {Outcome.CREATED, Outcome.UNCHANGED}


async def _rows_read(connection: Connection) -> int:
    """Rows and index entries of people's tables that this transaction has read so far."""
    found = await rows(
        connection,
        """SELECT sum(pg_stat_get_xact_tuples_returned(c.oid))::int AS n FROM pg_class c
           LEFT JOIN pg_index i ON i.indexrelid = c.oid
           WHERE coalesce(i.indrelid, c.oid) = ANY (ARRAY[
             'contact', 'identity', 'address', 'invalid_address', 'group_member', 'consent']::regclass[])""",
    )
    return int(found[0]["n"])


@pytest.mark.parametrize("how_many", [1, 200])
async def test_a_person_costs_the_same_however_many_there_are_and_nobody_has_counted_them(
    house: House, clock: Clock, how_many: int
) -> None:
    """Without statistics the planner must not read the workspace for each person, new or known."""
    name = house.new_database()
    async with Database(house.url(name), size=2) as db:
        workspace = uuid7(clock.now())
        async with db.tenant(workspace) as connection:
            await workspaces.create(connection, workspace, name="Large", country="KE", now=NOW)
            await store(
                connection,
                [person(f"P {n}", f"+2547120{n:05d}", "12", external_id=f"E-{n}") for n in range(3_000)],
            )
        known = [
            person(f"Q {n}", f"+2547130{n:05d}", external_id=f"E-{n}", groups=["All"], opted_out="yes")
            for n in range(how_many)
        ]
        new = [person(f"R {n}", f"+2547140{n:05d}", "12", groups=["All"]) for n in range(how_many)]
        async with db.tenant(workspace) as connection:
            before = await _rows_read(connection)
            taken = await store(connection, [*known, *new])
            assert await _rows_read(connection) - before < 60 * how_many
        assert [one.outcome for one in taken] == [Outcome.UPDATED] * how_many + [Outcome.CREATED] * how_many
    house.drop(name)
