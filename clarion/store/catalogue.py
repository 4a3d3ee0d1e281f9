"""Catalogues: the templates that a channel's provider keeps, as they were when they were last read.

A row of a catalogue is {channel_id, source, read_at, tried_at, problem}.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from clarion.domain.catalogue import Kept, Shape
from clarion.kit.db import Connection, Row, row, rows


async def get(connection: Connection, channel_id: UUID) -> Row | None:
    """When this channel's templates were last read, or asked for in vain; None: never."""
    return await row(
        connection,
        "SELECT channel_id, source, read_at, tried_at, problem FROM catalogue WHERE channel_id = %s",
        (channel_id,),
    )


async def templates(connection: Connection, channel_id: UUID) -> list[Kept]:
    """Those of the last reading, by name and language."""
    found = await rows(
        connection,
        """SELECT name, language, category, status, shape FROM template
           WHERE channel_id = %s ORDER BY name, language""",
        (channel_id,),
    )
    return [
        Kept(one["name"], one["language"], one["category"], one["status"], _shape(one["shape"]))
        for one in found
    ]


async def category(connection: Connection, channel_id: UUID, name: str, language: str) -> str | None:
    """What the provider holds a template for (MARKETING, UTILITY, AUTHENTICATION); None: not known here."""
    found = await row(
        connection,
        "SELECT category FROM template WHERE channel_id = %s AND name = %s AND language = %s",
        (channel_id, name, language),
    )
    return found["category"] if found else None


async def replace(
    connection: Connection, channel_id: UUID, source: str, kept: Sequence[Kept], now: datetime
) -> None:
    """These are the templates now, and no others."""
    await _note(connection, channel_id, source, now, read=True)
    await connection.execute("DELETE FROM template WHERE channel_id = %s", (channel_id,))
    await connection.execute(
        """INSERT INTO template (workspace_id, channel_id, name, language, category, status, shape)
           SELECT clarion_workspace(), %s, * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[],
             %s::jsonb[]) ON CONFLICT DO NOTHING""",
        (
            channel_id,
            [one.name for one in kept],
            [one.language for one in kept],
            [one.category for one in kept],
            [one.status for one in kept],
            [Jsonb(asdict(one.shape)) for one in kept],
        ),
    )


async def failed(connection: Connection, channel_id: UUID, source: str, problem: str, now: datetime) -> None:
    """They were asked for in vain; those of before stay, where they are of the same account."""
    await _note(connection, channel_id, source, now, problem=problem)


async def _note(
    connection: Connection,
    channel_id: UUID,
    source: str,
    now: datetime,
    *,
    read: bool = False,
    problem: str = "",
) -> None:
    # the row's lock is also the turn of whoever writes the templates
    await connection.execute(
        """INSERT INTO catalogue AS c (channel_id, workspace_id, source, read_at, tried_at, problem)
           VALUES (%(channel)s, clarion_workspace(), %(source)s, %(read)s, %(now)s, %(problem)s)
           ON CONFLICT (channel_id) DO UPDATE SET source = excluded.source, tried_at = excluded.tried_at,
             problem = excluded.problem, read_at = coalesce(
               excluded.read_at, CASE WHEN c.source = excluded.source THEN c.read_at END)""",
        {
            "channel": channel_id, "source": source, "read": now if read else None, "now": now,
            "problem": problem,
        },
    )  # fmt: skip


def _shape(stored: dict[str, Any]) -> Shape:
    return Shape(**{**stored, "buttons": tuple(stored["buttons"])})
