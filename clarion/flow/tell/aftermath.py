"""What follows from how a subscriber answered: it fails since then, it is paused, somebody is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from clarion.domain.subscription import FAILING_FOR, Reaction
from clarion.flow.tell.call import Heard
from clarion.kit.db import Connection, Row
from clarion.store import notice
from clarion.store import subscription as subscriptions


async def draw(connection: Connection, row: Row, heard: Sequence[Heard], now: datetime) -> None:
    """Draw the consequences of one round, in the transaction that writes it down. `row` is the
    subscription's (`store.subscription.for_telling`)."""
    reactions = {one.reaction for one in heard}
    if Reaction.GONE in reactions:
        await stop(connection, row, "the subscriber answered 410: it wants to hear nothing any more", now)
    elif Reaction.TOLD in reactions:
        if row["failing_since"] is not None:
            await subscriptions.failing(connection, row["id"], None)
            await notice.clear(connection, _cause(row), now)
    elif heard:
        await _failed(connection, row, heard, now)


async def stop(connection: Connection, row: Row, why: str, now: datetime) -> None:
    """Pause a subscription, and tell the operator."""
    await subscriptions.pause(connection, row["id"], why, now)
    await notice.put(
        connection, row["workspace_id"], cause=f"{_cause(row)}:paused", level="error", now=now,
        text=f"Subscription {row['name']} is paused: {why}.",
    )  # fmt: skip


async def _failed(connection: Connection, row: Row, heard: Sequence[Heard], now: datetime) -> None:
    since = row["failing_since"]
    if since is None:
        await subscriptions.failing(connection, row["id"], now)
    elif now - since >= FAILING_FOR:
        await stop(connection, row, f"nothing has arrived there for {FAILING_FOR.days} days", now)
    if given_up := [one.told.answer for one in heard if one.told.due_at is None]:
        await notice.put(
            connection, row["workspace_id"], cause=f"{_cause(row)}:given_up", level="warning", now=now,
            text=f"Subscription {row['name']}: an event was given up after all its tries "
            f"({given_up[0]}). It can be told again.",
        )  # fmt: skip


def _cause(row: Row) -> str:
    return f"subscription:{row['id']}"
