"""Whom an audience means, and what sending to it would come to."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from clarion.domain.audience import Audience, Selection
from clarion.domain.field import Field, FieldType
from clarion.kit.db import Connection, Database
from clarion.store import audience as audiences
from clarion.store import contact, erasure, group, merging
from clarion.store import field as fields
from clarion.store.criteria import frame
from tests.store.announced import SCHEMES, announce, outcomes
from tests.store.people import ABEBE, AMINA, JOHN, NOW, ROSA, person, store


def audience(exclude: dict[str, Any] | None = None, **include: Any) -> Audience:
    return Audience(include=Selection(**include), exclude=Selection(**(exclude or {})))


async def meant(connection: Connection, who: Audience) -> list[str]:
    """The names of whom an audience means: by any path of finding them."""
    found = []
    for condition in (
        audiences.meant(who, await frame(connection, NOW)),
        await audiences.resolve(connection, who, NOW),
    ):
        cursor = await connection.execute(
            f"SELECT c.name FROM contact c WHERE {condition.predicate} ORDER BY c.name", condition.params
        )
        found.append([one[0] for one in await cursor.fetchall()])
    assert found[0] == found[1]
    return found[0]


async def cast(connection: Connection) -> dict[str, UUID]:
    await fields.declare(connection, Field("department", "Department", FieldType.TEXT))
    people = [
        person("Abebe", ABEBE, groups=["Drivers"]),
        person("Amina", AMINA, groups=["Nurses", "Nairobi"]),
        person("John", JOHN, external_id="E-4"),
        person("Rosa", ROSA, groups=["Nairobi"]),
    ]
    taken = await store(connection, people)
    names = ("Abebe", "Amina", "John", "Rosa")
    return {name: one.contact_id for name, one in zip(names, taken, strict=True)}


async def group_named(connection: Connection, name: str) -> UUID:
    found: UUID = next(one["id"] for one in await group.page(connection) if one["name"] == name)
    return found


async def test_a_person_in_two_groups_is_meant_once(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await cast(connection)
        both = [await group_named(connection, "Nurses"), await group_named(connection, "Nairobi")]
        assert await meant(connection, audience(groups=both)) == ["Amina", "Rosa"]


async def test_a_group_means_the_groups_below_it_too(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await cast(connection)
        region = await group.create(connection, "Kenya", NOW)
        await group.move(connection, await group_named(connection, "Nairobi"), region)
        assert await meant(connection, audience(groups=[region])) == ["Amina", "Rosa"]


async def test_who_is_excluded_is_not_meant_however_they_were_included(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        people = await cast(connection)
        nairobi = await group_named(connection, "Nairobi")
        everyone_else = audience(everyone=True, exclude={"groups": [nairobi]})
        assert await meant(connection, everyone_else) == ["Abebe", "John"]
        named = audience(contacts=[people["Amina"]], everyone=True, exclude={"contacts": [people["Amina"]]})
        assert await meant(connection, named) == ["Abebe", "John", "Rosa"]


async def test_a_filter_adds_to_groups_and_contacts(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        people = await cast(connection)
        drivers = await group_named(connection, "Drivers")
        which = audience(
            groups=[drivers],
            contacts=[people["John"]],
            filter={"field": "name", "op": "starts_with", "value": "ro"},
        )
        assert await meant(connection, which) == ["Abebe", "John", "Rosa"]


async def test_an_empty_selection_means_nobody(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await cast(connection)
        assert await meant(connection, audience()) == []
        nobody = await group.create(connection, "Empty", NOW)
        assert await meant(connection, audience(groups=[nobody])) == []


async def test_another_workspaces_group_and_people_mean_nobody_here(
    db: Database, workspace: UUID, another_workspace: UUID
) -> None:
    async with db.tenant(another_workspace) as connection:
        people = await cast(connection)
        nairobi = await group_named(connection, "Nairobi")
    async with db.tenant(workspace) as connection:
        await cast(connection)
        strangers = audience(groups=[nairobi], contacts=list(people.values()))
        assert await meant(connection, strangers) == []


async def test_a_preview_adds_up_and_says_why(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await cast(connection)
        await store(
            connection,
            [
                person("Amina's sister", AMINA),
                person("Stopped", "+254712000009", opted_out="yes"),
                person("Unreadable", "0712"),
                person("By mail only", "mail@example.org"),
                person("Nowhere", external_id="E-0"),
            ],
        )
        counts = await audiences.preview(connection, audience(everyone=True), SCHEMES, now=NOW)
        assert counts == {
            "people": 9, "reachable": 5, "sharing_an_address": 1, "duplicate_person": 0, "opted_out": 1,
            "no_address": 2, "invalid_number": 1, "erased": 0, "in_several_groups": 0,
            "duplicate_address": 0,
        }  # fmt: skip
        each_phone = await audiences.preview(connection, audience(everyone=True), SCHEMES, "address", now=NOW)
        assert (each_phone["reachable"], each_phone["duplicate_address"]) == (4, 1)


async def test_a_preview_counts_memberships_beyond_the_first(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await cast(connection)
        groups = [one["id"] for one in await group.page(connection)]
        counts = await audiences.preview(connection, audience(groups=groups), SCHEMES, now=NOW)
        assert (counts["people"], counts["reachable"], counts["in_several_groups"]) == (3, 3, 1)


@pytest.mark.parametrize("one_per", ["person", "address"])
async def test_a_preview_tells_what_the_expansion_does(
    db: Database, workspace: UUID, one_per: audiences.OnePer
) -> None:
    """Counted beforehand and written down afterwards, everybody comes to the same end."""
    async with db.tenant(workspace) as connection:
        people = await cast(connection)
        await store(
            connection,
            [
                person("Amina's sister", AMINA),
                person("Amina's brother", f"whatsapp:{AMINA}"),
                person("Stopped", "+254712000009", opted_out="yes"),
                person("Unreadable", "0712", "mail@example.org"),
                person("Nowhere", external_id="E-0"),
                person("Merged", "+254712000008"),
                person("Erased", "+254712000007"),
            ],
        )
        named = {one["name"]: one["id"] for one in await contact.page(connection)}
        await merging.merge(connection, people["Rosa"], named["Merged"], NOW)
        await erasure.erase(connection, named["Erased"], NOW)
        who = audience(everyone=True, contacts=[named["Merged"], named["Erased"]])
        counts = await audiences.preview(connection, who, SCHEMES, one_per, now=NOW)
        run = await announce(connection, workspace, NOW, who, one_an_address=one_per == "address")
        written = await outcomes(connection, run)
    assert written.pop("ready") == counts["reachable"]
    assert sum(written.values()) + counts["reachable"] == counts["people"]
    assert written == {reason: counts[reason] for reason in written}
    assert set(written) >= {"opted_out", "no_address", "invalid_number", "duplicate_person", "erased"}


async def test_few_people_are_looked_up_and_many_are_not_listed(
    db: Database, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with db.tenant(workspace) as connection:
        await cast(connection)
        nairobi = await group_named(connection, "Nairobi")
        few = await audiences.resolve(connection, audience(groups=[nairobi]), NOW)
        assert few.predicate.startswith("c.id = ANY")
        monkeypatch.setattr(audiences, "FEW", 1)
        many = await audiences.resolve(connection, audience(groups=[nairobi]), NOW)
        assert not many.predicate.startswith("c.id = ANY")
        assert await meant(connection, audience(groups=[nairobi])) == ["Amina", "Rosa"]
