"""After a takeover: what the owner before left in flight.

A process that is proven dead, on this boot of this machine, left a flight recorder: what it had not
marked never left and goes back to ready; what it had marked is unknown. Of any other owner (another
machine, a stopped process that may wake) nothing can be said: all of it is unknown, and evidence or a
person settles it (DESIGN, ledger rules 4 and 6).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

from clarion.domain.message import Verdict
from clarion.flow.dispatch import deaths
from clarion.flow.dispatch.judge import not_begun, unanswered
from clarion.flow.services import Services
from clarion.kit import flight, process
from clarion.kit.crash import crash_point
from clarion.kit.log import logger
from clarion.store import attempt, event, worker

SLACK = timedelta(seconds=60)  # two machines' clocks, and a commit that took its time
VANISHED = "owner_vanished"  # the code of attempts whose owner did not say how the call ended
log = logger(__name__)


async def recover(
    services: Services, workspace_id: UUID, channel_ids: Sequence[UUID], epoch: int, settled_through: datetime
) -> int:
    """Settle every attempt of earlier epochs that is still in flight on an account's channels; how many."""
    total = 0
    while True:
        async with services.db.tenant(workspace_id) as connection:
            left = await attempt.abandoned(connection, channel_ids, epoch, settled_through - SLACK)
            owners = await worker.some(connection, list({a.worker_id for a in left}))
            now = services.clock.now()
            dead = await deaths.ended(connection, owners.values(), now)
        if not left:
            return total
        begun = {id: await asyncio.to_thread(_begun, owners[id]) for id in dead}
        verdicts: dict[date, list[Verdict]] = defaultdict(list)
        for one in left:
            verdicts[one.cohort].append(_verdict(one.id, begun.get(one.worker_id), now))
        async with services.db.tenant(workspace_id) as connection:
            for cohort, some in verdicts.items():
                await attempt.settle(connection, cohort, some, now, unknown_too=False)
                await event.of_attempts(connection, cohort, [one.attempt_id for one in some], now)
            crash_point("recover.before_commit")
        crash_point("recover.committed")
        total += len(left)
        log.warning("took over what an owner left in flight", account=str(channel_ids[0]), attempts=len(left))


def _begun(owner: worker.Worker) -> set[UUID] | None:
    """The calls that a dead owner had begun; None where its recorder proves nothing or is elsewhere."""
    if owner.host != process.host() or owner.boot != process.boot() or not owner.flight:
        return None
    return flight.marked(Path(owner.flight))


def _verdict(attempt_id: UUID, begun: set[UUID] | None, now: datetime) -> Verdict:
    if begun is not None and attempt_id not in begun:
        return not_begun(attempt_id, now, "owner_died_before_the_call")
    return unanswered(attempt_id, VANISHED)
