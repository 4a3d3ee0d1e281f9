"""For tests of the flow: a second tenant, to be a stranger; and a database where nobody else is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from clarion.flow import configure
from clarion.flow.services import Services
from clarion.kit.clock import Clock, FakeClock
from clarion.kit.db import Database
from clarion.kit.ids import uuid7
from clarion.kit.secrets import SecretBox
from clarion.sandbox.client import SandboxProcess
from clarion.settings import Settings
from clarion.store import workspace as workspaces
from tests.flow.announcing import NOON
from tests.flow.bringing import Clinic
from tests.house import House
from tests.sandbox.rapidpro import NUMBERS, TOKEN, There


@pytest.fixture
async def another_workspace(db: Database, clock: Clock) -> UUID:
    identifier = uuid7(clock.now())
    async with db.tenant(identifier) as connection:
        await workspaces.create(connection, identifier, name="Elsewhere", now=clock.now())
    return identifier


@pytest.fixture
def services(db: Database, tmp_path: Path) -> Services:
    """Parts of a process whose clock the test moves; it begins at noon."""
    settings = Settings(state_dir=tmp_path, allow_private_addresses=True)
    return Services(db, FakeClock(NOON), settings, SecretBox.from_settings(settings))


@pytest.fixture
async def alone(house: House, services: Services) -> AsyncIterator[tuple[Services, UUID]]:
    """A database of its own, whose channels nobody else takes; its time is the machine's."""
    name = house.new_database()
    async with Database(house.url(name), size=8, name="alone") as db:
        await db.wait_ready()
        present = replace(services, db=db, clock=Clock())
        workspace = uuid7(present.clock.now())
        async with db.tenant(workspace) as connection:
            await workspaces.create(connection, workspace, name="Selam", now=present.clock.now())
        yield present, workspace
    house.drop(name)


@pytest.fixture(scope="session")
def rapidpro(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("rapidpro")) as sandbox:
        yield sandbox


@pytest.fixture
async def clinic(services: Services, workspace: UUID, rapidpro: SandboxProcess) -> Clinic:
    """A workspace with a channel of an empty RapidPro."""
    rapidpro.reset(config=True)
    rapidpro.configure(numbers=NUMBERS)
    here = replace(services, clock=FakeClock(Clock().now()))
    async with here.db.tenant(workspace) as connection:
        channel = await configure.create_channel(
            connection, here, workspace, name="rapid", provider="rapidpro", config={"base_url": rapidpro.url},
            credentials={"token": TOKEN},
        )  # fmt: skip
    return Clinic(here, workspace, channel, There(rapidpro))
