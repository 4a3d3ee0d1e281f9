"""What an alert's content may say of a case: its properties and attributes, and those of its links."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import tuple_row

from clarion.kit.db import Connection


def _told(case: LiteralString) -> LiteralString:
    """A case's properties, and over them its attributes."""
    return f"""{case}.properties || jsonb_build_object('name', {case}.name, 'external_id', {case}.external_id,
      'state', {case}.state, 'opened_at', {case}.opened_at, 'closed_at', {case}.closed_at,
      'modified_at', {case}.modified_at)"""


_AND_LINKS: LiteralString = """FROM unnest(%s::uuid[], %s::date[]) AS w(id, cohort)
CROSS JOIN LATERAL (
  SELECT enrollment_id FROM message WHERE message.id = w.id AND message.cohort = w.cohort LIMIT 1) m
CROSS JOIN LATERAL (SELECT case_id FROM enrollment WHERE enrollment.id = m.enrollment_id LIMIT 1) e
CROSS JOIN LATERAL (SELECT * FROM "case" WHERE "case".id = e.case_id LIMIT 1) k
LEFT JOIN LATERAL (SELECT * FROM "case" x
  WHERE x.workspace_id = clarion_workspace() AND x.external_id = k.parent LIMIT 1) p ON true
LEFT JOIN LATERAL (SELECT * FROM "case" x
  WHERE x.workspace_id = clarion_workspace() AND x.external_id = k.host LIMIT 1) h ON true
LEFT JOIN LATERAL (SELECT id, name FROM contact c
  WHERE c.workspace_id = clarion_workspace() AND c.external_id = k.owner LIMIT 1) o ON true
LEFT JOIN LATERAL (SELECT name FROM contact_group x
  WHERE x.workspace_id = clarion_workspace() AND x.external_id = k.owner AND o.id IS NULL LIMIT 1) g ON true
LEFT JOIN LATERAL (SELECT id, name FROM contact c
  WHERE c.workspace_id = clarion_workspace() AND c.external_id = k.modified_by LIMIT 1) b ON true"""
_OF_MESSAGES: LiteralString = f"""SELECT w.id, {_told("k")} || jsonb_strip_nulls(jsonb_build_object(
  'parent', CASE WHEN p.id IS NOT NULL THEN {_told("p")} END,
  'host', CASE WHEN h.id IS NOT NULL THEN {_told("h")} END,
  'owner', jsonb_build_object('name', coalesce(nullif(o.name, ''), g.name, k.owner)),
  'last_modified_by', jsonb_build_object('name', coalesce(nullif(b.name, ''), k.modified_by))))
{_AND_LINKS}"""
_LINKS: LiteralString = f"""SELECT w.id, k.id, array_remove(ARRAY[k.id, p.id, h.id], NULL),
  array_remove(ARRAY[o.id, b.id], NULL) {_AND_LINKS}"""
# Whoever is being written just now is left out, so that this waits for nobody.
_KEEP = (
    """SELECT c.id FROM unnest(%s::uuid[]) AS i(id) CROSS JOIN LATERAL (
         SELECT k.id FROM "case" k WHERE k.id = i.id LIMIT 1 FOR SHARE SKIP LOCKED) c""",
    """SELECT c.id FROM unnest(%s::uuid[]) AS i(id) CROSS JOIN LATERAL (
         SELECT k.id FROM contact k WHERE k.id = i.id LIMIT 1 FOR SHARE SKIP LOCKED) c""",
)


async def of_messages(
    connection: Connection, wanted: Sequence[tuple[UUID, date]]
) -> dict[UUID, dict[str, Any]]:
    """Of each of these messages (id, cohort) that is about a case what is known of it: {"name", …, "parent":
    {…}, "host": {…}, "owner": {"name"}, "last_modified_by": {"name"}}."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_OF_MESSAGES, ([id for id, _ in wanted], [cohort for _, cohort in wanted]))
        return dict(await cursor.fetchall())


async def keep(connection: Connection, wanted: Sequence[tuple[UUID, date]]) -> dict[UUID, UUID]:
    """Of these messages those that are about a case, with it, where nobody is writing it or what it is linked
    to; these stay as they are until the transaction ends."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_LINKS, ([id for id, _ in wanted], [cohort for _, cohort in wanted]))
        found = await cursor.fetchall()
        kept: set[UUID] = set()
        for statement, place in zip(_KEEP, (2, 3), strict=True):
            await cursor.execute(statement, (sorted({id for one in found for id in one[place]}),))
            kept.update(one[0] for one in await cursor.fetchall())
    return {message: case for message, case, cases, people in found if kept.issuperset((*cases, *people))}
