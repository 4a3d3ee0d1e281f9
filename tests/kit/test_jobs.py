"""Jobs of workers that died: another worker puts them back, and several may do it at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from procrastinate import App

from clarion.jobs.tasks import tasks
from clarion.kit import jobs
from clarion.kit.db import Connection, Database, rows
from tests.house import House


@pytest.fixture
async def db(house: House) -> AsyncIterator[Database]:
    """A database of its own: who sweeps finds the jobs of everybody."""
    async with Database(house.url(house.new_database()), size=4, name="tests of jobs") as opened:
        yield opened


@pytest.fixture
async def app(db: Database) -> AsyncIterator[App]:
    app = jobs.app(db.url, tasks)
    async with app.open_async():
        yield app


async def _asked(app: App) -> bool:
    return await jobs.defer(app, "fire", {"workspace": "w", "run": "r"}, once="fire:r")


async def _taken(connection: Connection) -> None:
    """By a worker that nobody knows any more."""
    await connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")


async def _states(db: Database) -> list[str]:
    async with db.system() as connection:
        found = await rows(connection, "SELECT status::text FROM procrastinate_jobs ORDER BY id")
        return [one["status"] for one in found]


async def test_a_job_whose_worker_died_runs_again(db: Database, app: App) -> None:
    await _asked(app)
    async with db.system() as connection:
        await _taken(connection)
    assert await jobs.sweep(app) == 1
    assert await _states(db) == ["todo"]
    assert await jobs.sweep(app) == 0


async def test_two_workers_that_find_it_at_once_put_it_back_once(db: Database, app: App) -> None:
    await _asked(app)
    async with db.system() as connection:
        await _taken(connection)
    async with db.system() as connection:
        await connection.execute("SELECT FROM procrastinate_jobs FOR UPDATE")  # both find it, and wait
        both = [asyncio.create_task(jobs.sweep(app)) for _ in range(2)]
        await _until_they_wait(db, 2)
    assert sorted(await asyncio.gather(*both)) == [0, 1]
    assert await _states(db) == ["todo"]


async def test_a_job_that_was_asked_for_again_meanwhile_is_not_put_back_beside_it(
    db: Database, app: App
) -> None:
    await _asked(app)
    async with db.system() as connection:
        await _taken(connection)
    assert await _asked(app), "one that is being done keeps nobody from asking anew"
    assert await jobs.sweep(app) == 0
    assert await _states(db) == ["todo"]


async def _until_they_wait(db: Database, count: int) -> None:
    async with asyncio.timeout(30):
        while True:
            async with db.system() as connection:
                found = await rows(
                    connection,
                    """SELECT count(*) AS n FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'""",
                )
            if found[0]["n"] == count:
                return
            await asyncio.sleep(0.02)
