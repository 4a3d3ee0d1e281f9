"""The hours of a workspace: at others nobody is told anything by a campaign, whatever the campaign says.

They hold beside the hours of the campaign: a schedule goes round them when it is reckoned, and what comes to
its channel at another hour waits there. Answers to what somebody wrote, and tests, go at any hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from clarion.domain.schedule.hours import Hours
from clarion.flow import campaign
from clarion.flow.services import Services
from clarion.kit.db import Connection
from clarion.store import door as doors
from clarion.store import run
from clarion.store import workspace as workspaces

SETTING = "hours"


def home_hours(settings: Mapping[str, Any]) -> Hours | None:
    """Those in a workspace's settings; None: any."""
    try:
        return Hours.model_validate(settings[SETTING]) if settings.get(SETTING) else None
    except ValidationError:  # written by another version, perhaps: they hold nobody up
        return None


def layers(settings: Mapping[str, Any]) -> tuple[Hours, ...]:
    """The same, as a schedule takes hours beside its own."""
    hours = home_hours(settings)
    return () if hours is None else (hours,)


async def set_home_hours(connection: Connection, services: Services, hours: Hours | None) -> None:
    """Other hours of the transaction's workspace; None: any. What is still to come of campaigns that follow
    people is reckoned anew."""
    stored = {} if hours is None else hours.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    await workspaces.set_setting(connection, SETTING, stored)
    now = services.clock.now()
    for row in await doors.following(connection):
        door, *_ = await run.of_campaign(connection, row["id"])
        await doors.revise(connection, row["id"])
        await run.again(connection, door["id"], now)
        await campaign.begin(connection, services, door["id"])
