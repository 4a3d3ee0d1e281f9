"""A desk whose database goes away in the middle of something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from clarion.flow import configure
from clarion.flow.compose import Composer
from clarion.flow.dispatch import account
from clarion.flow.dispatch.desk import Desk
from clarion.flow.dispatch.settler import Settler
from clarion.flow.dispatch.shared import Shared
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import Connection, Database
from clarion.kit.flight import FlightRecorder
from clarion.kit.http import Http
from tests.store.sent import Sent, announce

NOWHERE = {"base_url": "http://127.0.0.1:9", "sender": "1001"}


@pytest.fixture
async def at_work(
    services: Services, database_url: str, workspace: UUID, tmp_path: Path
) -> AsyncIterator[tuple[Sent, Desk]]:
    """A desk at work on a message that expired a day ago; it has connections of its own."""
    now = Clock().now() - timedelta(days=2)
    async with services.db.tenant(workspace) as connection:
        channel_id = await configure.create_channel(
            connection, services, workspace, name="WhatsApp", provider="whatsapp", config=NOWHERE,
            credentials={"token": "a token", "app_secret": "a secret"},
        )  # fmt: skip
        sent = await announce(connection, workspace, now, channel_id=channel_id)
    async with Database(database_url, size=2, name="desk") as db, Http() as http:
        own = replace(services, db=db, clock=Clock())
        channel = await account.load(own, workspace, channel_id)
        shared = Shared(
            db, own.clock, sent.worker_id, FlightRecorder(tmp_path / "flight", 8), Settler(db, own.clock),
            Composer(own), 8, lambda *_: None,
        )  # fmt: skip
        desk = Desk(shared, channel, channel.provider.sender(channel.account, http), sent.epoch)
        desk.valid_until = float("inf")
        yield sent, desk


async def _until_it_waits(connection: Connection) -> int:
    """The process number of the desk's connection, once it waits for a lock."""
    async with asyncio.timeout(30):
        while True:
            found = await connection.execute(
                """SELECT pid FROM pg_stat_activity
                   WHERE application_name = 'desk' AND wait_event_type = 'Lock'"""
            )
            if row := await found.fetchone():
                return int(row[0])
            await asyncio.sleep(0.01)


async def _until_it_ended(services: Services, workspace: UUID, sent: Sent) -> str:
    while True:
        async with services.db.tenant(workspace) as connection:
            state = str((await sent.message(connection))["state"])
        if state != "ready":
            return state
        await asyncio.sleep(0.05)


async def test_who_was_being_ended_when_the_database_went_away_is_ended_afterwards(
    services: Services, workspace: UUID, at_work: tuple[Sent, Desk]
) -> None:
    sent, desk = at_work
    async with services.db.tenant(workspace) as holding:
        await holding.execute("SELECT FROM queue WHERE lane_id = %s FOR UPDATE", (sent.lane_id,))
        working = asyncio.create_task(desk.run())
        async with services.db.system() as connection:
            await connection.execute("SELECT pg_terminate_backend(%s)", (await _until_it_waits(connection),))
    try:
        async with asyncio.timeout(20):
            assert await _until_it_ended(services, workspace, sent) == "expired"
    finally:
        desk.stop()
        with suppress(asyncio.CancelledError):
            await working
