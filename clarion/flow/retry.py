"""Trying again what did not go: the same messages, opened again; nobody gets a second one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from clarion.domain.campaign import Announcement, State, require
from clarion.domain.message import State as Message
from clarion.errors import Conflict
from clarion.flow import draft, route
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.store import campaign as campaigns
from clarion.store import reopen, run

CHUNK = 10_000
_CARRIES = {State.PAUSED: "paused", State.COMPLETED: "closed"}  # what a new lane is, until `open_again`


@dataclass(frozen=True, slots=True)
class Retried:
    """`ready`: messages that will be tried; `judged`: those skipped for another reason than before."""

    ready: int
    judged: int


async def retry(
    connection: Connection,
    services: Services,
    campaign_id: UUID,
    *,
    undelivered: bool = False,
    by: str = "",
) -> Retried:
    """Open again what failed or expired, and judge again who was skipped.

    With `undelivered` also what the provider took and then said did not arrive; that word is good, but
    a late receipt may contradict it. Each has its time anew. Raises NotFound, Conflict.
    """
    now = services.clock.now()
    row, definition = await draft.read(connection, campaign_id, lock=True)
    require(row["state"], "retry")
    if definition.schedule is not None:
        raise Conflict(
            "what recurs is not tried again: whoever did not hear it hears the next",
            where="schedule",
            hint="Send what they missed as an announcement of its own.",
        )
    runs = [one for one in await run.of_campaign(connection, campaign_id) if one["state"] != "cancelled"]
    if any(one["state"] != "expanded" for one in runs):
        raise Conflict(
            "it is still being written down who receives it",
            where="state",
            hint="Try again when that is done.",
            extra={"retry_after": 5},
        )
    states = [
        Message.FAILED,
        Message.EXPIRED,
        Message.SKIPPED,
        *([Message.UNDELIVERED] if undelivered else []),
    ]
    detail = f"did not arrive, says the provider; tried again by {by or 'somebody'}"
    ready = judged = 0
    for one in runs:
        opened = await _run(connection, one, row, definition, states, detail, now)
        ready, judged = ready + opened.ready, judged + opened.judged
        if opened.ready:
            await run.reopen(connection, one["id"], now + definition.patience)
    if ready:
        await open_again(connection, campaign_id, row["state"], now)
    return Retried(ready, judged)


async def open_again(connection: Connection, campaign_id: UUID, state: str, now: datetime) -> None:
    """Let lanes that were closed carry messages again; of a paused campaign they stay paused."""
    if state == State.PAUSED:
        await campaigns.set_lanes(connection, campaign_id, "paused")
        return
    await campaigns.set_lanes(connection, campaign_id, "open")
    if state == State.COMPLETED:
        await campaigns.set_state(connection, campaign_id, State.RUNNING, now)


async def _run(
    connection: Connection,
    one: Row,
    row: Row,
    definition: Announcement,
    states: list[Message],
    detail: str,
    now: datetime,
) -> Retried:
    over = await route.way(connection, row["channel_id"], definition)
    ways = [(one["lane_id"], scheme) for scheme in over.schemes]
    first, routes = one["lane_id"], None
    if over.pooled:
        state = _CARRIES.get(row["state"], "open")
        lanes = await route.open_lanes(connection, row["id"], over, definition, now, state=state)
        ways, first, routes = [], lanes.lead, lanes.routes
    ways += await route.onward(connection, first)
    after, ready, judged = None, 0, 0
    while True:
        chunk = await reopen.reopen_chunk(
            connection, one, states=states, ways=ways, routes=routes, pool_schemes=over.schemes,
            once_an_address=definition.one_per == "address", after=after,
            expires_at=now + definition.patience, limit=CHUNK, now=now, detail=detail,
        )  # fmt: skip
        ready, judged, after = ready + chunk.ready, judged + chunk.judged, chunk.last
        if chunk.people < CHUNK:
            return Retried(ready, judged)
