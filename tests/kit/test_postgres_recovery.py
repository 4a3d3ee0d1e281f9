"""The embedded server after kills, left-over files and long recoveries: committed data is there again."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import psycopg
import pytest

from clarion.errors import Unavailable
from clarion.kit.postgres import EmbeddedServer, ServerInfo, locks, postmaster, startup


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def server(state: Path) -> Iterator[EmbeddedServer]:
    """A server that does not run yet; what it kept for another test is forgotten."""
    server = EmbeddedServer(state)
    with server as info, psycopg.connect(info.owner_url) as connection:
        connection.execute("DROP TABLE IF EXISTS kept")
    yield server
    server.stop("immediate")
    server.layout.override.unlink(missing_ok=True)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with the database."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def keep(info: ServerInfo, value: int) -> None:
    with psycopg.connect(info.owner_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
        connection.execute("INSERT INTO kept VALUES (%s)", (value,))


def kept(info: ServerInfo) -> list[int]:
    with psycopg.connect(info.owner_url) as connection:
        return [value for (value,) in connection.execute("SELECT value FROM kept ORDER BY 1")]


def test_what_was_committed_survives_kill_9_of_the_server(server: EmbeddedServer) -> None:
    info = server.start()
    for value in (1, 2, 3):
        keep(info, value)
        os.kill(info.pid, signal.SIGKILL)
        before = info
        info = server.start()
        assert info.pid != before.pid
    assert kept(info) == [1, 2, 3]


def test_what_was_committed_survives_an_immediate_stop(server: EmbeddedServer) -> None:
    keep(server.start(), 7)
    server.stop("immediate")
    assert server.status().state == "stopped"
    assert kept(server.start()) == [7]


def test_a_new_server_waits_for_what_a_killed_one_left_and_ends_it(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postmaster, "PATIENCE_WITH_ORPHANS", 0.3)
    info = server.start()
    keep(info, 1)
    with psycopg.connect(info.app_url) as connection:
        orphan = connection.info.backend_pid
        os.kill(orphan, signal.SIGSTOP)  # it will not notice that its postmaster died
        os.kill(info.pid, signal.SIGKILL)
        told: list[str] = []
        assert kept(server.start(told.append)) == [1]
    assert "ending what a killed database server left behind" in told
    assert not postmaster._works_in(orphan, info.data_dir)


def test_a_pid_file_that_names_another_living_process_is_seen_through(
    server: EmbeddedServer, bystander: subprocess.Popen[bytes]
) -> None:
    keep(server.start(), 1)
    lines = (server.layout.data / "postmaster.pid").read_text().splitlines()
    server.stop("immediate")
    lines[0] = str(bystander.pid)  # the number was given to somebody else meanwhile
    (server.layout.data / "postmaster.pid").write_text("\n".join(lines) + "\n")
    lock = Path(lines[4], ".s.PGSQL.5432.lock")
    lock.parent.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        owner = server.layout.data.stat()
        os.chown(lock.parent, owner.st_uid, owner.st_gid)
    lock.write_text("\n".join(lines[:1] + lines[1:5]) + "\n")
    assert server.status().state == "stopped"
    server.stop()
    assert kept(server.start()) == [1]
    assert bystander.poll() is None


def test_a_pid_file_of_a_dead_process_is_seen_through(server: EmbeddedServer) -> None:
    info = server.start()
    keep(info, 1)
    os.kill(info.pid, signal.SIGKILL)
    assert postmaster.wait_gone(server.layout, 30)
    assert (server.layout.data / "postmaster.pid").exists()
    assert server.status().state == "stopped"
    assert kept(server.start()) == [1]


def test_a_server_that_another_start_killed_half_way_is_waited_for(
    server: EmbeddedServer,
) -> None:
    info = server.start()
    keep(info, 1)
    # Somebody else asks it to stop and goes away at once, as a killed `release` would.
    os.kill(info.pid, signal.SIGINT)
    again = server.start()
    assert kept(again) == [1]


def test_a_server_that_dies_is_started_again_under_the_same_urls(server: EmbeddedServer) -> None:
    info = server.start()
    keep(info, 1)
    done = Event()
    watch = Thread(target=server.keep_running, args=(done,), kwargs={"every": 0.05})
    watch.start()
    try:
        os.kill(info.pid, signal.SIGKILL)
        until = time.monotonic() + 60
        while server.status().pid in (None, info.pid) and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        done.set()
        watch.join()
    assert server.status().pid not in (None, info.pid)
    assert kept(info) == [1]


def test_a_long_recovery_is_waited_for_and_told(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(server.start(), 1)
    server.stop("immediate")
    monkeypatch.setattr(startup, "TELL_EVERY", 0.1)
    monkeypatch.setattr(startup, "PATIENCE_WHEN_READY", 0.2)
    # Recovery asks this command for a file and waits for its answer.
    server.layout.override.write_text("restore_command = 'sleep 0.3; false'\nhot_standby = off\n")
    signal_file = server.layout.data / "recovery.signal"
    signal_file.touch()
    told: list[str] = []
    info = server.start(told.append)
    assert kept(info) == [1]
    assert [line for line in told if line.startswith("waiting for the database")]
    assert not signal_file.exists()


def test_a_server_that_lets_nobody_in_is_told_with_what_to_do(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = server.start()
    monkeypatch.setattr(startup, "PATIENCE_WHEN_READY", 0.3)
    socket = info.socket_dir / ".s.PGSQL.5432"
    socket.rename(socket.with_name("swept-away"))
    with pytest.raises(Unavailable, match=rf"process {info.pid}\) runs but lets nobody in"):
        EmbeddedServer(server.layout.home.parent).start()
    socket.with_name("swept-away").rename(socket)


def test_a_creation_that_was_killed_half_way_does_not_count(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    server.layout.make()
    half = server.layout.home / "new-half"
    (half / "data").mkdir(parents=True)
    (half / "data" / "PG_VERSION").write_text("18\n")
    with server:
        assert not half.exists()


@pytest.mark.parametrize("after", [0.2, 0.45, 0.7])
def test_whenever_a_start_is_killed_the_next_one_succeeds(tmp_path: Path, after: float) -> None:
    killed = subprocess.Popen(
        [sys.executable, "-m", "tests.kit.postgres_holder", str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        cwd=Path(__file__).resolve().parents[2],
        start_new_session=True,
    )
    time.sleep(after)
    killed.kill()
    killed.communicate()
    with EmbeddedServer(tmp_path) as info:
        for url in (info.superuser_url, info.owner_url, info.app_url):
            psycopg.connect(url).close()
    assert not list(tmp_path.glob("postgres/new-*"))


def test_locks_go_with_the_process_that_held_them(tmp_path: Path) -> None:
    path = tmp_path / "some.lock"
    path.touch()
    assert not locks.is_held(path)
    with path.open() as somebody_who_looks:
        fcntl.flock(somebody_who_looks, fcntl.LOCK_SH)
        assert not locks.is_held(path)
    held = locks.FileLock(path)
    assert held.try_exclusive()
    assert locks.is_held(path)
    child = subprocess.Popen(["sleep", "60"], pass_fds=(held.fileno(),))
    held.close()
    assert locks.is_held(path)
    child.kill()
    child.wait()
    until = time.monotonic() + 30
    while locks.is_held(path) and time.monotonic() < until:
        time.sleep(0.01)
    assert not locks.is_held(path)
