"""What an edit of a sequence would do is told to the person who makes it, and then it does just that."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from clarion.domain.field import Field, FieldType
from clarion.domain.schedule import check
from clarion.errors import Conflict, Invalid
from clarion.flow import sequence
from clarion.flow.enroll.would import Would, would
from clarion.flow.services import Services
from clarion.store import field, group
from tests.flow.announcing import channel
from tests.flow.following import DAILY, definition, of, people, running, until
from tests.flow.test_sequence import NINE, TOMORROW
from tests.store.people import ABEBE, AMINA, ROSA

LATER = check.read({**DAILY, "time": "15:00"})
OTHER_DATE = check.read({**DAILY, "start": {"from": "field", "key": "birth_date"}})


async def _running(services: Services, workspace: UUID) -> tuple[UUID, list[UUID]]:
    """Amina has heard the first step, Abebe hears it in a week, Rosa has no date."""
    some = await people(
        services, workspace, ("Amina", AMINA, TOMORROW), ("Abebe", ABEBE, "2026-03-10"), ("Rosa", ROSA, None)
    )
    async with services.db.tenant(workspace) as connection:
        await field.declare(connection, Field("birth_date", "Birth date", FieldType.DATE))
    campaign_id = await running(services, workspace)
    await until(services, workspace, campaign_id, NINE)
    return campaign_id, some


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"schedule": LATER}, Would(move=2, same=1)),
        ({"schedule": OTHER_DATE}, Would(again=1, move=1, same=1)),
        ({"reentry": "once"}, Would(same=3)),
    ],
    ids=["another time", "another date", "nothing of the kind"],
)
async def test_it_tells_how_many_people_it_would_touch(
    services: Services, workspace: UUID, changes: dict[str, Any], found: Would
) -> None:
    campaign_id, _ = await _running(services, workspace)
    assert await would(services, workspace, campaign_id, changes) == found


async def test_who_would_come_in_and_who_would_be_stopped(services: Services, workspace: UUID) -> None:
    campaign_id, (amina, *_) = await _running(services, workspace)
    async with services.db.tenant(workspace) as connection:
        nurses = await group.create(connection, "Nurses", services.clock.now())
        await group.add_members(connection, nurses, [amina])
    only_nurses = definition(audience={"include": {"groups": [nurses]}}).audience
    told = await would(services, workspace, campaign_id, {"audience": only_nurses})
    assert told == Would(leave=2, same=1)


async def test_it_changes_nothing(services: Services, workspace: UUID) -> None:
    campaign_id, (amina, *_) = await _running(services, workspace)
    before = await of(services, workspace, campaign_id, amina)
    await would(services, workspace, campaign_id, {"schedule": OTHER_DATE})
    assert await of(services, workspace, campaign_id, amina) == before


async def test_what_would_be_refused_is_refused(services: Services, workspace: UUID) -> None:
    campaign_id, _ = await _running(services, workspace)
    nobody_keeps = check.read({**DAILY, "start": {"from": "field", "key": "nobody_keeps"}})
    with pytest.raises(Invalid):
        await would(services, workspace, campaign_id, {"schedule": nobody_keeps})


async def test_of_a_draft_in_which_nobody_is_there_is_nothing_to_tell(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    channel_id = await channel(services, workspace)
    async with services.db.tenant(workspace) as connection:
        campaign_id = await sequence.create(
            connection, services, name="Welcome", channel_id=channel_id, definition=definition()
        )
    with pytest.raises(Conflict, match="not launched"):
        await would(services, workspace, campaign_id, {"schedule": LATER})
