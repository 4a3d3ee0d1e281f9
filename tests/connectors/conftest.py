"""One sandbox for the tests of this folder that ask one, emptied before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.sandbox.commcare import Project


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("commcare")) as sandbox:
        yield sandbox


@pytest.fixture
def project(running: SandboxProcess) -> Project:
    """An empty project of CommCare's."""
    running.reset(config=True)
    return Project(running)
