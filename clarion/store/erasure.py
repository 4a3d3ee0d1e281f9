"""Forgetting a person. What stays says nothing about them without the workspace's pepper: the contact's
id, the keyed hashes of who they were and of what they refused, and the ledger's rows."""

from __future__ import annotations

from datetime import datetime
from typing import LiteralString
from uuid import UUID

from clarion.errors import NotFound
from clarion.kit.db import Connection
from clarion.store import intake, spoken, withdraw

_STEPS: tuple[LiteralString, ...] = (
    # What was said to them is rendered from these; how often and when stays in the ledger.
    """UPDATE attempt a SET variables = NULL, detail = NULL FROM enrollment e, message m
       WHERE (e.subject_id = ANY (%(family)s) OR e.contact_id = ANY (%(family)s))
         AND m.enrollment_id = e.id AND a.message_id = m.id
         AND (a.variables IS NOT NULL OR a.detail IS NOT NULL)""",
    """UPDATE inbound SET text = '', address = '', payload = '' WHERE contact_id = ANY (%(family)s)
         OR (contact_id IS NULL AND address IN (
           SELECT scheme || ':' || value FROM address WHERE contact_id = ANY (%(family)s)))""",
    "DELETE FROM address WHERE contact_id = ANY (%(family)s)",
    "DELETE FROM invalid_address WHERE contact_id = ANY (%(family)s)",
    "DELETE FROM group_member WHERE contact_id = ANY (%(family)s)",
    "DELETE FROM case_contact WHERE contact_id = ANY (%(family)s)",
    "DELETE FROM pushed_person WHERE contact_id = ANY (%(family)s)",  # it holds a date of theirs
    """UPDATE contact SET status = 'erased', external_id = NULL, name = '', folded_name = '',
         language = NULL, country = NULL, timezone = NULL, fields = '{}', channel_id = NULL,
         modified_at = %(now)s
       WHERE id = ANY (%(family)s)""",
)


async def erase(connection: Connection, contact_id: UUID, now: datetime) -> int:
    """Forget a person, with all contacts that were merged into theirs; how many waiting messages were
    skipped as `erased`. Erasing again changes nothing. Raises NotFound.

    Whoever is imported again by the same external id, or address and name, is the same contact again,
    so that what was sent to them once is not sent twice.
    """
    await intake.take_turn(connection)
    cursor = await connection.execute(
        """SELECT f.id FROM contact c JOIN contact f
             ON coalesce(f.merged_into, f.id) = coalesce(c.merged_into, c.id)
           WHERE c.id = %s ORDER BY f.id FOR UPDATE""",
        (contact_id,),
    )
    family = [found[0] for found in await cursor.fetchall()]
    if not family:
        raise NotFound("there is no such contact", where="contact")
    await spoken.forget(connection, family)  # before their queue, as an intent does
    withdrawn = await withdraw.withdraw(connection, family, "skipped", "erased", now)
    for step in _STEPS:
        await connection.execute(step, {"family": family, "now": now})
    return withdrawn
