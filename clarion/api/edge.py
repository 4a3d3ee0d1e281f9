"""What a route gets: who calls, the services, and one transaction.

A POST is one transaction (see `api.idempotency`): whatever its verbs do through `edge.services.db`, or
through `edge.transaction()`, is committed at once and together with the stored reply, or not at all.
Other methods open a transaction of their own by `edge.transaction()`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from clarion.flow.access import Caller
from clarion.flow.services import Nudge, Services
from clarion.kit.db import Connection, Database


class OneTransaction(Database):
    """A database in which all transactions of one workspace are parts of one. For one request.

    Opened at the first need, so that a long upload holds no connection while it is read. Parts are
    savepoints: a verb that catches its own error undoes only its own part. Not for parallel use.
    """

    def __init__(self, whole: Database, workspace_id: UUID, until: AsyncExitStack) -> None:
        """It is committed when `until` closes, and undone when an exception closes it."""
        self.url = whole.url
        self.pool = whole.pool
        self.whole = whole
        self._workspace_id = workspace_id
        self._until = until
        self._connection: Connection | None = None

    @asynccontextmanager
    async def tenant(self, workspace_id: UUID) -> AsyncIterator[Connection]:
        """A part of the one transaction."""
        if workspace_id != self._workspace_id:
            async with self.whole.tenant(workspace_id) as other:
                yield other
            return
        if self._connection is None:
            self._connection = await self._until.enter_async_context(self.whole.tenant(workspace_id))
        async with self._connection.transaction():
            yield self._connection


@dataclass(frozen=True)
class Edge:
    """One request of one caller. `kept`: its reply is stored, together with what it does."""

    caller: Caller
    services: Services
    request_id: str
    kept: bool = False

    @property
    def workspace_id(self) -> UUID:
        return self.caller.workspace_id

    def now(self) -> datetime:
        return self.services.clock.now()

    @property
    def apart(self) -> Services:
        """The services outside of the request's transaction: for what is asked of a provider before it
        begins, since nobody waits for a provider within one."""
        db = self.services.db
        return replace(self.services, db=db.whole) if isinstance(db, OneTransaction) else self.services

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A transaction of the caller's workspace (in a POST: a part of the request's)."""
        async with self.services.db.tenant(self.workspace_id) as connection:
            yield connection

    def within(self, db: Database, nudge: Nudge, *, kept: bool) -> Edge:
        """The same, in another database, by whom others are nudged in another way."""
        return replace(self, services=replace(self.services, db=db, nudge=nudge), kept=kept)
