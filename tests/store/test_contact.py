"""Contacts are found as people look for them."""

from __future__ import annotations

from uuid import UUID

import pytest

from clarion.errors import NotFound
from clarion.kit.db import Connection, Database
from clarion.store import contact, group
from tests.store.people import ABEBE, AMINA, JOHN, NOW, ROSA, person, store


async def cast(connection: Connection) -> dict[str, UUID]:
    taken = await store(
        connection,
        [
            person("Amina Wanjiru", AMINA, "amina@example.org", external_id="E-1"),
            person("አበበ በቀለ", ABEBE),
            person("Rosa O'Neill", ROSA, groups=["Nurses"]),
            person("John Smith", JOHN, external_id="0042"),
            person("Johnathan Smithers", "x", external_id="E-5"),
        ],
    )
    names = ("Amina", "Abebe", "Rosa", "John", "Johnathan")
    return {name: one.contact_id for name, one in zip(names, taken, strict=True)}


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("wanjiru amina", ["Amina"]),
        ("WANJ", ["Amina"]),
        ("rosa oneill", ["Rosa"]),
        ("O’Néill", ["Rosa"]),
        ("በቀለ", ["Abebe"]),
        ("smith", ["John", "Johnathan"]),
        ("john smith", ["John", "Johnathan"]),
        ("jo", ["John", "Johnathan"]),
        ("0712 000 001", ["Amina"]),
        (f"tel:{ROSA}", ["Rosa"]),
        ("Amina@Example.ORG", ["Amina"]),
        ("E-1", ["Amina"]),
        ("0042", ["John"]),
        ("%", []),
        ("", []),
        ("nobody", []),
    ],
)
async def test_a_person_is_found_by(db: Database, workspace: UUID, text: str, who: list[str]) -> None:
    async with db.tenant(workspace) as connection:
        people = await cast(connection)
        found = await contact.search(connection, text, country="KE")
        assert [one["id"] for one in found] == [people[name] for name in who]


async def test_nobody_of_another_workspace_is_found(
    db: Database, workspace: UUID, another_workspace: UUID
) -> None:
    async with db.tenant(another_workspace) as connection:
        people = await cast(connection)
    async with db.tenant(workspace) as connection:
        for text in ("wanjiru", "jo", AMINA, "E-1"):
            assert await contact.search(connection, text, country="KE") == []
        with pytest.raises(NotFound):
            await contact.get(connection, people["Amina"])
        assert await contact.page(connection) == []
        assert await contact.several(connection, list(people.values())) == []


async def test_the_search_by_name_uses_its_index(db: Database, workspace: UUID) -> None:
    """Under row-level security it cannot by itself: a narrow function does it for the own workspace."""
    async with db.tenant(workspace) as connection:
        people = await cast(connection)
        before = await _scans(connection)
        found = await contact.search(connection, "wanjiru", country=None)
        assert [one["id"] for one in found] == [people["Amina"]]
        assert await _scans(connection) == before + 1


async def _scans(connection: Connection) -> int:
    """How often this transaction has looked into the index on names."""
    cursor = await connection.execute("SELECT pg_stat_get_xact_numscans('contact_name'::regclass)")
    found = await cursor.fetchone()
    assert found is not None
    return int(found[0])


async def test_contacts_are_paged_by_id_and_by_group(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        people = await cast(connection)
        first = await contact.page(connection, limit=3)
        rest = await contact.page(connection, after=first[-1]["id"], limit=3)
        assert [one["id"] for one in first + rest] == list(people.values())
        (nurses,) = await group.page(connection)
        (rosa,) = await contact.page(connection, group_id=nurses["id"])
        assert rosa["id"] == people["Rosa"]


async def test_a_contact_is_shown_with_all_that_hangs_on_it(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        people = await cast(connection)
        amina = await contact.get(connection, people["Amina"])
        assert {key: amina[key] for key in ("external_id", "name", "status", "fields", "groups")} == {
            "external_id": "E-1",
            "name": "Amina Wanjiru",
            "status": "active",
            "fields": {},
            "groups": [],
        }
        shown = {"reason": "", "status_at": None}
        assert amina["addresses"] == [
            {
                **shown,
                "urn": urn,
                "status": "active",
                "last_inbound_at": None,
                "last_channel_id": None,
                "opted_out": False,
            }
            for urn in (f"tel:{AMINA}", "mailto:amina@example.org")
        ]
        assert amina["created_at"] == NOW
        assert (await contact.get(connection, people["Johnathan"]))["unreadable"] == [
            {"raw": "x", "reason": "not_a_number"}
        ]
