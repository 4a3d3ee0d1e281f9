"""A sequence whose times differ by person goes to RapidPro, slot by slot: real HTTP to the sandbox, a real
database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from clarion.errors import Conflict, Invalid
from clarion.flow import sequence
from clarion.flow.bring.push import Wish
from clarion.flow.bring.slots import Filled, Slotted, filling
from clarion.store import field as fields
from tests.flow.bringing import Clinic, later
from tests.flow.slotting import (
    CONTENTS,
    GROUP,
    JOIN,
    SCHEDULE,
    cast,
    dated,
    day,
    foreseen,
    made,
    moments,
    pushed,
    slots,
    written,
)


async def test_each_persons_moments_are_written_and_again_nothing_changes(clinic: Clinic) -> None:
    theirs = await cast(clinic)
    campaign_id = await written(clinic)
    await dated(clinic, day(clinic), "Amina", "Abebe", "Rosa")
    todo = await foreseen(clinic, campaign_id)
    assert (todo.fields, len(todo.wanted.events)) == (4, 4)
    crowd = todo.crowd
    assert [len(crowd.write), len(crowd.join), crowd.absent, crowd.same] == [2, 2, 1, 0]
    assert clinic.there.listed("fields") == []
    done = await pushed(clinic, campaign_id)
    assert (done.around.created, done.written, done.joined, done.cleared) == (4, 2, 2, 0)
    heard = moments(clinic)
    assert set(heard) == set(theirs.values())
    assert all(len(some) == len(set(some)) == 4 for some in heard.values())
    assert heard[theirs["Amina"]] != heard[theirs["Abebe"]]
    before = clinic.there.listed("contacts")
    later(clinic, 3600)
    assert (await foreseen(clinic, campaign_id)).empty
    assert await pushed(clinic, campaign_id) == Filled()
    assert clinic.there.listed("contacts") == before


async def test_the_import_leaves_our_slots_there(clinic: Clinic) -> None:
    await cast(clinic)
    campaign_id = await written(clinic)
    await dated(clinic, day(clinic), "Amina")
    await pushed(clinic, campaign_id)
    await clinic.bring()
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        assert set(await fields.declared(connection)) == {"joined_on", "rapidpro_status"}
    assert (await foreseen(clinic, campaign_id)).empty


async def test_a_step_that_is_taken_out_loses_its_events_and_its_moments(clinic: Clinic) -> None:
    await cast(clinic)
    campaign_id = await written(clinic)
    await dated(clinic, day(clinic), "Amina")
    await pushed(clinic, campaign_id)
    contents = {"hello": CONTENTS["hello"]}
    wanted = made(contents, steps=SCHEDULE["steps"][:1], retired=[2])
    changes = {"schedule": wanted.schedule, "contents": wanted.contents}
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        await sequence.edit(connection, clinic.services, campaign_id, changes=changes)
    done = await pushed(clinic, campaign_id)
    assert (done.around.deleted, done.cleared) == (2, 1)
    assert {key.rpartition("_")[2] for key in slots(clinic)["Amina"]} == {"1"}
    assert len(clinic.there.listed("campaign_events")) == 2


@pytest.mark.parametrize("at", [1, 5, 6, 10])
async def test_killed_halfway_the_next_push_finishes_it(clinic: Clinic, at: int) -> None:
    theirs = await cast(clinic)
    campaign_id = await written(clinic)
    await dated(clinic, day(clinic), "Amina", "Abebe")
    done: list[str] = []

    def die(what: str) -> None:
        done.append(what)
        if len(done) == at:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await pushed(clinic, campaign_id, die)
    await pushed(clinic, campaign_id)
    assert {uuid: len(some) for uuid, some in moments(clinic).items()} == dict.fromkeys(theirs.values(), 4)
    assert await pushed(clinic, campaign_id) == Filled()


async def test_a_schedule_from_the_enrollment_counts_from_the_first_push(clinic: Clinic) -> None:
    await cast(clinic)
    campaign_id = await written(clinic, start={"from": "enrollment", "days": 1})
    await pushed(clinic, campaign_id)
    before = slots(clinic)
    assert all(len(some) == 4 for some in before.values())
    later(clinic, 36 * 3600)  # some of it has been said
    assert await pushed(clinic, campaign_id) == Filled()
    assert slots(clinic) == before


async def test_a_date_that_moves_after_something_was_said_begins_the_next_time_round(clinic: Clinic) -> None:
    await cast(clinic)
    campaign_id = await written(clinic)
    await dated(clinic, day(clinic, 1), "Amina")
    await pushed(clinic, campaign_id)
    before = slots(clinic)["Amina"]
    later(clinic, 2.5 * 86_400)
    await dated(clinic, day(clinic, 1), "Amina")
    assert (await pushed(clinic, campaign_id)).written == 1
    after = slots(clinic)["Amina"]
    assert min(after.values()) > min(before.values())
    assert len(after) == 4
    assert {at[11:16] for at in after.values()} != {at[11:16] for at in before.values()}  # drawn anew
    assert await pushed(clinic, campaign_id) == Filled()


async def test_what_was_said_is_not_said_again_at_another_hour(clinic: Clinic) -> None:
    await cast(clinic)
    campaign_id = await written(clinic)
    await dated(clinic, day(clinic, 1), "Amina")
    await pushed(clinic, campaign_id)
    before = slots(clinic)["Amina"]
    first = min(before, key=lambda key: before[key])
    later(clinic, (datetime.fromisoformat(before[first]) - clinic.services.clock.now()).total_seconds() + 60)
    changes = {"schedule": made(time="23:30").schedule}
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        await sequence.edit(connection, clinic.services, campaign_id, changes=changes)
    await pushed(clinic, campaign_id)
    after = slots(clinic)["Amina"]
    assert after[first] == before[first]
    assert all(after[key] != before[key] for key in before.keys() - {first})


async def test_a_begun_minute_counts_as_a_whole_one(clinic: Clinic) -> None:
    await cast(clinic)
    campaign_id = await written(clinic, start={"from": "enrollment", "minutes": 5}, time=None)
    assert clinic.services.clock.now().second or clinic.services.clock.now().microsecond
    await pushed(clinic, campaign_id)
    assert all(at.endswith(":00.000000Z") for some in slots(clinic).values() for at in some.values())


async def test_a_schedule_without_an_end_needs_a_count_or_until(clinic: Clinic) -> None:
    await cast(clinic)
    campaign_id = await written(clinic, repeat={"every": 1, "unit": "week"})
    await dated(clinic, day(clinic), "Amina")
    with pytest.raises(Invalid) as told:
        await foreseen(clinic, campaign_id)
    (problem,) = told.value.problems
    assert problem.where == "schedule.repeat"
    assert "--until" in problem.hint
    assert "count" in problem.hint
    assert clinic.there.listed("fields") == []
    ends = clinic.services.clock.now() + timedelta(days=16)
    until = Slotted(until=ends, join=True)
    await pushed(clinic, campaign_id, more=until)
    first = slots(clinic)["Amina"]
    assert 4 <= len(first) <= 5
    assert max(first.values()) < f"{ends:%Y-%m-%dT%H:%M:%S}"
    await pushed(clinic, campaign_id, more=replace(until, until=ends + timedelta(days=7)))
    assert first.items() < slots(clinic)["Amina"].items()


async def test_a_workspace_without_room_for_the_fields_is_told_before_anything_is_made(
    clinic: Clinic,
) -> None:
    await cast(clinic)
    campaign_id = await written(clinic)
    await dated(clinic, day(clinic), "Amina")
    clinic.there.made("fields", name="Ward", type="text")
    with pytest.raises(Invalid, match="needs 4 fields, beside the 1 that there are"):
        await foreseen(clinic, campaign_id, Slotted(most=4))
    with pytest.raises(Invalid, match="needs 4 fields, and"):
        await foreseen(clinic, campaign_id, Slotted(most=3))
    await pushed(clinic, campaign_id, more=Slotted(most=5, join=True))
    assert len(clinic.there.listed("fields")) == 5


async def test_under_another_name_it_is_not_pushed_beside_itself(clinic: Clinic) -> None:
    await cast(clinic)
    campaign_id = await written(clinic)
    await dated(clinic, day(clinic), "Amina")
    await pushed(clinic, campaign_id)
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        await sequence.edit(connection, clinic.services, campaign_id, name="Hello")
    with pytest.raises(Conflict, match="'Welcome' says this sequence"):
        await pushed(clinic, campaign_id)


async def test_reads_that_lag_lead_to_the_same_end(clinic: Clinic) -> None:
    theirs = await cast(clinic)
    campaign_id = await written(clinic)
    await dated(clinic, day(clinic), "Amina", "Abebe")
    clinic.there.sandbox.configure(rapidpro={"read_lag": 0.5})
    await asyncio.sleep(0.6)
    wish = Wish(campaign_id, GROUP, settle=0.7)
    async with filling(clinic.services, clinic.workspace, clinic.channel, wish, JOIN) as ready:
        done = await ready.push()
    assert (done.written, done.joined) == (2, 2)
    await asyncio.sleep(0.6)
    assert {uuid: len(some) for uuid, some in moments(clinic).items()} == dict.fromkeys(theirs.values(), 4)


async def test_where_it_is_told_to_wait_it_waits_and_everybody_is_written(clinic: Clinic) -> None:
    theirs = await cast(clinic)
    campaign_id = await written(clinic)
    await dated(clinic, day(clinic), "Amina", "Abebe")
    clinic.there.sandbox.configure(rapidpro={"requests": 4, "window": 1.0})
    waits: list[float] = []
    wish = Wish(campaign_id, GROUP, waiting=waits.append, settle=0.01)
    async with filling(clinic.services, clinic.workspace, clinic.channel, wish, JOIN) as ready:
        done = await ready.push()
    assert (done.around.created, done.written, done.joined) == (4, 2, 2)
    assert waits
    assert {uuid: len(some) for uuid, some in moments(clinic).items()} == dict.fromkeys(theirs.values(), 4)
