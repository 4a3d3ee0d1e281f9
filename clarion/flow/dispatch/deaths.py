"""Which workers certainly make no call any more, and since when.

A proof is written down, so that machines that could not tell by themselves may count on it, and so that
patience runs from the proof: a stopped process (SIGSTOP) that woke, sent and died did not die when it
fell silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from clarion.kit import process
from clarion.kit.db import Connection
from clarion.store import worker
from clarion.store.worker import Worker

SILENT = timedelta(seconds=60)  # what would beat every second or so, if it were a copy of this machine


def proven(one: Worker, now: datetime) -> bool:
    """Whether this machine can prove that the worker is dead."""
    silent = now - one.seen_at > SILENT
    return process.proven_dead(one.host, one.boot, one.pid, one.born, silent=silent)


async def ended(connection: Connection, some: Collection[Worker], now: datetime) -> dict[UUID, datetime]:
    """Those of `some` that have ended, and since when that is known; a new proof is written down."""
    living = [one for one in some if one.ended_at is None]
    known = {one.id: one.ended_at for one in some if one.ended_at is not None}
    dead = await asyncio.to_thread(lambda: [one.id for one in living if proven(one, now)])
    if dead:
        await worker.bury(connection, dead, now)
    return known | dict.fromkeys(dead, now)
