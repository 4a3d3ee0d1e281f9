"""Nudges: heard by every process of the database, by one's own at once, and never relied upon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clarion.kit import nudge
from clarion.kit.db import Database
from clarion.kit.nudge import Nudges


@asynccontextmanager
async def process(url: str) -> AsyncIterator[tuple[Nudges, asyncio.Queue[str]]]:
    """One that passes on and listens, and what it heard of `freed`."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with Database(url, size=2) as db:
        nudges = Nudges(db)
        nudges.on("freed", heard.put_nowait)
        tasks = [asyncio.create_task(nudges.pass_on()), asyncio.create_task(nudges.listen())]
        try:
            yield nudges, heard
        finally:
            for task in tasks:
                task.cancel()


async def listening(db: Database, count: int) -> None:
    """Until so many processes listen."""
    async with asyncio.timeout(20):
        while True:
            async with db.system() as connection:
                found = await connection.execute(
                    """SELECT count(*) FROM pg_stat_activity WHERE application_name = 'clarion nudges'
                       AND datname = current_database() AND query LIKE 'LISTEN%'"""
                )
                row = await found.fetchone()
            if row is not None and row[0] >= count:
                return
            await asyncio.sleep(0.02)


async def test_a_nudge_is_heard_by_the_others_and_by_oneself_at_once(db: Database, database_url: str) -> None:
    async with process(database_url) as (ours, near), process(database_url) as (_, far):
        await listening(db, 2)
        ours.send("freed", "channel-1")
        assert near.get_nowait() == "channel-1"
        async with asyncio.timeout(20):
            assert await far.get() == "channel-1"
        ours.send("freed", "channel-2")
        async with asyncio.timeout(20):
            assert await far.get() == "channel-2"
        assert [near.get_nowait(), near.qsize()] == ["channel-2", 0], "who sent it does not hear it again"


async def test_many_of_one_word_are_passed_on_as_one(db: Database, database_url: str) -> None:
    async with process(database_url) as (ours, _), process(database_url) as (_, far):
        await listening(db, 2)
        for _ in range(1000):
            ours.send("freed", "channel-1")
        ours.send("freed", "last")
        async with asyncio.timeout(20):
            heard = []
            while "last" not in heard:
                heard.append(await far.get())
        assert heard == ["channel-1", "last"]


async def test_who_lost_its_connection_listens_again(db: Database, database_url: str) -> None:
    again, nudge.AGAIN = nudge.AGAIN, 0.1
    try:
        async with process(database_url) as (ours, _), process(database_url) as (_, far):
            await listening(db, 2)
            async with db.system() as connection:
                await connection.execute(
                    """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE application_name = 'clarion nudges' AND datname = current_database()"""
                )
            await asyncio.sleep(0.1)
            await listening(db, 2)
            ours.send("freed", "channel-1")
            async with asyncio.timeout(20):
                assert await far.get() == "channel-1"
    finally:
        nudge.AGAIN = again
