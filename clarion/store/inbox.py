"""The inbox: providers' calls as they came, committed before they are answered, read afterwards.

Nothing is made of a body before it is durable, so a fault in reading it loses nothing: it is kept, with
the problem, for a person to look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row, tuple_row

from clarion.kit.db import Connection


@dataclass(frozen=True, slots=True)
class Body:
    """One call on its way in: its body, and what else of it is read later. `id` is a uuidv7 of
    `received_at`, `query` what stood behind the question mark, as it came."""

    id: UUID
    channel_id: UUID
    received_at: datetime
    body: bytes
    method: str = "POST"
    query: str = ""
    content_type: str = ""

    @property
    def size(self) -> int:
        """About how many bytes it keeps."""
        return len(self.body) + len(self.query)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that is to be read."""

    id: UUID
    received_at: datetime
    body: bytes
    method: str
    query: str
    content_type: str


async def put(connection: Connection, bodies: Sequence[Body]) -> None:
    """Keep bodies of the transaction's workspace, however many, in one statement."""
    await connection.execute(
        """INSERT INTO inbox (id, workspace_id, channel_id, received_at, body, method, query, content_type)
           SELECT id, clarion_workspace(), channel_id, received_at, body, method, query, content_type
           FROM unnest(%b::uuid[], %b::uuid[], %b::timestamptz[], %b::bytea[], %b::text[], %b::text[],
               %b::text[])
             AS b(id, channel_id, received_at, body, method, query, content_type)""",
        (
            [b.id for b in bodies],
            [b.channel_id for b in bodies],
            [b.received_at for b in bodies],
            [b.body for b in bodies],
            [b.method for b in bodies],
            [b.query for b in bodies],
            [b.content_type for b in bodies],
        ),
        prepare=True,
    )


async def workspace_of(connection: Connection, channel_id: UUID) -> UUID | None:
    """Whose channel this is, whatever workspace it is of; needs no tenant."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute("SELECT clarion_channel_workspace(%s)", (channel_id,), prepare=True)
        found = await cursor.fetchone()
    return found[0] if found else None


async def waiting(connection: Connection) -> list[tuple[UUID, UUID]]:
    """(workspace, channel) of every channel with something to read, over all workspaces."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute("SELECT workspace_id, channel_id FROM clarion_waiting_inboxes()", prepare=True)
        return await cursor.fetchall()


async def take(connection: Connection, channel_id: UUID, *, limit: int, most_bytes: int) -> list[Waiting]:
    """Bodies to read, oldest first, locked until the transaction ends; others take the next ones.

    At most `limit`, and no more after their sizes have reached `most_bytes`.
    """
    async with connection.cursor(row_factory=class_row(Waiting), binary=True) as cursor:
        await cursor.execute(
            """WITH mine AS MATERIALIZED (
                 SELECT id, received_at, body, method, query, content_type,
                   octet_length(body) + octet_length(query) AS size
                 FROM inbox WHERE channel_id = %(channel)s AND done_at IS NULL
                 ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
               )
               SELECT id, received_at, body, method, query, content_type FROM (
                 SELECT *, sum(size) OVER (ORDER BY id) - size AS before FROM mine
               ) sized WHERE before < %(bytes)s ORDER BY id""",
            {"channel": channel_id, "limit": limit, "bytes": most_bytes},
            prepare=True,
        )
        return await cursor.fetchall()


async def done(connection: Connection, read: Sequence[tuple[UUID, str | None]], now: datetime) -> None:
    """These were read: (id, the problem where there was one)."""
    await connection.execute(
        """UPDATE inbox SET done_at = %s, problem = r.problem
           FROM unnest(%b::uuid[], %b::text[]) AS r(id, problem) WHERE inbox.id = r.id""",
        (now, [id for id, _ in read], [problem for _, problem in read]),
        prepare=True,
    )


async def depth(connection: Connection, channel_id: UUID) -> int:
    """How many bodies of a channel wait to be read."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            "SELECT count(*) FROM inbox WHERE channel_id = %s AND done_at IS NULL", (channel_id,)
        )
        found = await cursor.fetchone()
    return int(found[0]) if found else 0
