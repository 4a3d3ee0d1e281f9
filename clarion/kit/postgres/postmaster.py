"""The server's process: is it alive, start it, stop it, and wait out what a kill left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clarion.errors import Misconfigured, Unavailable
from clarion.kit.postgres import locks
from clarion.kit.postgres.account import Account, seen_by, server_account
from clarion.kit.postgres.binaries import Binaries
from clarion.kit.postgres.layout import PORT, Layout, forget_socket_dir, socket_dir
from clarion.kit.postgres.locks import FileLock

Progress = Callable[[str], None]
LOG_LIMIT = 8 * 1024 * 1024  # bytes; beyond it the log is cut at the next start
LOG_KEPT = 256 * 1024
PATIENCE_WITH_ORPHANS = 5.0  # seconds that a dead postmaster's children have to notice
ENVIRONMENT = {"LC_ALL": "C", "LANG": "C", "PATH": "/usr/local/bin:/usr/bin:/bin"}
LOOK = """for one in /proc/[0-9]*; do [ "$one/cwd" -ef "$1" ] && echo "${one#/proc/}"; done"""
StopMode = Literal["fast", "immediate"]
STOP_SIGNALS: dict[StopMode, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


@dataclass(frozen=True, slots=True)
class PidFile:
    """What a running server wrote into postmaster.pid; fields are missing while it starts."""

    pid: int
    socket_dir: Path | None
    status: str  # "starting", "ready", "stopping"; empty at first

    @classmethod
    def read(cls, data: Path) -> PidFile | None:
        """The pid file of a data directory, or None when there is none or it is not yet written."""
        try:
            lines = (data / "postmaster.pid").read_text().splitlines()
            pid = int(lines[0])
        except (OSError, ValueError, IndexError):
            return None
        folder = lines[4].split(",")[0].strip() if len(lines) > 4 else ""
        status = lines[7].strip() if len(lines) > 7 else ""
        return cls(abs(pid), Path(folder) if folder else None, status)


def is_alive(layout: Layout) -> bool:
    """Whether any process of this server lives, be it only a child of a killed one.

    The kernel's word (a lock that all its processes inherit) is taken before the pid file's: a pid
    may be another's by now, or of another container. A server that somebody started by hand holds
    no such lock, and is known by the folder that it works in.
    """
    if locks.is_held(layout.lock("server")):
        return True
    found = PidFile.read(layout.data)
    return found is not None and _works_in(found.pid, layout.data)


def postmaster_pid(layout: Layout) -> int | None:
    """Process id of the living server; None when it is dead, though children of it may remain."""
    found = PidFile.read(layout.data)
    if found is None or not is_alive(layout):
        return None
    return found.pid if _works_in(found.pid, layout.data) else None


def launch(layout: Layout, binaries: Binaries, account: Account) -> subprocess.Popen[bytes]:
    """Start the server in a session of its own, so that Ctrl-C here does not reach it.

    The caller holds the `start` lock and knows that nothing of the server is alive; so what a pid
    file or a socket's lock file says is left over from a kill, and would only mislead PostgreSQL
    (it takes any living process with that number for the server).
    """
    folder = socket_dir(layout, account)
    _remove_stale(layout, folder)
    server_lock = FileLock(layout.lock("server"))
    server_lock.exclusive()
    log = layout.open_log()
    try:
        with seen_by(account, layout.data) as (data, inherited):
            return subprocess.Popen(
                [binaries["postgres"], "-D", data, "-p", str(PORT), "-k", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=ENVIRONMENT,
                umask=0o077,
                start_new_session=True,
                pass_fds=(server_lock.fileno(), *inherited),
                **account.options,
            )
    except OSError as error:
        raise Misconfigured(
            f"the database server could not be started as user {account.uid}: {error.strerror}",
            where=binaries["postgres"],
            hint="Start Clarion as an ordinary user, or set CLARION_DATABASE_URL to a server of your own.",
        ) from error
    finally:
        os.close(log)
        server_lock.close()


def _remove_stale(layout: Layout, folder: Path) -> None:
    socket = f".s.PGSQL.{PORT}"
    for stale in (layout.data / "postmaster.pid", folder / socket, folder / f"{socket}.lock"):
        stale.unlink(missing_ok=True)


def stop(layout: Layout, mode: StopMode, timeout: float) -> bool:
    """Ask the server to stop; True when all of it is gone within `timeout` seconds.

    `fast` ends connections and writes everything down; `immediate` leaves the rest to the next
    start's recovery. Neither loses what was committed.
    """
    found = PidFile.read(layout.data)
    pid = postmaster_pid(layout)
    if pid is not None:
        _signal(pid, STOP_SIGNALS[mode])
    gone = wait_gone(layout, timeout)
    if gone and found is not None and found.socket_dir is not None:
        forget_socket_dir(layout, found.socket_dir)
    return gone


def wait_gone(layout: Layout, timeout: float) -> bool:
    """Wait until no process of the server is left, at most `timeout` seconds."""
    until = time.monotonic() + timeout
    while is_alive(layout):
        if time.monotonic() > until:
            return False
        time.sleep(locks.PAUSE)
    return True


def clear_orphans(layout: Layout, progress: Progress) -> None:
    """Wait for the children of a killed server; end those that do not notice.

    They hold its shared memory, and a new server refuses to start beside them. Raises Unavailable
    when they cannot be ended.
    """
    if wait_gone(layout, PATIENCE_WITH_ORPHANS):
        return
    for number, patience in ((signal.SIGQUIT, PATIENCE_WITH_ORPHANS), (signal.SIGKILL, 60.0)):
        progress("ending what a killed database server left behind")
        for pid in _processes_in(layout):
            _signal(pid, number)
        if wait_gone(layout, patience):
            return
    raise Unavailable(
        "processes of an earlier database server are still there and cannot be ended",
        where=str(layout.data),
        hint="Look for `postgres` processes (another container may have them), end them, start again.",
    )


def trim_log(layout: Layout) -> None:
    """Cut a log over the limit to its end, in place; safe beside a running server, which appends."""
    descriptor = layout.open_log()
    try:
        size = os.fstat(descriptor).st_size
        if size > LOG_LIMIT:
            end = os.pread(descriptor, LOG_KEPT, size - LOG_KEPT)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, end[end.find(b"\n") + 1 :])
    finally:
        os.close(descriptor)


def log_tail(layout: Layout, lines: int = 12) -> str:
    """The last lines of the log."""
    try:
        with layout.log.open("rb") as file:
            file.seek(max(0, layout.log.stat().st_size - 16_384))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise Unavailable(
            f"the database server (process {pid}) is another user's and cannot be signalled",
            hint="Run this as the user who started it.",
        ) from error


def _works_in(pid: int, data: Path) -> bool:
    """Whether process `pid` lives and is a server of this data directory (it works inside it)."""
    process = Path("/proc", str(pid))
    if not Path("/proc/self").exists():
        return _exists(pid) and _locked(data)  # no /proc (macOS): the lock decides
    try:
        name, state = _name_and_state(process)
        if state in "ZX":
            return False  # dead, and not yet noticed by its parent
        return os.path.samefile(process / "cwd", data)
    except PermissionError:
        # Root in a container may lack the right to look closer: lock, name and user have to do.
        return name == "postgres" and _locked(data) and process.stat().st_uid == data.stat().st_uid
    except OSError:
        return False


def _name_and_state(process: Path) -> tuple[str, str]:
    name, rest = (process / "stat").read_text().split(" (", 1)[1].rsplit(") ", 1)
    return name, rest[0]


def _locked(data: Path) -> bool:
    return locks.is_held(Layout(data.parent).lock("server"))


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _processes_in(layout: Layout) -> list[int]:
    """Process ids of all that work in the data directory."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.path.samefile(process / "cwd", layout.data):
                found.append(int(process.name))
        except PermissionError:
            if os.geteuid() == 0:  # root in a container may not look; the server's own user may
                return _asked_as_server(layout)
        except OSError:
            continue
    return found


def _asked_as_server(layout: Layout) -> list[int]:
    account = server_account(layout.data)
    with seen_by(account, layout.data) as (data, inherited):
        said = subprocess.run(
            ["/bin/sh", "-c", LOOK, "sh", data],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
            cwd="/",
            env=ENVIRONMENT,
            pass_fds=inherited,
            **account.options,
        )
    return [int(pid) for pid in said.stdout.split()]
