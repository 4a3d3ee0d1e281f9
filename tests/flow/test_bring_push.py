"""A sequence goes to RapidPro as a campaign: real HTTP to the sandbox, a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from clarion.connectors.rapidpro.push import Pushed
from clarion.connectors.rapidpro.shown import Change
from clarion.domain.field import Field, FieldType
from clarion.domain.sequence import Sequence
from clarion.errors import Conflict, Invalid
from clarion.flow import sequence
from clarion.flow.bring.push import Wish, pushing
from clarion.sandbox.twins.rapidpro import WELCOME
from clarion.store import campaign as campaigns
from clarion.store import field as fields
from clarion.store import group
from tests.flow.bringing import AMINA, Clinic

DAYS = (0, 3, 6)
NOTHING = Pushed()


def text(words: str) -> dict[str, Any]:
    return {"kind": "text", "text": words}


CONTENTS: dict[str, Any] = {
    "hello": {"variants": [
        {"content": text("Hello {{ contact.name }} of {{ contact.ward }}")},
        {"language": "sw", "content": text("Habari {{ contact.name }}")},
    ]},
    "survey": {"variants": [{"content": {"kind": "flow_start", "flow": WELCOME}}]},
}  # fmt: skip
SCHEDULE: dict[str, Any] = {
    "start": {"from": "field", "key": "joined_on"},
    "time": "09:00",
    "steps": [*({"number": n + 1, "days": day, "content": "hello"} for n, day in enumerate(DAYS)),
              {"number": 9, "days": 1, "time": "18:00", "content": "survey"}],
    "repeat": {"every": 2, "unit": "week", "count": 2},
}  # fmt: skip


async def written(clinic: Clinic, audience: dict[str, Any] | None = None, **schedule: Any) -> UUID:
    """A sequence of texts and a flow, by six days each fortnight."""
    definition = Sequence.model_validate(
        {
            "audience": audience or {"include": {"everyone": True}},
            "schedule": {**SCHEDULE, **schedule},
            "contents": CONTENTS,
        }
    )
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        for key, kind in (("joined_on", FieldType.DATE), ("ward", FieldType.TEXT)):
            await fields.declare(connection, Field(key, key, kind))
        return await sequence.create(
            connection, clinic.services, name="Welcome", channel_id=clinic.channel, definition=definition
        )


async def edited(clinic: Clinic, campaign_id: UUID, **schedule: Any) -> None:
    changes = {"schedule": Sequence.read(
        {"audience": {"include": {"everyone": True}}, "schedule": {**SCHEDULE, **schedule},
         "contents": CONTENTS}
    ).schedule}  # fmt: skip
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        await sequence.edit(connection, clinic.services, campaign_id, changes=changes)


async def foreseen(clinic: Clinic, campaign_id: UUID, group: str | None = "Nurses") -> list[Change]:
    wish = Wish(campaign_id, group)
    async with pushing(clinic.services, clinic.workspace, clinic.channel, wish) as ready:
        return await ready.foresee()


async def pushed(
    clinic: Clinic, campaign_id: UUID, done: Callable[[str], None] = lambda what: None,
    group: str | None = "Nurses",
) -> Pushed:  # fmt: skip
    wish = Wish(campaign_id, group, done, settle=0.01)
    async with pushing(clinic.services, clinic.workspace, clinic.channel, wish) as ready:
        return await ready.push()


def events(clinic: Clinic) -> list[tuple[int, int, str]]:
    """(day, hour, what) of each event there."""
    rows = clinic.there.listed("campaign_events")
    return sorted(
        (row["offset"], row["delivery_hour"], "flow" if row["flow"] else row["message"]["eng"])
        for row in rows
    )


HELLO = "Hello @contact.name of @fields.ward"
ALL = sorted(
    one for turn in (0, 14) for one in (*((turn + day, 9, HELLO) for day in DAYS), (turn + 1, 18, "flow"))
)


async def test_a_sequence_is_pushed_once_and_again_nothing_changes(clinic: Clinic) -> None:
    campaign_id = await written(clinic)
    todo = await foreseen(clinic, campaign_id)
    assert [(one.verb, one.what, one.which) for one in todo[:4]] == [
        ("create", "field", "joined_on"), ("create", "field", "ward"), ("create", "group", "Nurses"),
        ("create", "campaign", "Welcome"),
    ]  # fmt: skip
    assert len(todo) == 4 + 8
    assert clinic.there.listed("campaigns") == clinic.there.listed("fields") == []
    assert await pushed(clinic, campaign_id) == Pushed(rounds=1, created=8)
    assert events(clinic) == ALL
    (campaign,) = clinic.there.listed("campaigns")
    assert (campaign["name"], campaign["group"]["name"]) == ("Welcome", "Nurses")
    assert {row["key"]: row["type"] for row in clinic.there.listed("fields")} == {
        "joined_on": "datetime", "ward": "text",
    }  # fmt: skip
    before = clinic.there.listed("campaign_events")
    assert before[0]["message"] is None or before[0]["message"]["swa"] == "Habari @contact.name"
    assert await foreseen(clinic, campaign_id) == []
    assert await pushed(clinic, campaign_id) == NOTHING
    assert clinic.there.listed("campaign_events") == before


async def test_of_an_edited_sequence_only_the_difference_is_pushed(clinic: Clinic) -> None:
    campaign_id = await written(clinic)
    await pushed(clinic, campaign_id)
    before = {row["uuid"] for row in clinic.there.listed("campaign_events")}
    steps = [*SCHEDULE["steps"][:2], {"number": 10, "days": 9, "content": "hello"}, SCHEDULE["steps"][3]]
    await edited(clinic, campaign_id, steps=steps)
    todo = await foreseen(clinic, campaign_id)
    assert [(one.verb, one.which) for one in todo] == [
        ("create", "9 days after joined_on at 09:00"), ("create", "23 days after joined_on at 09:00"),
        ("delete", "6 days after joined_on at 09:00"), ("delete", "20 days after joined_on at 09:00"),
    ]  # fmt: skip
    assert await pushed(clinic, campaign_id) == Pushed(rounds=1, created=2, deleted=2)
    assert sorted({day for day, _, _ in events(clinic)}) == [0, 1, 3, 9, 14, 15, 17, 23]
    assert len(before & {row["uuid"] for row in clinic.there.listed("campaign_events")}) == 6


@pytest.mark.parametrize("at", [1, 3, 4, 7])
async def test_killed_halfway_the_next_push_finishes_it(clinic: Clinic, at: int) -> None:
    campaign_id = await written(clinic)
    done: list[str] = []

    def die(what: str) -> None:
        done.append(what)
        if len(done) == at:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await pushed(clinic, campaign_id, die)
    await pushed(clinic, campaign_id)
    assert events(clinic) == ALL
    assert len(clinic.there.listed("campaigns")) == 1
    assert await pushed(clinic, campaign_id) == NOTHING


async def test_it_is_for_the_group_of_the_sequence_as_that_is_called_there(clinic: Clinic) -> None:
    nurses = clinic.there.made("groups", name="Nurses")["uuid"]
    await clinic.own("Rosa", groups=["Nurses"], external_id="rosa")
    clinic.there.made("contacts", name="Amina", urns=[AMINA], groups=[nurses])
    await clinic.bring()
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        ours = {one["name"]: one["id"] for one in await group.page(connection)}
    campaign_id = await written(clinic, {"include": {"groups": [str(ours["Nurses (RapidPro)"])]}})
    await pushed(clinic, campaign_id, group=None)
    (campaign,) = clinic.there.listed("campaigns")
    assert campaign["group"]["uuid"] == nurses


async def test_a_field_that_is_only_read_keeps_its_type_there_and_a_start_must_be_a_date(
    clinic: Clinic,
) -> None:
    clinic.there.made("fields", name="Ward", type="ward")
    campaign_id = await written(clinic)
    assert (await pushed(clinic, campaign_id)).created == 8
    assert {row["key"]: row["type"] for row in clinic.there.listed("fields")}["ward"] == "ward"
    clinic.there.sandbox.reset(config=False)
    clinic.there.made("fields", name="Joined on", type="text")
    with pytest.raises(Conflict, match="joined_on is text"):
        await foreseen(clinic, campaign_id)


async def test_a_sequence_may_count_from_when_rapidpro_came_to_know_somebody(clinic: Clinic) -> None:
    campaign_id = await written(clinic, start={"from": "field", "key": "created_at"})
    assert (await pushed(clinic, campaign_id)).created == 8
    rows = clinic.there.listed("campaign_events")
    assert {row["relative_to"]["key"] for row in rows} == {"created_on"}


async def test_who_is_no_single_group_must_be_said(clinic: Clinic) -> None:
    campaign_id = await written(clinic)
    with pytest.raises(Invalid, match="for one group") as told:
        await foreseen(clinic, campaign_id, group=None)
    assert "--group" in told.value.hint


async def test_what_a_campaign_cannot_do_is_refused_and_nothing_is_asked(clinic: Clinic) -> None:
    campaign_id = await written(clinic, time="09:30", until={"moment": "2030-01-01"})
    with pytest.raises(Invalid) as told:
        await foreseen(clinic, campaign_id)
    assert [one.where for one in told.value.problems] == [
        "schedule.until", "schedule.steps[0].time", "schedule.steps[1].time", "schedule.steps[2].time",
    ]  # fmt: skip


async def test_a_sequence_that_speaks_here_is_not_pushed_also_while_it_is_paused(clinic: Clinic) -> None:
    campaign_id = await written(clinic)
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        await sequence.launch(connection, clinic.services, campaign_id)
        assert (await campaigns.get(connection, campaign_id, "sequence"))["state"] == "running"
    with pytest.raises(Conflict, match="twice"):
        await foreseen(clinic, campaign_id)
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        await sequence.pause(connection, clinic.services, campaign_id)
    with pytest.raises(Conflict, match="paused"):
        await foreseen(clinic, campaign_id)
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        await sequence.cancel(connection, clinic.services, campaign_id)
    assert len(await foreseen(clinic, campaign_id)) == 12
