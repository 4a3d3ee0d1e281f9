"""A new day in a workspace: a filter that counts days from today may mean others than it did yesterday.

Nobody is touched by that, so everybody is gone through once a day for such a campaign, by parts as when it
was launched (`flow.enroll.fill`), and killed it goes on.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from uuid import UUID
from zoneinfo import ZoneInfo

from clarion.flow import campaign
from clarion.flow.services import Services
from clarion.store import campaign as campaigns
from clarion.store import door as doors
from clarion.store import run
from clarion.store import workspace as workspaces


async def look_again(services: Services, workspace_id: UUID) -> int:
    """Begin to go through everybody, of the campaigns that follow people by such a filter and have not been
    since midnight; how many these are. Asked again the same day it finds none."""
    now = services.clock.now()
    async with services.db.tenant(workspace_id) as connection:
        home = ZoneInfo((await workspaces.get(connection))["timezone"])
        midnight = datetime.combine(now.astimezone(home).date(), time(), home).astimezone(UTC)
        found = await doors.of_yesterday(connection, midnight)
        for campaign_id, run_id in found:
            await campaigns.lock(connection, campaign_id)
            await run.again(connection, run_id, now)
            await campaign.begin(connection, services, run_id)
    return len(found)
