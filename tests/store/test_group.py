"""Groups nest, never in a circle, and know who is in them."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clarion.errors import Conflict, Invalid, NotFound
from clarion.kit.clock import Clock
from clarion.kit.db import Connection, Database
from clarion.kit.ids import uuid7
from clarion.store import contact, erasure, group
from tests.store.people import ABEBE, AMINA, NOW, ROSA, person, store


async def three(connection: Connection) -> list[UUID]:
    people = [person("Amina", AMINA), person("Abebe", ABEBE), person("Rosa", ROSA)]
    return [one.contact_id for one in await store(connection, people)]


async def test_members_of_groups_below_are_members_too_and_once(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        amina, abebe, rosa = await three(connection)
        health = await group.create(connection, "Health", NOW)
        clinics = await group.create(connection, "Clinics", NOW, health)
        nurses = await group.create(connection, "Nurses", NOW, clinics)
        assert await group.add_members(connection, nurses, [amina, abebe]) == 2
        assert await group.add_members(connection, health, [abebe, rosa]) == 2
        assert await group.members(connection, health) == [amina, abebe, rosa]
        assert await group.members(connection, clinics) == [amina, abebe]
        assert await group.members(connection, health, deep=False) == [abebe, rosa]
        assert await group.members(connection, health, after=amina, limit=1) == [abebe]


async def test_adding_or_removing_twice_changes_nothing_more(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        amina, abebe, _ = await three(connection)
        nurses = await group.create(connection, "Nurses", NOW)
        assert await group.add_members(connection, nurses, [amina, amina, abebe]) == 2
        assert await group.add_members(connection, nurses, [amina]) == 0
        assert await group.remove_members(connection, nurses, [amina, uuid7(NOW)]) == 1
        assert await group.remove_members(connection, nurses, [amina]) == 0
        assert await group.members(connection, nurses) == [abebe]


async def test_an_external_id_is_one_groups_alone_and_can_be_taken_away(
    db: Database, workspace: UUID, another_workspace: UUID
) -> None:
    async with db.tenant(another_workspace) as connection:
        await group.create(connection, "Theirs", NOW, external_id="L-1")
    async with db.tenant(workspace) as connection:
        kisumu = await group.create(connection, "Kisumu", NOW, external_id=" L-1 ")
        assert (await group.get(connection, kisumu))["external_id"] == "L-1"
        with pytest.raises(Conflict, match="Kisumu has this external id"):
            await group.create(connection, "Busia", NOW, external_id="L-1")
        busia = await group.create(connection, "Busia", NOW)
        with pytest.raises(Conflict, match="Kisumu has this external id"):
            await group.know_as(connection, busia, "L-1")
        for wrong in (" ", "x" * 201):
            with pytest.raises(Invalid, match="no external id"):
                await group.know_as(connection, busia, wrong)
        await group.know_as(connection, kisumu, "L-1")
        await group.know_as(connection, kisumu, None)
        await group.know_as(connection, busia, "L-1")
        (found,) = await group.page(connection, external_id="L-1")
        assert found["name"] == "Busia"


async def test_an_import_may_name_a_group_by_its_external_id(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        kisumu = await group.create(connection, "Kisumu", NOW, external_id="L-1")
        called = await group.create(connection, "L-2", NOW)
        busia = await group.create(connection, "Busia", NOW, external_id="L-2")
        found = await group.by_name(connection, ["l-1", "L-2", "busia", "New"], NOW)
        assert (found["l-1"], found["l-2"], found["busia"]) == (kisumu, called, busia)
        assert len(await group.page(connection)) == 4


async def test_nobody_who_is_not_a_contact_joins(
    db: Database, workspace: UUID, another_workspace: UUID
) -> None:
    async with db.tenant(another_workspace) as connection:
        (stranger, *_) = await three(connection)
        theirs = await group.create(connection, "Theirs", NOW)
    async with db.tenant(workspace) as connection:
        gone, *_ = await three(connection)
        await erasure.erase(connection, gone, NOW)
        nurses = await group.create(connection, "Nurses", NOW)
        assert await group.add_members(connection, nurses, [stranger, gone, uuid7(NOW)]) == 0
        with pytest.raises(NotFound):
            await group.add_members(connection, theirs, [gone])


async def test_a_group_is_never_below_itself(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        top = await group.create(connection, "Top", NOW)
        middle = await group.create(connection, "Middle", NOW, top)
        low = await group.create(connection, "Low", NOW, middle)
        for parent in (top, middle, low):
            with pytest.raises(Conflict, match="below itself"):
                await group.move(connection, top, parent)
        await group.move(connection, low, None)
        await group.move(connection, top, low)
        assert await group.below(connection, [low]) == {top, middle, low}


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(moves=st.lists(st.tuples(st.integers(0, 4), st.none() | st.integers(0, 4)), max_size=12))
async def test_whatever_is_moved_the_groups_stay_a_forest(
    db: Database, moves: list[tuple[int, int | None]]
) -> None:
    workspace = uuid7(Clock().now())
    async with db.tenant(workspace) as connection, connection.transaction(force_rollback=True):
        await connection.execute(
            "INSERT INTO workspace (id, name, pepper, created_at) VALUES (%s, 'Groups', 'x', %s)",
            (workspace, NOW),
        )
        groups = [await group.create(connection, f"Group {n}", NOW) for n in range(5)]
        for which, parent in moves:
            try:
                await group.move(connection, groups[which], None if parent is None else groups[parent])
            except Conflict:
                continue
        parents = {one["id"]: one["parent_id"] for one in await group.page(connection)}
        for start in groups:
            seen, here = set(), start
            while here is not None:
                assert here not in seen
                seen.add(here)
                here = parents[here]


async def test_removing_a_group_moves_those_below_it_up(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        amina, *_ = await three(connection)
        top = await group.create(connection, "Top", NOW)
        middle = await group.create(connection, "Middle", NOW, top)
        low = await group.create(connection, "Low", NOW, middle)
        await group.add_members(connection, middle, [amina])
        await group.remove(connection, middle)
        assert (await group.get(connection, low))["parent_id"] == top
        assert (await contact.get(connection, amina))["groups"] == []
        with pytest.raises(NotFound):
            await group.get(connection, middle)


async def test_two_groups_never_have_one_name(db: Database, workspace: UUID, another_workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        nurses = await group.create(connection, " Night   nurses ", NOW)
        assert (await group.get(connection, nurses))["name"] == "Night nurses"
        with pytest.raises(Conflict):
            await group.create(connection, "NIGHT NURSES", NOW)
        with pytest.raises(Invalid):
            await group.create(connection, " \0 ", NOW)
        drivers = await group.create(connection, "Drivers", NOW)
        with pytest.raises(Conflict):
            await group.rename(connection, drivers, "night nurses")
        await group.rename(connection, nurses, "night nurses")
        assert {one["name"] for one in await group.page(connection)} == {"night nurses", "Drivers"}
    async with db.tenant(another_workspace) as connection:
        await group.create(connection, "Drivers", NOW)
        with pytest.raises(NotFound):
            await group.rename(connection, drivers, "Ours")
