"""A sandbox for all tests of providers, and our hook as it calls it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from clarion.kit.http import Http
from clarion.sandbox.client import SandboxProcess
from tests.providers.hook import Hook


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: SandboxProcess) -> SandboxProcess:
    """Empty; its service window is open and its receipts come at once."""
    running.reset(config=True)
    at_once = {"sent_after": 0.0, "delivered_after": 0.01, "read_share": 0.0, "batch_within": 0.01}
    # what is told before a channel has bound waits for it
    in_order = {"concurrency": 1, "backoff": 0.02, "backoff_cap": 0.1, "retries": 100}
    running.configure(window="open", receipts=at_once | in_order)
    return running


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async with Hook() as hook:
        yield hook


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as http:
        yield http
