"""Subscribe: where a workspace's events are told, and the secrets that sign them. Each verb is part of the
caller's transaction.

A secret is shown when it is made and never again; it is kept sealed. A new one is joined by the one of
before for a while: both sign, so that a receiver changes over without missing anything.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from yarl import URL

from clarion.domain.subscription import MOST, check_types, check_url
from clarion.errors import Conflict, Invalid
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.kit.ids import uuid7
from clarion.kit.secrets import binding
from clarion.kit.standard_webhooks import new_secret
from clarion.store import event, notice, telling
from clarion.store import subscription as subscriptions

LONGEST_ROTATION = timedelta(days=7)
AGAIN_AT_ONCE = 10_000


async def create(
    connection: Connection,
    services: Services,
    workspace_id: UUID,
    *,
    name: str,
    url: str,
    types: Collection[str],
) -> tuple[UUID, str]:
    """A subscription, active at once; its identifier and the secret, seen this once. Raises Invalid,
    Conflict."""
    now = services.clock.now()
    subscription_id, secret = uuid7(now), new_secret()
    await subscriptions.create(
        connection, subscription_id, name=_name(name), url=_url(services, url), types=check_types(types),
        secret=_seal(services, workspace_id, subscription_id, secret), most=MOST, now=now,
    )  # fmt: skip
    return subscription_id, secret


async def change(
    connection: Connection,
    services: Services,
    subscription_id: UUID,
    *,
    name: str | None = None,
    url: str | None = None,
    types: Collection[str] | None = None,
) -> None:
    """Another name, address (what waits goes there) or types. Raises NotFound, Invalid, Conflict."""
    await subscriptions.change(
        connection,
        subscription_id,
        name=None if name is None else _name(name),
        url=None if url is None else _url(services, url),
        types=None if types is None else check_types(types),
        now=services.clock.now(),
    )


async def rotate(
    connection: Connection, services: Services, workspace_id: UUID, subscription_id: UUID, keep: timedelta
) -> str:
    """A new secret, seen this once. The present one signs too for `keep`, at most a week; the one before
    that is forgotten. Raises NotFound, Invalid."""
    if not timedelta(0) <= keep <= LONGEST_ROTATION:
        raise Invalid("the secret of before is kept for at most a week", where="keep_hours")
    now, secret = services.clock.now(), new_secret()
    sealed = _seal(services, workspace_id, subscription_id, secret)
    await subscriptions.set_secret(connection, subscription_id, sealed, now + keep if keep else None, now)
    return secret


async def pause(connection: Connection, subscription_id: UUID, reason: str, now: datetime) -> bool:
    """Tell it nothing, and note nothing new for it; what waits stays. False when it was paused already.
    Raises NotFound."""
    return await subscriptions.pause(connection, subscription_id, reason or "paused by a person", now)


async def resume(connection: Connection, subscription_id: UUID, now: datetime) -> bool:
    """Tell it what waits and what happens from now on, and close its notices; False when it was not
    paused. Raises NotFound."""
    resumed = await subscriptions.resume(connection, subscription_id, now)
    await notice.clear(connection, f"subscription:{subscription_id}", now)
    return resumed


async def remove(connection: Connection, subscription_id: UUID, now: datetime) -> None:
    """End it: what waits is told no more. Raises NotFound."""
    await subscriptions.remove(connection, subscription_id, now)
    await notice.clear(connection, f"subscription:{subscription_id}", now)


async def test(connection: Connection, services: Services, subscription_id: UUID) -> UUID:
    """Let it hear a `subscription.test`; the event's identifier. Raises NotFound, Conflict when paused."""
    await _active(connection, subscription_id)
    return await event.of_test(connection, subscription_id, services.clock.now())


async def again(connection: Connection, services: Services, subscription_id: UUID) -> int:
    """Tell what was given up once more, at most 10,000 at a time; how many. Raises NotFound, Conflict."""
    await _active(connection, subscription_id)
    now = services.clock.now()
    count = await telling.again(connection, subscription_id, now, AGAIN_AT_ONCE)
    await notice.clear(connection, f"subscription:{subscription_id}:given_up", now)
    return count


def open_secrets(services: Services, row: Row, now: datetime) -> list[str]:
    """What signs now, the present secret first. `row` is `store.subscription.for_telling`'s. Raises
    Misconfigured."""
    sealed = [row["secret"]]
    if row["previous_secret"] is not None and now < row["previous_until"]:
        sealed.append(row["previous_secret"])
    bound = _bound(row["workspace_id"], row["id"])
    return [services.box.open(bytes(one), bound_to=bound).decode() for one in sealed]


async def rotate_seals(services: Services, workspace_id: UUID) -> int:
    """Seal again with the present key what a key of before sealed; how many subscriptions changed."""
    changed = 0
    async with services.db.tenant(workspace_id) as connection:
        for row in await subscriptions.sealed(connection):
            bound = _bound(workspace_id, row["id"])
            kept = [bytes(one) if one else None for one in (row["secret"], row["previous_secret"])]
            again = [one and services.box.rotate(one, bound_to=bound) for one in kept]
            if again != kept and again[0]:
                await subscriptions.reseal(connection, row["id"], again[0], again[1])
                changed += 1
    return changed


async def _active(connection: Connection, subscription_id: UUID) -> None:
    if (await subscriptions.get(connection, subscription_id))["state"] != "active":
        raise Conflict("this subscription is paused", where="state", hint="Resume it first.")


def _seal(services: Services, workspace_id: UUID, subscription_id: UUID, secret: str) -> bytes:
    return services.box.seal(secret.encode(), bound_to=_bound(workspace_id, subscription_id))


def _bound(workspace_id: UUID, subscription_id: UUID) -> bytes:
    return binding("subscription secret", workspace_id, subscription_id)


def _url(services: Services, url: str) -> str:
    checked = check_url(url, allow_private=services.settings.allow_private_addresses)
    try:
        URL(checked)  # as it will be called
    except ValueError:
        raise Invalid("not an address", where="url") from None
    return checked


def _name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 100:
        raise Invalid("a subscription needs a name of at most 100 characters", where="name")
    return name
