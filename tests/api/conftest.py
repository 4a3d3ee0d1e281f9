"""A served API, and two workspaces at it: Selam Clinic (`selam`) and Nyota School (`nyota`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from procrastinate import App

from clarion.api.app import create_app
from clarion.api.shell import Limits
from clarion.flow.configure import create_workspace
from clarion.flow.services import Services
from clarion.jobs.tasks import tasks
from clarion.kit import jobs
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings
from tests.api.client import Api, serving

SMALL = Limits(usual=2 * 1024 * 1024, by_prefix={})


@pytest.fixture(scope="session")
async def jobs_app(database_url: str) -> AsyncIterator[App]:
    """The jobs of the database that the API works on."""
    async with jobs.app(database_url, tasks).open_async() as app:
        yield app


@pytest.fixture(scope="session")
def services(db: Database, jobs_app: App, tmp_path_factory: pytest.TempPathFactory) -> Services:
    state: Path = tmp_path_factory.mktemp("state")
    settings = Settings(state_dir=state, allow_private_addresses=True)
    box = SecretBox.from_settings(settings)
    return Services(db, Clock(), settings, box, defer=partial(jobs.defer, jobs_app))


@pytest.fixture(scope="session")
async def server(services: Services) -> AsyncIterator[str]:
    async with serving(create_app(services, SMALL)) as base:
        yield base


@pytest.fixture
def stranger(server: str) -> Api:
    """Somebody without a key."""
    return Api(server)


@pytest.fixture
async def selam(server: str, services: Services) -> Api:
    """A key with every right in a workspace of its own."""
    made = await create_workspace(services, name="Selam Clinic", country="KE", timezone="Africa/Nairobi")
    return Api(server, made.key.shown(), made.workspace_id)


@pytest.fixture
async def nyota(server: str, services: Services) -> Api:
    """The same in another workspace."""
    made = await create_workspace(
        services, name="Nyota School", country="TZ", timezone="Africa/Dar_es_Salaam"
    )
    return Api(server, made.key.shown(), made.workspace_id)
