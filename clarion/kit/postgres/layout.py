"""Where things are below the state directory, and the short private folder of the socket."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clarion.errors import Misconfigured
from clarion.kit.postgres.account import Account

PORT = 5432  # names the socket's file; nothing listens on TCP
LOCKS = ("start", "holders", "server")
LONGEST_SOCKET = 107  # bytes that sockaddr_un holds on Linux (103 on macOS: short folders fit both)
PREFIX = "clarion-"
_PLAIN = re.compile(r"[A-Za-z0-9/._-]+")  # needs no quoting in settings, URLs and comma lists


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one embedded server. All of them lie below `<state directory>/postgres`."""

    home: Path

    @classmethod
    def of(cls, state_dir: Path) -> Layout:
        """The paths for a state directory; nothing is made."""
        return cls(state_dir.resolve() / "postgres")

    def make(self) -> None:
        """Make the folders and locks that are missing. Raises Misconfigured where that is refused."""
        try:
            # Others may pass through but not look: the server's own user has to reach its data.
            self.home.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
            self.home.mkdir(exist_ok=True, mode=0o711)
            for name in LOCKS:
                descriptor = os.open(self.lock(name), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
                self._hand_over(descriptor)
                os.close(descriptor)
        except OSError as error:
            raise Misconfigured(
                f"the state directory cannot be used by user {os.geteuid()}: {error.strerror}",
                where=str(self.home),
                hint="Run Clarion as the user who made it, or set CLARION_STATE_DIR to a folder of your own.",
            ) from error

    @property
    def owner(self) -> tuple[int, int] | None:
        """Whom files here are given to when we are root and the state directory is another user's."""
        status = self.home.stat()
        return (status.st_uid, status.st_gid) if os.geteuid() == 0 and status.st_uid != 0 else None

    def open_log(self) -> int:
        """A descriptor of the log, to append to; the file is made when missing."""
        descriptor = os.open(self.log, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        self._hand_over(descriptor)
        return descriptor

    def _hand_over(self, descriptor: int) -> None:
        if self.owner is not None:
            os.fchown(descriptor, *self.owner)

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.home / "postgres.log"

    @property
    def passwords(self) -> Path:
        """Passwords of the roles, JSON, mode 0600."""
        return self.home / "passwords.json"

    @property
    def override(self) -> Path:
        """The operator's own settings, which win over ours."""
        return self.home / "postgresql.override.conf"

    @property
    def hba_override(self) -> Path:
        """The operator's own lines for pg_hba.conf, after ours."""
        return self.home / "pg_hba.override.conf"

    @property
    def set_up(self) -> Path:
        """Is there when the running server's roles and database were set up."""
        return self.home / "set-up"

    @property
    def wheel(self) -> Path:
        """Which version of the wheel last ran this data; names the one to fetch after a major upgrade."""
        return self.home / "wheel-version"

    def lock(self, name: str) -> Path:
        """A file that processes lock (see `locks`)."""
        return self.home / f"{name}.lock"


def socket_dir(layout: Layout, account: Account) -> Path:
    """A folder for the socket that the server's user owns and nobody else may enter; made when missing.

    Beside the data where the path is short enough and the server's user can reach it: nothing there
    is swept away by cleaners of /tmp, by a log-out (XDG_RUNTIME_DIR) or hidden by systemd's
    PrivateTmp. Otherwise /run (root) or /tmp, under a name made from the data's path.
    Raises Misconfigured when such a folder exists and somebody else owns it.
    """
    beside = layout.home / "run"
    if (
        _fits(beside)
        and _PLAIN.fullmatch(str(beside))
        and account.reaches(beside)
        and _takes_sockets(layout.home)
    ):
        return _private(beside, account)
    name = PREFIX + hashlib.sha256(os.fsencode(layout.data)).hexdigest()[:16]
    short = [Path(parent, name) for parent in _parents(account)]
    return _private(next((folder for folder in short if _fits(folder)), short[-1]), account)


def _parents(account: Account) -> list[str]:
    run = ["/run"] if account.switch and os.access("/run", os.W_OK) else []
    return [*run, tempfile.gettempdir(), os.path.join(os.sep, "tmp")]


def forget_socket_dir(layout: Layout, folder: Path) -> None:
    """Remove a stopped server's folder from /run or /tmp; one beside the data stays."""
    if folder.parent != layout.home and folder.name.startswith(PREFIX):
        with suppress(OSError):
            folder.rmdir()


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / f".s.PGSQL.{PORT}.lock")) <= LONGEST_SOCKET


def _takes_sockets(folder: Path) -> bool:
    """Whether the file system knows sockets: folders shared into virtual machines often do not."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        with socket.socket(socket.AF_UNIX) as trial:
            trial.bind(str(probe))
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True


def _private(folder: Path, account: Account) -> Path:
    try:
        folder.mkdir(mode=0o700)
        if account.owner is not None:
            os.chown(folder, *account.owner, follow_symlinks=False)
    except FileExistsError:
        pass
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != account.uid or status.st_mode & 0o077:
        raise Misconfigured(
            f"the folder for the database's socket is not a private folder of user {account.uid}: "
            f"it belongs to user {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}",
            where=str(folder),
            hint="Somebody else made it. Find out who; remove it if it is safe to, then start again.",
        )
    return folder
