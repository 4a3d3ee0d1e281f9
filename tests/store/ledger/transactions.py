"""Transactions that may stay open while others run, and a ledger that says at once when one must wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import uvloop
from psycopg.errors import LockNotAvailable

from clarion.kit.db import Connection, Database, become_app
from clarion.store.receipt import Contended
from tests.store.ledger.world import Seen, look

T = TypeVar("T")
Work = Callable[[Connection], Awaitable[T]]
IN_THE_WAY = (LockNotAvailable, Contended)


class MustWait(Exception):
    """Somebody else's open transaction stands in the way: nothing was done."""


class Crash(Exception):
    """The process dies before its commit."""


@dataclass(slots=True)
class Open:
    """A transaction that has run its statements and has not committed."""

    stack: AsyncExitStack
    done: Callable[[], object]
    began: datetime


class Bench:
    """Runs coroutines of the store from a test that is none itself. One loop, one pool."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._at: UUID | None = None
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._eyes: Connection = self.run(self._open_eyes())

    async def _open_eyes(self) -> Connection:
        await self.db.__aenter__()
        eyes = await psycopg.AsyncConnection.connect(self.db.url, autocommit=True, prepare_threshold=1)
        await become_app(eyes)
        return eyes

    def close(self) -> None:
        self.run(self._eyes.close())
        self.run(self.db.__aexit__())
        self._loop.close()

    def look(self, workspace: UUID) -> Seen:
        """What is committed, at one moment, in one round trip."""
        return self.run(self._look(workspace))

    async def _look(self, workspace: UUID) -> Seen:
        if workspace != self._at:
            await self._eyes.execute("SELECT set_config('clarion.workspace', %s, false)", (str(workspace),))
            self._at = workspace
        return await look(self._eyes)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def begin(self, workspace: UUID, work: Work[T]) -> tuple[T, AsyncExitStack]:
        """Run the statements of one transaction and leave it open. Raises MustWait."""
        return self.run(self._begin(workspace, work))

    async def _begin(self, workspace: UUID, work: Work[T]) -> tuple[T, AsyncExitStack]:
        # On a busy machine somebody who has just committed may be waited for as well. An open transaction
        # is there each time: whether a step must wait may not depend on how fast this goes.
        with suppress(*IN_THE_WAY):
            return await self._try(workspace, work)
        try:
            return await self._try(workspace, work)
        except IN_THE_WAY as error:
            raise MustWait from error

    async def _try(self, workspace: UUID, work: Work[T]) -> tuple[T, AsyncExitStack]:
        stack = AsyncExitStack()
        connection = await stack.enter_async_context(self.db.tenant(workspace))
        try:
            return await work(connection), stack
        except BaseException as error:
            await stack.__aexit__(type(error), error, None)
            raise

    def once(self, workspace: UUID, work: Work[T]) -> T:
        """One whole transaction. Raises MustWait."""
        return self.run(self._once(workspace, work))

    async def _once(self, workspace: UUID, work: Work[T]) -> T:
        result, stack = await self._begin(workspace, work)
        await stack.aclose()
        return result

    def commit(self, stack: AsyncExitStack) -> None:
        self.run(stack.aclose())

    def crash(self, stack: AsyncExitStack) -> None:
        """Gone without a commit."""
        self.run(self._crash(stack))

    async def _crash(self, stack: AsyncExitStack) -> None:
        error = Crash()
        await stack.__aexit__(Crash, error, None)
