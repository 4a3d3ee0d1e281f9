"""The flight recorder: which calls had begun when a process died.

A memory-mapped file per process holds one 16-byte slot a call under way. The mark is written just
before the first byte leaves and removed when the outcome is durable. A killed process's pages stay
with the kernel, so within the same boot its file tells which intents had not left: those go back to
the queue instead of becoming `unknown` (DESIGN, ledger rule 4). Another boot's file proves nothing.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from uuid import UUID

SLOT = 16
_EMPTY = bytes(SLOT)


class FlightRecorder:
    """The marks of one process. `slots` is the most calls it may have under way."""

    def __init__(self, path: Path, slots: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, slots * SLOT)
        self._map = mmap.mmap(self._file, slots * SLOT)
        self._free = list(range(slots - 1, -1, -1))
        self._slot: dict[UUID, int] = {}
        self._kept = 0

    def mark(self, identifier: UUID) -> None:
        """The call `identifier` is about to begin, in one of the places that were reserved."""
        slot = self._free.pop()
        self._kept -= 1
        self._map[slot * SLOT : slot * SLOT + SLOT] = identifier.bytes
        self._slot[identifier] = slot

    def clear(self, identifier: UUID) -> None:
        """The outcome of `identifier` is durable: its place is free, whether it was marked or not."""
        slot = self._slot.pop(identifier, None)
        if slot is None:
            self._kept -= 1
        else:
            self._map[slot * SLOT : slot * SLOT + SLOT] = _EMPTY
            self._free.append(slot)

    @property
    def free(self) -> int:
        """How many more places may be reserved."""
        return len(self._free) - self._kept

    def reserve(self, places: int) -> None:
        """Keep places for calls that are to be made: an intent without a place could not be marked.

        Each is given back once, by `clear` or by `release`. Raises RuntimeError when there are not so many.
        """
        if places > self.free:
            raise RuntimeError(f"{places} places wanted, {self.free} are free")
        self._kept += places

    def release(self, places: int) -> None:
        """So many of those that were reserved are not needed."""
        self._kept -= places

    def close(self, *, remove: bool) -> None:
        """Give the file up; `remove` it when nothing is under way."""
        self._map.close()
        os.close(self._file)
        if remove:
            self.path.unlink(missing_ok=True)


def marked(path: Path) -> set[UUID] | None:
    """The calls that had begun in a dead process's file; None where there is no file to read."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    slots = (content[place : place + SLOT] for place in range(0, len(content) - SLOT + 1, SLOT))
    return {UUID(bytes=slot) for slot in slots if slot != _EMPTY}
