"""Forget: events that were told a while ago, and all of subscriptions that were removed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from clarion.flow.services import Services
from clarion.store import notice, telling
from clarion.store import subscription as subscriptions
from clarion.store.telling import Listed

AT_ONCE = 10_000


async def forget(services: Services) -> None:
    """Once through all subscriptions there are. Safe beside itself and the tellers."""
    async with services.db.glance() as connection:
        listed = await telling.listed(connection, services.clock.now())
    for one in listed:
        if one.state == "removed":
            await _all(services, one, telling.sweep)
            continue
        await _all(services, one, telling.forget)
        if await _all(services, one, telling.give_up_old):
            await _warn(services, one)


_Step = Callable[..., Awaitable[int]]


async def _all(services: Services, one: Listed, step: _Step) -> int:
    """Chunk after chunk, each in a transaction; how many."""
    total = 0
    while True:
        async with services.db.tenant(one.workspace_id) as connection:
            done = await step(connection, one.subscription_id, services.clock.now(), AT_ONCE)
        total += done
        if done < AT_ONCE:
            return total


async def _warn(services: Services, one: Listed) -> None:
    async with services.db.tenant(one.workspace_id) as connection:
        name = (await subscriptions.get(connection, one.subscription_id))["name"]
        await notice.put(
            connection, one.workspace_id, cause=f"subscription:{one.subscription_id}:given_up",
            level="warning", now=services.clock.now(),
            text=f"Subscription {name}: events which waited for days were given up. They can be told again.",
        )  # fmt: skip
