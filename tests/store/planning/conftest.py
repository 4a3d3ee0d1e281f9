"""A database whose plans are told and whose statistics are spoiled, and a scene on it for each belief."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from clarion.kit.db import Database
from clarion.store.queue import PLANNER
from tests.house import House
from tests.store.planning.plans import tell
from tests.store.planning.scene import BELIEFS, NEIGHBOURS, TABLES, Scene, as_superuser, set_up


@pytest.fixture(scope="module")
def database(house: House) -> Iterator[str]:
    """One of our own: its plans are told, its statistics are ours to spoil."""
    name = house.new_database()
    tell(house.superuser(name), name)
    yield name
    house.drop(name)


@pytest.fixture
async def db(house: House, database: str) -> AsyncIterator[Database]:
    """As the worker connects for what is hot. Everything is empty, and nobody analyses by himself."""
    as_superuser(
        house, database,
        *(f"SELECT clarion_ensure_cohort('{month}')" for month in NEIGHBOURS),
        "TRUNCATE workspace, worker, lane, channel_owner, message, queue, attempt, receipt, tally,"
        " enrollment, fallback CASCADE",
        *(f"ALTER TABLE {table} SET (autovacuum_enabled = off)" for table in TABLES if table not in
          ("message", "attempt", "receipt")),
        "DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM pg_class WHERE relname = ANY "
        f"(ARRAY{TABLES}))",
        f"UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relname = ANY (ARRAY{TABLES})",
    )  # fmt: skip
    async with Database(house.url(database), size=3, name="plans", planner=PLANNER) as opened:
        yield opened


@pytest.fixture(params=BELIEFS)
async def scene(house: House, database: str, db: Database, request: pytest.FixtureRequest) -> Scene:
    belief = BELIEFS[request.param]
    belief.before(house, database)
    made = await set_up(db)
    belief.after(house, database)
    return made
