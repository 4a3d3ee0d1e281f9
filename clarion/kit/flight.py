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
        self._reserved = 0

    def mark(self, identifier: UUID) -> None:
        """The call `identifier` is about to begin. Raises IndexError when all slots are taken."""
        slot = self._free.pop()
        self._map[slot * SLOT : slot * SLOT + SLOT] = identifier.bytes
        self._slot[identifier] = slot

    def clear(self, identifier: UUID) -> None:
        """The outcome of `identifier` is durable. Marks that were never set are no error."""
        slot = self._slot.pop(identifier, None)
        if slot is not None:
            self._map[slot * SLOT : slot * SLOT + SLOT] = _EMPTY
            self._free.append(slot)

    @property
    def free(self) -> int:
        """How many more calls may be marked, beside those that a slot is kept for."""
        return len(self._free) - self._reserved

    def reserve(self) -> bool:
        """Keep a slot for a call that is on its way to its first byte; False when there is none."""
        if self.free <= 0:
            return False
        self._reserved += 1
        return True

    def release(self) -> None:
        """A slot that was kept is to be marked now, or is not needed after all."""
        self._reserved -= 1

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
