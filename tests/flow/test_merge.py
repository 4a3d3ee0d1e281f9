"""Two contacts that are one person become one contact, who still hears everything once."""

from __future__ import annotations

from uuid import UUID

import pytest

from clarion.domain.audience import Audience, Selection
from clarion.errors import Conflict, NotFound
from clarion.flow.erase import erase_contact
from clarion.flow.merge import merge_contacts
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.ids import uuid7
from clarion.store import audience as audiences
from clarion.store import contact, group
from tests.store.announced import SCHEMES, announce, expand_all, outcomes, reopen, waiting_for
from tests.store.people import ABEBE, AMINA, JOHN, NOW, ROSA, person, store


async def two_rosas(db: Database, workspace: UUID) -> tuple[UUID, UUID]:
    async with db.tenant(workspace) as connection:
        kept, gone = await store(
            connection,
            [
                person("Rosa O'Neill", ROSA, groups=["Nurses"]),
                person("R. O'Neill", JOHN, ROSA, "x", groups=["Nairobi"], external_id="E-3", language="en"),
            ],
        )
    return kept.contact_id, gone.contact_id


async def test_everything_of_the_one_becomes_the_others(db: Database, clock: Clock, workspace: UUID) -> None:
    kept, gone = await two_rosas(db, workspace)
    rosa = await merge_contacts(db, clock, workspace, kept, gone)
    assert (rosa["name"], rosa["external_id"], rosa["language"]) == ("Rosa O'Neill", "E-3", "en")
    assert [one["urn"] for one in rosa["addresses"]] == [f"tel:{ROSA}", f"tel:{JOHN}"]
    assert [one["name"] for one in rosa["groups"]] == ["Nairobi", "Nurses"]
    assert rosa["unreadable"] == [{"raw": "x", "reason": "not_a_number"}]
    async with db.tenant(workspace) as connection:
        old = await contact.get(connection, gone)
        assert (old["status"], old["merged_into"], old["groups"]) == ("merged", kept, [])


async def test_rows_that_named_either_find_the_one(db: Database, clock: Clock, workspace: UUID) -> None:
    kept, gone = await two_rosas(db, workspace)
    await merge_contacts(db, clock, workspace, kept, gone)
    async with db.tenant(workspace) as connection:
        taken = await store(
            connection,
            [
                person("r o'neill", JOHN),
                person("Rosa O'Neill", ROSA),
                person("Rosa", external_id="E-3"),
            ],
        )
        assert {one.contact_id for one in taken} == {kept}


async def test_a_person_who_waited_twice_in_one_run_hears_it_once(
    db: Database, clock: Clock, workspace: UUID
) -> None:
    kept, gone = await two_rosas(db, workspace)
    async with db.tenant(workspace) as connection:
        run = await announce(connection, workspace, clock.now())
        assert await outcomes(connection, run) == {"ready": 2}
    await merge_contacts(db, clock, workspace, kept, gone)
    async with db.tenant(workspace) as connection:
        assert await outcomes(connection, run) == {"ready": 1, "duplicate_person": 1}
        assert await waiting_for(connection, run) == [(kept, ROSA)]


async def test_what_waits_for_the_loser_alone_goes_to_the_winner(
    db: Database, clock: Clock, workspace: UUID
) -> None:
    kept, gone = await two_rosas(db, workspace)
    only = Audience(include=Selection(contacts=(gone,)))
    async with db.tenant(workspace) as connection:
        run = await announce(connection, workspace, clock.now(), only)
    await merge_contacts(db, clock, workspace, kept, gone)
    async with db.tenant(workspace) as connection:
        assert await waiting_for(connection, run) == [(kept, JOHN)]


async def test_a_merge_amid_an_expansion_makes_no_second_message(
    db: Database, clock: Clock, workspace: UUID
) -> None:
    """The loser was expanded already, the winner not yet."""
    async with db.tenant(workspace) as connection:
        first, second = await store(connection, [person("Rosa", ROSA), person("Rosa O'Neill", JOHN)])
        early, late = sorted((first.contact_id, second.contact_id))
        run = await announce(
            connection, workspace, clock.now(), Audience(include=Selection(contacts=(early,)))
        )
        await reopen(connection, run)
    await merge_contacts(db, clock, workspace, late, early)
    async with db.tenant(workspace) as connection:
        await expand_all(connection, run, clock.now())
        assert await outcomes(connection, run) == {"ready": 1}


async def test_an_audience_that_names_the_loser_means_the_winner(
    db: Database, clock: Clock, workspace: UUID
) -> None:
    kept, gone = await two_rosas(db, workspace)
    await merge_contacts(db, clock, workspace, kept, gone)
    async with db.tenant(workspace) as connection:
        counts = await audiences.preview(
            connection, Audience(include=Selection(contacts=(gone,))), SCHEMES, now=NOW
        )
        assert (counts["people"], counts["reachable"], counts["duplicate_person"]) == (2, 1, 1)


async def test_merging_twice_leads_from_the_first_to_the_last(
    db: Database, clock: Clock, workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        taken = await store(
            connection, [person("Amina", AMINA), person("Abebe", ABEBE), person("Rosa", ROSA)]
        )
        one, two, three = (each.contact_id for each in taken)
    await merge_contacts(db, clock, workspace, two, one)
    await merge_contacts(db, clock, workspace, three, two)
    async with db.tenant(workspace) as connection:
        assert (await contact.get(connection, one))["merged_into"] == three
        assert await group.page(connection) == []


async def test_only_active_contacts_are_merged(db: Database, clock: Clock, workspace: UUID) -> None:
    kept, gone = await two_rosas(db, workspace)
    with pytest.raises(NotFound):
        await merge_contacts(db, clock, workspace, kept, uuid7(NOW))
    with pytest.raises(Conflict):
        await merge_contacts(db, clock, workspace, kept, kept)
    await erase_contact(db, clock, workspace, gone)
    with pytest.raises(Conflict):
        await merge_contacts(db, clock, workspace, kept, gone)
