"""Whom a push by slots means in RapidPro, and what becomes of people who change: real HTTP to the sandbox, a
real database."""

from __future__ import annotations

from datetime import datetime

import pytest

from clarion.connectors.rapidpro.slots import minute_up
from clarion.domain.enrollment import Verb
from clarion.errors import Conflict
from clarion.flow import fire, sequence
from clarion.flow.bring.slots import Filled, Slotted
from clarion.flow.enroll.steer import Ask, ahead, several
from clarion.flow.erase import erase_contact
from clarion.flow.merge import merge_contacts
from clarion.kit.db import rows
from tests.flow.bringing import ABEBE, AMINA, ROSA, Clinic, later
from tests.flow.slotting import (
    GROUP,
    amina,
    cast,
    dated,
    day,
    foreseen,
    moments,
    pushed,
    slots,
    written,
)


async def test_only_who_changed_is_written_and_who_is_no_longer_meant_is_cleared(clinic: Clinic) -> None:
    await cast(clinic)
    campaign_id = await written(clinic)
    await dated(clinic, day(clinic), "Amina", "Abebe")
    await pushed(clinic, campaign_id)
    before = slots(clinic)
    await dated(clinic, day(clinic, 5), "Abebe")
    assert (await pushed(clinic, campaign_id)).written == 1
    after = slots(clinic)
    assert after["Amina"] == before["Amina"]
    assert after["A. Bikila"].keys() == before["A. Bikila"].keys()
    assert after["A. Bikila"] != before["A. Bikila"]
    await clinic.own("Abebe", external_id="E-2", addresses=[("", "tel", ABEBE[4:])], opted_out=True)
    done = await pushed(clinic, campaign_id)
    assert (done.written, done.cleared) == (0, 1)
    assert slots(clinic)["A. Bikila"] == {}
    assert len(slots(clinic)["Amina"]) == 4


async def test_people_who_turn_out_to_be_one_keep_what_was_said(clinic: Clinic) -> None:
    await cast(clinic)
    campaign_id = await written(clinic, start={"from": "enrollment", "days": 1})
    await pushed(clinic, campaign_id)
    before = slots(clinic)["Amina"]
    first = min(before, key=lambda key: before[key])
    later(clinic, (datetime.fromisoformat(before[first]) - clinic.services.clock.now()).total_seconds() + 60)
    rosa = (await clinic.people())["Rosa"]["id"]
    async with clinic.services.db.tenant(clinic.workspace) as connection:  # she came since
        await connection.execute("DELETE FROM pushed_person WHERE contact_id = %s", (rosa,))
    services = clinic.services
    await merge_contacts(services.db, services.clock, clinic.workspace, rosa, await amina(clinic))
    await pushed(clinic, campaign_id)
    after = slots(clinic)["Amina"]
    assert after.keys() == before.keys()
    assert after[first] == before[first]


async def test_of_who_is_forgotten_nothing_stays(clinic: Clinic) -> None:
    await cast(clinic)
    campaign_id = await written(clinic)
    await dated(clinic, day(clinic), "Amina")
    await pushed(clinic, campaign_id)
    await erase_contact(clinic.services.db, clinic.services.clock, clinic.workspace, await amina(clinic))
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        assert await rows(connection, "SELECT * FROM pushed_person WHERE basis <> ''") == []
    assert (await pushed(clinic, campaign_id)).cleared == 1
    assert slots(clinic)["Amina"] == {}


async def test_who_is_not_in_the_group_is_told_and_hears_nothing(clinic: Clinic) -> None:
    theirs = await cast(clinic)
    nurses = clinic.there.made("groups", name=GROUP)["uuid"]
    clinic.there.changed("contacts", theirs["Amina"], groups=[nurses])
    campaign_id = await written(clinic)
    await dated(clinic, day(clinic), "Amina", "Abebe")
    assert (await foreseen(clinic, campaign_id, Slotted())).crowd.outside == 1
    await pushed(clinic, campaign_id, more=Slotted())
    assert set(moments(clinic)) == {theirs["Amina"]}


async def test_nobody_is_written_to_twice_however_often_they_are_there(clinic: Clinic) -> None:
    theirs = await cast(clinic)
    clinic.there.made("contacts", name="Amina", urns=[AMINA.replace("tel:+", "whatsapp:")])
    await clinic.own(
        "Amina", external_id=f"rapidpro:{theirs['Amina']}",
        addresses=[("", "whatsapp", AMINA.removeprefix("tel:"))],
    )  # fmt: skip
    campaign_id = await written(clinic)
    await dated(clinic, day(clinic), "Amina")
    assert (await foreseen(clinic, campaign_id)).crowd.twice == 1
    await pushed(clinic, campaign_id)
    assert set(moments(clinic)) == {theirs["Amina"]}


async def test_a_number_of_two_people_is_the_one_of_that_name_or_nobodys(clinic: Clinic) -> None:
    clinic.there.made("contacts", name="Somebody", urns=[ROSA])
    for name in ("Rosa", "John"):
        await clinic.own(name, external_id=name, addresses=[("", "tel", ROSA.removeprefix("tel:"))])
    campaign_id = await written(clinic, start={"from": "enrollment", "days": 1})
    todo = await foreseen(clinic, campaign_id)
    assert (todo.crowd.shared, todo.crowd.absent, todo.crowd.write) == (1, 2, [])


async def test_a_place_in_the_audience_stays_whoever_comes_after(clinic: Clinic) -> None:
    await cast(clinic)
    window = {"from": "09:00", "to": "21:00", "strategy": "spread"}
    campaign_id = await written(clinic, start={"from": "enrollment", "days": 1}, time=window)
    await pushed(clinic, campaign_id)
    before = slots(clinic)
    clinic.there.made("contacts", name="John", urns=["tel:+254712000009"])
    await clinic.own("John", external_id="E-4", addresses=[("", "tel", "+254712000009")])
    done = await pushed(clinic, campaign_id)
    assert (done.written, done.joined) == (1, 1)
    assert slots(clinic).items() >= before.items()
    assert len(slots(clinic)["John"]) == 4


async def test_what_was_cancelled_here_goes_on_there_but_for_who_was_taken_out(clinic: Clinic) -> None:
    theirs = await cast(clinic)
    campaign_id = await written(clinic, start={"from": "enrollment", "days": 1})
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        run_id = await sequence.launch(connection, clinic.services, campaign_id)
    await fire.fire(clinic.services, clinic.workspace, run_id)
    who, out = await amina(clinic), Ask(Verb.TAKE_OUT)
    abebe = (await clinic.people())["Abebe"]["id"]
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        coming = (await ahead(connection, clinic.services, campaign_id, who, 4)).coming
        await several(connection, clinic.services, campaign_id, [abebe], out)
    with pytest.raises(Conflict, match="twice"):
        await foreseen(clinic, campaign_id)
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        await sequence.cancel(connection, clinic.services, campaign_id)
    later(clinic, 3600)
    await pushed(clinic, campaign_id)
    assert moments(clinic) == {theirs["Amina"]: [minute_up(one.due_at) for one in coming]}


async def test_who_is_brought_after_all_does_not_hear_it_again(clinic: Clinic) -> None:
    """They are another contact here from then on, with other times."""
    await cast(clinic)
    campaign_id = await written(clinic, start={"from": "enrollment", "days": 1})
    await pushed(clinic, campaign_id)
    before = slots(clinic)["A. Bikila"]
    first = min(before, key=lambda key: before[key])
    later(clinic, (datetime.fromisoformat(before[first]) - clinic.services.clock.now()).total_seconds() + 60)
    await clinic.bring()
    await pushed(clinic, campaign_id)
    after = slots(clinic)["A. Bikila"]
    assert after.get(first) == before[first]
    assert await pushed(clinic, campaign_id) == Filled()
