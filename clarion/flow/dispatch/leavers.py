"""Who leaves the queue without a try: too late, opted out, erased, or with nothing that could be said."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from clarion.domain.event import OF_ENDS
from clarion.domain.message import State
from clarion.flow.dispatch.admission import Ends, Later
from clarion.flow.dispatch.lanes import Lanes
from clarion.flow.dispatch.shared import Shared
from clarion.kit.crash import crash_point
from clarion.kit.db import AWAY
from clarion.store import event, holding, queue
from clarion.store.holding import Hold
from clarion.store.queue import Waiting


@dataclass(slots=True)
class Leavers:
    """Of one channel of a workspace."""

    shared: Shared
    workspace_id: UUID
    lanes: Lanes

    async def end(self, ends: Ends, now: datetime, *, others: Iterable[Waiting] = ()) -> None:
        """Write down why. Where the database is away, nothing became of these nor of the `others` that
        were taken with them: all are read again."""
        try:
            for (state, reason), some in ends.items():
                await self._end(some, state, reason, now)
        except AWAY:
            self.read_again(itertools.chain(*ends.values(), others))
            raise

    async def hold(self, later: Sequence[Later], *, others: Iterable[Waiting] = ()) -> None:
        """Let them be due later, with the reason. Where the database is away, as with `end`."""
        if not later:
            return
        some = [one.waiting for one in later]
        holds = [
            Hold(place, one.moment, one.reason.value) for place, one in zip(places(some), later, strict=True)
        ]
        try:
            async with self.shared.db.tenant(self.workspace_id) as connection:
                await holding.hold(connection, holds)
            self.forget(some)
        except AWAY:
            self.read_again(itertools.chain(some, others))
            raise

    async def end_late(self, now: datetime) -> None:
        """What expires while everything waits for a limit or for the provider."""
        if late := self.lanes.expired(now):
            await self.end({(State.EXPIRED, "expired"): late}, now)

    async def _end(self, some: list[Waiting], state: State, reason: str, now: datetime) -> None:
        async with self.shared.db.tenant(self.workspace_id) as connection:
            await queue.end(connection, places(some), state.value, reason, now)
            if self.shared.listening.wants(self.workspace_id, OF_ENDS):
                await event.of_ends(connection, [(w.message_id, w.cohort) for w in some], now)
            crash_point("end.before_commit")
        crash_point("end.committed")
        self.forget(some)

    def forget(self, some: Iterable[Waiting]) -> None:
        """These are settled: should one wait again, it may be read again."""
        for waiting in some:
            self.lanes.forget(waiting.lane_id, waiting.message_id)

    def read_again(self, some: Iterable[Waiting]) -> None:
        """These were taken and nothing became of them."""
        for waiting in some:
            self.lanes.forget(waiting.lane_id, waiting.message_id)
            self.lanes.look_again(waiting.lane_id)


def places(some: Iterable[Waiting]) -> list[tuple[UUID, datetime, UUID, date]]:
    """Where these wait: (lane, due moment, message, cohort)."""
    return [(w.lane_id, w.due_at, w.message_id, w.cohort) for w in some]
