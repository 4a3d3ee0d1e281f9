"""Writing down how calls ended: in small batches, at most every tenth of a second, by attempt id.

A verdict stays here until its batch has committed, however long the database is away; only then is
its mark cleared and its place given to another call.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from clarion.domain.event import OF_ATTEMPTS
from clarion.domain.message import Verdict
from clarion.flow.services import Nudge, unheard
from clarion.flow.tell.listening import Listening
from clarion.kit.clock import Clock
from clarion.kit.crash import crash_point
from clarion.kit.db import AWAY, Database
from clarion.kit.log import logger
from clarion.store import alias, attempt, event
from clarion.store.alias import Alias
from clarion.store.receipt import Contended

INTERVAL = 0.05  # at most a tenth of a second from an answer to the start of its commit (DESIGN, rule 4)
BATCH = 500
WRITERS = 2  # batches under way at once, so that one is prepared while the other waits for the disk
log = logger(__name__)


@dataclass(slots=True)
class Ended:
    """A verdict on its way to the ledger; `durable` is called once it is there. `names_on`: the channel whose
    receipts will call the try by what the provider called it."""

    workspace_id: UUID
    cohort: date
    verdict: Verdict
    durable: Callable[[UUID], None]
    names_on: UUID | None = None


class Settler:
    """One a process. `put` never waits; `run` writes until `close` and everything is written."""

    def __init__(
        self, db: Database, clock: Clock, listening: Listening | None = None, nudge: Nudge = unheard
    ) -> None:
        self._db = db
        self._nudge = nudge
        self._listening = listening or Listening()
        self._clock = clock
        self._waiting: list[Ended] = []
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._closed = False

    def put(self, ended: Ended) -> None:
        """Take a verdict in."""
        self._waiting.append(ended)
        self._some.set()
        if len(self._waiting) >= BATCH:
            self._full.set()

    def close(self) -> None:
        """No more will come; `run` ends when all is durable."""
        self._closed = True
        self._some.set()
        self._full.set()

    async def run(self) -> None:
        """Write batches for as long as there are any."""
        writing: set[asyncio.Task[None]] = set()
        while not (self._closed and not self._waiting):
            await self._some.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), INTERVAL)
            if len(writing) >= WRITERS:
                ended, writing = await asyncio.wait(writing, return_when=asyncio.FIRST_COMPLETED)
                _raise(ended)
            writing.add(asyncio.create_task(self._write(self._take())))
        if writing:
            _raise((await asyncio.wait(writing))[0])

    def _take(self) -> list[Ended]:
        batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        if not self._waiting and not self._closed:
            self._some.clear()
        if len(self._waiting) < BATCH and not self._closed:
            self._full.clear()
        return batch

    async def _write(self, batch: list[Ended]) -> None:
        groups: dict[tuple[UUID, date], list[Ended]] = defaultdict(list)
        for ended in batch:
            groups[ended.workspace_id, ended.cohort].append(ended)
        for (workspace_id, cohort), group in groups.items():
            await self._write_group(workspace_id, cohort, group)

    async def _write_group(self, workspace_id: UUID, cohort: date, group: list[Ended]) -> None:
        delay, again = 0.1, 0
        names = [
            Alias(one.names_on, one.verdict.provider_id, one.verdict.attempt_id, cohort)
            for one in group
            if one.names_on is not None and one.verdict.provider_id
        ]
        while True:
            try:
                async with self._db.tenant(workspace_id) as connection:
                    now = self._clock.now()
                    again = await alias.note(connection, names, now) if names else 0
                    await attempt.settle(connection, cohort, [e.verdict for e in group], now)
                    if self._listening.wants(workspace_id, OF_ATTEMPTS):
                        settled = [e.verdict.attempt_id for e in group]
                        await event.of_attempts(connection, cohort, settled, now)
                    crash_point("settle.before_commit")
                break
            except (*AWAY, Contended) as error:
                log.warning(
                    "settling waits for the database", error=type(error).__name__, verdicts=len(group)
                )
                await asyncio.sleep(delay)
                delay = min(delay * 2, 2.0)
        crash_point("settle.committed")
        if again:  # receipts that came before this commit
            self._nudge("inbox")
        for ended in group:
            ended.durable(ended.verdict.attempt_id)


def _raise(ended: Iterable[asyncio.Task[None]]) -> None:
    for task in ended:
        task.result()
