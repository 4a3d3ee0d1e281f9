"""A database that took over, or was wound back, sends nothing until a person has looked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from clarion.kit.clock import FakeClock
from clarion.kit.db import Connection, Database, row
from clarion.kit.ids import uuid7
from clarion.kit.postgres import DATABASE, EmbeddedServer
from clarion.store import channel, migrate, subscription, workspace
from clarion.store.failover import REASON, Greeter

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server of its own, since it is recovered and wound back."""
    server = EmbeddedServer(tmp_path / "state")
    migrate.upgrade(server.start().owner_url)
    yield server
    server.stop("immediate")
    server.release()


def house(server: EmbeddedServer, greeter: Greeter) -> Database:
    return Database(server.start().app_url, size=1, greet=greeter)


def greeter() -> Greeter:
    return Greeter(FakeClock(NOW))


async def furnish(db: Database) -> UUID:
    """A workspace with one active channel that a worker holds."""
    home = uuid7(NOW)
    async with db.tenant(home) as connection:
        await workspace.create(connection, home, name="Clinic", now=NOW)
        await channel.create(
            connection, uuid7(NOW), home, name="whatsapp", provider="whatsapp", config={}, credentials=None,
            rate=Decimal(10), now=NOW,
        )  # fmt: skip
        await connection.execute(
            """INSERT INTO channel_owner (channel_id, workspace_id, worker_id, epoch, settled_through)
               SELECT id, workspace_id, %s, 3, %s FROM channel""",
            (uuid7(NOW), NOW),
        )
    return home


async def look(db: Database, home: UUID) -> tuple[str, str, int, bool, int]:
    """The channel's state and reason, its epoch, whether it is held, and how many notices are open."""
    async with db.tenant(home) as connection:
        found = await row(
            connection,
            """SELECT c.state, c.reason, o.epoch, o.worker_id IS NOT NULL AS held,
                 (SELECT count(*) FROM notice WHERE cleared_at IS NULL) AS notices
               FROM channel c JOIN channel_owner o ON o.channel_id = c.id""",
        )
    assert found is not None
    return found["state"], found["reason"], found["epoch"], found["held"], found["notices"]


def recover(server: EmbeddedServer) -> None:
    """As an operator does who recovers a backup from the archive: the server begins a new timeline."""
    data = server.start().data_dir
    server.stop("fast")
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.write("restore_command = 'false'\nhot_standby = off\n")
    (data / "recovery.signal").touch(mode=0o600)
    server.start()


UNTOUCHED = ("active", "", 3, True, 0)
PAUSED = ("paused", REASON, 4, False, 1)


async def test_a_server_that_was_only_stopped_goes_on(server: EmbeddedServer) -> None:
    async with house(server, greeter()) as db:
        home = await furnish(db)
    await asyncio.to_thread(server.stop, "immediate")
    async with house(server, greeter()) as db:
        assert await look(db, home) == UNTOUCHED


async def test_a_server_on_a_new_timeline_sends_nothing_until_a_person_looked(server: EmbeddedServer) -> None:
    async with house(server, greeter()) as db:
        home = await furnish(db)
    await asyncio.to_thread(recover, server)
    async with house(server, greeter()) as db:
        assert await look(db, home) == PAUSED
        async with db.tenant(home) as connection:
            await connection.execute("UPDATE channel SET state = 'active', reason = ''")
    async with house(server, greeter()) as db:
        assert (await look(db, home))[0] == "active"  # what was looked at is not paused again


async def test_a_channel_that_was_paused_before_says_both_reasons(server: EmbeddedServer) -> None:
    async with house(server, greeter()) as db:
        home = await furnish(db)
        async with db.tenant(home) as connection:
            await connection.execute("UPDATE channel SET state = 'paused', reason = 'token expired'")
    await asyncio.to_thread(recover, server)
    async with house(server, greeter()) as db:
        state, reason, *_ = await look(db, home)
    assert (state, reason) == ("paused", f"{REASON}. It was paused before: token expired")


async def test_subscribers_are_told_that_it_was_paused(server: EmbeddedServer) -> None:
    async with house(server, greeter()) as db:
        home = await furnish(db)
        async with db.tenant(home) as connection:
            await subscription.create(
                connection, uuid7(NOW), name="portal", url="", types=["channel.paused"], secret=b"", most=1,
                now=NOW,
            )  # fmt: skip
    await asyncio.to_thread(recover, server)
    async with house(server, greeter()) as db, db.tenant(home) as connection:
        found = await row(connection, "SELECT type, reason, subject_id FROM event")
        (paused,) = await channel.page(connection, None, 10)
    assert found == {"type": "channel.paused", "reason": REASON, "subject_id": paused["id"]}


async def test_two_processes_that_come_at_once_pause_once(server: EmbeddedServer) -> None:
    async with house(server, greeter()) as db:
        home = await furnish(db)
    await asyncio.to_thread(recover, server)
    async with house(server, greeter()) as one, house(server, greeter()) as other:
        assert set(await asyncio.gather(look(one, home), look(other, home))) == {PAUSED}


async def test_a_log_that_went_back_under_a_living_process_is_noticed(server: EmbeddedServer) -> None:
    """An older copy of the files was started: it has the same timeline."""
    mine = greeter()
    async with house(server, mine) as db:
        home = await furnish(db)
    mine._seen = "7/0"
    async with house(server, mine) as db:
        assert await look(db, home) == PAUSED


async def test_a_standby_is_not_used(server: EmbeddedServer) -> None:
    server.stop("fast")
    (server.layout.data / "standby.signal").touch(mode=0o600)

    async def standby(url: str) -> None:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await greeter()(connection)

    url = server.url_for(DATABASE)
    with suppress(psycopg.Error):
        server.start()  # it runs, and our own set-up of the roles is refused there
    with pytest.raises(psycopg.OperationalError, match="standby"):
        await standby(url)


async def test_before_the_first_migration_there_is_nothing_to_compare(tmp_path: Path) -> None:
    async def meet(connection: Connection) -> None:
        await greeter()(connection)

    server = EmbeddedServer(tmp_path / "state")
    try:
        async with await psycopg.AsyncConnection.connect(server.start().app_url) as connection:
            await meet(connection)
    finally:
        server.release()
