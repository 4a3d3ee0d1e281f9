"""The door: what is stored is durable, what cannot be stored is said so, and changes are soon known."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from clarion.errors import NotFound, Unauthorized, Unavailable
from clarion.flow import configure
from clarion.flow.receive import Door
from clarion.flow.receive.batcher import Batcher
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import Database, rows
from clarion.kit.ids import uuid7
from clarion.store import channel as channels
from clarion.store.inbox import Body


def signed(body: bytes, secret: str) -> dict[str, str]:
    return {"x-hub-signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


@pytest.fixture
async def channel(services: Services, workspace: UUID) -> UUID:
    async with services.db.tenant(workspace) as connection:
        return await configure.create_channel(
            connection, services, workspace, name="WhatsApp", provider="whatsapp", config={},
            credentials={"app_secret": "old"},
        )  # fmt: skip


async def test_other_credentials_are_known_within_seconds(
    services: Services, workspace: UUID, channel: UUID
) -> None:
    door = Door(services)
    await door.take(channel, signed(b"{}", "old"), b"{}")
    async with services.db.tenant(workspace) as connection:
        await configure.set_credentials(connection, services, workspace, channel, {"app_secret": "new"})
    assert isinstance(services.clock, FakeClock)
    services.clock.advance(6)
    await door.take(channel, signed(b"{}", "new"), b"{}")
    with pytest.raises(Unauthorized):
        await door.take(channel, signed(b"{}", "old"), b"{}")


async def test_a_channel_that_is_made_after_it_was_asked_for_is_found(
    services: Services, workspace: UUID
) -> None:
    door, now = Door(services), services.clock.now()
    later = uuid7(now)
    asked = await asyncio.gather(*(door.take(later, {}, b"") for _ in range(20)), return_exceptions=True)
    assert {type(one) for one in asked} == {NotFound}
    async with services.db.tenant(workspace) as connection:
        await channels.create(
            connection, later, workspace, name="Later", provider="whatsapp", config={}, credentials=None,
            rate=Decimal(80), now=now,
        )  # fmt: skip
    with pytest.raises(Unauthorized):
        await door.take(later, {}, b"")


async def test_without_the_database_nothing_is_promised(
    services: Services, channel: UUID, database_url: str
) -> None:
    async with Database(database_url, size=1) as db:
        door = Door(replace(services, db=db))
        await door.take(channel, signed(b"{}", "old"), b"{}")
        await db.pool.close()
        with pytest.raises(Unavailable):
            await door.take(channel, signed(b"{}", "old"), b"{}")


async def test_more_than_fits_is_told_to_come_again_and_what_fits_is_kept(
    services: Services, workspace: UUID, channel: UUID
) -> None:
    batcher = Batcher(services.db, most_waiting=1000)
    now = services.clock.now()
    told = await asyncio.gather(
        *(batcher.put(workspace, Body(uuid7(now), channel, now, b"x" * 400)) for _ in range(5)),
        return_exceptions=True,
    )
    assert [type(one) for one in told] == [type(None)] * 2 + [Unavailable] * 3
    await batcher.put(workspace, Body(uuid7(now), channel, now, b"x" * 400))
    async with services.db.tenant(workspace) as connection:
        (found,) = await rows(connection, "SELECT count(*) AS n FROM inbox WHERE channel_id = %s", (channel,))
    assert found["n"] == 3


async def test_a_caller_who_hangs_up_does_not_harm_the_others(
    services: Services, workspace: UUID, channel: UUID
) -> None:
    batcher = Batcher(services.db)
    now = services.clock.now()
    calls = [
        asyncio.create_task(batcher.put(workspace, Body(uuid7(now), channel, now, b"%d" % n)))
        for n in range(5)
    ]
    await asyncio.sleep(0)
    calls[0].cancel()
    calls[3].cancel()
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert [one for one in told if one is None] == [None] * 3
    await batcher.put(workspace, Body(uuid7(now), channel, now, b"after"))
