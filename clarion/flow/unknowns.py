"""Messages of which nobody knows whether they went: shown to people, who may decide what no evidence does.

A decision is kept at the attempt, with who made it. Evidence that comes later still counts: a receipt
raises what somebody settled as not sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from clarion.domain.campaign import Announcement, State
from clarion.domain.message import Outcome, Verdict
from clarion.domain.message import State as Message
from clarion.errors import Conflict, Invalid, NotFound
from clarion.flow.dispatch.replayer import TO_LEAVE
from clarion.flow.retry import open_again
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.store import attempt, event, reopen, replay, run
from clarion.store import campaign as campaigns
from clarion.store import message as messages
from clarion.store.attempt import Unsettled

DAY = timedelta(days=1)
# From the claim to the first byte (`dispatch.replayer`), and a minute for the answer.
ASKING = timedelta(seconds=TO_LEAVE + 60)


class As(StrEnum):
    """What a person decides. Sending again may reach somebody twice: nobody knows, so nobody can promise."""

    SENT = "sent"
    NOT_SENT = "not-sent"
    SEND_AGAIN = "send-again"


@dataclass(frozen=True, slots=True)
class Unknown:
    """An attempt without an end, and the row of its message (`store.message`)."""

    attempt: Unsettled
    message: Row


async def listed(
    connection: Connection, *, channel_id: UUID | None = None, after: UUID | None = None, limit: int = 100
) -> list[Unknown]:
    """The workspace's unknown attempts, oldest first, after one of them."""
    found = await attempt.unknowns(connection, channel_id=channel_id, after=after, limit=limit)
    kept = await messages.several(connection, [one.message_id for one in found])
    return [Unknown(one, kept[one.message_id]) for one in found if one.message_id in kept]


async def read(connection: Connection, attempt_id: UUID) -> Unknown:
    """One of them. Raises NotFound when there is none, or it is settled."""
    found = await attempt.unknown(connection, attempt_id)
    if found is None:
        raise NotFound(
            "there is no such unknown attempt", where="attempt", hint="It may have been settled meanwhile."
        )
    kept = await messages.several(connection, [found.message_id])
    return Unknown(found, kept[found.message_id])


async def settle(
    connection: Connection, services: Services, attempt_ids: Sequence[UUID], as_: As, *, by: str
) -> int:
    """Settle these as somebody decides; how many were unknown still. One that evidence settled meanwhile
    is left as it is. Raises Conflict when one is to be sent again whose announcement was cancelled, and when
    the provider is being asked about one in this moment."""
    settled = 0
    for attempt_id in dict.fromkeys(attempt_ids):
        if as_ is As.SEND_AGAIN:
            await _hold_campaign(connection, attempt_id)
        found = await attempt.unknown(connection, attempt_id, lock=True)
        if found is not None:
            now = services.clock.now()
            _refuse_while_asked(found, as_, now)
            verdict = await _verdict(connection, found, as_, by, now)
            settled += await attempt.settle(connection, found.cohort, [verdict], now)
            await event.of_attempts(connection, found.cohort, [attempt_id], now)
    return settled


async def _hold_campaign(connection: Connection, attempt_id: UUID) -> None:
    """Before the try itself is locked: whoever retries or falls back locks in this order."""
    asked = await attempt.unknown(connection, attempt_id)
    if asked is not None:
        kept = await messages.several(connection, [asked.message_id])
        await campaigns.lock(connection, kept[asked.message_id]["campaign_id"])


def _refuse_while_asked(found: Unsettled, as_: As, now: datetime) -> None:
    """While the same call is made once more, nobody can say that it was not sent."""
    until = found.settled_at + ASKING
    if as_ is As.SENT or found.code != replay.CLAIMED or now >= until:
        return
    raise Conflict(
        "the provider is being asked about it in this moment",
        where="attempt",
        hint="Its answer may settle it; else decide in a minute.",
        extra={"attempt": str(found.id), "retry_after": max(1, int((until - now).total_seconds()))},
    )


async def _verdict(connection: Connection, found: Unsettled, as_: As, by: str, now: datetime) -> Verdict:
    detail = f"settled as {as_} by {by or 'somebody'}" + (f"; before: {found.detail}" if found.detail else "")
    base = Verdict(
        found.id, Outcome.SETTLED_NOT_SENT, Message.FAILED, "settled_not_sent", code=found.code,
        detail=detail[:500],
    )  # fmt: skip
    match as_:
        case As.SENT:
            return replace(base, outcome=Outcome.ACCEPTED, state=Message.ACCEPTED, reason=None)
        case As.NOT_SENT:
            return base
        case As.SEND_AGAIN:
            await _prepare(connection, found, now)
            return replace(base, state=Message.READY, reason=None, retry_at=now, counts=False)


async def _prepare(connection: Connection, found: Unsettled, now: datetime) -> None:
    """Its time anew, and an open lane. The campaign's lock is held, so that nothing closes it meanwhile."""
    kept = (await messages.several(connection, [found.message_id]))[found.message_id]
    row = await campaigns.lock(connection, kept["campaign_id"])
    if row["state"] == State.CANCELLED:
        raise Conflict(
            "its announcement was cancelled, so it is not sent again",
            where="as",
            hint="Settle it as sent or as not-sent.",
            extra={"attempt": str(found.id)},
        )
    expires_at = now + _patience(row)
    await reopen.extend(connection, found.id, found.cohort, expires_at)
    if kept["run_id"] is not None:
        await run.reopen(connection, kept["run_id"], expires_at)
    await open_again(connection, kept["campaign_id"], row["state"], now)


def _patience(row: Row) -> timedelta:
    try:
        return Announcement.read(row["definition"]).patience
    except Invalid:
        return DAY
