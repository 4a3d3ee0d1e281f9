"""People come from RapidPro and stay in step with it: real HTTP from the sandbox, a real database."""

from __future__ import annotations

import pytest

from clarion.errors import Invalid, Misconfigured
from clarion.flow import configure
from clarion.flow import consent as consents
from clarion.flow.bring.rapidpro import OVERLAP, bring
from clarion.store import erasure, group
from tests.flow.bringing import ABEBE, AMINA, ROSA, Clinic, became, later, opted_out


async def test_fields_groups_and_people_come_in(clinic: Clinic) -> None:
    there = clinic.there
    there.made("fields", name="Age", type="number")
    there.made("fields", name="Joined", type="datetime")
    there.made("fields", name="State", type="state")
    nurses = there.made("groups", name="Nurses")["uuid"]
    amina = there.made(
        "contacts", name="Amina", language="swa", urns=[AMINA, "whatsapp:254712000001", "telegram:123456"],
        groups=[nurses], fields={"age": "31", "joined": "2026-03-01T09:30:00+03:00", "state": "Nairobi"},
    )  # fmt: skip
    counts = await clinic.bring()
    assert became(counts) == (1, 0, 0, 0)
    assert dict(counts.warnings) == {("urns.telegram", "an address of a kind that we do not know"): 1}
    (one,) = (await clinic.people()).values()
    assert (one["external_id"], one["language"]) == (f"rapidpro:{amina['uuid']}", "sw")
    assert [a["urn"] for a in one["addresses"]] == ["tel:+254712000001", "whatsapp:+254712000001"]
    assert one["fields"] == {
        "age": 31, "joined": "2026-03-01T06:30:00.000000Z", "rapidpro_state": "Nairobi",
    }  # fmt: skip
    assert await clinic.groups() == {"Nurses": ["Amina"]}


async def test_again_it_changes_nothing_and_who_has_changed_is_brought_again(clinic: Clinic) -> None:
    there = clinic.there
    there.made("groups", name="Nurses")
    amina = there.made("contacts", name="Amina", urns=[AMINA], groups=["Nurses"])["uuid"]
    stopped = there.made("contacts", name="Abebe", urns=[ABEBE])["uuid"]
    there.by_hand("stop", stopped)
    await clinic.bring()
    before = await clinic.people()
    assert became(await clinic.bring()) == (0, 0, 2, 0)
    assert await clinic.people() == before
    there.changed("contacts", amina, name="Amina Wanjiru")
    assert became(await clinic.bring()) == (0, 1, 1, 0)
    assert sorted(await clinic.people()) == ["Abebe", "Amina Wanjiru"]
    assert became(await clinic.bring(anew=True)) == (0, 0, 2, 0)


async def test_leaving_a_group_there_leaves_it_here_and_our_own_groups_stay(clinic: Clinic) -> None:
    there = clinic.there
    amina = there.made("contacts", name="Amina", urns=[AMINA])["uuid"]
    for name in ("Nurses", "Nairobi"):
        there.made("groups", name=name)
        there.act("add", amina, group=name)
    await clinic.own("Rosa", addresses=[("phone", None, ROSA)], groups=["Nurses"])
    counts = await clinic.bring()
    assert counts.notes == ["The group Nurses is called Nurses (RapidPro) here: there is one of that name."]
    await clinic.own("Amina", addresses=[("phone", None, AMINA)], groups=["Nurses"])
    there.act("remove", amina, group="Nurses")
    assert became(await clinic.bring()) == (0, 1, 0, 0)
    assert await clinic.groups() == {
        "Nurses": ["Amina", "Rosa"], "Nurses (RapidPro)": [], "Nairobi": ["Amina"],
    }  # fmt: skip


async def test_a_group_is_renamed_with_the_one_there_and_empty_when_that_is_gone(clinic: Clinic) -> None:
    there = clinic.there
    nurses = there.made("groups", name="Nurses")["uuid"]
    there.made("contacts", name="Amina", urns=[AMINA], groups=[nurses])
    await clinic.bring()
    there.changed("groups", nurses, name="Senior nurses")
    await clinic.bring()
    await clinic.own("Rosa", addresses=[("phone", None, ROSA)], groups=["Senior nurses"])
    assert await clinic.groups() == {"Senior nurses": ["Amina", "Rosa"]}
    assert there.delete("groups", uuid=nurses).status == 204
    later(clinic, OVERLAP.total_seconds() + 1)
    counts = await clinic.bring()
    assert counts.notes == ["The group Senior nurses is not there any more: nobody from there is in it now."]
    assert await clinic.groups() == {"Senior nurses": ["Rosa"]}


async def test_a_group_that_was_removed_here_comes_back_with_everybody_only(clinic: Clinic) -> None:
    there = clinic.there
    there.made("groups", name="Nurses")
    there.made("contacts", name="Amina", urns=[AMINA], groups=["Nurses"])
    await clinic.bring()
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        (nurses,) = await group.page(connection)
        await group.remove(connection, nurses["id"])
    await clinic.bring()
    assert await clinic.groups() == {}
    await clinic.bring(anew=True)
    assert await clinic.groups() == {"Nurses": ["Amina"]}


async def test_who_stops_there_is_opted_out_until_they_come_back_there(clinic: Clinic) -> None:
    amina = clinic.there.made("contacts", name="Amina", urns=[AMINA])["uuid"]
    await clinic.bring()
    clinic.there.by_hand("stop", amina)
    assert became(await clinic.bring()) == (0, 1, 0, 0)
    assert await opted_out(clinic, "Amina")
    later(clinic, 60)
    clinic.there.by_hand("restore", amina)
    await clinic.bring()
    assert not await opted_out(clinic, "Amina")
    said = await consents.history(clinic.services.db, clinic.workspace, AMINA)
    assert [(one.state, one.how, one.by) for one in said] == [
        ("in", "rapidpro", "rapid"), ("out", "rapidpro", "rapid"),
    ]  # fmt: skip


async def test_a_stop_that_was_said_to_us_is_not_taken_back_there(clinic: Clinic) -> None:
    amina = clinic.there.made("contacts", name="Amina", urns=[AMINA])["uuid"]
    await clinic.bring()
    here = clinic.services
    await consents.opt_out(here.db, here.clock, clinic.workspace, AMINA, how="reply")
    clinic.there.by_hand("stop", amina)
    await clinic.bring()
    clinic.there.by_hand("restore", amina)
    await clinic.bring()
    assert await opted_out(clinic, "Amina")


@pytest.mark.parametrize("how", ["block", "archive", "delete"])
async def test_who_is_not_active_there_leaves_its_groups_and_is_marked(clinic: Clinic, how: str) -> None:
    there = clinic.there
    there.made("groups", name="Nurses")
    amina = there.made("contacts", name="Amina", urns=[AMINA], groups=["Nurses"])["uuid"]
    there.made("contacts", name="Rosa", urns=[ROSA], groups=["Nurses"])
    await clinic.bring()
    if how == "archive":
        there.by_hand("archive", amina)
    else:
        there.act(how, amina)
    await clinic.bring()
    status = {"block": "blocked", "archive": "archived", "delete": "deleted"}[how]
    one = (await clinic.people())["Amina"]
    assert (one["fields"], one["groups"]) == ({"rapidpro_status": status}, [])
    assert [a["urn"] for a in one["addresses"] if a["status"] == "active"] == [AMINA]
    assert await clinic.groups() == {"Nurses": ["Rosa"]}
    assert became(await clinic.bring())[:2] == (0, 0)


async def test_who_was_never_written_to_from_here_and_is_blocked_there_stays_there(clinic: Clinic) -> None:
    amina = clinic.there.made("contacts", name="Amina", urns=[AMINA])["uuid"]
    clinic.there.act("block", amina)
    counts = await clinic.bring()
    assert (became(counts), dict(counts.left_out)) == ((0, 0, 0, 0), {"blocked there": 1})


async def test_who_was_forgotten_here_is_not_brought_again(clinic: Clinic) -> None:
    amina = clinic.there.made("contacts", name="Amina", urns=[AMINA])["uuid"]
    await clinic.bring()
    (one,) = (await clinic.people()).values()
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        await erasure.erase(connection, one["id"], clinic.services.clock.now())
    clinic.there.changed("contacts", amina, name="Amina Wanjiru")
    counts = await clinic.bring()
    assert dict(counts.left_out) == {"forgotten here": 1}
    assert await clinic.people() == {}


async def test_an_address_that_is_gone_there_is_used_no_more_and_one_of_ours_is(clinic: Clinic) -> None:
    amina = clinic.there.made("contacts", name="Amina", urns=[AMINA, "facebook:24581234"])["uuid"]
    await clinic.bring()
    await clinic.own(
        "Amina", external_id=f"rapidpro:{amina}", addresses=[("mail", None, "amina@example.org")]
    )
    clinic.there.changed("contacts", amina, urns=[AMINA])
    assert became(await clinic.bring()) == (0, 1, 0, 0)
    addresses = (await clinic.people())["Amina"]["addresses"]
    assert {a["urn"]: a["status"] for a in addresses} == {
        AMINA: "active", "mailto:amina@example.org": "active", "messenger:24581234": "retired",
    }  # fmt: skip


async def test_a_channel_of_somebody_else_and_a_token_that_is_none_are_refused(clinic: Clinic) -> None:
    here = clinic.services
    async with here.db.tenant(clinic.workspace) as connection:
        sms = await configure.create_channel(
            connection,
            here,
            clinic.workspace,
            name="sms",
            provider="twilio",
            config={"sender": "+15550001111"},
        )
        stolen = await configure.create_channel(
            connection, here, clinic.workspace, name="stolen", provider="rapidpro",
            config={"base_url": clinic.there.sandbox.url}, credentials={"token": "stolen"},
        )  # fmt: skip
    with pytest.raises(Invalid, match="is of twilio"):
        await bring(here, clinic.workspace, sms)
    with pytest.raises(Misconfigured, match="token"):
        await bring(here, clinic.workspace, stolen)
