"""Nudges between the processes of one database: look now, rather than at your next look.

A nudge is a word without promise: everybody who listens also looks now and then by itself, so one that is
lost (a connection that broke, a pooler that knows no LISTEN) costs a little time and nothing else. They
go by PostgreSQL's NOTIFY, each word at most once in `APART` seconds a process: a commit that notifies
waits for every other that does.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import uuid4

import psycopg

from clarion.kit.db import Connection, Database, conninfo
from clarion.kit.log import logger

TOPIC = "clarion"
APART = 0.05
AGAIN = 5.0  # seconds until it is tried anew to listen
log = logger(__name__)


@dataclass(slots=True)
class Nudges:
    """One a process. `send` never waits and never fails; whoever listens here hears it at once."""

    db: Database
    _me: str = field(default_factory=lambda: uuid4().hex)
    _heard_by: dict[str, list[Callable[[str], None]]] = field(default_factory=lambda: defaultdict(list))
    _waiting: dict[str, None] = field(default_factory=dict)
    _some: asyncio.Event = field(default_factory=asyncio.Event)

    def on(self, kind: str, heard: Callable[[str], None]) -> None:
        """Have `heard(rest)` called for every word `kind:rest`, from this process or another."""
        self._heard_by[kind].append(heard)

    def send(self, kind: str, rest: str = "") -> None:
        """Nudge whoever cares, everywhere."""
        self._tell(kind, rest)
        self._waiting[f"{kind}:{rest}"] = None
        self._some.set()

    async def pass_on(self) -> None:
        """Send on to the other processes, until cancelled."""
        while True:
            await self._some.wait()
            self._some.clear()
            words, self._waiting = [f"{self._me}:{word}" for word in self._waiting], {}
            with suppress(Exception):
                async with self.db.glance() as connection:
                    await connection.execute(
                        "SELECT pg_notify(%s, word) FROM unnest(%s::text[]) AS w(word)", (TOPIC, words)
                    )
            await asyncio.sleep(APART)

    async def listen(self) -> None:
        """Hear the other processes, until cancelled."""
        while True:
            try:
                await self._hear()
            except Exception as error:  # away, a standby, a pooler that knows no LISTEN, a word that is none
                log.info("nudges are not heard", error=type(error).__name__)
            await asyncio.sleep(AGAIN)

    async def _hear(self) -> None:
        connection: Connection = await psycopg.AsyncConnection.connect(
            conninfo(self.db.url, "clarion nudges"), autocommit=True
        )
        async with connection:
            await connection.execute(f"LISTEN {TOPIC}")
            async for notice in connection.notifies():
                sender, _, word = notice.payload.partition(":")
                if sender != self._me:  # who sent it has told itself
                    kind, _, rest = word.partition(":")
                    self._tell(kind, rest)

    def _tell(self, kind: str, rest: str) -> None:
        for heard in self._heard_by.get(kind, ()):
            heard(rest)
