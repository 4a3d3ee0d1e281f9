"""Reading ahead for one desk: which lanes are open, what waits in them, and who has waited too long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from clarion.flow.dispatch.lanes import Lanes
from clarion.flow.dispatch.leavers import Leavers
from clarion.flow.dispatch.shared import Shared

LOOK, REST = 0.1, 0.25  # seconds between looks at the lanes: while something waits, and while nothing does
TIDY = 1.0  # seconds between looks through what waits, for what is too late


@dataclass(slots=True)
class Lookout:
    """Of one channel. `may_begin(ticks)`: whether a call may begin at this monotonic moment; else nothing is
    read. `found` is called when something may have been read."""

    shared: Shared
    workspace_id: UUID
    channel_id: UUID
    lanes: Lanes
    leavers: Leavers
    may_begin: Callable[[float], bool]
    found: Callable[[], None]
    _woken: bool = False
    _woken_at: float = 0.0  # monotonic
    _tidy_at: float = 0.0  # when what waits is looked through again
    _thirst: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Look again at once, at the lanes as they are from now on."""
        self.lanes.hurry()
        self._woken, self._woken_at = True, self.shared.clock.monotonic()
        self._thirst.set()

    def thirst(self, ticks: float) -> None:
        """Something was taken: read on where there is reason to."""
        if self.lanes.low(ticks):
            self._thirst.set()

    async def look(self) -> bool:
        """Which lanes are open, and what waits in them; False, since then there is time for a blink."""
        self._woken = False  # who wakes us during the look is seen to by the next
        ticks = self.shared.clock.monotonic()
        if self.may_begin(ticks):
            since = max(self._woken_at, ticks - LOOK)
            self.lanes.learn(await self.shared.eye.lanes(self.channel_id, since), ticks)
            tidy = ticks >= self._tidy_at
            if tidy or self.lanes.low(ticks):
                await self._read(tidy=tidy)
            if tidy:
                self._tidy_at = ticks + TIDY
                await self.leavers.end_late(self.shared.clock.now())
        return False

    async def _read(self, *, tidy: bool) -> None:
        async with self.shared.db.tenant(self.workspace_id) as connection:
            composer = self.shared.composer
            await self.lanes.refill(connection, self.shared.clock, composer.inform)
            if tidy:  # what waits long stays known, and fresh
                await composer.prepare(connection, self.lanes.contents())
        self.found()

    async def blink(self) -> None:
        """Wait until there may be more to read."""
        if self._woken:
            return
        self._thirst.clear()
        ticks = self.shared.clock.monotonic()
        if self.may_begin(ticks) and self.lanes.low(ticks):
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._thirst.wait(), LOOK if self.lanes.waiting else REST)
