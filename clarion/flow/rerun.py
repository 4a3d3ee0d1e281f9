"""The re-run of an alert: all cases of its type are gone over when it is launched, and when what decides who
hears has changed. While that lasts it is locked against such changes; it can be cancelled, and begun again.

Each is a part of a transaction of the caller's.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from clarion.domain.alert import KIND
from clarion.domain.campaign import State
from clarion.domain.rerun import Rerun, Stage
from clarion.domain.rerun import rerun as read
from clarion.domain.sequence import require
from clarion.errors import Conflict
from clarion.flow import campaign
from clarion.flow.services import Services
from clarion.kit.db import Connection
from clarion.store import campaign as campaigns
from clarion.store import rerun as reruns
from clarion.store import run


async def shown(connection: Connection, campaign_id: UUID, now: datetime) -> Rerun | None:
    """How far it is; None of a draft, which has gone over nothing."""
    run_id = await _door(connection, campaign_id)
    return None if run_id is None else read(await reruns.gone(connection, run_id), now)


async def refuse_while_going(connection: Connection, campaign_id: UUID, now: datetime) -> None:
    """Of an alert that the caller has locked. Raises Conflict with how far it is, while it goes over its
    cases: two definitions would be mixed up, and nobody could say which cases follow which."""
    far = await shown(connection, campaign_id, now)
    if far is None or not far.locks:
        return
    way_out = f"cancel it (POST /api/v1/alerts/{campaign_id}/rerun/cancel)"
    when = f" It may be done at {far.eta:%Y-%m-%d %H:%M:%S} UTC." if far.eta else ""
    why = f" It does not go on: {far.error}." if far.error else ""
    raise Conflict(
        f"it is locked while its cases are gone over by its last change: {far}", where="rerun",
        hint=f"Wait until that is done, or {way_out}.{when}{why}",
        extra={"done": far.done, "cases": far.cases, "eta": far.eta and far.eta.isoformat()},
    )  # fmt: skip


async def cancel(connection: Connection, services: Services, campaign_id: UUID) -> bool:
    """Go over no more cases. The alert stays as it is: which of its cases have been gone over follow its
    last change, and each of the others does when it is next touched, or when something of it falls due.
    False where nothing is under way. Raises NotFound, Conflict (a draft, or it has ended)."""
    run_id, far = await _locked(connection, campaign_id, services.clock.now())
    if not far.locks:
        return False
    await reruns.stop(connection, run_id, services.clock.now())
    return True


async def begin(connection: Connection, services: Services, campaign_id: UUID) -> bool:
    """Go over the cases that were left when it was cancelled; over all of them, where none were. False where
    it is under way. Raises NotFound, Conflict (a draft, or it has ended)."""
    now = services.clock.now()
    run_id, far = await _locked(connection, campaign_id, now)
    if far.locks:
        return False
    if far.state is Stage.CANCELLED:
        await reruns.go_on(connection, run_id, now)
    else:
        await run.again(connection, run_id, now)
    await campaign.begin(connection, services, run_id)
    return True


async def _locked(connection: Connection, campaign_id: UUID, now: datetime) -> tuple[UUID, Rerun]:
    """The run of an alert that was launched and has not ended; nobody else changes it meanwhile."""
    row = await campaigns.get(connection, campaign_id, KIND, lock=True)
    require(row["state"], "edit", KIND)
    run_id = await _door(connection, campaign_id)
    if row["state"] == State.DRAFT or run_id is None:
        raise Conflict(
            "this alert is a draft: it has no cases to go over", where="state",
            hint="Launch it: that goes over them.", extra={"state": State.DRAFT.value},
        )  # fmt: skip
    return run_id, read(await reruns.gone(connection, run_id), now)


async def _door(connection: Connection, campaign_id: UUID) -> UUID | None:
    """The run that goes over its cases."""
    runs = await run.of_campaign(connection, campaign_id)
    return runs[0]["id"] if runs else None
