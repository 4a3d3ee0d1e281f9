"""Who replied to what alerts said of a case: kept in the transaction that reads the message, and seen by
whoever brings the case in step.

Nothing that others hold is touched, so a reply waits for nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from clarion.kit.db import Connection


class Reply(NamedTuple):
    """Somebody replied to what an alert said to them of a case in this generation of their enrollment."""

    campaign_id: UUID
    case_id: UUID
    contact_id: UUID
    generation: int
    at: datetime


async def is_heeded(connection: Connection) -> bool:
    """Whether any alert of the workspace stops on replies."""
    cursor = await connection.execute(
        """SELECT EXISTS (SELECT FROM campaign WHERE workspace_id = clarion_workspace() AND follows
             AND kind = 'alert' AND definition #> '{replies,stop}' IS NOT NULL)""",
        prepare=True,
    )
    found = await cursor.fetchone()
    return bool(found and found[0])


async def keep(connection: Connection, some: Iterable[Reply]) -> None:
    """Keep these, of each person and case the one to the last generation, and note their cases."""
    last: dict[tuple[UUID, UUID, UUID], Reply] = {}
    for one in sorted(some):
        last[one[:3]] = one
    if not last:
        return
    columns = list(zip(*last.values(), strict=True))
    await connection.execute(
        """WITH kept AS (
             INSERT INTO replied (workspace_id, campaign_id, case_id, contact_id, generation, at)
             SELECT clarion_workspace(), s.* FROM
               unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::int[], %s::timestamptz[]) AS s
             ON CONFLICT (campaign_id, case_id, contact_id) DO UPDATE
               SET generation = excluded.generation, at = excluded.at
               WHERE replied.generation < excluded.generation
             RETURNING case_id)
           INSERT INTO touched_case (workspace_id, case_id)
           SELECT DISTINCT clarion_workspace(), case_id FROM kept""",
        [list(column) for column in columns],
    )
