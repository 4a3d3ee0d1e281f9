"""RapidPro's lists are read to their end and lose nobody: cut off, edited meanwhile, lagging, throttled."""

from __future__ import annotations

import asyncio

import pytest

from clarion.errors import Conflict
from clarion.flow.bring.counts import Counts, Listeners
from clarion.flow.bring.rapidpro import CONTACTS, OVERLAP
from clarion.store import reading
from tests.flow.bringing import ABEBE, AMINA, Clinic, became, crowd


async def test_who_changed_long_ago_is_not_asked_for_again(clinic: Clinic) -> None:
    clinic.there.made("contacts", name="Amina", urns=[AMINA])
    clinic.there.sandbox.configure(clock_offset=OVERLAP.total_seconds() + 60)
    clinic.there.made("contacts", name="Abebe", urns=[ABEBE])
    assert (await clinic.bring()).read == 2
    assert (await clinic.bring()).read == 1


async def test_what_a_list_showed_late_is_found_by_the_next_import(clinic: Clinic) -> None:
    clinic.there.made("contacts", name="Amina", urns=[AMINA])
    await clinic.bring()
    clinic.there.sandbox.configure(clock_offset=-60)
    clinic.there.made("contacts", name="Abebe", urns=[ABEBE])  # its change was there before, and unseen
    clinic.there.sandbox.configure(clock_offset=0)
    assert became(await clinic.bring()) == (1, 0, 1, 0)


async def test_an_import_that_was_cut_off_goes_on_where_it_stood(clinic: Clinic) -> None:
    await crowd(clinic, 7, page=2)
    pages: list[int] = []

    def die(counts: Counts) -> None:
        pages.append(counts.read)
        if len(pages) == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await clinic.bring(Listeners(progress=die))
    assert len(await clinic.people()) == 4
    counts = await clinic.bring()
    assert (counts.read, became(counts)) == (3, (3, 0, 0, 0))
    assert len((await clinic.groups())["All"]) == 7
    assert became(await clinic.bring()) == (0, 0, 7, 0)


async def test_where_it_stood_may_be_forgotten_there(clinic: Clinic) -> None:
    await crowd(clinic, 3, page=2)
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        await reading.place(connection, clinic.channel, CONTACTS)
        await reading.begin(connection, clinic.channel, CONTACTS, None)
        await reading.advance(connection, clinic.channel, CONTACTS, "another RapidPro's", None)
    assert became(await clinic.bring()) == (3, 0, 0, 0)


async def test_who_changes_meanwhile_comes_again_at_the_end(clinic: Clinic) -> None:
    await crowd(clinic, 5, page=2)
    first = clinic.there.listed("contacts", reverse="true")[0]["uuid"]

    def edit(counts: Counts) -> None:
        if counts.read == 2:
            clinic.there.changed("contacts", first, name="Another name", groups=[])

    counts = await clinic.bring(Listeners(progress=edit))
    assert (counts.read, became(counts)) == (6, (5, 1, 0, 0))
    assert "Another name" in await clinic.people()
    assert len((await clinic.groups())["All"]) == 4


async def test_too_many_requests_midway_are_waited_for(clinic: Clinic) -> None:
    await crowd(clinic, 8, page=2)
    await asyncio.sleep(1.1)
    clinic.there.sandbox.configure(rapidpro={"page": 2, "requests": 2, "window": 1})
    waits: list[float] = []
    counts = await clinic.bring(Listeners(waiting=waits.append))
    assert became(counts) == (8, 0, 0, 0)
    assert waits
    assert set(waits) == {1.0}


async def test_two_imports_at_once_do_not_both_store_a_page(clinic: Clinic) -> None:
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        await reading.place(connection, clinic.channel, CONTACTS)
        await reading.begin(connection, clinic.channel, CONTACTS, None)
        await reading.advance(connection, clinic.channel, CONTACTS, "page 2", None)
        with pytest.raises(Conflict, match="somebody else"):
            await reading.hold(connection, clinic.channel, CONTACTS, "")
        await reading.hold(connection, clinic.channel, CONTACTS, "page 2")


async def test_two_imports_that_begin_at_once_make_each_group_once(clinic: Clinic) -> None:
    await crowd(clinic, 3, page=2)
    ended = await asyncio.gather(clinic.bring(), clinic.bring(), return_exceptions=True)
    assert all(isinstance(one, Counts | Conflict) for one in ended)
    await clinic.bring()
    assert await clinic.groups() == {"All": ["Person 0", "Person 1", "Person 2"]}


async def test_a_group_that_is_made_meanwhile_has_its_members(clinic: Clinic) -> None:
    await crowd(clinic, 3, page=2)
    there = clinic.there

    def join(counts: Counts) -> None:
        if counts.read == 2:
            nurses = there.made("groups", name="Nurses")["uuid"]
            there.act("add", *(one["uuid"] for one in there.listed("contacts")), group=nurses)

    await clinic.bring(Listeners(progress=join))
    assert (await clinic.groups())["Nurses"] == ["Person 0", "Person 1", "Person 2"]
