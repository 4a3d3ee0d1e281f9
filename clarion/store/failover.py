"""A database that took over from another, or was wound back, sends nothing until a person has looked.

What was committed last may be missing there, and what waits there may have gone out already (DESIGN,
ledger rule 6). PostgreSQL begins a new timeline whenever a standby is promoted or a backup is recovered
to a point in time, so every new connection compares cluster and timeline with what the ledger last saw,
before it is used for anything: no intent can come before the comparison. A copy of the files that is
simply started has the old timeline; a process that lives on sees that such a server's log went back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import psycopg

from clarion.kit.clock import Clock
from clarion.kit.db import Connection, row, rows
from clarion.kit.log import logger
from clarion.store import event, notice, restored

REASON: Final = (
    "the database failed over or was wound back: what was sent last may be missing in it and would be sent "
    "again. Compare with the provider, cancel what went out already, then resume"
)
log = logger(__name__)


@dataclass(slots=True)
class Greeter:
    """Looks at every new connection of one process. `clock` dates what is written."""

    clock: Clock
    _seen: str = "0/0"  # how far the server's log was known to be on the disk

    async def __call__(self, connection: Connection) -> None:
        """Pause every channel where the server is not the one that the ledger knows.

        Raises psycopg.OperationalError on a standby, which may be promoted yet.
        """
        async with connection.transaction():
            if await row(connection, "SELECT FROM pg_class WHERE oid = to_regclass('public.server')") is None:
                return  # before the first migration
            found = await self._identity(connection)
            if found is None:
                return
            identity, log_end, back = found
            known = await row(connection, "SELECT identity FROM server")
            if known is None or known["identity"] != identity or back:
                await self._meet(connection, identity, back=back)
        self._seen = log_end

    async def _identity(self, connection: Connection) -> tuple[str, str, bool] | None:
        """The cluster and timeline, how far its log is written, and whether that was further before."""
        try:
            async with connection.transaction():
                found = await row(
                    connection,
                    """SELECT s.system_identifier || '/' || left(pg_walfile_name(here), 8) AS identity,
                         here::text AS log_end, here < %s::pg_lsn AS back
                       FROM pg_control_system() s, pg_current_wal_flush_lsn() here""",
                    (self._seen,),
                )
        except psycopg.errors.ObjectNotInPrerequisiteState as error:
            raise psycopg.OperationalError("this server is a standby") from error
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported) as error:
            log.warning("this server does not say which it is; a failover is not noticed", why=str(error))
            return None
        assert found is not None
        return found["identity"], found["log_end"], found["back"]

    async def _meet(self, connection: Connection, identity: str, *, back: bool) -> None:
        """Make its acquaintance: at first just so; later, all channels pause. One connection at a time."""
        now = self.clock.now()
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('clarion server', 0))")
        known = await row(connection, "SELECT identity FROM server")
        if known is None:
            await connection.execute("INSERT INTO server (identity, since) VALUES (%s, %s)", (identity, now))
            return
        if known["identity"] == identity and not back:
            return  # another connection was first
        paused = 0
        for one in await rows(connection, "SELECT workspace_id FROM clarion_workspaces()"):
            paused += await self._pause(connection, one["workspace_id"])
        # A flight recorder tells of what the other server had: of this one's attempts it proves nothing.
        await connection.execute("UPDATE worker SET flight = ''")
        await connection.execute("UPDATE server SET identity = %s, since = %s", (identity, now))
        log.error("the database failed over or was wound back; channels are paused", paused=paused)

    async def _pause(self, connection: Connection, workspace_id: UUID) -> int:
        """Pause one workspace's channels and free them of their owners; how many were active."""
        now = self.clock.now()
        await connection.execute("SELECT set_config('clarion.workspace', %s, true)", (str(workspace_id),))
        words = {"why": REASON, "now": now}
        done = await rows(connection, restored.PAUSE + " RETURNING id", words)
        await event.of_channels(connection, [one["id"] for one in done], "paused", now, REASON)
        await connection.execute(restored.WARN, words)
        await connection.execute("UPDATE channel_owner SET epoch = epoch + 1, worker_id = NULL")
        if done:
            await notice.put(
                connection, workspace_id, cause="database", level="error", now=now,
                text="The database failed over or was wound back; resume the channels when you have looked.",
            )  # fmt: skip
        return len(done)
