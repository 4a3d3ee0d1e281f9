"""Some of whom an audience means, as the dispatch would read them, and how many of all are in the window."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg.rows import class_row

from clarion.kit.db import Connection, row
from clarion.store.expansion import Meant
from clarion.store.queue import Waiting

# The person's best address, as the expansion chooses it, where it has not opted out.
_REACHED: LiteralString = """CROSS JOIN LATERAL (
  SELECT address.id, address.scheme, address.value, address.consent_key, address.last_inbound_at FROM address
  WHERE address.contact_id = c.id AND address.status = 'active' AND address.scheme = ANY (%(schemes)s)
  ORDER BY array_position(%(schemes)s, address.scheme), address.position, address.id LIMIT 1) a
WHERE c.workspace_id = clarion_workspace() AND c.status = 'active' AND NOT EXISTS (
  SELECT FROM consent o WHERE o.workspace_id = c.workspace_id AND o.consent_key = a.consent_key
    AND o.state = 'out') AND ("""


async def some(
    connection: Connection, meant: Meant, schemes: Sequence[str], content_id: UUID, limit: int, now: datetime
) -> list[Waiting]:
    """The first who would be reached, in the form of queue rows; nothing is queued."""
    async with connection.cursor(row_factory=class_row(Waiting)) as cursor:
        await cursor.execute(
            """SELECT %(content)s::uuid AS lane_id, %(now)s::timestamptz AS due_at, c.id AS message_id,
                 %(now)s::date AS cohort, c.id AS contact_id, a.id AS address_id, a.consent_key,
                 %(content)s::uuid AS content_version_id, %(now)s::timestamptz AS expires_at, 0 AS tries,
                 NULL::jsonb AS variables, a.scheme, a.value AS address, a.last_inbound_at, c.name,
                 c.language, c.country, c.timezone, c.external_id, c.fields, false AS opted_out,
                 false AS erased
               FROM contact c """
            + _REACHED
            + meant.predicate
            + ") ORDER BY c.id LIMIT %(limit)s",
            {**meant.params, "schemes": list(schemes), "content": content_id, "now": now, "limit": limit},
        )
        return await cursor.fetchall()


async def in_window(connection: Connection, meant: Meant, schemes: Sequence[str], since: datetime) -> int:
    """How many of those who would be reached wrote to us after `since`."""
    found = await row(
        connection,
        "SELECT count(*) AS n FROM contact c "
        + _REACHED
        + meant.predicate
        + ") AND a.last_inbound_at > %(since)s",
        {**meant.params, "schemes": list(schemes), "since": since},
    )
    return int(found["n"]) if found else 0
