"""Who is outside the service window, of one channel: decided at the last moment.

What was read ahead may be minutes old where a channel is slow. That a window has closed since is told by the
clock; that one has opened, only by the database: so it is asked again before anybody waits, is skipped, or is
told what is meant for outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from clarion.domain.event import OF_ENDS
from clarion.domain.message import State
from clarion.domain.outside import REASON, Outside
from clarion.flow.compose import WINDOW
from clarion.flow.dispatch.leavers import Leavers, places
from clarion.flow.dispatch.shared import Call
from clarion.kit.crash import crash_point
from clarion.kit.db import AWAY, Connection
from clarion.store import event, queue, window
from clarion.store.queue import Waiting


@dataclass(slots=True)
class Windows:
    """Of one channel."""

    leavers: Leavers
    channel_id: UUID

    async def leave(
        self, outside: Mapping[Outside, list[Waiting]], now: datetime, *, others: Iterable[Waiting] = ()
    ) -> None:
        """Let them wait until they write, or skip them, as is declared. Who wrote meanwhile is read
        again, and so is whose campaign declares something else by now. Where the database is away, as with
        `Leavers.end`."""
        try:
            for declared, some in outside.items():
                await self._leave(declared, some, now)
        except AWAY:
            self.leavers.read_again([*(one for some in outside.values() for one in some), *others])
            raise

    async def _leave(self, declared: Outside, some: list[Waiting], now: datetime) -> None:
        leavers = self.leavers
        async with leavers.shared.db.tenant(leavers.workspace_id) as connection:
            since = now - WINDOW
            found = await window.outside(connection, places(some), self.channel_id, since, declared.value)
            still = [waiting for waiting in some if waiting.message_id in found]
            if declared is Outside.WAIT:
                await window.wait(connection, places(still))
            else:
                await self._skip(connection, still, now)
            crash_point("end.before_commit")
        crash_point("end.committed")
        leavers.forget(still)
        leavers.read_again(waiting for waiting in some if waiting.message_id not in found)

    async def _skip(self, connection: Connection, some: Sequence[Waiting], now: datetime) -> None:
        await queue.end(connection, places(some), State.SKIPPED.value, REASON, now)
        if self.leavers.shared.listening.wants(self.leavers.workspace_id, OF_ENDS):
            await event.of_ends(connection, [(one.message_id, one.cohort) for one in some], now)

    async def opened(self, calls: Iterable[Call], now: datetime) -> set[UUID]:
        """Attempts that would tell somebody what is meant for outside, who has written since they were
        read."""
        by_address = {call.waiting.address_id: call for call in calls if call.outside}
        if not by_address:
            return set()
        leavers = self.leavers
        async with leavers.shared.db.tenant(leavers.workspace_id) as connection:
            found = await window.opened(connection, by_address, self.channel_id, now - WINDOW)
        return {call.attempt_id for call in calls if call.outside and call.waiting.address_id in found}
