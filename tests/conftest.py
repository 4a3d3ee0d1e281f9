"""What every test may ask for: a real database, a workspace of its own, a clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings

from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.ids import uuid7
from clarion.store import workspace as workspaces
from tests.house import House

# The longest first: whoever runs two files at once would else wait for the one that came last.
FIRST = (
    "test_half_open.py",
    "test_random_runs.py",
    "test_mutants.py",
    "test_crash_points.py",
    "test_state_machine.py",
)

# How long an example takes to make, or to try, says how busy the machine is, and nothing of the example.
settings.register_profile("clarion", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("clarion")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """In whatever order, but these; after whoever else arranges them."""
    yield
    place = {name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(FIRST)))


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    state = Path(tmp_path_factory.mktemp("house"))
    house = House(state, durable=False)
    yield house
    house.close()


@pytest.fixture(scope="session")
def database_url(house: House) -> str:
    """One database for all tests that keep to their own workspace."""
    return house.url(house.new_database())


@pytest.fixture(scope="session")
async def db(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, size=8, name="tests") as database:
        yield database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def workspace(db: Database, clock: Clock) -> UUID:
    """A workspace that nobody else uses: tests share a database and never see each other's people."""
    identifier = uuid7(clock.now())
    async with db.tenant(identifier) as connection:
        await workspaces.create(
            connection,
            identifier,
            name="Selam Clinic",
            country="KE",
            language="en",
            timezone="Africa/Nairobi",
            now=clock.now(),
        )
    return identifier
