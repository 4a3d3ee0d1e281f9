"""Recipients as SQL: whom an alert speaks to of a case `k`, with what decides when they hear it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString, NamedTuple
from uuid import UUID

from psycopg.rows import args_row, tuple_row

from clarion.domain.alert import Linked, OfGroup, Own, Recipient, Staff
from clarion.domain.criteria import All
from clarion.domain.leaf import Comparison, Op
from clarion.kit.db import Connection
from clarion.store import reach
from clarion.store.case_criteria import OWNING_GROUP
from clarion.store.criteria import Frame, Values, below, compiled
from clarion.store.entering import VALUES

# The contact whom a case is about: whom the first of its address properties, by key, names.
_OWN: LiteralString = """JOIN case_contact l ON l.case_id = x.id AND l.role = (
    SELECT r.role FROM case_contact r
    JOIN case_property a ON a.type_id = x.type_id AND a.key = r.role AND a.kind = 'address'
    WHERE r.case_id = x.id ORDER BY r.role COLLATE "C" LIMIT 1)"""
_RELATED: Mapping[str, LiteralString] = {
    "case": "x.id = k.id",
    "parent": "x.workspace_id = clarion_workspace() AND x.external_id = k.parent AND x.state <> 'deleted'",
    "host": "x.workspace_id = clarion_workspace() AND x.external_id = k.host AND x.state <> 'deleted'",
    "children": "x.workspace_id = clarion_workspace() AND x.parent = k.external_id AND x.state = 'open'",
}
# Everybody of the group that owns the case, and of those below it. Where no group has an external id, nobody
# looks for one case by case.
_OF_OWNING_GROUP: LiteralString = f"""SELECT gm.contact_id AS id FROM (
      WITH RECURSIVE below AS (
        SELECT g.id {OWNING_GROUP} AND (SELECT EXISTS (SELECT FROM contact_group any_one
          WHERE any_one.workspace_id = (SELECT clarion_workspace()) AND any_one.external_id IS NOT NULL))
        UNION SELECT g.id FROM contact_group g JOIN below b ON g.parent_id = b.id)
      SELECT id FROM below) b JOIN group_member gm ON gm.group_id = b.id"""
_STAFF: Mapping[str, LiteralString] = {"owner": "k.owner", "modified_by": "k.modified_by"}


def people(
    recipients: Sequence[Recipient], only: Mapping[str, Sequence[str]], read_in: Frame, values: Values,
    *, keys: Sequence[str],
) -> LiteralString:  # fmt: skip
    """The query of one row, `people`: [[contact, zone, whether they opted out, values of the fields `keys`],
    …] of case `k`, by contact, each once; null where there is nobody. Its other parameters are `keys` and
    `schemes`."""
    named = " UNION ALL ".join(_named(one, values) for one in recipients)
    told: LiteralString = VALUES if keys else "'{}'::text[]"
    return f"""SELECT jsonb_agg(jsonb_build_array(c.id, coalesce(c.timezone, ''),
    {reach.opted_out("a.consent_key")}, to_jsonb({told})) ORDER BY c.id) AS people
  FROM (SELECT DISTINCT ON (m.id) m.* FROM ({named}) n CROSS JOIN LATERAL (
    SELECT * FROM contact WHERE contact.id = n.id LIMIT 1) o CROSS JOIN LATERAL ({_MERGED}) m
    WHERE m.status = 'active' ORDER BY m.id) c
  LEFT JOIN LATERAL ({reach.address("c.id")}) a ON true
  WHERE {_among(only, read_in, values)}"""


# Who contact `o` is now. Of who was not merged nothing is looked up again.
_MERGED: LiteralString = """SELECT o.* WHERE o.merged_into IS NULL UNION ALL (
    SELECT * FROM contact WHERE contact.id = o.merged_into LIMIT 1)"""


def _named(one: Recipient, values: Values) -> LiteralString:
    match one:
        case Linked():
            return f"""SELECT l.contact_id AS id FROM case_contact l
      WHERE l.case_id = k.id AND l.role = {values.add(one.role)}::text"""
        case Own():
            return f"""SELECT l.contact_id AS id FROM "case" x {_OWN} WHERE {_RELATED[one.to]}"""
        case Staff():
            person: LiteralString = f"""SELECT s.id FROM contact s
      WHERE s.workspace_id = clarion_workspace() AND s.external_id = {_STAFF[one.to]}"""
            return f"{person} UNION ALL {_OF_OWNING_GROUP}" if one.to == "owner" else person
        case OfGroup():
            return f"""SELECT gm.contact_id AS id FROM group_member gm
      WHERE gm.group_id = ANY ({below([one.group_id], values)})"""


def _among(only: Mapping[str, Sequence[str]], read_in: Frame, values: Values) -> LiteralString:
    if not only:
        return "true"
    wanted = tuple(Comparison(field=key, op=Op.IN, value=tuple(some)) for key, some in only.items())
    return compiled(All(all=wanted), read_in, values)


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody whom one of an alert's recipients (`place`) names: where they would be reached (`address`, a
    URN), and what may keep them from it. `unmet`: the fields that `only` asks for and that say something
    else; `unreadable`: an address of theirs could not be read. The fields stand in the order in which the
    statement names them."""

    place: int
    contact_id: UUID
    external_id: str | None
    name: str
    status: str
    unmet: list[str]
    address: str | None
    opted_out: bool
    unreadable: bool


async def named(
    connection: Connection, case_id: UUID, recipients: Sequence[Recipient],
    only: Mapping[str, Sequence[str]], read_in: Frame, schemes: Sequence[str], limit: int,
) -> list[Named]:  # fmt: skip
    """Whom each of these names of a case, as `people` finds them, whether they hear of it or not."""
    values = Values()
    each = " UNION ALL ".join(
        f"SELECT {values.add(place)}::int AS place, i.id FROM ({_named(one, values)}) i"
        for place, one in enumerate(recipients)
    )
    unmet = ", ".join(
        f"CASE WHEN NOT {_among({key: some}, read_in, values)} THEN {values.add(key)}::text END"
        for key, some in only.items()
    )
    async with connection.cursor(row_factory=args_row(Named)) as cursor:
        await cursor.execute(
            f"""SELECT d.place, c.id, c.external_id, coalesce(c.name, ''), c.status,
                  array_remove(ARRAY[{unmet}]::text[], NULL), a.scheme || ':' || a.value,
                  {reach.opted_out("a.consent_key")},
                  EXISTS (SELECT FROM invalid_address v WHERE v.contact_id = c.id OFFSET 0)
                FROM (SELECT * FROM "case" WHERE id = %(case)s LIMIT 1) k
                CROSS JOIN LATERAL (
                  SELECT DISTINCT n.place, coalesce(o.merged_into, o.id) AS id FROM ({each}) n
                  CROSS JOIN LATERAL (
                    SELECT id, merged_into FROM contact WHERE contact.id = n.id LIMIT 1) o) d
                CROSS JOIN LATERAL (SELECT * FROM contact WHERE contact.id = d.id LIMIT 1) c
                LEFT JOIN LATERAL ({reach.address("c.id", ", address.scheme, address.value")}) a ON true
                ORDER BY d.place, c.id LIMIT %(limit)s""",
            {**values.params, "case": case_id, "schemes": list(schemes), "limit": limit},
        )
        return await cursor.fetchall()


class Pair(NamedTuple):
    """A case and somebody who hears of it, by their names; the contact's zone, "" where it is not known."""

    case: str
    case_name: str
    external_id: str | None
    name: str
    zone: str


async def names(connection: Connection, some: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Pair]:
    """Of each of these (case, contact) what they are called."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT k.id, c.id, k.external_id, k.name, c.external_id, coalesce(c.name, ''),
                 coalesce(c.timezone, '')
               FROM unnest(%s::uuid[], %s::uuid[]) AS w(case_id, contact_id)
               CROSS JOIN LATERAL (SELECT * FROM "case" WHERE "case".id = w.case_id LIMIT 1) k
               CROSS JOIN LATERAL (SELECT * FROM contact WHERE contact.id = w.contact_id LIMIT 1) c""",
            ([case_id for case_id, _ in some], [contact_id for _, contact_id in some]),
        )
        return {(one[0], one[1]): Pair(*one[2:]) for one in await cursor.fetchall()}
