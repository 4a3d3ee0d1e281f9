"""A database that came from a backup waits for a person, and tells that person why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import psycopg

from clarion.kit.db import Database
from clarion.kit.ids import uuid7
from clarion.store import channel, restored, workspace
from tests.house import House

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
BROKEN = "the provider refused the token (code 190)"


async def furnish(db: Database) -> UUID:
    """A workspace with a channel that sends, one that its provider refused, and one paused without a word."""
    home = uuid7(NOW)
    async with db.tenant(home) as connection:
        await workspace.create(connection, home, name="Selam Clinic", now=NOW)
        for name, reason in (("staff", None), ("drivers", BROKEN), ("porters", "")):
            identifier = uuid7(NOW)
            await channel.create(
                connection, identifier, home, name=name, provider="whatsapp", config={}, credentials=None,
                rate=Decimal(10), now=NOW,
            )  # fmt: skip
            if reason is not None:
                await channel.pause(connection, identifier, reason, NOW)
    return home


async def reasons(db: Database, home: UUID) -> dict[str, str]:
    """Why each paused channel is."""
    async with db.tenant(home) as connection:
        cursor = await connection.execute("SELECT name, reason FROM channel WHERE state = 'paused'")
        return dict(await cursor.fetchall())


async def test_after_a_restore_every_channel_says_so_and_what_it_was_paused_for_before(house: House) -> None:
    name = house.new_database()
    async with Database(house.url(name), size=1) as db:
        home = await furnish(db)
        with psycopg.connect(house.url(name, owner=True)) as owner:
            paused = restored.pause_everything(owner, LATER)
        once = await reasons(db, home)
        with psycopg.connect(house.url(name, owner=True)) as owner:
            restored.pause_everything(owner, LATER)
        again = await reasons(db, home)

    assert paused == 1, "the others were paused already"
    assert once == {
        "staff": restored.REASON,
        "drivers": f"{restored.REASON}. It was paused before: {BROKEN}",
        "porters": restored.REASON,
    }
    assert again == once, "a backup of what was restored says it once"
