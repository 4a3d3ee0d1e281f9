"""Whoever says stop hears nothing more at that number, also what waited already."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from clarion.errors import Invalid
from clarion.flow import consent
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from tests.store.announced import announce, outcomes
from tests.store.people import ABEBE, AMINA, person, store


async def test_stop_takes_what_waits_out_of_the_queue(db: Database, clock: Clock, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await store(connection, [person("Amina", AMINA), person("Abebe", ABEBE)])
        run = await announce(connection, workspace, clock.now())
    assert await consent.opt_out(db, clock, workspace, "0712 000 001", by="key 1")
    async with db.tenant(workspace) as connection:
        assert await outcomes(connection, run) == {"ready": 1, "opted_out": 1}


async def test_stop_covers_every_scheme_and_everybody_at_the_number(
    db: Database, clock: Clock, workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        await store(connection, [person("Amina", f"whatsapp:{AMINA}"), person("Her sister", AMINA)])
        run = await announce(connection, workspace, clock.now())
    await consent.opt_out(db, clock, workspace, f"tel:{AMINA}")
    async with db.tenant(workspace) as connection:
        assert await outcomes(connection, run) == {"opted_out": 2}


async def test_a_mail_address_that_stops_leaves_the_number_be(
    db: Database, clock: Clock, workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        await store(connection, [person("Amina", AMINA, "amina@example.org")])
        run = await announce(connection, workspace, clock.now())
    await consent.opt_out(db, clock, workspace, "Amina@Example.org")
    async with db.tenant(workspace) as connection:
        assert await outcomes(connection, run) == {"ready": 1}


async def test_start_lets_the_next_announcement_through_but_not_the_last(
    db: Database, clock: Clock, workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        await store(connection, [person("Amina", AMINA)])
        first = await announce(connection, workspace, clock.now())
    await consent.opt_out(db, clock, workspace, AMINA)
    await consent.opt_in(db, clock, workspace, AMINA)
    async with db.tenant(workspace) as connection:
        second = await announce(connection, workspace, clock.now())
        assert await outcomes(connection, first) == {"opted_out": 1}
        assert await outcomes(connection, second) == {"ready": 1}


async def test_the_ledger_keeps_what_was_said_and_by_whom(
    db: Database, clock: Clock, workspace: UUID
) -> None:
    assert await consent.opt_out(db, clock, workspace, AMINA, by="Abebe", note="by telephone")
    assert not await consent.opt_out(db, clock, workspace, AMINA)
    assert await consent.opt_in(db, clock, workspace, AMINA, how="command")
    said = await consent.history(db, workspace, AMINA)
    assert [(one.state, one.how, one.by, one.note) for one in said] == [
        ("in", "command", "", ""),
        ("out", "api", "Abebe", "by telephone"),
    ]


async def test_an_address_that_cannot_be_read_is_refused(db: Database, clock: Clock, workspace: UUID) -> None:
    with pytest.raises(Invalid, match="too short for Kenya"):
        await consent.opt_out(db, clock, workspace, "0712")


async def test_a_message_whose_try_has_begun_is_left_to_its_evidence(
    db: Database, clock: Clock, workspace: UUID
) -> None:
    """The dispatch holds the queue row while somebody stops: it took the row first, so it stands."""
    async with db.tenant(workspace) as connection:
        await store(connection, [person("Amina", AMINA)])
        run = await announce(connection, workspace, clock.now())
    async with db.tenant(workspace) as dispatch:
        await dispatch.execute("DELETE FROM queue WHERE workspace_id = %s", (workspace,))
        stopping = asyncio.create_task(consent.opt_out(db, clock, workspace, AMINA))
        done, _ = await asyncio.wait({stopping}, timeout=0.3)
        assert not done
    assert await stopping
    async with db.tenant(workspace) as connection:
        found = await connection.execute("SELECT state::text FROM message WHERE run_id = %s", (run,))
        assert await found.fetchall() == [("ready",)]
