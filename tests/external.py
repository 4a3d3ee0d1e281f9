"""The suite on a PostgreSQL of the distribution, to show that one dialect holds on every server.

    python -m tests.external [what pytest takes]

Starts the newest server below /usr/lib/postgresql (15 or newer) in a folder of its own, on a socket
that nobody else may enter, and stops it at the end. Where CLARION_TEST_DATABASE_URL names a superuser's
login to a server that runs already, that one is used; clarion_app and clarion_owner must be able to log in
there as the superuser does. Without arguments it runs what asks a database.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from clarion.kit.postgres.account import ProcessOptions

INSTALLED = Path("/usr/lib/postgresql")
OLDEST = 15
URL = "CLARION_TEST_DATABASE_URL"
# Parts of the suite that never ask this server: pure ones, and those of the embedded server itself; the
# mistakes that prove that the tests bite, and the places to be killed at, which are the same on any server;
# which indexes the dispatch touches, since a snapshot of whoever else is at work on the same server adds to
# these; the random runs, of the dispatch and of alerts, the golden cases of these, and inputs at random to
# the API, whose statements other tests ask; and commands, which ask by the statements of `flow` and
# `store`, and take minutes to be typed.
WITHOUT = (
    "domain", "kit", "providers", "sandbox", "connectors", "acceptance",
    "store/planning/test_dispatch_plans.py", "faults/test_mutants.py", "faults/test_crash_points.py",
    "flow/test_alert_runs.py", "faults/test_random_runs.py", "faults/test_alerts.py",
    "flow/test_alert_golden.py", "api/test_openapi.py",
)  # fmt: skip
EX_UNAVAILABLE = 69
PATIENCE = 60.0
# A crash of the machine is not what is tested here; a crash of the server is safe without fsync.
OPTIONS = ("listen_addresses=", "fsync=off", "max_connections=500", "timezone=UTC")


def main(arguments: list[str]) -> int:
    """Run pytest; its exit code, or 69 where no server can be had."""
    if os.environ.get(URL):
        return _pytest(arguments, os.environ[URL])
    programs = newest()
    if programs is None:
        print(
            f"There is no PostgreSQL {OLDEST} or newer below {INSTALLED}. On Debian: apt-get install "
            f"postgresql. Or name a superuser's login to a server of yours in {URL}.",
            file=sys.stderr,
        )
        return EX_UNAVAILABLE
    with server(programs) as url:
        return _pytest(arguments, url)


def newest(installed: Path = INSTALLED) -> Path | None:
    """The folder of programs of the newest server that is new enough."""
    found = {
        int(folder.parent.name): folder
        for folder in installed.glob("*/bin")
        if folder.parent.name.isdecimal() and (folder / "postgres").exists() and (folder / "initdb").exists()
    }
    return found[max(found)] if found and max(found) >= OLDEST else None


@contextmanager
def server(programs: Path) -> Iterator[str]:
    """A fresh server while the block runs; the URL of its superuser."""
    folder = Path(tempfile.mkdtemp(prefix="clarion-external-"))
    account = _account(folder)
    try:
        _initdb(programs, folder, account)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [programs / "postgres", "-D", folder / "data", "-k", folder, *_options()],
                cwd=folder, stdout=log, stderr=log, start_new_session=True, **account,
            )  # fmt: skip
        try:
            url = f"postgresql:///postgres?host={folder}&user=postgres"
            print(_wait(url, process, folder / "log"), flush=True)
            yield url
        finally:
            _stop(process)
    finally:
        shutil.rmtree(folder)


def _account(folder: Path) -> ProcessOptions:
    """Who runs the server: PostgreSQL refuses root, so then it is the user that its package made."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam("postgres")
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _initdb(programs: Path, folder: Path, account: ProcessOptions) -> None:
    # Trust is for those who can reach the socket: its folder is the server's own, mode 0700.
    subprocess.run(
        [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-E", "UTF8", "--no-locale",
         "--auth=trust", "--no-sync"],
        cwd=folder, stdout=subprocess.DEVNULL, check=True, **account,
    )  # fmt: skip


def _options() -> list[str]:
    return [word for option in OPTIONS for word in ("-c", option)]


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait for a real answer; what server it is."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with psycopg.connect(url) as connection:
                return f"PostgreSQL {connection.info.parameter_status('server_version')}"
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the server did not start:\n{log.read_text()}") from None
            time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Fast, and where that is not fast enough at once: nobody needs the data any more."""
    for ending in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        process.send_signal(ending)
        try:
            process.wait(20.0)
            return
        except subprocess.TimeoutExpired:
            continue


def _pytest(arguments: list[str], url: str) -> int:
    chosen = arguments or [f"--ignore=tests/{name}" for name in WITHOUT]
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    return subprocess.run([*command, *chosen], env={**os.environ, URL: url}).returncode


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main(sys.argv[1:]))
