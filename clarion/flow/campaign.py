"""What is alike in the ways of campaigns of all kinds. Each is a part of the transaction of a caller who has
the campaign locked and has judged whether its state allows it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from clarion.domain.campaign import LONGEST_NAME, State
from clarion.errors import ClarionError, Invalid
from clarion.flow.services import Services, nobody
from clarion.kit.db import Connection, Row
from clarion.store import campaign as campaigns
from clarion.store import notice, run, workspace


def named(name: str, kind: str) -> str:
    """A campaign's name as it is kept. Raises Invalid."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        article = "an" if kind[0] in "aeiou" else "a"
        raise Invalid(f"{article} {kind} needs a name of at most {LONGEST_NAME} characters", where="name")
    return name


async def begin(connection: Connection, services: Services, run_id: UUID) -> None:
    """Have a run fired at once; the ticks would find it too, at their next look."""
    if services.defer is not nobody:
        home = await workspace.get(connection)
        arguments = {"workspace": str(home["id"]), "run": str(run_id)}
        await services.defer("fire", arguments, once=f"fire:{run_id}", connection=connection)


async def pause(connection: Connection, campaign_id: UUID, reason: str, now: datetime) -> None:
    """Nothing more is sent until it goes on."""
    why = reason.strip() or "paused by a person"
    await campaigns.set_lanes(connection, campaign_id, "paused", why)
    await campaigns.set_state(connection, campaign_id, State.PAUSED, now, reason=why)


async def go_on(connection: Connection, campaign_id: UUID, state: State, now: datetime) -> None:
    """What was paused is in this state again."""
    await campaigns.set_lanes(connection, campaign_id, "open")
    await campaigns.set_state(connection, campaign_id, state, now)
    await notice.clear(connection, f"campaign:{campaign_id}", now)


async def end(connection: Connection, campaign_id: UUID, now: datetime) -> None:
    """It is cancelled: nothing more is written, and what waits will be withdrawn."""
    await campaigns.set_lanes(connection, campaign_id, "cancelled")
    await run.cancel(connection, campaign_id, now)
    await campaigns.set_state(connection, campaign_id, State.CANCELLED, now)
    await notice.clear(connection, f"campaign:{campaign_id}", now)


async def stuck(
    connection: Connection, workspace_id: UUID, row: Row, error: ClarionError, now: datetime
) -> None:
    """It cannot be worked out whom it means, or how it reaches them: it is paused, and that is told."""
    if row["state"] in (State.SCHEDULED, State.RUNNING):
        await campaigns.set_lanes(connection, row["id"], "paused", error.what)
        await campaigns.set_state(connection, row["id"], State.PAUSED, now, reason=error.what)
    await notice.put(
        connection, workspace_id, cause=f"campaign:{row['id']}:audience", level="error",
        text=f"A campaign is paused, it cannot be worked out whom it means: {error.what}", now=now,
    )  # fmt: skip
