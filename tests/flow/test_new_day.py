"""A sequence whose filter counts days from today: who is meant changes at midnight, though nobody changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from clarion.flow.enroll import new_day
from clarion.flow.services import Services
from tests.flow.announcing import at
from tests.flow.following import DAILY, definition, of, people, running, work
from tests.store.people import AMINA

MIDNIGHT = datetime(2026, 3, 2, 21, 0, tzinfo=UTC)  # in Nairobi the third of March begins
FROM_TOMORROW: dict[str, Any] = {
    "include": {
        "filter": {"field": "registration_date", "op": "lt", "value": {"days_from_today": 0}},
    }
}


async def _followed(services: Services, workspace: UUID, audience: Any = FROM_TOMORROW) -> tuple[UUID, UUID]:
    """Amina, registered on the second, and a sequence for whoever did before today."""
    (amina,) = await people(services, workspace, ("Amina", AMINA, "2026-03-02"))
    return amina, await running(services, workspace, definition(DAILY, audience=audience))


def _to(services: Services, moment: datetime) -> None:
    at(services).advance((moment - services.clock.now()).total_seconds())


async def _enrolled(services: Services, workspace: UUID, campaign_id: UUID, contact_id: UUID) -> bool:
    try:
        await of(services, workspace, campaign_id, contact_id)
    except AssertionError:
        return False
    return True


async def test_who_comes_to_be_meant_by_the_calendar_alone_is_enrolled_after_midnight(
    services: Services, workspace: UUID
) -> None:
    amina, campaign_id = await _followed(services, workspace)
    seen = []
    for moment in (MIDNIGHT - timedelta(minutes=1), MIDNIGHT + timedelta(minutes=1)):
        _to(services, moment)
        await new_day.look_again(services, workspace)
        await work(services, workspace, campaign_id)
        seen.append(await _enrolled(services, workspace, campaign_id, amina))
    assert seen == [False, True]


async def test_everybody_is_gone_through_once_a_day_and_only_for_a_filter_that_counts_days(
    services: Services, workspace: UUID
) -> None:
    _, campaign_id = await _followed(services, workspace)
    await running(services, workspace)  # for everyone
    _to(services, MIDNIGHT + timedelta(minutes=1))
    begun = []
    for _ in range(2):
        begun.append(await new_day.look_again(services, workspace))
        await work(services, workspace, campaign_id)
    assert begun == [1, 0]
