"""A terminal on a database of its own, with a workspace and a provider that only pretends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal
from tests.house import House


@pytest.fixture(scope="module")
def bare(house: House, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A terminal on a fresh database: nobody has done anything yet."""
    folder: Path = tmp_path_factory.mktemp("terminal")
    url = house.url(house.new_database())
    return Terminal(folder, {"CLARION_DATABASE_URL": url, "CLARION_ALLOW_PRIVATE_ADDRESSES": "true"})


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The provider of this file's tests."""
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox")) as started:
        yield started


@pytest.fixture(scope="module")
def selam(bare: Terminal, sandbox: SandboxProcess) -> Terminal:
    """The terminal of Selam Clinic in Nairobi, with one channel."""
    bare.ok("workspace", "create", "Selam Clinic", "--country", "KE", "--timezone", "Africa/Nairobi")
    bare.ok(
        "channel", "create", "staff", "--set", f"base_url={sandbox.url}", "--set", "sender=106540352242922",
        "--credential", "token=sandbox-token", "--rate", "1000",
    )  # fmt: skip
    return bare
