"""Under which user the server runs, and what that user can reach.

PostgreSQL refuses to run as root, rightly: a flaw in it must not own the machine. Started as root,
Clarion gives the server a user of its own. It needs no entry in /etc/passwd, because containers and
small images have none to spare and because adding users to somebody's machine is not ours to do.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from clarion.errors import Misconfigured

NAMED = "clarion"  # an operator who wants a name for the user adds this one
# Debian keeps 30000-59999 for nobody in particular, systemd's dynamic users begin at 61184, and a
# rootless container maps only the first 65536: a number of our own has to lie between.
NUMBERED = range(59271, 59371)


class ProcessOptions(TypedDict, total=False):
    """What subprocess needs to become the account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """A user id and group id that programs run under; `switch` when that is not who we are."""

    uid: int
    gid: int
    switch: bool

    @property
    def options(self) -> ProcessOptions:
        """Arguments of subprocess that make the child this account, without any other group."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    @property
    def owner(self) -> tuple[int, int] | None:
        """Whom new files are given to; None when they are the account's already."""
        return (self.uid, self.gid) if self.switch else None

    def may(self, path: Path, bits: int) -> bool:
        """Whether the mode of `path` itself grants `bits` (4 read, 2 write, 1 enter or execute).

        Only modes are looked at. Where an access list would grant more, the answer is no, and the
        caller takes its other way.
        """
        if not self.switch:
            return os.access(path, bits)
        status = path.stat()
        if status.st_uid == self.uid:
            shift = 6
        elif status.st_gid == self.gid:
            shift = 3
        else:
            shift = 0
        return (status.st_mode >> shift) & bits == bits

    def reaches(self, path: Path) -> bool:
        """Whether every folder above `path` lets the account pass."""
        return all(self.may(folder, os.X_OK) for folder in path.resolve().parents)


def server_account(data_dir: Path) -> Account:
    """Who the server of `data_dir` runs as: the owner of the data, or for new data a fitting user.

    Raises Misconfigured when the data belongs to root or to somebody whom we cannot become.
    """
    mine = os.geteuid()
    if not data_dir.exists():
        return _fresh(data_dir.parent) if mine == 0 else Account(mine, os.getegid(), switch=False)
    status = data_dir.stat()
    if status.st_uid == 0:
        raise Misconfigured(
            "the database's files belong to root, and PostgreSQL refuses to run as root",
            where=str(data_dir),
            hint="Give the folder to an unprivileged user (chown -R) and start again.",
        )
    if mine not in (0, status.st_uid):
        raise Misconfigured(
            f"the database's files belong to user {status.st_uid}, but this is user {mine}",
            where=str(data_dir),
            hint="Run Clarion as the user who started it first, or name another CLARION_STATE_DIR.",
        )
    return Account(status.st_uid, status.st_gid, switch=mine == 0)


def initdb_account(server: Account) -> Account:
    """Who runs initdb: it alone looks its user up in /etc/passwd. The files change hands afterwards.

    Raises Misconfigured when we are not root and our own user has no entry.
    """
    if _has_name(server.uid):
        return server
    if not server.switch:
        raise Misconfigured(
            f"user {server.uid} has no entry in /etc/passwd, which initdb asks for",
            hint="Add a line for it to /etc/passwd (in a container: in its image), or set "
            "CLARION_DATABASE_URL to a server of your own.",
        )
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        others = [one for one in pwd.getpwall() if one.pw_uid != 0]
        if not others:
            raise Misconfigured(
                "/etc/passwd names nobody but root, and initdb needs a user who is not root",
                hint="Add a user named clarion, or set CLARION_DATABASE_URL to a server of your own.",
            ) from None
        entry = others[0]
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


@contextmanager
def seen_by(account: Account, folder: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """A path by which the account can use `folder`, and the file descriptors its process must inherit.

    Usually the plain path. Below a folder that only root may enter (/root, a private checkout) it is
    /proc/self/fd/N: the descriptor was opened by us, so that the data can stay where the operator
    put the state, and no folder above it has to be opened to anybody.
    """
    if account.reaches(folder):
        yield str(folder.resolve()), ()
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        path = f"/proc/self/fd/{descriptor}"
        if not os.path.exists(path):
            raise Misconfigured(
                f"the server's user {account.uid} may not enter the folders above its data",
                where=str(folder),
                hint="Set CLARION_STATE_DIR to a folder that every user may pass through.",
            )
        yield path, (descriptor,)
    finally:
        os.close(descriptor)


def _fresh(home: Path) -> Account:
    status = home.stat()
    if status.st_uid != 0:  # root helps out in somebody's folder: it stays theirs
        return Account(status.st_uid, status.st_gid, switch=True)
    try:
        entry = pwd.getpwnam(NAMED)
    except KeyError:
        number = next(n for n in NUMBERED if not _has_name(n) and not _has_group(n))
        return Account(number, number, switch=True)
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _has_group(gid: int) -> bool:
    try:
        grp.getgrgid(gid)
    except KeyError:
        return False
    return True
