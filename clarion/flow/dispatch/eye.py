"""Which lanes are open: one look for all desks of a process, however many channels it owns.

Each desk asks ten times a second while something waits, and most of what it hears is what it knew: twenty
desks with a transaction each would have little time left to send.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from uuid import UUID

from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.store import queue
from clarion.store.queue import Lane

ASKED = 10.0  # seconds for which a channel is looked at after somebody asked for it


@dataclass(slots=True)
class Eye:
    """One a process."""

    db: Database
    clock: Clock
    _asked: dict[UUID, float] = field(default_factory=dict)  # when, by channel
    _seen: dict[UUID, list[Lane]] = field(default_factory=dict)
    _seen_at: float = -math.inf  # when that look began
    _look: asyncio.Task[None] | None = None

    async def lanes(self, channel_id: UUID, since: float) -> list[Lane]:
        """A channel's open lanes, most urgent first, as they were at `since` (monotonic) or later. Raises
        what the database raises."""
        self._asked[channel_id] = self.clock.monotonic()
        while self._seen_at < since or channel_id not in self._seen:
            if self._look is None or self._look.done():
                self._asked[channel_id] = self.clock.monotonic()
                self._look = asyncio.create_task(self._see())
                self._look.add_done_callback(_ended)
            await asyncio.shield(self._look)
        return self._seen[channel_id]

    async def _see(self) -> None:
        began = self.clock.monotonic()
        self._asked = {one: at for one, at in self._asked.items() if began - at < ASKED}
        async with self.db.glance() as connection:
            self._seen = await queue.open_lanes(connection, list(self._asked))
        self._seen_at = began


def _ended(look: asyncio.Task[None]) -> None:
    if not look.cancelled():
        look.exception()  # told to those who wait for it
