"""What tests of missing values need: an alert whose text needs one, and what the dispatch makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from clarion.domain.limits import Limiter
from clarion.flow.compose import Composer
from clarion.flow.dispatch import account
from clarion.flow.dispatch.admission import Admission, Admitted
from clarion.flow.dispatch.broker import Broker
from clarion.flow.dispatch.lackers import Lackers
from clarion.flow.dispatch.lanes import Lanes
from clarion.flow.dispatch.leavers import Leavers
from clarion.flow.dispatch.shared import Shared
from clarion.flow.services import Services
from clarion.kit.db import Row, rows
from clarion.kit.ids import uuid7
from clarion.providers.contract import Template
from clarion.store import queue
from tests.flow.alerting import AT_ONCE, definition, running
from tests.flow.following import content

HOLD = {"hold_for": 3600}


def saying(text: str, missing: object) -> dict[str, Any]:
    """One content, and what becomes of whom it lacks a value for."""
    return {"now": {**content(text), "missing": missing}}


async def alerting(
    services: Services, workspace: UUID, text: str, missing: object = HOLD, **more: Any
) -> UUID:
    """An alert that says this at once, of each visit that is scheduled."""
    return await running(services, workspace, definition(AT_ONCE, contents=saying(text, missing), **more))


@dataclass
class Desk:
    """Stands where a channel's desk stands, up to the intent: nobody is called."""

    services: Services
    workspace: UUID
    campaign_id: UUID
    lanes: Lanes
    leavers: Leavers

    @classmethod
    async def open(cls, services: Services, workspace: UUID, campaign_id: UUID) -> Desk:
        nobody = cast("Any", None)
        shared = Shared(
            services.db, services.clock, uuid7(services.clock.now()), nobody, nobody, Composer(services), 4,
            lambda *_: None,
        )  # fmt: skip
        lanes = Lanes()
        return cls(services, workspace, campaign_id, lanes, Leavers(shared, workspace, lanes))

    async def read(self) -> Admitted:
        """What is due, as it is made of what is known now."""
        shared, clock = self.leavers.shared, self.services.clock
        async with self.services.db.tenant(self.workspace) as connection:
            (campaign,) = await rows(
                connection, "SELECT channel_id FROM campaign WHERE id = %s", (self.campaign_id,)
            )
            over = campaign["channel_id"]
            lanes = (await queue.open_lanes(connection, [over]))[over]
            self.lanes.learn(lanes, clock.monotonic())
            for lane in lanes:
                self.lanes.look_again(lane.id)
            await self.lanes.refill(connection, clock, shared.composer.inform)
        channel = await account.load(self.services, self.workspace, over)
        broker = Broker(clock, [Limiter(channel.limits)], channel.zone)
        return Admission(shared, channel, self.lanes, broker).admit(100, clock.now(), clock.monotonic())

    async def leave(self, admitted: Admitted) -> list[str]:
        """Whoever is not called leaves; what the others would be told. They are let go of, to be read."""
        await self.leavers.end(admitted.ends, self.services.clock.now())
        await self.leavers.hold(admitted.later)
        await Lackers(self.leavers).leave(admitted.lacking)
        self.leavers.forget(call.waiting for call in admitted.calls)
        return sorted(cast("Template", call.parcel.content).parameters[0] for call in admitted.calls)


async def dispatch(services: Services, workspace: UUID, campaign_id: UUID) -> list[str]:
    """What a desk would say now; whoever lacks something waits, or is skipped."""
    desk = await Desk.open(services, workspace, campaign_id)
    return await desk.leave(await desk.read())


async def became(services: Services, workspace: UUID, campaign_id: UUID) -> list[Row]:
    """{id, state, reason, due_at, queued, awaits, held_until, tried} of each message, by due moment; the
    tally agrees with them."""
    async with services.db.tenant(workspace) as connection:
        found = await rows(
            connection,
            """SELECT m.id, m.state::text, m.reason, m.due_at, q.message_id IS NOT NULL AS queued, q.awaits,
                 q.held_until, q.tries + m.tries AS tried
               FROM enrollment e JOIN message m ON m.enrollment_id = e.id
               LEFT JOIN queue q ON q.lane_id = m.lane_id AND q.due_at = m.due_at AND q.message_id = m.id
               WHERE e.campaign_id = %s ORDER BY m.due_at, m.id""",
            (campaign_id,),
        )
        counted = await rows(
            connection,
            """SELECT t.state::text, t.reason, sum(t.n)::int AS n FROM tally t JOIN run r ON r.id = t.run_id
               WHERE r.campaign_id = %s GROUP BY 1, 2 HAVING sum(t.n) <> 0""",
            (campaign_id,),
        )
        queued = await rows(
            connection,
            "SELECT count(*)::int AS n FROM queue q JOIN lane l ON l.id = q.lane_id WHERE l.campaign_id = %s",
            (campaign_id,),
        )
    assert sum(one["n"] for one in counted) == len(found)
    for one in counted:
        same = [each for each in found if (each["state"], each["reason"]) == (one["state"], one["reason"])]
        assert len(same) == one["n"], counted
    assert queued[0]["n"] == sum(one["queued"] for one in found), "nothing waits without its message"
    return found


async def ends(services: Services, workspace: UUID, campaign_id: UUID) -> list[tuple[str, str | None]]:
    """(state, reason) of each message; "waits" where it waits for a value."""
    found = await became(services, workspace, campaign_id)
    return [("waits" if one["awaits"] else one["state"], one["reason"]) for one in found]
