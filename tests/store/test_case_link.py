"""Whom cases name: found by their address, made where nobody has it, and linked by role."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from clarion.kit.db import Database
from clarion.store.erasure import erase
from clarion.store.merging import merge
from tests.store.cases import everybody, one, say, types
from tests.store.people import AMINA, JOHN, NOW, person, store

LATER = NOW + timedelta(hours=1)


def phone(external_id: str, number: str | None, name: str | None = None) -> dict[str, object]:
    return {"external_id": external_id, "name": name, "properties": {"phone": number}}


async def test_an_address_finds_the_oldest_contact_who_has_it(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        first, _ = await store(connection, [person("Amina", AMINA), person("Her son", AMINA)])
        await say(connection, [phone("P-1", "0712 000 001", "Amina W.")])
        linked = (await one(connection, "P-1"))["contacts"]["phone"]
        assert [who["id"] for who in linked] == [str(first.contact_id)]
        assert len(await everybody(connection)) == 2


async def test_an_address_that_nobody_has_makes_one_contact(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        words = [phone("P-1", AMINA), phone("P-2", "0712000001", "Amina"), phone("P-3", JOHN, "John")]
        await say(connection, words)
        assert [who["name"] for who in await everybody(connection)] == ["Amina", "John"]
        amina = (await one(connection, "P-1"))["contacts"]
        assert amina == (await one(connection, "P-2"))["contacts"]
        (again,) = await say(connection, [phone("P-1", AMINA)], LATER)
        assert again.outcome == "unchanged"


async def test_another_number_is_another_person_and_none_is_nobody(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        await say(connection, [phone("P-1", AMINA, "Amina")])
        await say(connection, [phone("P-1", JOHN)], LATER)
        assert [who["name"] for who in (await one(connection, "P-1"))["contacts"]["phone"]] == ["Amina"]
        assert len(await everybody(connection)) == 2
        (taken,) = await say(connection, [phone("P-1", "call the shop")], LATER)
        assert (taken.outcome, (await one(connection, "P-1"))["contacts"]) == ("updated", {})
        await say(connection, [phone("P-1", JOHN)], LATER)
        await say(connection, [{"external_id": "P-1", "replace": True}], LATER)
        assert (await one(connection, "P-1"))["contacts"] == {}


async def test_contacts_are_linked_by_their_external_ids(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        rosa, john = await store(
            connection, [person("Rosa", external_id="E-1"), person("John", JOHN, external_id="E-2")]
        )
        word = {
            "external_id": "P-1",
            "properties": {"midwife": "E-1"},
            "contacts": {"supervisor": ["E-2", str(rosa.contact_id)], "driver": "E-9"},
        }
        (taken,) = await say(connection, [word])
        assert [finding.field for finding in taken.findings] == ["contacts.driver"]
        linked = (await one(connection, "P-1"))["contacts"]
        assert [who["external_id"] for who in linked["midwife"]] == ["E-1"]
        assert {who["id"] for who in linked["supervisor"]} == {str(rosa.contact_id), str(john.contact_id)}
        await store(connection, [person("Sam", external_id="E-9")])
        (taken,) = await say(
            connection, [{"external_id": "P-1", "contacts": {"driver": "E-9", "supervisor": []}}]
        )
        assert (taken.outcome, taken.findings) == ("updated", ())
        assert set((await one(connection, "P-1"))["contacts"]) == {"midwife", "driver"}


async def test_a_link_goes_with_whoever_the_person_is_now(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        rosa, john = await store(
            connection, [person("Rosa", external_id="E-1"), person("John", JOHN, external_id="E-2")]
        )
        await say(connection, [{"external_id": "P-1", "contacts": {"a": "E-1", "b": ["E-1", "E-2"]}}])
        await merge(connection, john.contact_id, rosa.contact_id, NOW)
        linked = (await one(connection, "P-1"))["contacts"]
        assert {role: [who["id"] for who in some] for role, some in linked.items()} == {
            "a": [str(john.contact_id)],
            "b": [str(john.contact_id)],
        }
        await erase(connection, john.contact_id, NOW)
        assert (await one(connection, "P-1"))["contacts"] == {}
