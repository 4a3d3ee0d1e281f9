"""The time that somebody chooses: set for one person, for several, or for a group; what is to come moves, and
what was said stays said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.enrollment import Verb
from clarion.domain.field import Field, FieldType
from clarion.errors import Conflict, Invalid, NotFound
from clarion.flow import erase, sequence
from clarion.flow.enroll import crowd, steer
from clarion.flow.enroll.choose import Choice
from clarion.flow.enroll.steer import Ask, Steered
from clarion.flow.services import Services
from clarion.kit.db import rows
from clarion.kit.ids import uuid7
from clarion.store import field, group
from tests.flow.following import definition, known, of, people, running, until, work, written
from tests.store.people import ABEBE, AMINA

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TOMORROW = "2026-03-03"
NOON = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)  # tomorrow in Nairobi
CHOSEN: dict[str, Any] = {
    "start": {"from": "field", "key": "registration_date"},
    "time": {"field": "best_time", "otherwise": "12:00"},
    "steps": [{"number": 1, "content": "hello"}],
    "repeat": {"every": 1, "unit": "day", "count": 3},
}


async def kept(services: Services, workspace: UUID, *keys: str, kind: FieldType = FieldType.TEXT) -> None:
    """The workspace keeps these of its contacts."""
    async with services.db.tenant(workspace) as connection:
        for key in keys:
            await field.declare(connection, Field(key, key, kind))


async def scene(
    services: Services, workspace: UUID, schedule: dict[str, Any] = CHOSEN, **more: Any
) -> tuple[UUID, UUID, UUID]:
    """(the sequence, Amina, Abebe); both hear it tomorrow at noon, and the two days after."""
    amina, abebe = await people(
        services, workspace, ("Amina", AMINA, TOMORROW), ("Abebe", ABEBE, TOMORROW), groups=["Nurses"]
    )
    await kept(services, workspace, "best_time", "other_time")
    return await running(services, workspace, definition(schedule, **more)), amina, abebe


async def choose(
    services: Services,
    workspace: UUID,
    campaign_id: UUID,
    *some: UUID,
    time: int | None,
    key: str | None = None,
) -> Steered:
    """Somebody sets their time; the worker has not looked yet."""
    async with services.db.tenant(workspace) as connection:
        ask = Ask(Verb.CHOOSE, choice=Choice(time, key))
        return await steer.several(connection, services, campaign_id, some, ask)


async def next_due(services: Services, workspace: UUID, campaign_id: UUID, contact_id: UUID) -> datetime:
    await work(services, workspace, campaign_id)
    found: datetime = (await of(services, workspace, campaign_id, contact_id))["next_due"]
    return found


async def test_what_is_to_come_moves_to_the_time_that_somebody_chose(
    services: Services, workspace: UUID
) -> None:
    campaign_id, amina, abebe = await scene(services, workspace)
    done = await choose(services, workspace, campaign_id, amina, time=18 * 60 + 30)
    assert (done, (await known(services, workspace, amina))["fields"]["best_time"]) == (Steered(1), "18:30")
    assert await next_due(services, workspace, campaign_id, amina) == NOON + 6.5 * HOUR
    assert await next_due(services, workspace, campaign_id, abebe) == NOON


async def test_what_was_said_stays_said_and_is_not_said_again(services: Services, workspace: UUID) -> None:
    campaign_id, amina, _ = await scene(services, workspace)
    await until(services, workspace, campaign_id, NOON + HOUR)
    await choose(services, workspace, campaign_id, amina, time=18 * 60)  # later on the same day
    await until(services, workspace, campaign_id, NOON + 4 * DAY)
    told = await written(services, workspace, campaign_id)
    assert [one[1:5] for one in told if one[0] == "Amina"] == [
        (1, 1, 1, NOON), (1, 2, 1, NOON + DAY + 6 * HOUR), (1, 3, 1, NOON + 2 * DAY + 6 * HOUR),
    ]  # fmt: skip


async def test_a_time_is_chosen_once_and_taken_away_again(services: Services, workspace: UUID) -> None:
    campaign_id, amina, abebe = await scene(services, workspace)
    first = await choose(services, workspace, campaign_id, amina, abebe, time=6 * 60)
    again = await choose(services, workspace, campaign_id, amina, abebe, time=6 * 60)
    assert (first, again) == (Steered(2), Steered(0, 2))
    assert await choose(services, workspace, campaign_id, amina, time=None) == Steered(1)
    assert await choose(services, workspace, campaign_id, amina, time=None) == Steered(0, 1)
    assert "best_time" not in (await known(services, workspace, amina))["fields"]
    assert await next_due(services, workspace, campaign_id, amina) == NOON
    assert await next_due(services, workspace, campaign_id, abebe) == NOON - 6 * HOUR


async def test_everybody_of_a_group_hears_at_the_time_that_is_chosen(
    services: Services, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "AT_ONCE", 1)
    campaign_id, amina, _ = await scene(services, workspace)
    await choose(services, workspace, campaign_id, amina, time=7 * 60)
    async with services.db.tenant(workspace) as connection:
        nurses = (await group.by_name(connection, ["Nurses"], services.clock.now()))["nurses"]
    wish = Ask(Verb.CHOOSE, choice=Choice(7 * 60))
    assert await crowd.steer_group(services, workspace, campaign_id, nurses, wish) == Steered(1, 1)


async def test_of_several_chosen_times_it_is_said_which(services: Services, workspace: UUID) -> None:
    schedule = {
        **CHOSEN, "steps": [{"number": 1}, {"number": 2, "time": {"field": "other_time"}}],
    }  # fmt: skip
    campaign_id, amina, _ = await scene(services, workspace, schedule)
    with pytest.raises(Invalid, match="several") as refused:
        await choose(services, workspace, campaign_id, amina, time=6 * 60)
    assert (refused.value.where, refused.value.hint) == ("field", "There are: best_time, other_time.")
    with pytest.raises(Invalid, match="'hour'"):
        await choose(services, workspace, campaign_id, amina, time=6 * 60, key="hour")
    assert await choose(services, workspace, campaign_id, amina, time=6 * 60, key="other_time") == Steered(1)
    assert (await known(services, workspace, amina))["fields"]["other_time"] == "06:00"


async def test_a_sequence_whose_times_nobody_chooses_says_so(services: Services, workspace: UUID) -> None:
    campaign_id, amina, _ = await scene(services, workspace, {**CHOSEN, "time": "09:00"})
    with pytest.raises(Invalid, match="no time of this sequence is chosen") as refused:
        await choose(services, workspace, campaign_id, amina, time=6 * 60)
    assert '"field"' in refused.value.hint


async def test_a_time_is_not_kept_in_a_field_that_is_no_text(services: Services, workspace: UUID) -> None:
    await kept(services, workspace, "best_time", kind=FieldType.NUMBER)
    (amina,) = await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace, definition(CHOSEN))
    with pytest.raises(Conflict, match="kept as a number"):
        await choose(services, workspace, campaign_id, amina, time=6 * 60)


async def test_who_is_not_in_it_chooses_nothing_in_it(services: Services, workspace: UUID) -> None:
    campaign_id, amina, _ = await scene(services, workspace)
    with pytest.raises(NotFound, match="1 of them"):
        await choose(services, workspace, campaign_id, amina, uuid7(services.clock.now()), time=6 * 60)
    assert "best_time" not in (await known(services, workspace, amina))["fields"]


async def test_who_was_erased_is_refused_and_the_others_are_done(services: Services, workspace: UUID) -> None:
    campaign_id, amina, abebe = await scene(services, workspace)
    await erase.erase_contact(services.db, services.clock, workspace, amina)
    done = await choose(services, workspace, campaign_id, amina, abebe, time=6 * 60)
    assert done == Steered(1, 0, {amina: "this person was erased"})


async def test_who_is_paused_hears_at_their_new_time_when_they_go_on(
    services: Services, workspace: UUID
) -> None:
    campaign_id, amina, _ = await scene(services, workspace)
    async with services.db.tenant(workspace) as connection:
        await steer.one(connection, services, campaign_id, amina, Ask(Verb.PAUSE))
    await choose(services, workspace, campaign_id, amina, time=20 * 60)
    await work(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        await steer.one(connection, services, campaign_id, amina, Ask(Verb.RESUME))
    assert await next_due(services, workspace, campaign_id, amina) == NOON + 8 * HOUR


async def test_what_somebody_chose_is_told_with_what_comes(services: Services, workspace: UUID) -> None:
    campaign_id, amina, abebe = await scene(services, workspace)
    await choose(services, workspace, campaign_id, amina, time=18 * 60)
    async with services.db.tenant(workspace) as connection:
        told = [
            (await steer.ahead(connection, services, campaign_id, one, 1)).times for one in (amina, abebe)
        ]
    assert told == [{"best_time": "18:00"}, {"best_time": None}]


async def test_a_time_by_reply_is_checked_when_the_sequence_is_written(
    services: Services, workspace: UUID
) -> None:
    campaign_id, *_ = await scene(services, workspace)

    async def refused(field: str, **confirm: str) -> dict[str, str]:
        wanted = definition(CHOSEN, replies={"time": {"field": field, "confirm": confirm}})
        async with services.db.tenant(workspace) as connection:
            with pytest.raises(Invalid) as error:
                await sequence.edit(connection, services, campaign_id, changes={"replies": wanted.replies})
        return {one.where: one.what for one in error.value.problems}

    assert await refused("other_time") == {
        "replies.time.field": "no time of the schedule is kept in 'other_time'"
    }
    async with services.db.tenant(workspace) as connection:
        await rows(
            connection, "UPDATE contact_field SET type = 'number' WHERE key = 'best_time' RETURNING key"
        )
    assert "kept as a number" in (await refused("best_time"))["replies.time.field"]


@pytest.mark.parametrize("text", ["{time}", "STOP", "  ", "x" * 601, "{{ contact.name }}", "at {% if %}"])
def test_a_confirmation_that_would_come_back_or_cannot_be_said_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"replies\.time\.confirm"):
        definition(CHOSEN, replies={"time": {"field": "best_time", "confirm": {"en": text}}})
