"""A sequence follows each person from a date of their own, and says nothing twice, whatever changes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from clarion.domain.content import Content
from clarion.errors import Conflict, Invalid
from clarion.flow import fire, sequence
from clarion.flow.enroll import due, fill
from clarion.flow.enroll.match import match
from clarion.flow.services import Services
from clarion.store import consent, group
from tests.flow.announcing import at, channel
from tests.flow.following import (
    DAILY,
    coming,
    content,
    counted,
    definition,
    mend,
    of,
    people,
    running,
    until,
    work,
    written,
)
from tests.store.people import ABEBE, AMINA, ROSA

DAY = timedelta(days=1)
TODAY, TOMORROW = "2026-03-02", "2026-03-03"
NINE = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # tomorrow in Nairobi


async def test_everybody_is_followed_from_a_date_of_their_own(services: Services, workspace: UUID) -> None:
    await people(services, workspace, ("Amina", AMINA, TOMORROW), ("Abebe", ABEBE, "2026-03-04"))
    campaign_id = await running(services, workspace)
    await until(services, workspace, campaign_id, NINE + 5 * DAY)
    assert await written(services, workspace, campaign_id) == [
        ("Amina", 1, 1, 1, NINE, "ready"),
        ("Abebe", 1, 1, 1, NINE + DAY, "ready"),
        ("Amina", 1, 1, 2, NINE + DAY, "ready"),
        ("Abebe", 1, 1, 2, NINE + 2 * DAY, "ready"),
        ("Amina", 1, 2, 1, NINE + 2 * DAY, "ready"),
        ("Abebe", 1, 2, 1, NINE + 3 * DAY, "ready"),
        ("Amina", 1, 2, 2, NINE + 3 * DAY, "ready"),
        ("Abebe", 1, 2, 2, NINE + 4 * DAY, "ready"),
    ]
    assert await counted(services, workspace, campaign_id) == {"ready": 8}


async def test_who_has_heard_everything_is_finished(services: Services, workspace: UUID) -> None:
    (amina,) = await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace)
    states = []
    for days in (0, 3):
        await until(services, workspace, campaign_id, NINE + days * DAY)
        states.append((await of(services, workspace, campaign_id, amina))["state"])
    assert states == ["active", "finished"]


async def test_nothing_is_sent_before_its_moment(services: Services, workspace: UUID) -> None:
    await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace)
    await until(services, workspace, campaign_id, NINE - timedelta(seconds=1))
    assert await written(services, workspace, campaign_id) == []
    at(services).advance(1)
    await work(services, workspace, campaign_id)
    assert len(await written(services, workspace, campaign_id)) == 1


async def test_what_had_passed_when_somebody_came_in_is_not_sent(services: Services, workspace: UUID) -> None:
    await people(services, workspace, ("Amina", AMINA, "2026-02-28"))
    campaign_id = await running(services, workspace)
    await until(services, workspace, campaign_id, NINE + 5 * DAY)
    assert [one[2:4] for one in await written(services, workspace, campaign_id)] == [(2, 2)]


async def test_who_comes_too_late_for_all_of_it_has_lapsed(services: Services, workspace: UUID) -> None:
    (amina,) = await people(services, workspace, ("Amina", AMINA, "2020-01-01"))
    campaign_id = await running(services, workspace)
    assert (await of(services, workspace, campaign_id, amina))["state"] == "lapsed"


async def test_who_has_no_date_waits_for_one(services: Services, workspace: UUID) -> None:
    (amina,) = await people(services, workspace, ("Amina", AMINA, None))
    campaign_id = await running(services, workspace)
    found = await of(services, workspace, campaign_id, amina)
    assert (found["state"], found["reason"], found["next_due"]) == ("active", "no_start", None)
    await mend(services, workspace, amina, fields={"registration_date": TOMORROW})
    found = await of(services, workspace, campaign_id, amina)
    assert (found["state"], found["reason"], found["next_due"]) == ("active", "", NINE)


async def test_who_comes_into_the_audience_is_enrolled(services: Services, workspace: UUID) -> None:
    await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace)
    (rosa,) = await people(services, workspace, ("Rosa", ROSA, TOMORROW))
    await match(services, workspace)
    assert (await of(services, workspace, campaign_id, rosa))["state"] == "active"


async def _nurses(services: Services, workspace: UUID) -> tuple[UUID, UUID, UUID]:
    """(Amina, the group that she is in, a sequence for it)."""
    (amina,) = await people(services, workspace, ("Amina", AMINA, TOMORROW), groups=["Nurses"])
    async with services.db.tenant(workspace) as connection:
        nurses = (await group.by_name(connection, ["Nurses"], services.clock.now()))["nurses"]
    campaign_id = await running(services, workspace, definition(audience={"include": {"groups": [nurses]}}))
    return amina, nurses, campaign_id


async def test_who_leaves_is_stopped_and_what_waits_goes(services: Services, workspace: UUID) -> None:
    amina, nurses, campaign_id = await _nurses(services, workspace)
    await until(services, workspace, campaign_id, NINE)
    async with services.db.tenant(workspace) as connection:
        await group.remove_members(connection, nurses, [amina])
    await until(services, workspace, campaign_id, NINE + 3 * DAY)
    found = await of(services, workspace, campaign_id, amina)
    assert (found["state"], found["reason"]) == ("stopped", "left")
    assert [one[5] for one in await written(services, workspace, campaign_id)] == ["left"]


@pytest.mark.parametrize(
    ("reentry", "heard", "ends"),
    [
        ("continue", [(1, 1, 1), (1, 2, 2)], "finished"),
        ("restart", [(1, 1, 1), (2, 2, 2)], "finished"),
        ("once", [(1, 1, 1)], "stopped"),
    ],
)
async def test_who_comes_back_goes_on_as_declared(
    services: Services, workspace: UUID, reentry: str, heard: list[tuple[int, int, int]], ends: str
) -> None:
    amina, nurses, campaign_id = await _nurses(services, workspace)
    async with services.db.tenant(workspace) as connection:
        await sequence.edit(connection, services, campaign_id, changes={"reentry": reentry})
    await until(services, workspace, campaign_id, NINE)
    async with services.db.tenant(workspace) as connection:
        await group.remove_members(connection, nurses, [amina])
    await until(services, workspace, campaign_id, NINE + 2 * DAY + timedelta(hours=1))
    async with services.db.tenant(workspace) as connection:
        await group.add_members(connection, nurses, [amina])
    await until(services, workspace, campaign_id, NINE + 6 * DAY)
    assert [one[1:4] for one in await written(services, workspace, campaign_id)] == heard
    assert (await of(services, workspace, campaign_id, amina))["state"] == ends


async def test_who_opts_out_is_stopped_and_goes_on_when_they_opt_in(
    services: Services, workspace: UUID
) -> None:
    (amina,) = await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace)
    await until(services, workspace, campaign_id, NINE)
    states = []
    for say in (consent.opt_out, consent.opt_in):
        async with services.db.tenant(workspace) as connection:
            await say(connection, await consent.keys_of(connection, amina), services.clock.now(), how="reply")
        await until(services, workspace, campaign_id, services.clock.now() + DAY)
        found = await of(services, workspace, campaign_id, amina)
        states.append((found["state"], found["reason"]))
    await until(services, workspace, campaign_id, NINE + 4 * DAY)
    assert states == [("stopped", "opted_out"), ("active", "")]
    assert [one[2:4] + one[5:] for one in await written(services, workspace, campaign_id)] == [
        (1, 1, "opted_out"), (2, 1, "ready"), (2, 2, "ready"),
    ]  # fmt: skip


async def test_what_falls_due_while_it_is_paused_is_skipped(services: Services, workspace: UUID) -> None:
    await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace)
    async with services.db.tenant(workspace) as connection:
        assert await sequence.pause(connection, services, campaign_id)
    await until(services, workspace, campaign_id, NINE + DAY + timedelta(hours=1))
    assert await written(services, workspace, campaign_id) == []
    async with services.db.tenant(workspace) as connection:
        assert await sequence.resume(connection, services, campaign_id)
    await until(services, workspace, campaign_id, NINE + 5 * DAY)
    assert [one[5] for one in await written(services, workspace, campaign_id)] == [
        "paused",
        "paused",
        "ready",
        "ready",
    ]


async def test_after_an_outage_what_is_too_late_is_skipped_and_nobody_hears_two_at_once(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace, definition(expires_after=2 * 86_400))
    await until(services, workspace, campaign_id, NINE + 2 * DAY + timedelta(hours=1), step=10**9)
    assert [one[2:4] + one[5:] for one in await written(services, workspace, campaign_id)] == [
        (1, 1, "missed"), (1, 2, "missed"), (2, 1, "ready"),
    ]  # fmt: skip


async def test_who_cannot_be_reached_has_a_row_that_says_why(services: Services, workspace: UUID) -> None:
    (amina,) = await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace)
    async with services.db.tenant(workspace) as connection:
        await connection.execute("UPDATE address SET status = 'retired' WHERE contact_id = %s", (amina,))
    await until(services, workspace, campaign_id, NINE)
    assert [one[5] for one in await written(services, workspace, campaign_id)] == ["no_address"]


async def test_cancelled_it_ends_for_everybody(services: Services, workspace: UUID) -> None:
    await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace)
    await until(services, workspace, campaign_id, NINE)
    async with services.db.tenant(workspace) as connection:
        assert await sequence.cancel(connection, services, campaign_id)
        assert not await sequence.cancel(connection, services, campaign_id)
    await fire.finish(services, workspace)
    await until(services, workspace, campaign_id, NINE + 4 * DAY)
    assert [one[5] for one in await written(services, workspace, campaign_id)] == ["cancelled"]


async def test_a_running_one_is_not_completed_when_nothing_waits(services: Services, workspace: UUID) -> None:
    campaign_id = await running(services, workspace)
    await fire.finish(services, workspace)
    async with services.db.tenant(workspace) as connection:
        row, _ = await sequence.read(connection, campaign_id)
    assert row["state"] == "running"


async def test_several_workers_at_once_write_each_occurrence_once(
    services: Services, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "BATCH", 7)
    monkeypatch.setattr(due, "RECKONED", 5)
    some = [(f"P{n:02}", f"+2547120001{n:02}", TOMORROW) for n in range(40)]
    await people(services, workspace, *some)
    campaign_id = await running(services, workspace)
    at(services).advance((NINE - services.clock.now()).total_seconds())
    for _ in range(4):
        for _ in range(6):
            await asyncio.gather(*(work(services, workspace, campaign_id) for _ in range(4)))
        at(services).advance(86_400)
    assert await counted(services, workspace, campaign_id) == {"ready": 160}


async def test_going_through_everybody_that_was_cut_off_goes_on_where_it_was(
    services: Services, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fill, "FIRST", 3)
    monkeypatch.setattr(fill, "CHUNK", 3)
    some = [(f"P{n:02}", f"+2547120001{n:02}", TOMORROW) for n in range(20)]
    ids = await people(services, workspace, *some)

    class Killed(Exception):
        pass

    def cut(people: int) -> None:
        if people >= 6:
            raise Killed

    campaign_id = await running(services, workspace)
    async with services.db.tenant(workspace) as connection:
        later = {**DAILY, "time": "10:00"}
        await sequence.edit(
            connection, services, campaign_id, changes={"schedule": definition(later).schedule}
        )
    ((_, run_id),) = [one for one in await fire.due(services) if one[0] == workspace]
    with pytest.raises(ExceptionGroup):
        await fill.fill(services, workspace, run_id, cut)
    assert (workspace, run_id) in await fire.due(services)
    await fill.fill(services, workspace, run_id)
    assert (workspace, run_id) not in await fire.due(services)
    assert {(await of(services, workspace, campaign_id, one))["next_due"] for one in ids} == {
        NINE + timedelta(hours=1)
    }


async def test_everything_that_is_wrong_with_it_is_told_at_once(services: Services, workspace: UUID) -> None:
    """Steps that say nothing there is, content that nobody says, and what is wrong within a content."""
    await people(services, workspace)
    channel_id = await channel(services, workspace)
    right = definition()
    contents = {"hello": Content.model_validate(content("{{ nope }}")), "idle": right.contents["again"]}
    wrong = right.model_copy(update={"contents": contents})
    async with services.db.tenant(workspace) as connection:
        with pytest.raises(Invalid) as told:
            await sequence.create(connection, services, name="x", channel_id=channel_id, definition=wrong)
    places = [one.where for one in told.value.problems]
    parameter = "contents.hello.variants[0].content.parameters[0], line 1 column 4"
    assert places == ["schedule.steps", "contents.idle", parameter]


async def test_a_date_that_nobody_keeps_is_told(services: Services, workspace: UUID) -> None:
    await people(services, workspace, ("Amina", AMINA, TOMORROW))
    channel_id = await channel(services, workspace)
    wanted = definition({**DAILY, "start": {"from": "field", "key": "birthday"}})
    async with services.db.tenant(workspace) as connection:
        with pytest.raises(Invalid) as told:
            await sequence.create(connection, services, name="x", channel_id=channel_id, definition=wanted)
    (problem,) = told.value.problems
    assert (problem.what, problem.hint) == (
        "no field 'birthday' is kept of contacts", "There are: registration_date.",
    )  # fmt: skip


async def test_only_what_its_state_allows_is_done(services: Services, workspace: UUID) -> None:
    campaign_id = await running(services, workspace)
    async with services.db.tenant(workspace) as connection:
        with pytest.raises(Conflict, match="launched already"):
            await sequence.launch(connection, services, campaign_id)


async def test_what_comes_next_is_kept_beside_everybody(services: Services, workspace: UUID) -> None:
    (amina,) = await people(services, workspace, ("Amina", AMINA, TOMORROW))
    campaign_id = await running(services, workspace)
    assert await coming(services, workspace, campaign_id, amina) == [(1, 1), (1, 2)]
