"""Locks between processes, held by the kernel: whoever dies, by kill -9 too, lets go of them.

`start`    exclusive while somebody starts or stops the server
`holders`  shared by everybody who uses it; who can take it alone is the last
`server`   held by the server's processes themselves, which inherit it: while it is taken, some
           process of this server lives, whatever a left-over pid file says
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

PAUSE = 0.05  # seconds between looks


class FileLock:
    """A lock on an open file (flock). Two of them on one path exclude each other in one process too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def fileno(self) -> int:
        """The open file's descriptor, for a child that shall inherit the lock."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._descriptor

    def shared(self) -> None:
        """Take it together with others; waits for an exclusive owner."""
        fcntl.flock(self.fileno(), fcntl.LOCK_SH)

    def try_exclusive(self) -> bool:
        """Take it alone, or say that somebody else has it. A shared hold of ours becomes exclusive."""
        try:
            fcntl.flock(self.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def exclusive(self, waiting: Callable[[], None] | None = None) -> None:
        """Take it alone, however long that takes; `waiting` is called once when it is not free."""
        told = False
        while not self.try_exclusive():
            if waiting is not None and not told:
                waiting()
            told = True
            time.sleep(PAUSE)

    def close(self) -> None:
        """Let go of it (a child that inherited it keeps it)."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def release(self) -> None:
        """Let go of it in every process that shares it by a fork."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self.close()


def is_held(path: Path) -> bool:
    """Whether some process has it alone now."""
    try:
        with path.open("rb") as probe:
            # Shared, so that two who look at once do not take each other for an owner.
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
