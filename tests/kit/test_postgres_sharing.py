"""Several users of one embedded server: who starts it, who stops it, and who may die in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clarion.kit.postgres import EmbeddedServer

ROOT = Path(__file__).resolve().parents[2]


class Holder:
    """Another process that uses the server of a state directory."""

    def __init__(self, state: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.kit.postgres_holder", str(state)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,
        )

    def info(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def release(self) -> int:
        self.process.communicate("release\n")
        return self.process.returncode

    def signal(self, number: int) -> None:
        os.killpg(self.process.pid, number)
        self.process.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def state(folder: Path) -> Iterator[Path]:
    """A state directory whose server does not run, before and after."""
    yield folder
    EmbeddedServer(folder).stop("immediate")


def test_commands_that_start_at_once_share_one_server(state: Path) -> None:
    holders = [Holder(state) for _ in range(3)]
    pids = {holder.info()["pid"] for holder in holders}
    assert len(pids) == 1
    assert [holder.release() for holder in holders] == [0, 0, 0]
    assert EmbeddedServer(state).status().state == "stopped"


def test_the_last_to_leave_stops_the_server(state: Path) -> None:
    first, second = EmbeddedServer(state), EmbeddedServer(state)
    pid = first.start().pid
    assert second.start().pid == pid
    first.release()
    assert second.status().pid == pid
    with psycopg.connect(second.url_for("clarion")) as connection:
        connection.execute("SELECT 1")
    second.release()
    assert second.status().state == "stopped"


def test_starting_twice_counts_as_one_user(state: Path) -> None:
    server = EmbeddedServer(state)
    assert server.start().pid == server.start().pid
    server.release()
    server.release()
    assert server.status().state == "stopped"


def test_a_server_can_be_left_running(state: Path) -> None:
    with EmbeddedServer(state, leave_running=True) as info:
        pid = info.pid
    assert EmbeddedServer(state).status().pid == pid


def test_a_killed_user_leaves_the_server_to_the_next(state: Path) -> None:
    holder = Holder(state)
    info = holder.info()
    with psycopg.connect(info["owner_url"]) as connection:
        connection.execute("DROP TABLE IF EXISTS kept")
        connection.execute("CREATE TABLE kept AS SELECT 1 AS a")
    holder.signal(signal.SIGKILL)
    server = EmbeddedServer(state)
    assert server.start().pid == info["pid"]
    with psycopg.connect(server.url_for("clarion", "clarion_owner")) as connection:
        assert connection.execute("SELECT a FROM kept").fetchone() == (1,)
    server.release()  # the dead one does not count any more
    assert server.status().state == "stopped"


def test_ctrl_c_on_the_application_does_not_reach_the_server(state: Path) -> None:
    holder = Holder(state)
    pid = holder.info()["pid"]
    holder.signal(signal.SIGINT)
    server = EmbeddedServer(state)
    assert server.start().pid == pid
    server.release()


def test_a_start_that_was_killed_before_the_set_up_is_finished_by_the_next(state: Path) -> None:
    first = EmbeddedServer(state, leave_running=True)
    info = first.start()
    first.drop_database("clarion")
    first.release()
    server = EmbeddedServer(state)
    server.layout.set_up.unlink()  # as if the process had died just after the server came up
    with server as again:
        assert again.pid == info.pid
        psycopg.connect(again.app_url).close()


def test_asking_for_the_status_makes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert EmbeddedServer(folder).status().state == "absent"
    EmbeddedServer(folder).stop()
    assert not folder.exists()
