"""Addresses that lead nowhere any more: by evidence, and not by anybody's wish. Consent is not touched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import tuple_row

from clarion.kit.db import Connection
from clarion.store import withdraw

# In the order of their identifiers, so that two who say the same do not wait for each other for ever. Also
# those that are not used now: coming back in a file does not make them good.
_FORGET = """
WITH gone AS MATERIALIZED (
  SELECT id FROM address
  WHERE workspace_id = clarion_workspace() AND consent_key = ANY (%(keys)s::bytea[])
    AND scheme = ANY (%(schemes)s::text[]) AND status <> 'invalid'
  ORDER BY id FOR NO KEY UPDATE
)
UPDATE address a SET status = 'invalid', status_reason = %(why)s, status_at = %(now)s
FROM gone WHERE a.id = gone.id RETURNING a.id, a.contact_id"""


async def forget(
    connection: Connection, schemes: Sequence[str], keys: Sequence[bytes], now: datetime, *, why: str
) -> int:
    """Use these addresses no more, whoever has them, and withdraw what waits for them; how many there were.

    `keys` are those of consent (`identity.consent_hash`); of a number that is reached by several `schemes`
    only these are gone. `why` is a sentence for people. Doing it again changes nothing.
    """
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_FORGET, {"keys": list(keys), "schemes": list(schemes), "why": why, "now": now})
        found = await cursor.fetchall()
    if found:
        await withdraw.from_places(connection, [one[0] for one in found], {one[1] for one in found}, now)
    return len(found)
