"""Providers that are heard over a connection of ours: an owner holds it, whether or not there is anything to
send, and what comes over it is kept like a call to our hook."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from clarion.errors import Unavailable
from clarion.flow import configure
from clarion.flow.receive import Ear, Receiver
from clarion.flow.services import Services
from clarion.kit.db import Database, rows
from clarion.kit.ids import uuid7
from clarion.providers import registry
from clarion.providers.contract import Call
from clarion.store import owner
from tests.flow.desks import dispatching
from tests.providers.smsc import BIND, DELIVER, RESPONSE, UNBIND, Smsc, pdu, smsc
from tests.providers.test_pdus import delivery


async def channel(services: Services, workspace: UUID, provider: str, base_url: str) -> UUID:
    credentials = {"system_id": "selam", "password": "secret", "username": "u", "hook_key": "h"}
    known = registry.get(provider).credentials
    async with services.db.tenant(workspace) as connection:
        return await configure.create_channel(
            connection, services, workspace, name=f"{provider} {base_url}", provider=provider,
            config={"sender": "8000", "base_url": base_url},
            credentials={name: value for name, value in credentials.items() if name in known},
        )  # fmt: skip


async def due(services: Services, *channels: UUID) -> list[bool]:
    """Whether somebody should take them, though nothing waits."""
    async with services.db.glance() as connection:
        board = await owner.board(connection, services.clock.now(), registry.heard())
    found = {one.channel_id: one.due for one in board}
    return [found.get(one, False) for one in channels]


async def test_an_account_that_is_heard_is_due_also_while_nothing_waits(
    services: Services, workspace: UUID
) -> None:
    heard = await channel(services, workspace, "smpp", "smpp://127.0.0.1:1")
    other = await channel(services, workspace, "kannel", "http://127.0.0.1:1")
    assert await due(services, heard, other) == [True, False]
    async with services.db.tenant(workspace) as connection:
        await configure.pause_channel(connection, heard, "it is being moved", services.clock.now())
    assert await due(services, heard, other) == [False, False]


async def test_so_is_one_of_whose_channels_a_follower_is_heard(services: Services, workspace: UUID) -> None:
    leads = await channel(services, workspace, "smpp", "smpp://127.0.0.1:2")
    async with services.db.tenant(workspace) as connection:
        await configure.create_channel(
            connection, services, workspace, name="follows", provider="smpp", account_id=leads,
            config={"sender": "8001", "base_url": "smpp://127.0.0.1:2"},
            credentials={"system_id": "selam", "password": "secret"},
        )  # fmt: skip
        await configure.pause_channel(connection, leads, "it is being moved", services.clock.now())
    assert await due(services, leads) == [True]


async def test_what_cannot_be_stored_is_not_said_to_be(services: Services, workspace: UUID) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing", size=1, name="away")
    call = Call("SMPP", "?bind=a", {"content-type": "application/vnd.smpp"}, b"raw")
    with pytest.raises((Unavailable, RuntimeError)):
        await Ear(replace(services, db=nowhere)).hear(workspace, uuid7(services.clock.now()), call)


# --- a worker's dispatch, an SMSC, and nothing to send


async def said(services: Services, workspace: UUID, server: Smsc, sequence: int, text: str) -> list[str]:
    """A person writes; all that was read by then."""
    server.say(pdu(DELIVER, 0, sequence, delivery(text)))
    await server.until(DELIVER | RESPONSE, sequence)
    async with services.db.tenant(workspace) as connection:
        found = await rows(connection, "SELECT id, channel_id FROM inbox WHERE done_at IS NULL")
    assert len(found) == 1, "it was kept before it was acknowledged"
    await Receiver(services).drain_once(workspace, found[0]["channel_id"])
    async with services.db.tenant(workspace) as connection:
        return [
            one["text"] for one in await rows(connection, "SELECT text FROM inbound ORDER BY received_at")
        ]


async def test_a_worker_binds_and_hears_and_takes_leave(alone: tuple[Services, UUID]) -> None:
    services, workspace = alone
    async with smsc() as server:
        channel_id = await channel(services, workspace, "smpp", server.url)
        async with asyncio.timeout(60), dispatching(services):
            await server.until(BIND)
            first = await said(services, workspace, server, 1, "yes")
            async with services.db.tenant(workspace) as connection:
                now = services.clock.now()
                await configure.pause_channel(connection, channel_id, "it is being moved", now)
            await server.until(UNBIND)
            async with services.db.tenant(workspace) as connection:
                await configure.resume_channel(connection, channel_id, services.clock.now())
            await server.until(BIND, 2)
            second = await said(services, workspace, server, 2, "no")
        assert len(server.of(UNBIND)) == 2, "and when the worker leaves"
    assert (first, second) == (["yes"], ["yes", "no"])
    assert [answer.status for answer in server.of(DELIVER | RESPONSE)] == [0, 0]
