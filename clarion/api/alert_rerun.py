"""The re-run of an alert, which goes over all cases of its type: begun again, and cancelled."""

from __future__ import annotations

from uuid import UUID

from clarion.api.alert import Writer, shown
from clarion.api.alert_shapes import AlertAnswer
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.flow import rerun

router = new_router("alerts", "People are told of cases that meet criteria, in time before a date of them.")


@router.post("/{alert_id}/rerun", summary="Go over its cases again", responses=responses(404, 409))
async def begin(alert_id: UUID, edge: Writer) -> AlertAnswer:
    """Over those that were left, where that was cancelled; else over all. Cases that are as they should be
    are read, and no more. While it is under way there is nothing to do."""
    async with edge.transaction() as connection:
        await rerun.begin(connection, edge.services, alert_id)
        return await shown(connection, edge, alert_id)


@router.post("/{alert_id}/rerun/cancel", summary="Go over no more cases", responses=responses(404, 409))
async def cancel(alert_id: UUID, edge: Writer) -> AlertAnswer:
    """The alert stays as it is: the cases that are left follow its last change when they are next touched, or
    when something of them falls due. It may be changed from then on."""
    async with edge.transaction() as connection:
        await rerun.cancel(connection, edge.services, alert_id)
        return await shown(connection, edge, alert_id)
