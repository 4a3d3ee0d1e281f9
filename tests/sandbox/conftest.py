"""One sandbox for all tests of a session, emptied before each; a caller; a receiver of webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.sandbox.ends import Caller, Receiver


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: SandboxProcess) -> SandboxProcess:
    """An empty sandbox whose service window is open."""
    running.reset(config=True)
    running.configure(window="open")
    return running


@pytest.fixture
def caller(sandbox: SandboxProcess) -> Iterator[Caller]:
    with Caller(sandbox.url) as caller:
        yield caller


@pytest.fixture
def receiver(sandbox: SandboxProcess) -> Iterator[Receiver]:
    """Takes the sandbox's webhooks, which come at once."""
    with Receiver() as receiver:
        sandbox.configure(
            callback_url=receiver.url,
            receipts={
                "sent_after": 0.0,
                "delivered_after": 0.01,
                "read_after": 0.02,
                "read_share": 1.0,
                "batch_within": 0.01,
                "backoff": 0.01,
            },
        )
        yield receiver


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For tests that start a sandbox of their own."""
    return tmp_path / "own"
