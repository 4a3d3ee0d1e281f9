"""Committing to a batch of calls before any of them is made (DESIGN, ledger rule 3)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from uuid import UUID

from clarion.domain.caps import cap_of
from clarion.domain.message import State
from clarion.flow.dispatch.account import Channel
from clarion.flow.dispatch.admission import Admitted, Ends, Later
from clarion.flow.dispatch.broker import Broker
from clarion.flow.dispatch.calls import Calls
from clarion.flow.dispatch.committer import Decided
from clarion.flow.dispatch.judge import Judgement, not_begun
from clarion.flow.dispatch.lackers import Lackers
from clarion.flow.dispatch.lanes import Lanes
from clarion.flow.dispatch.leavers import Leavers
from clarion.flow.dispatch.shared import Call, Shared
from clarion.flow.dispatch.windows import Windows
from clarion.kit.crash import crash_point
from clarion.kit.db import AWAY
from clarion.store.intent import Intended, Intent
from clarion.store.queue import Waiting


@dataclass(slots=True)
class Intents:
    """Of one channel that is owned under `epoch`. `pending`: taken, and their intent not yet committed."""

    shared: Shared
    channel: Channel
    epoch: int
    lanes: Lanes
    broker: Broker
    calls: Calls
    leavers: Leavers
    windows: Windows
    lackers: Lackers
    pending: int = 0
    _doubtful: list[tuple[Waiting, UUID]] = field(default_factory=list)

    async def send(self, admitted: Admitted) -> None:
        """Commit to it, and make the calls; who is not called leaves the queue with the reason."""
        calls, now = admitted.calls, self.shared.clock.now()
        granted: set[UUID] = set()
        self.pending += len(calls)
        self.shared.recorder.reserve(len(calls))
        try:
            await self._leave(admitted, now)
            going = await self._still_outside(calls, now)
            decided = await self.intend(going, now) if going else Decided(granted)
            granted = decided.granted
            crash_point("intent.committed")
            for call in going:
                if call.attempt_id in granted:
                    self.calls.begin(call, now)
                elif call.attempt_id not in decided.held:
                    self.lanes.forget(call.waiting.lane_id, call.waiting.message_id)
            await self._hold(going, decided, now)
        finally:
            stay = [call for call in calls if call.attempt_id not in granted]
            for call in stay:
                self.broker.unreserve(call)
            self.pending -= len(calls)
            self.shared.recorder.release(len(stay))

    async def _leave(self, admitted: Admitted, now: datetime) -> None:
        """Write down who is not called, for good or for now."""
        calls = [call.waiting for call in admitted.calls]
        lacking = [*(one.waiting for one in admitted.lacking), *calls]
        outside = [*chain(*admitted.outside.values()), *lacking]
        later = [*(one.waiting for one in admitted.later), *outside]
        await self.leavers.end(admitted.ends, now, others=later)
        await self.leavers.hold(admitted.later, others=outside)
        await self.windows.leave(admitted.outside, now, others=lacking)
        await self.lackers.leave(admitted.lacking, others=calls)

    async def _hold(self, going: list[Call], decided: Decided, now: datetime) -> None:
        """Who has heard enough waits for room, if that comes before it expires."""
        ends: Ends = {}
        later: list[Later] = []
        for call in going:
            if held := decided.held.get(call.attempt_id):
                if held.until < call.waiting.expires_at:
                    later.append(Later(call.waiting, held.until, held.reason))
                else:
                    ends.setdefault((State.SKIPPED, held.reason.value), []).append(call.waiting)
        self.leavers.read_again(call.waiting for call in going if call.attempt_id in decided.again)
        await self.leavers.end(ends, now, others=(one.waiting for one in later))
        await self.leavers.hold(later)

    async def _still_outside(self, calls: list[Call], now: datetime) -> list[Call]:
        """Those calls that say what is right; who wrote since they were read is read again."""
        try:
            opened = await self.windows.opened(calls, now)
        except AWAY:
            self.leavers.read_again(call.waiting for call in calls)
            raise
        if opened:
            self.leavers.read_again(call.waiting for call in calls if call.attempt_id in opened)
        return [call for call in calls if call.attempt_id not in opened]

    async def intend(self, calls: list[Call], now: datetime) -> Decided:
        """Commit to these, as far as they are ours to make. When the database goes away meanwhile, whether
        they were committed to is found out later (`recheck`)."""
        tries = [self._intended(call) for call in calls]
        try:
            intent = Intent(self.channel.id, self.epoch, tries)
            return await self.shared.committer.intend(
                self.channel.workspace_id, intent, lambda c, ours: self.lanes.watch(c, ours, tries, now)
            )
        except (*AWAY, asyncio.CancelledError):
            self._doubtful += [(call.waiting, call.attempt_id) for call in calls]
            raise

    def _intended(self, call: Call) -> Intended:
        waiting = call.waiting
        reader = self.lanes.readers.get(waiting.lane_id)
        epoch, caps = (reader.lane.epoch, reader.lane.caps) if reader else (0, None)
        tried = Intended(waiting, epoch, call.attempt_id, call.said, call.units)
        if reader is not None and caps is not None:
            tried.counted, tried.cap = True, cap_of(caps, reader.lane.priority)
            tried.zone = self.shared.composer.zone_of(waiting)
        return tried

    def recheck(self) -> None:
        """The database went away during an intent's commit: whatever was committed was not sent."""
        doubtful, self._doubtful = self._doubtful, []
        now = self.shared.clock.now()
        for waiting, attempt_id in doubtful:
            self.calls.begun[attempt_id] = now
            away = Judgement(not_begun(attempt_id, now, "database_away"))
            self.calls.settle(waiting, attempt_id, away, doubtful=True)
