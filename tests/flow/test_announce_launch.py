"""Launching: when, to whom, and whether it is the same thing again."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.audience import Audience, Selection
from clarion.errors import Conflict, Invalid
from clarion.flow import announce, draft, fire
from clarion.flow.services import Services
from clarion.kit.db import Database
from clarion.store import group
from tests.flow.announcing import (
    HOUR,
    NOON,
    Dispatch,
    at,
    channel,
    counted,
    launched,
    people,
    runs_of,
    saying,
    state_of,
    written,
)
from tests.store.people import AMINA, person, store

CLOSED = "The clinic is closed on Monday, please come on Tuesday"
CLOSED_TOO = "The clinic is closed on Monday; please come on Tuesday!"


async def similar_to(
    services: Services, workspace: UUID, campaign_id: UUID, **how: Any
) -> list[dict[str, Any]]:
    """What a launch found, none when it went through."""
    try:
        await launched(services, workspace, campaign_id, **how)
    except Conflict as told:
        found: Any = told.extra["similar"]
        return list(found)
    return []


async def to_group(services: Services, workspace: UUID, name: str) -> Audience:
    async with services.db.tenant(workspace) as connection:
        (found,) = [one["id"] for one in await group.page(connection) if one["name"] == name]
    return Audience(include=Selection(groups=(found,)))


async def test_without_a_moment_it_is_due_now(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace), expires_after=7200)
    run_id = await launched(services, workspace, campaign_id)
    (run,) = await runs_of(services, workspace, campaign_id)
    assert (run["due_at"], run["expires_at"]) == (NOON, NOON + 2 * HOUR)
    assert await state_of(services, workspace, campaign_id) == "scheduled"
    assert (workspace, run_id) in await fire.due(services)


async def test_it_is_not_due_before_its_moment(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace), send_at=NOON + HOUR)
    run_id = await launched(services, workspace, campaign_id)
    assert (workspace, run_id) not in await fire.due(services)
    await fire.fire(services, workspace, run_id)
    assert await counted(services, workspace, run_id) == {}
    at(services).advance(3600)
    assert (workspace, run_id) in await fire.due(services)


async def test_a_past_moment_is_refused_and_nothing_is_scheduled(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace))
    with pytest.raises(Invalid, match="Leave it out to send now"):
        await launched(services, workspace, campaign_id, send_at=NOON - HOUR)
    assert await state_of(services, workspace, campaign_id) == "draft"
    assert await runs_of(services, workspace, campaign_id) == []


async def test_the_moment_of_the_draft_may_have_passed_meanwhile(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace), send_at=NOON + HOUR)
    at(services).advance(2 * 3600)
    with pytest.raises(Invalid, match="is past"):
        await launched(services, workspace, campaign_id)


async def test_an_announcement_is_launched_once(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace))
    await launched(services, workspace, campaign_id)
    with pytest.raises(Conflict, match="launched already"):
        await launched(services, workspace, campaign_id)
    assert len(await runs_of(services, workspace, campaign_id)) == 1


async def test_an_empty_audience_is_refused(services: Services, workspace: UUID) -> None:
    channel_id = await channel(services, workspace)
    campaign_id = await written(services, workspace, channel_id)
    with pytest.raises(Invalid, match="nobody is in this audience"):
        await launched(services, workspace, campaign_id, confirm_empty=True)
    with pytest.raises(Invalid, match="confirm_empty if people will be in it"):
        await launched(services, workspace, campaign_id, send_at=NOON + HOUR)
    await launched(services, workspace, campaign_id, send_at=NOON + HOUR, confirm_empty=True)


async def test_a_group_that_went_meanwhile_is_told_at_launch(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    nurses = await to_group(services, workspace, "Nurses")
    campaign_id = await written(services, workspace, await channel(services, workspace), audience=nurses)
    async with services.db.tenant(workspace) as connection:
        await group.remove(connection, nurses.include.groups[0])
    with pytest.raises(Invalid, match="no such group"):
        await launched(services, workspace, campaign_id)


async def test_a_frozen_audience_is_whom_it_meant_at_launch(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    channel_id = await channel(services, workspace)
    frozen = await written(services, workspace, channel_id, frozen=True, send_at=NOON + HOUR)
    living = await written(
        services, workspace, channel_id, send_at=NOON + HOUR, content=saying("Lunch at one")
    )
    runs = [await launched(services, workspace, one) for one in (frozen, living)]
    async with services.db.tenant(workspace) as connection:
        await store(connection, [person("Newcomer", "+254712000009")])
    at(services).advance(3600)
    for run_id in runs:
        await fire.fire(services, workspace, run_id)
    assert [(await counted(services, workspace, run_id)).total() for run_id in runs] == [4, 5]


# --- the same thing again


async def test_a_similar_one_to_the_same_people_waits_for_a_confirmation(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    channel_id = await channel(services, workspace)
    first = await written(services, workspace, channel_id, "First", content=saying(CLOSED))
    await launched(services, workspace, first)
    second = await written(services, workspace, channel_id, "Second", content=saying(CLOSED_TOO))
    (found,) = await similar_to(services, workspace, second)
    assert (found["id"], found["name"], found["state"], found["people"]) == (
        str(first),
        "First",
        "scheduled",
        4,
    )
    assert 0.6 <= found["likeness"] <= 1
    assert await state_of(services, workspace, second) == "draft"
    assert await similar_to(services, workspace, second, confirm_similar=True) == []


async def test_once_sent_the_people_are_counted_who_got_it(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    channel_id = await channel(services, workspace)
    nairobi = await to_group(services, workspace, "Nairobi")
    first = await written(services, workspace, channel_id, content=saying(CLOSED), audience=nairobi)
    run_id = await launched(services, workspace, first)
    await fire.fire(services, workspace, run_id)
    await Dispatch(services, workspace, first).all()
    second = await written(services, workspace, channel_id, content=saying(CLOSED_TOO))
    (found,) = await similar_to(services, workspace, second)
    assert (found["state"], found["people"]) == ("running", 2)


async def test_what_is_said_otherwise_or_elsewhere_or_long_after_is_not_similar(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    channel_id = await channel(services, workspace)
    nurses, drivers = [await to_group(services, workspace, name) for name in ("Nurses", "Drivers")]
    first = await written(services, workspace, channel_id, content=saying(CLOSED), audience=nurses)
    await launched(services, workspace, first)
    for more, how in (
        ({"content": saying("Salaries are paid on Friday")}, {}),
        ({"content": saying(CLOSED_TOO), "audience": drivers}, {}),
        ({"content": saying(CLOSED_TOO)}, {"send_at": NOON + 25 * HOUR}),
    ):
        other = await written(services, workspace, channel_id, **more)
        assert await similar_to(services, workspace, other, **how) == []
        async with services.db.tenant(workspace) as connection:
            await announce.cancel(connection, services, other)


async def test_a_cancelled_one_is_not_similar(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    channel_id = await channel(services, workspace)
    first = await written(services, workspace, channel_id, content=saying(CLOSED))
    await launched(services, workspace, first)
    async with services.db.tenant(workspace) as connection:
        await announce.cancel(connection, services, first)
    assert (
        await similar_to(
            services, workspace, await written(services, workspace, channel_id, content=saying(CLOSED))
        )
        == []
    )


async def test_how_similar_is_a_setting_of_the_workspace(
    db: Database, services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    channel_id = await channel(services, workspace)
    await launched(
        services, workspace, await written(services, workspace, channel_id, content=saying(CLOSED))
    )
    async with db.tenant(workspace) as connection:
        await connection.execute("""UPDATE workspace SET settings = '{"similar": {"hours": 0.5}}'""")
    later = await written(services, workspace, channel_id, content=saying(CLOSED), send_at=NOON + HOUR)
    assert await similar_to(services, workspace, later) == []


async def test_moving_one_beside_its_twin_waits_for_a_confirmation_too(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    channel_id = await channel(services, workspace)
    first = await written(services, workspace, channel_id, content=saying(CLOSED))
    second = await written(services, workspace, channel_id, content=saying(CLOSED), send_at=NOON + 48 * HOUR)
    await launched(services, workspace, first)
    await launched(services, workspace, second)
    sooner = {"send_at": NOON + HOUR}
    async with services.db.tenant(workspace) as connection:
        with pytest.raises(Conflict, match="similar announcement"):
            await draft.edit(connection, services, second, changes=sooner)
    async with services.db.tenant(workspace) as connection:
        await draft.edit(connection, services, second, changes=sooner, confirm_similar=True)
    (run,) = await runs_of(services, workspace, second)
    assert run["due_at"] == NOON + HOUR


async def test_two_launches_at_once_do_not_overlook_each_other(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    channel_id = await channel(services, workspace)
    both = [await written(services, workspace, channel_id, content=saying(CLOSED)) for _ in range(2)]
    found = await asyncio.gather(*(similar_to(services, workspace, one) for one in both))
    assert sorted(len(one) for one in found) == [0, 1]


async def test_another_workspaces_announcement_is_never_similar(
    services: Services, workspace: UUID, another_workspace: UUID
) -> None:
    for place in (workspace, another_workspace):
        await people(services, place, [person("Amina", AMINA)])
        campaign_id = await written(services, place, await channel(services, place), content=saying(CLOSED))
        assert await similar_to(services, place, campaign_id) == []
