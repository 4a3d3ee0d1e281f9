"""One visit and one alert of it on a virtual clock, as the reference tells its golden cases: a workspace in
New York, people whose zone nobody knows, and moments in UTC ("2017-03-16 16:00").

Time goes from one due moment to the next, with the worker at work at each, and what is ready is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from clarion.flow import alert
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import rows
from clarion.kit.ids import uuid7
from clarion.store import workspace as workspaces
from tests.flow.alerting import definition, running, say, standing, types, work, written
from tests.flow.announcing import Dispatch, at
from tests.store.people import AMINA

HOME = "America/New_York"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(moment: datetime) -> str:
    """To the minute, where it is a whole one."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}".removesuffix(":00")


@dataclass
class Story:
    """A visit V1 of Amina's, and an alert of visits."""

    services: Services
    workspace: UUID
    campaign_id: UUID
    dispatch: Dispatch

    async def work(self) -> None:
        """What a worker does at this moment, sending included."""
        await work(self.services, self.workspace, self.campaign_id)
        await self.dispatch.all()

    async def says(self, case: str = "V1", **said: Any) -> None:
        """A case is saved, and the worker sees it."""
        await saved(self.services, self.workspace, case, **said)
        await self.work()

    async def edits(self, schedule: Mapping[str, Any], **more: Any) -> None:
        """The alert gets another schedule, and the worker sees it."""
        wanted = definition(schedule, **more)
        async with self.services.db.tenant(self.workspace) as connection:
            changes = {key: getattr(wanted, key) for key in ("schedule", *more)}
            await alert.edit(connection, self.services, self.campaign_id, changes=changes)
        await self.work()

    async def pauses(self) -> None:
        async with self.services.db.tenant(self.workspace) as connection:
            await alert.pause(connection, self.services, self.campaign_id)
        await self.work()

    async def goes_on(self) -> None:
        async with self.services.db.tenant(self.workspace) as connection:
            await alert.resume(connection, self.services, self.campaign_id)
        await self.work()

    async def until(self, moment: str) -> None:
        """Let time pass up to this moment, and this moment too."""
        clock, end = at(self.services), utc(moment)
        await self.work()
        while (soon := await self._next_due()) is not None and soon <= end:
            clock.advance((soon - clock.now()).total_seconds())
            await self.work()
        clock.advance((end - clock.now()).total_seconds())
        await self.work()

    def sleeps(self, moment: str) -> None:
        """Time passes, and no worker runs."""
        clock = at(self.services)
        clock.advance((utc(moment) - clock.now()).total_seconds())

    async def became(self) -> list[tuple[str, str]]:
        """(when it was due, what became of it) of every message, by due moment."""
        some = await written(self.services, self.workspace, self.campaign_id)
        return [(shown(one[5]), one[6]) for one in some]

    async def sent(self, name: str = "Amina") -> list[str]:
        """When what was sent to somebody was due."""
        some = await written(self.services, self.workspace, self.campaign_id)
        return [shown(one[5]) for one in some if (one[1], one[6]) == (name, "accepted")]

    async def iterations(self) -> list[tuple[int, int]]:
        """(generation, iteration) of what was sent, by due moment."""
        some = await written(self.services, self.workspace, self.campaign_id)
        return [(one[2], one[3]) for one in some if one[6] == "accepted"]

    async def stands(self, case: str = "V1", name: str = "Amina") -> tuple[str, str | None]:
        """(state, when something comes next) of a recipient; of who is stopped or waits, the reason."""
        some = await standing(self.services, self.workspace, self.campaign_id)
        (one,) = [row for row in some if (row["case"], row["name"]) == (case, name)]
        comes = one["state"] == "active" and one["next_due"] is not None
        return one["reason"] or one["state"], shown(one["next_due"]) if comes else None

    async def _next_due(self) -> datetime | None:
        async with self.services.db.tenant(self.workspace) as connection:
            (found,) = await rows(
                connection,
                """SELECT min(next_due) AS due FROM enrollment
                   WHERE campaign_id = %s AND state = 'active' AND next_due > %s""",
                (self.campaign_id, self.services.clock.now()),
            )
        soonest: datetime | None = found["due"]
        return soonest


async def saved(services: Services, workspace: UUID, case: str = "V1", **said: Any) -> None:
    """A visit of Amina's that is scheduled, unless something else is said."""
    known = {"name": "Amina", "phone": AMINA, "status": "scheduled", **said}
    await say(services, workspace, case, **known)


async def begun(
    services: Services, now: str, schedule: Mapping[str, Any], *, more: Mapping[str, Any] | None = None,
    **visit: Any,
) -> Story:  # fmt: skip
    """At this moment the visit is saved and an alert with this schedule launched; the worker has seen both.
    `more` is of the alert, the rest of the visit."""
    here = replace(services, clock=FakeClock(utc(now)))
    workspace = uuid7(here.clock.now())
    async with here.db.tenant(workspace) as connection:
        await workspaces.create(
            connection, workspace, name=f"Clinic {workspace}", now=here.clock.now(), timezone=HOME
        )
    await types(here, workspace)
    await saved(here, workspace, **visit)
    campaign_id = await running(here, workspace, definition(schedule, **(more or {})))
    story = Story(here, workspace, campaign_id, Dispatch(here, workspace, campaign_id))
    await story.work()
    return story
