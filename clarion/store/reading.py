"""How far the lists of a system were read that people are brought from.

A list is read by when its rows changed, oldest first, in passes: from `since` to the end, page by page. Each
page is noted in the transaction that stored it, so that a pass that was killed goes on where it stood.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from clarion.errors import Conflict
from clarion.kit.db import Connection


@dataclass(frozen=True, slots=True)
class Place:
    """Where the reading of a list stands. `mark`: whatever changed before was read; None: never to the end.
    `since` is where the pass under way began (None: with the first row of all), `cursor` its next page
    (empty: the first), `newest` the latest change that it came to."""

    mark: datetime | None
    under_way: bool
    since: datetime | None
    cursor: str
    newest: datetime | None


async def place(connection: Connection, channel_id: UUID, name: str) -> Place:
    """Where this list of this channel stands; held until the transaction ends."""
    await connection.execute(
        """INSERT INTO reading (channel_id, list, workspace_id) VALUES (%s, %s, clarion_workspace())
           ON CONFLICT DO NOTHING""",
        (channel_id, name),
    )
    async with connection.cursor(row_factory=class_row(Place)) as cursor:
        await cursor.execute(
            """SELECT mark, under_way, since, cursor, newest FROM reading
               WHERE channel_id = %s AND list = %s FOR NO KEY UPDATE""",
            (channel_id, name),
        )
        found = await cursor.fetchone()
    assert found is not None
    return found


async def begin(connection: Connection, channel_id: UUID, name: str, since: datetime | None) -> Place:
    """Begin a pass, or begin it anew."""
    await connection.execute(
        """UPDATE reading SET under_way = true, since = %s, cursor = '', newest = NULL
           WHERE channel_id = %s AND list = %s""",
        (since, channel_id, name),
    )
    return await place(connection, channel_id, name)


async def hold(connection: Connection, channel_id: UUID, name: str, cursor: str) -> None:
    """Hold the pass, which must stand at this page. Raises Conflict: somebody else reads the same list."""
    stands = await place(connection, channel_id, name)
    if not stands.under_way or stands.cursor != cursor:
        raise Conflict(
            "somebody else brings people over this channel", where="channel", hint="leave it to that one"
        )


async def advance(
    connection: Connection, channel_id: UUID, name: str, cursor: str, newest: datetime | None
) -> None:
    """A page was stored, whose latest change is `newest`; the next one is at `cursor`, and none where that
    is empty: then the pass has ended."""
    await connection.execute(
        """UPDATE reading SET cursor = %(cursor)s, newest = greatest(newest, %(newest)s),
             under_way = %(cursor)s <> '',
             mark = CASE WHEN %(cursor)s = '' THEN greatest(mark, newest, %(newest)s) ELSE mark END
           WHERE channel_id = %(channel)s AND list = %(list)s""",
        {"cursor": cursor, "newest": newest, "channel": channel_id, "list": name},
    )


async def forget(connection: Connection, channel_id: UUID) -> None:
    """Read all lists of this channel from their beginning next time."""
    await connection.execute("DELETE FROM reading WHERE channel_id = %s", (channel_id,))
