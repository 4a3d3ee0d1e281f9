"""Cases as they are read: one, several, a page, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from clarion.errors import NotFound
from clarion.kit.db import Connection, Row, row, rows

_SHOWN: LiteralString = """
SELECT c.id, t.name AS type, c.external_id, c.name, c.state, c.properties, c.changed, c.owner, c.modified_by,
  c.parent, c.host, c.opened_at, c.closed_at, c.modified_at, c.stored_at,
  coalesce((SELECT jsonb_object_agg(r.role, r.people) FROM (
      SELECT l.role, jsonb_agg(jsonb_build_object('id', p.id, 'external_id', p.external_id, 'name', p.name)
        ORDER BY p.id) AS people
      FROM case_contact l JOIN contact p ON p.id = l.contact_id
      WHERE l.case_id = c.id GROUP BY l.role) r), '{}') AS contacts
"""
_ONE: LiteralString = _SHOWN + """FROM "case" c JOIN case_type t ON t.id = c.type_id WHERE """


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases are looked for; None: any. Deleted ones only where `state` says so."""

    type_id: UUID | None = None
    state: str | None = None
    owner: str | None = None
    parent: str | None = None
    host: str | None = None
    external_id: str | None = None
    contact_id: UUID | None = None
    key: str | None = None
    value: str | None = None
    modified_since: datetime | None = None


async def get(connection: Connection, case: str) -> Row:
    """One case by its id or its external id, whatever became of it: {id, type (its name), external_id, name,
    state (open, closed, deleted), properties, changed: {key: moment}, owner, modified_by, parent, host,
    opened_at, closed_at, modified_at, stored_at, contacts: {role: [{id, external_id, name}]}}.
    Raises NotFound."""
    found = None
    if (identifier := as_uuid(case)) is not None:
        found = await row(connection, _ONE + "c.id = %s", (identifier,))
    if found is None:
        found = await row(
            connection,
            _ONE + "c.workspace_id = clarion_workspace() AND c.external_id = %s",
            (case,),
        )
    if found is None:
        raise NotFound("there is no such case", where="case", hint="Name it by its id or its external id.")
    return found


async def page(
    connection: Connection, wanted: Wanted, after: UUID | None = None, limit: int = 100
) -> list[Row]:
    """Cases by id after a cursor, as `get` shows them. A property is compared as the text that it is."""
    # type by type, since these are the workspace's, and each has its cases in the order of their ids
    return await rows(
        connection,
        _SHOWN
        + """FROM case_type t CROSS JOIN LATERAL (
             SELECT * FROM "case" c WHERE c.type_id = t.id AND (%(after)s::uuid IS NULL OR c.id > %(after)s)
               AND CASE WHEN %(state)s::text IS NULL THEN c.state <> 'deleted' ELSE c.state = %(state)s END"""
        + _narrowed(wanted)
        + """ ORDER BY c.id LIMIT %(limit)s) c
             WHERE %(type_id)s::uuid IS NULL OR t.id = %(type_id)s ORDER BY c.id LIMIT %(limit)s""",
        {"after": after, "limit": limit, **{name: getattr(wanted, name) for name in Wanted.__slots__}},
    )


def _narrowed(wanted: Wanted) -> LiteralString:
    asked: LiteralString = ""
    if wanted.owner is not None:
        asked += " AND c.workspace_id = clarion_workspace() AND c.owner = %(owner)s"
    if wanted.parent is not None:
        asked += " AND c.workspace_id = clarion_workspace() AND c.parent = %(parent)s"
    if wanted.host is not None:
        asked += " AND c.workspace_id = clarion_workspace() AND c.host = %(host)s"
    if wanted.external_id is not None:
        asked += " AND c.workspace_id = clarion_workspace() AND c.external_id = %(external_id)s"
    if wanted.contact_id is not None:
        asked += """ AND c.id IN (SELECT case_id FROM case_contact WHERE contact_id = %(contact_id)s)"""
    if wanted.key is not None:
        asked += " AND c.properties ->> %(key)s = %(value)s"
    if wanted.modified_since is not None:
        asked += " AND c.modified_at >= %(modified_since)s"
    return asked


async def history(
    connection: Connection, case_id: UUID, before: UUID | None = None, limit: int = 100
) -> list[Row]:
    """What became of a case, the newest first, before a cursor: {id, at (where it was written), stored_at,
    by, how, changes: {key: [before, after]}}. That it was opened is no change."""
    return await rows(
        connection,
        """SELECT id, at, stored_at, by, how, changes FROM case_change
           WHERE case_id = %(case)s AND (%(before)s::uuid IS NULL OR id < %(before)s)
           ORDER BY id DESC LIMIT %(limit)s""",
        {"case": case_id, "before": before, "limit": limit},
    )


def as_uuid(text: str) -> UUID | None:
    """The id that this spells, or None."""
    try:
        return UUID(text) if len(text) in (32, 36) else None
    except ValueError:
        return None
