"""Steering everybody of a group, a thousand people a transaction."""

from __future__ import annotations

from uuid import UUID

from clarion.flow.enroll import steer
from clarion.flow.enroll.steer import Ask, Steered
from clarion.flow.services import Services
from clarion.store import enrollment, group

AT_ONCE = 1_000


async def steer_group(
    services: Services, workspace_id: UUID, campaign_id: UUID, group_id: UUID, ask: Ask
) -> Steered:
    """Do it for everybody of a group, and of those below it, who is in the campaign. Cut off, it is done for
    some; done again, there is nothing to do for them. Raises NotFound, Conflict, Invalid."""
    done, after = Steered(), None
    while True:
        async with services.db.tenant(workspace_id) as connection:
            some = await group.members(connection, group_id, after, AT_ONCE, deep=True)
            inside = await enrollment.enrolled(connection, campaign_id, some)
            more = await steer.several(connection, services, campaign_id, inside, ask)
        done.done += more.done
        done.already += more.already
        done.refused |= more.refused
        if len(some) < AT_ONCE:
            return done
        after = some[-1]
