"""Somebody steers people of a sequence: what is asked for one person happens to them and to nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from clarion.domain.enrollment import Verb
from clarion.errors import Conflict, Invalid, NotFound
from clarion.flow import explain
from clarion.flow.enroll import crowd, steer
from clarion.flow.enroll.steer import Ask, Steered
from clarion.flow.services import Services
from clarion.kit.ids import uuid7
from clarion.store import group
from tests.flow.announcing import at
from tests.flow.following import definition, mend, of, people, running, until, work, written
from tests.store.people import ABEBE, AMINA

DAY = timedelta(days=1)
TOMORROW = "2026-03-03"
NINE = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # tomorrow in Nairobi


async def scene(services: Services, workspace: UUID) -> tuple[UUID, UUID]:
    """(the sequence, Amina), with Abebe beside her; both hear the first thing tomorrow at nine."""
    amina, _ = await people(
        services, workspace, ("Amina", AMINA, TOMORROW), ("Abebe", ABEBE, TOMORROW), groups=["Nurses"]
    )
    return await running(services, workspace), amina


async def ask(
    services: Services,
    workspace: UUID,
    campaign_id: UUID,
    contact_id: UUID,
    verb: Verb,
    moment: datetime | None = None,
) -> bool:
    async with services.db.tenant(workspace) as connection:
        return await steer.one(connection, services, campaign_id, contact_id, Ask(verb, moment))


async def heard(
    services: Services, workspace: UUID, campaign_id: UUID, name: str
) -> list[tuple[int, int, int, str]]:
    """(generation, iteration, step, state or reason) of what somebody was told, in order."""
    return [one[1:4] + one[5:] for one in await written(services, workspace, campaign_id) if one[0] == name]


ALL = [(1, 1, 1, "ready"), (1, 1, 2, "ready"), (1, 2, 1, "ready"), (1, 2, 2, "ready")]


async def test_who_is_paused_hears_nothing_until_they_go_on(services: Services, workspace: UUID) -> None:
    campaign_id, amina = await scene(services, workspace)
    assert await ask(services, workspace, campaign_id, amina, Verb.PAUSE)
    assert not await ask(services, workspace, campaign_id, amina, Verb.PAUSE)
    await until(services, workspace, campaign_id, NINE + DAY + timedelta(hours=1))
    assert await ask(services, workspace, campaign_id, amina, Verb.RESUME)
    await until(services, workspace, campaign_id, NINE + 4 * DAY)
    assert await heard(services, workspace, campaign_id, "Amina") == [
        (1, 1, 1, "paused"), (1, 1, 2, "paused"), (1, 2, 1, "ready"), (1, 2, 2, "ready"),
    ]  # fmt: skip
    assert await heard(services, workspace, campaign_id, "Abebe") == ALL


async def test_who_is_paused_stays_in_step(services: Services, workspace: UUID) -> None:
    campaign_id, amina = await scene(services, workspace)
    await ask(services, workspace, campaign_id, amina, Verb.PAUSE)
    await mend(services, workspace, amina, fields={"registration_date": "2026-03-10"})
    found = await of(services, workspace, campaign_id, amina)
    assert (found["state"], found["next_due"]) == ("paused", NINE + 7 * DAY)


async def test_what_waits_of_who_is_paused_is_taken_back(services: Services, workspace: UUID) -> None:
    campaign_id, amina = await scene(services, workspace)
    await until(services, workspace, campaign_id, NINE)
    await ask(services, workspace, campaign_id, amina, Verb.PAUSE)
    assert await heard(services, workspace, campaign_id, "Amina") == [(1, 1, 1, "paused")]


async def test_what_comes_next_is_left_out(services: Services, workspace: UUID) -> None:
    campaign_id, amina = await scene(services, workspace)
    assert await ask(services, workspace, campaign_id, amina, Verb.SKIP)
    await until(services, workspace, campaign_id, NINE + 4 * DAY)
    assert await heard(services, workspace, campaign_id, "Amina") == [(1, 1, 1, "asked"), *ALL[1:]]
    assert await heard(services, workspace, campaign_id, "Abebe") == ALL


async def test_what_was_left_out_stays_out_when_something_else_changes(
    services: Services, workspace: UUID
) -> None:
    campaign_id, amina = await scene(services, workspace)
    await ask(services, workspace, campaign_id, amina, Verb.SKIP)
    await mend(services, workspace, amina, timezone="Europe/Dublin")
    assert (await of(services, workspace, campaign_id, amina))["next_due"] == NINE + DAY + timedelta(hours=3)


async def test_what_comes_next_is_moved(services: Services, workspace: UUID) -> None:
    campaign_id, amina = await scene(services, workspace)
    noon = NINE + timedelta(hours=3)
    assert await ask(services, workspace, campaign_id, amina, Verb.MOVE, noon)
    await mend(services, workspace, amina, name="Amina Hassan")  # what was moved stays moved
    assert (await of(services, workspace, campaign_id, amina))["next_due"] == noon
    await until(services, workspace, campaign_id, NINE + 4 * DAY)
    told = await written(services, workspace, campaign_id)
    assert [one[2:5] for one in told if one[0] == "Amina Hassan"] == [
        (1, 1, noon), (1, 2, NINE + DAY), (2, 1, NINE + 2 * DAY), (2, 2, NINE + 3 * DAY),
    ]  # fmt: skip


async def test_it_can_be_moved_behind_what_came_after_it(services: Services, workspace: UUID) -> None:
    campaign_id, amina = await scene(services, workspace)
    await ask(services, workspace, campaign_id, amina, Verb.MOVE, NINE + 10 * DAY)
    await until(services, workspace, campaign_id, NINE + 11 * DAY)
    order = [one[1:3] for one in await heard(services, workspace, campaign_id, "Amina")]
    assert order == [(1, 2), (2, 1), (2, 2), (1, 1)]


async def test_nothing_is_moved_into_the_past(services: Services, workspace: UUID) -> None:
    campaign_id, amina = await scene(services, workspace)
    with pytest.raises(Invalid, match="later moment"):
        await ask(services, workspace, campaign_id, amina, Verb.MOVE, services.clock.now() - DAY)


async def test_who_begins_anew_is_counted_from_their_date_and_what_waits_goes(
    services: Services, workspace: UUID
) -> None:
    campaign_id, amina = await scene(services, workspace)
    await until(services, workspace, campaign_id, NINE)
    assert await ask(services, workspace, campaign_id, amina, Verb.RESTART)
    await until(services, workspace, campaign_id, NINE + 4 * DAY)
    assert await heard(services, workspace, campaign_id, "Amina") == [
        (1, 1, 1, "restarted"), *((2, *one[1:]) for one in ALL),
    ]  # fmt: skip


async def test_who_was_taken_out_stays_out_until_they_are_let_in(services: Services, workspace: UUID) -> None:
    campaign_id, amina = await scene(services, workspace)
    assert await ask(services, workspace, campaign_id, amina, Verb.TAKE_OUT)
    assert not await ask(services, workspace, campaign_id, amina, Verb.TAKE_OUT)
    await mend(services, workspace, amina, name="Amina Hassan")
    await until(services, workspace, campaign_id, NINE + DAY + timedelta(hours=1))
    found = await of(services, workspace, campaign_id, amina)
    assert (found["state"], found["reason"]) == ("stopped", "taken_out")
    assert await ask(services, workspace, campaign_id, amina, Verb.RESUME)
    await until(services, workspace, campaign_id, NINE + 4 * DAY)
    assert await heard(services, workspace, campaign_id, "Amina Hassan") == ALL[2:]


async def test_who_left_cannot_be_resumed(services: Services, workspace: UUID) -> None:
    (amina,) = await people(services, workspace, ("Amina", AMINA, TOMORROW), groups=["Nurses"])
    async with services.db.tenant(workspace) as connection:
        nurses = (await group.by_name(connection, ["Nurses"], services.clock.now()))["nurses"]
    campaign_id = await running(services, workspace, definition(audience={"include": {"groups": [nurses]}}))
    async with services.db.tenant(workspace) as connection:
        await group.remove_members(connection, nurses, [amina])
    await work(services, workspace, campaign_id)
    with pytest.raises(Conflict, match="was stopped: left"):
        await ask(services, workspace, campaign_id, amina, Verb.RESUME)


async def test_who_is_not_in_it_cannot_be_steered(services: Services, workspace: UUID) -> None:
    campaign_id, _ = await scene(services, workspace)
    with pytest.raises(NotFound, match="not in it"):
        await ask(services, workspace, campaign_id, uuid7(services.clock.now()), Verb.PAUSE)


async def test_a_whole_group_is_steered(
    services: Services, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "AT_ONCE", 1)
    campaign_id, amina = await scene(services, workspace)
    await ask(services, workspace, campaign_id, amina, Verb.PAUSE)
    async with services.db.tenant(workspace) as connection:
        nurses = (await group.by_name(connection, ["Nurses"], services.clock.now()))["nurses"]
    done = await crowd.steer_group(services, workspace, campaign_id, nurses, Ask(Verb.PAUSE))
    assert done == Steered(done=1, already=1)


async def test_what_comes_of_one_person_is_told(services: Services, workspace: UUID) -> None:
    campaign_id, amina = await scene(services, workspace)
    at(services).advance(3600)
    async with services.db.tenant(workspace) as connection:
        found = await steer.ahead(connection, services, campaign_id, amina, 3)
    assert [(one.due_at, one.iteration, one.step) for one in found.coming] == [
        (NINE, 1, 1), (NINE + DAY, 1, 2), (NINE + 2 * DAY, 2, 1),
    ]  # fmt: skip


async def test_where_somebody_is_in_it_is_explained(services: Services, workspace: UUID) -> None:
    campaign_id, amina = await scene(services, workspace)
    told = []
    for verb in (Verb.PAUSE, Verb.TAKE_OUT):
        async with services.db.tenant(workspace) as connection:
            told += (await explain.contact(connection, amina, services.clock.now())).sentences[-1:]
        await ask(services, workspace, campaign_id, amina, verb)
    async with services.db.tenant(workspace) as connection:
        told += (await explain.contact(connection, amina, services.clock.now())).sentences[-1:]
    assert told == [
        "Welcome, a sequence: is in it; something comes next 2026-03-03 06:00:00 UTC.",
        "Welcome, a sequence: is paused in it; something comes next 2026-03-03 06:00:00 UTC.",
        "Welcome, a sequence: is not in it any more (taken out by somebody).",
    ]
