"""A sequence whose people are waited for outside the service window, and what it declares is changed."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from clarion.flow import sequence
from clarion.flow.services import Services
from clarion.kit.db import Row, rows
from clarion.store import campaign, window
from tests.flow.announcing import at
from tests.flow.following import definition, people, running, until
from tests.store.people import AMINA

ONCE = {
    "start": {"from": "field", "key": "registration_date"},
    "time": "09:00",
    "steps": [{"number": 1, "content": "hello"}],
}
HELLO = {"hello": {"variants": [{"content": {"kind": "text", "text": "Hello {{ contact.name }}"}}]}}


async def waiting(services: Services, workspace: UUID, campaign_id: UUID) -> list[Row]:
    """{awaits, due} of what is in the queue."""
    async with services.db.tenant(workspace) as connection:
        lanes = await campaign.lane_ids(connection, campaign_id)
        return await rows(
            connection,
            """SELECT lane_id, due_at, message_id, cohort, awaits IS NOT NULL AS awaits FROM queue
               WHERE lane_id = ANY (%s)""",
            (lanes,),
        )


async def test_who_waits_is_decided_anew_when_it_declares_something_else(
    services: Services, workspace: UUID
) -> None:
    today = at(services).now().date()
    await people(services, workspace, ("Amina", AMINA, str(today + timedelta(days=1))), timezone="UTC")
    wanted = definition(ONCE, contents=HELLO, outside_window="wait")
    campaign_id = await running(services, workspace, wanted)
    await until(services, workspace, campaign_id, at(services).now() + timedelta(days=1))
    (one,) = await waiting(services, workspace, campaign_id)
    place = (one["lane_id"], one["due_at"], one["message_id"], one["cohort"])
    async with services.db.tenant(workspace) as connection:
        (lane,) = await rows(connection, "SELECT * FROM lane WHERE id = %s", (one["lane_id"],))
        assert lane["outside_window"] == "wait"
        now = services.clock.now()
        assert await window.outside(connection, [place], lane["channel_id"], now, "wait")
        await window.wait(connection, [place])
    assert [each["awaits"] for each in await waiting(services, workspace, campaign_id)] == [True]
    async with services.db.tenant(workspace) as connection:
        await sequence.edit(connection, services, campaign_id, changes={"weight": 2})
    assert [each["awaits"] for each in await waiting(services, workspace, campaign_id)] == [True]
    async with services.db.tenant(workspace) as connection:
        await sequence.edit(connection, services, campaign_id, changes={"outside_window": None})
    (one,) = await waiting(services, workspace, campaign_id)
    assert (one["awaits"], one["due_at"]) == (False, services.clock.now())
