"""One intent statement for all desks of a process: who comes while one is under way goes with the next.

Many channels with few places each would else commit a few rows at a time, each with the cost of a whole
transaction. A desk that is alone waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from clarion.domain.caps import Held
from clarion.flow.dispatch import capping
from clarion.kit.clock import Clock
from clarion.kit.crash import crash_point
from clarion.kit.db import AWAY, Connection, Database
from clarion.store import intent
from clarion.store.intent import Intent

AT_ONCE = 2  # statements under way, so that one is prepared while the other waits for the disk
MOST = 500  # tries of one statement, but for a desk's that alone is larger
Noted = Callable[[Connection, set[UUID]], Awaitable[None]]
"""Writes down, in the same transaction, what else goes with the tries that are ours."""


@dataclass(slots=True)
class Decided:
    """Of the tries of a statement, by attempt: those that are ours now; whose person has heard enough, and
    until when; and those to be asked about once more."""

    granted: set[UUID]
    held: Mapping[UUID, Held] = field(default_factory=dict)
    again: Collection[UUID] = ()


@dataclass(slots=True)
class _Ask:
    intent: Intent
    noted: Noted
    decided: asyncio.Future[Decided]


@dataclass(slots=True)
class Committer:
    """One a process, of one worker."""

    db: Database
    clock: Clock
    worker_id: UUID
    _waiting: dict[UUID, list[_Ask]] = field(default_factory=dict)  # by workspace
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def intend(self, workspace_id: UUID, wanted: Intent, noted: Noted) -> Decided:
        """Commit to a desk's tries. Whoever is cancelled here, or told that the database is away, does not
        know whether they were committed to; but that is decided by then, so that it can be found out."""
        ask = _Ask(wanted, noted, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(workspace_id, []).append(ask)
        self._begin()
        try:
            return await asyncio.shield(ask.decided)
        except asyncio.CancelledError:
            await asyncio.wait({ask.decided})
            raise

    def _begin(self) -> None:
        while self._waiting and len(self._under_way) < AT_ONCE:
            workspace_id = next(iter(self._waiting))
            task = asyncio.create_task(self._commit(workspace_id, self._next(workspace_id)))
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    def _next(self, workspace_id: UUID) -> list[_Ask]:
        """As many of those that wait as one statement takes; the rest stands behind the other workspaces."""
        waiting, taken, tries = self._waiting.pop(workspace_id), 0, 0
        for ask in waiting:
            tries += len(ask.intent.tries)
            if taken and tries > MOST:
                break
            taken += 1
        if rest := waiting[taken:]:
            self._waiting[workspace_id] = rest
        return waiting[:taken]

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._begin()

    async def _commit(self, workspace_id: UUID, asks: list[_Ask]) -> None:
        try:
            decided = await self._write(workspace_id, asks)
        except (*AWAY, asyncio.CancelledError) as error:
            _tell(asks, error)
        except Exception as error:  # one desk's row must not keep the others from sending
            if len(asks) == 1:
                _tell(asks, error)
                return
            for ask in asks:
                await self._commit(workspace_id, [ask])
        else:
            for ask in asks:
                if not ask.decided.done():
                    ask.decided.set_result(decided)

    async def _write(self, workspace_id: UUID, asks: list[_Ask]) -> Decided:
        async with self.db.tenant(workspace_id) as connection:
            now = self.clock.now()
            capped = await capping.hold(connection, [ask.intent for ask in asks], now)
            granted = await intent.intend(
                connection, worker_id=self.worker_id, intents=capped.intents, now=now
            )
            await capping.note(connection, capped, granted, now)
            for ask in asks:
                await ask.noted(connection, granted)
            crash_point("intent.before_commit")
        return Decided(granted, capped.held, capped.again)


def _tell(asks: list[_Ask], error: BaseException) -> None:
    for ask in asks:
        if not ask.decided.done():
            ask.decided.set_exception(error)
