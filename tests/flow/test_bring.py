"""People come from RapidPro and stay in step with it: real HTTP from the sandbox, a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.person import Given
from clarion.errors import Conflict, Invalid, Misconfigured
from clarion.flow import configure, ingest
from clarion.flow import consent as consents
from clarion.flow.bring.counts import Counts, Listeners
from clarion.flow.bring.rapidpro import CONTACTS, OVERLAP, bring
from clarion.flow.services import Services
from clarion.kit.clock import Clock, FakeClock
from clarion.kit.db import Row
from clarion.sandbox.client import SandboxProcess
from clarion.store import contact, erasure, group, reading
from tests.sandbox.rapidpro import NUMBERS, TOKEN, There

AMINA, ABEBE, ROSA = "tel:+254712000001", "tel:+251911000002", "tel:+353850000003"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("rapidpro")) as sandbox:
        yield sandbox


@dataclass
class Office:
    """A workspace with a channel of RapidPro, and the workspace there."""

    services: Services
    workspace: UUID
    channel: UUID
    there: There

    async def bring(self, listeners: Listeners | None = None, **how: Any) -> Counts:
        return await bring(self.services, self.workspace, self.channel, listeners, **how)

    async def people(self) -> dict[str, Row]:
        """Everybody by name."""
        async with self.services.db.tenant(self.workspace) as connection:
            return {one["name"]: one for one in await contact.page(connection)}

    async def groups(self) -> dict[str, list[str]]:
        """Who is in which group, by name."""
        people = await self.people()
        async with self.services.db.tenant(self.workspace) as connection:
            found = await group.page(connection)
        return {
            one["name"]: sorted(name for name, each in people.items() if str(one["id"]) in _group_ids(each))
            for one in found
        }

    async def own(self, name: str, **given: Any) -> None:
        """Somebody who came from elsewhere."""
        await ingest.upsert_people(
            self.services.db, self.services.clock, self.workspace, [Given(name=name, **given)]
        )


@pytest.fixture
async def office(services: Services, workspace: UUID, running: SandboxProcess) -> AsyncIterator[Office]:
    running.reset(config=True)
    running.configure(numbers=NUMBERS)
    here = replace(services, clock=FakeClock(Clock().now()))
    async with here.db.tenant(workspace) as connection:
        channel = await configure.create_channel(
            connection, here, workspace, name="rapid", provider="rapidpro", config={"base_url": running.url},
            credentials={"token": TOKEN},
        )  # fmt: skip
    return Office(here, workspace, channel, There(running))


def _group_ids(person: Row) -> list[str]:
    return [each["id"] for each in person["groups"]]


def became(counts: Counts) -> tuple[int, int, int, int]:
    return counts.new, counts.changed, counts.unchanged, counts.refused


async def test_fields_groups_and_people_come_in(office: Office) -> None:
    there = office.there
    there.made("fields", name="Age", type="number")
    there.made("fields", name="Joined", type="datetime")
    there.made("fields", name="State", type="state")
    nurses = there.made("groups", name="Nurses")["uuid"]
    amina = there.made(
        "contacts", name="Amina", language="swa", urns=[AMINA, "whatsapp:254712000001", "telegram:123456"],
        groups=[nurses], fields={"age": "31", "joined": "2026-03-01T09:30:00+03:00", "state": "Nairobi"},
    )  # fmt: skip
    counts = await office.bring()
    assert became(counts) == (1, 0, 0, 0)
    assert dict(counts.warnings) == {("urns.telegram", "an address of a kind that we do not know"): 1}
    (one,) = (await office.people()).values()
    assert (one["external_id"], one["language"]) == (f"rapidpro:{amina['uuid']}", "sw")
    assert [a["urn"] for a in one["addresses"]] == ["tel:+254712000001", "whatsapp:+254712000001"]
    assert one["fields"] == {
        "age": 31, "joined": "2026-03-01T06:30:00.000000Z", "rapidpro_state": "Nairobi",
    }  # fmt: skip
    assert await office.groups() == {"Nurses": ["Amina"]}


async def test_again_it_changes_nothing_and_who_has_changed_is_brought_again(office: Office) -> None:
    there = office.there
    there.made("groups", name="Nurses")
    amina = there.made("contacts", name="Amina", urns=[AMINA], groups=["Nurses"])["uuid"]
    stopped = there.made("contacts", name="Abebe", urns=[ABEBE])["uuid"]
    there.by_hand("stop", stopped)
    await office.bring()
    before = await office.people()
    assert became(await office.bring()) == (0, 0, 2, 0)
    assert await office.people() == before
    there.changed("contacts", amina, name="Amina Wanjiru")
    assert became(await office.bring()) == (0, 1, 1, 0)
    assert sorted(await office.people()) == ["Abebe", "Amina Wanjiru"]
    assert became(await office.bring(anew=True)) == (0, 0, 2, 0)


async def test_who_changed_long_ago_is_not_asked_for_again(office: Office) -> None:
    office.there.made("contacts", name="Amina", urns=[AMINA])
    office.there.sandbox.configure(clock_offset=OVERLAP.total_seconds() + 60)
    office.there.made("contacts", name="Abebe", urns=[ABEBE])
    assert (await office.bring()).read == 2
    assert (await office.bring()).read == 1


async def test_what_a_list_showed_late_is_found_by_the_next_import(office: Office) -> None:
    office.there.made("contacts", name="Amina", urns=[AMINA])
    await office.bring()
    office.there.sandbox.configure(clock_offset=-60)
    office.there.made("contacts", name="Abebe", urns=[ABEBE])  # its change was there before, and unseen
    office.there.sandbox.configure(clock_offset=0)
    assert became(await office.bring()) == (1, 0, 1, 0)


async def test_leaving_a_group_there_leaves_it_here_and_our_own_groups_stay(office: Office) -> None:
    there = office.there
    amina = there.made("contacts", name="Amina", urns=[AMINA])["uuid"]
    for name in ("Nurses", "Nairobi"):
        there.made("groups", name=name)
        there.act("add", amina, group=name)
    await office.own("Rosa", addresses=[("phone", None, ROSA)], groups=["Nurses"])
    counts = await office.bring()
    assert counts.notes == ["The group Nurses is called Nurses (RapidPro) here: there is one of that name."]
    await office.own("Amina", addresses=[("phone", None, AMINA)], groups=["Nurses"])
    there.act("remove", amina, group="Nurses")
    assert became(await office.bring()) == (0, 1, 0, 0)
    assert await office.groups() == {
        "Nurses": ["Amina", "Rosa"], "Nurses (RapidPro)": [], "Nairobi": ["Amina"],
    }  # fmt: skip


async def test_a_group_is_renamed_with_the_one_there_and_empty_when_that_is_gone(office: Office) -> None:
    there = office.there
    nurses = there.made("groups", name="Nurses")["uuid"]
    there.made("contacts", name="Amina", urns=[AMINA], groups=[nurses])
    await office.bring()
    there.changed("groups", nurses, name="Senior nurses")
    await office.bring()
    await office.own("Rosa", addresses=[("phone", None, ROSA)], groups=["Senior nurses"])
    assert await office.groups() == {"Senior nurses": ["Amina", "Rosa"]}
    assert there.delete("groups", uuid=nurses).status == 204
    later(office, OVERLAP.total_seconds() + 1)
    counts = await office.bring()
    assert counts.notes == ["The group Senior nurses is not there any more: nobody from there is in it now."]
    assert await office.groups() == {"Senior nurses": ["Rosa"]}


async def test_a_group_that_was_removed_here_comes_back_with_everybody_only(office: Office) -> None:
    there = office.there
    there.made("groups", name="Nurses")
    there.made("contacts", name="Amina", urns=[AMINA], groups=["Nurses"])
    await office.bring()
    async with office.services.db.tenant(office.workspace) as connection:
        (nurses,) = await group.page(connection)
        await group.remove(connection, nurses["id"])
    await office.bring()
    assert await office.groups() == {}
    await office.bring(anew=True)
    assert await office.groups() == {"Nurses": ["Amina"]}


async def test_who_stops_there_is_opted_out_until_they_come_back_there(office: Office) -> None:
    amina = office.there.made("contacts", name="Amina", urns=[AMINA])["uuid"]
    await office.bring()
    office.there.by_hand("stop", amina)
    assert became(await office.bring()) == (0, 1, 0, 0)
    assert await opted_out(office, "Amina")
    later(office, 60)
    office.there.by_hand("restore", amina)
    await office.bring()
    assert not await opted_out(office, "Amina")
    said = await consents.history(office.services.db, office.workspace, AMINA)
    assert [(one.state, one.how, one.by) for one in said] == [
        ("in", "rapidpro", "rapid"), ("out", "rapidpro", "rapid"),
    ]  # fmt: skip


async def test_a_stop_that_was_said_to_us_is_not_taken_back_there(office: Office) -> None:
    amina = office.there.made("contacts", name="Amina", urns=[AMINA])["uuid"]
    await office.bring()
    here = office.services
    await consents.opt_out(here.db, here.clock, office.workspace, AMINA, how="reply")
    office.there.by_hand("stop", amina)
    await office.bring()
    office.there.by_hand("restore", amina)
    await office.bring()
    assert await opted_out(office, "Amina")


@pytest.mark.parametrize("how", ["block", "archive", "delete"])
async def test_who_is_not_active_there_leaves_its_groups_and_is_marked(office: Office, how: str) -> None:
    there = office.there
    there.made("groups", name="Nurses")
    amina = there.made("contacts", name="Amina", urns=[AMINA], groups=["Nurses"])["uuid"]
    there.made("contacts", name="Rosa", urns=[ROSA], groups=["Nurses"])
    await office.bring()
    if how == "archive":
        there.by_hand("archive", amina)
    else:
        there.act(how, amina)
    await office.bring()
    status = {"block": "blocked", "archive": "archived", "delete": "deleted"}[how]
    one = (await office.people())["Amina"]
    assert (one["fields"], one["groups"]) == ({"rapidpro_status": status}, [])
    assert [a["urn"] for a in one["addresses"] if a["status"] == "active"] == [AMINA]
    assert await office.groups() == {"Nurses": ["Rosa"]}
    assert became(await office.bring())[:2] == (0, 0)


async def test_who_was_never_written_to_from_here_and_is_blocked_there_stays_there(office: Office) -> None:
    amina = office.there.made("contacts", name="Amina", urns=[AMINA])["uuid"]
    office.there.act("block", amina)
    counts = await office.bring()
    assert (became(counts), dict(counts.left_out)) == ((0, 0, 0, 0), {"blocked there": 1})


async def test_who_was_forgotten_here_is_not_brought_again(office: Office) -> None:
    amina = office.there.made("contacts", name="Amina", urns=[AMINA])["uuid"]
    await office.bring()
    (one,) = (await office.people()).values()
    async with office.services.db.tenant(office.workspace) as connection:
        await erasure.erase(connection, one["id"], office.services.clock.now())
    office.there.changed("contacts", amina, name="Amina Wanjiru")
    counts = await office.bring()
    assert dict(counts.left_out) == {"forgotten here": 1}
    assert await office.people() == {}


async def test_an_address_that_is_gone_there_is_used_no_more_and_one_of_ours_is(office: Office) -> None:
    amina = office.there.made("contacts", name="Amina", urns=[AMINA, "facebook:24581234"])["uuid"]
    await office.bring()
    await office.own(
        "Amina", external_id=f"rapidpro:{amina}", addresses=[("mail", None, "amina@example.org")]
    )
    office.there.changed("contacts", amina, urns=[AMINA])
    assert became(await office.bring()) == (0, 1, 0, 0)
    addresses = (await office.people())["Amina"]["addresses"]
    assert {a["urn"]: a["status"] for a in addresses} == {
        AMINA: "active", "mailto:amina@example.org": "active", "messenger:24581234": "retired",
    }  # fmt: skip


async def crowd(office: Office, number: int, page: int) -> None:
    office.there.sandbox.configure(rapidpro={"page": page})
    office.there.made("groups", name="All")
    for n in range(number):
        office.there.made("contacts", name=f"Person {n}", urns=[f"tel:+25471200{n:04d}"], groups=["All"])


async def test_an_import_that_was_cut_off_goes_on_where_it_stood(office: Office) -> None:
    await crowd(office, 7, page=2)
    pages: list[int] = []

    def die(counts: Counts) -> None:
        pages.append(counts.read)
        if len(pages) == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await office.bring(Listeners(progress=die))
    assert len(await office.people()) == 4
    counts = await office.bring()
    assert (counts.read, became(counts)) == (3, (3, 0, 0, 0))
    assert len((await office.groups())["All"]) == 7
    assert became(await office.bring()) == (0, 0, 7, 0)


async def test_where_it_stood_may_be_forgotten_there(office: Office) -> None:
    await crowd(office, 3, page=2)
    async with office.services.db.tenant(office.workspace) as connection:
        await reading.place(connection, office.channel, CONTACTS)
        await reading.begin(connection, office.channel, CONTACTS, None)
        await reading.advance(connection, office.channel, CONTACTS, "another RapidPro's", None)
    assert became(await office.bring()) == (3, 0, 0, 0)


async def test_who_changes_meanwhile_comes_again_at_the_end(office: Office) -> None:
    await crowd(office, 5, page=2)
    first = office.there.listed("contacts", reverse="true")[0]["uuid"]

    def edit(counts: Counts) -> None:
        if counts.read == 2:
            office.there.changed("contacts", first, name="Another name", groups=[])

    counts = await office.bring(Listeners(progress=edit))
    assert (counts.read, became(counts)) == (6, (5, 1, 0, 0))
    assert "Another name" in await office.people()
    assert len((await office.groups())["All"]) == 4


async def test_too_many_requests_midway_are_waited_for(office: Office) -> None:
    await crowd(office, 8, page=2)
    await asyncio.sleep(1.1)
    office.there.sandbox.configure(rapidpro={"page": 2, "requests": 2, "window": 1})
    waits: list[float] = []
    counts = await office.bring(Listeners(waiting=waits.append))
    assert became(counts) == (8, 0, 0, 0)
    assert waits
    assert set(waits) == {1.0}


async def test_two_imports_at_once_do_not_both_store_a_page(office: Office) -> None:
    async with office.services.db.tenant(office.workspace) as connection:
        await reading.place(connection, office.channel, CONTACTS)
        await reading.begin(connection, office.channel, CONTACTS, None)
        await reading.advance(connection, office.channel, CONTACTS, "page 2", None)
        with pytest.raises(Conflict, match="somebody else"):
            await reading.hold(connection, office.channel, CONTACTS, "")
        await reading.hold(connection, office.channel, CONTACTS, "page 2")


async def test_a_channel_of_somebody_else_and_a_token_that_is_none_are_refused(office: Office) -> None:
    here = office.services
    async with here.db.tenant(office.workspace) as connection:
        sms = await configure.create_channel(
            connection,
            here,
            office.workspace,
            name="sms",
            provider="twilio",
            config={"sender": "+15550001111"},
        )
        stolen = await configure.create_channel(
            connection, here, office.workspace, name="stolen", provider="rapidpro",
            config={"base_url": office.there.sandbox.url}, credentials={"token": "stolen"},
        )  # fmt: skip
    with pytest.raises(Invalid, match="is of twilio"):
        await bring(here, office.workspace, sms)
    with pytest.raises(Misconfigured, match="token"):
        await bring(here, office.workspace, stolen)


def later(office: Office, seconds: float) -> None:
    assert isinstance(office.services.clock, FakeClock)
    office.services.clock.advance(seconds)


async def opted_out(office: Office, name: str) -> bool:
    return any(a["opted_out"] for a in (await office.people())[name]["addresses"])
