"""What each condition of an alert's criteria says of one case, and what it saw there: by the very text that
the criteria of all cases are compiled to, so that what is explained is what decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import tuple_row

from clarion.domain.case_reading import DATES, declared, read
from clarion.domain.case_view import ATTRIBUTES
from clarion.domain.contact import ATTRIBUTES as OF_CONTACTS
from clarion.domain.criteria import Node
from clarion.domain.field import FieldType
from clarion.domain.leaf import ChangedTo, Comparison, InGroup, Property
from clarion.domain.refusal import Refusal
from clarion.kit.db import Connection
from clarion.store.case_criteria import LINKED, CaseFrame, Compiler, compiled
from clarion.store.criteria import Values

MOST = 50  # people that one condition asks are shown
Leaf = Comparison | InGroup | Property | ChangedTo
_WHOLE = -1


@dataclass(frozen=True, slots=True)
class Looked:
    """What a condition looked at: a case or a contact (`kind`), and the `value` that it has there, as it is
    kept; None: none. Of a case it is `compared_as` a date, a number …, and `read_as` what it reads as then,
    None where it reads as none; `changed_at` is when the property last became something else. `holds`: of a
    contact, whether the condition is true of this one; where it asks for a group, the value are the names of
    theirs."""

    kind: str
    id: UUID
    external_id: str | None
    name: str
    value: Any = None
    compared_as: str | None = None
    read_as: str | None = None
    changed_at: str | None = None
    holds: bool | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Whether a condition holds of the case, the day on which the calendar may turn that, and what it saw."""

    holds: bool
    turns_on: date | None
    looked: Sequence[Looked] = ()


async def judge(
    connection: Connection, criteria: Node, leaves: Sequence[Leaf], read_in: CaseFrame, case_id: UUID
) -> tuple[Found, list[Found]]:
    """The whole, with the case's being open, and each of these leaves of it, in their order."""
    values = Values()
    desk, whole = Compiler(read_in, values), compiled(criteria, read_in, values)
    some: list[LiteralString] = [
        f"""SELECT {values.add(_WHOLE)}::int AS place, {whole.holds} AS t, {whole.turn} AS n,
              NULL::jsonb AS saw"""
    ]
    for place, leaf in enumerate(leaves):
        some.append(
            f"""SELECT {values.add(place)}::int, x.t, nullif(x.n, 'infinity'::date),
                  ({_saw(leaf, desk, values)}) FROM ({desk.verdict(leaf)}) x"""
        )
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            f"""SELECT v.* FROM (SELECT * FROM "case" WHERE id = %(case)s LIMIT 1) k
                CROSS JOIN LATERAL ({" UNION ALL ".join(some)}) v ORDER BY v.place""",
            {**values.params, "case": case_id},
        )
        whole_row, *rest = await cursor.fetchall()
    found = [
        Found(true, turns, [_looked(one, leaf, read_in) for one in saw or ()])
        for leaf, (_, true, turns, saw) in zip(leaves, rest, strict=True)
    ]
    return Found(whole_row[1], whole_row[2]), found


def _looked(one: Mapping[str, Any], leaf: Leaf, read_in: CaseFrame) -> Looked:
    who = (one["kind"], UUID(one["id"]), one["external_id"], one["name"], one["value"])
    if not isinstance(leaf, Property | ChangedTo):
        return Looked(*who, holds=one["holds"])
    asked = leaf.now() if isinstance(leaf, ChangedTo) else leaf
    kinds = read_in.types[UUID(one["type_id"])].kinds
    reading = read(asked, declared(asked.key, kinds), read_in.people.zone)
    kind = None if isinstance(reading, Refusal) else reading.kind
    kept = one["number"] if kind is FieldType.NUMBER else None
    if kind in DATES:
        kept = one["value"] if asked.key in ATTRIBUTES else one["date"]
    return Looked(
        *who, None if kind is None else kind.value, None if kept is None else str(kept), one["changed_at"]
    )


def _saw(leaf: Leaf, desk: Compiler, values: Values) -> LiteralString:
    """The query of a JSON array of what a leaf looks at."""
    if isinstance(leaf, Comparison | InGroup):
        return f"""SELECT jsonb_agg(s.o) FROM (SELECT jsonb_build_object('kind', 'contact', 'id', c.id,
          'external_id', c.external_id, 'name', coalesce(c.name, ''), 'value', {_of_contact(leaf, values)},
          'holds', {desk.of_contact(leaf)}) AS o {desk.contacts(leaf.of)} LIMIT {values.add(MOST)}) s"""
    if leaf.of == "case":
        return f"SELECT jsonb_build_array({_of_case(leaf.key, 'k', values)})"
    return f"SELECT jsonb_agg({_of_case(leaf.key, 'p', values)}) {LINKED[leaf.of]}"


def _of_case(key: str, row: LiteralString, values: Values) -> LiteralString:
    name: LiteralString = f"{values.add(key)}::text"
    return f"""jsonb_build_object('kind', 'case', 'id', {row}.id, 'external_id', {row}.external_id,
      'name', {row}.name, 'type_id', {row}.type_id, 'value', {_value(key, row, name)},
      'date', {row}.dates -> {name}, 'number', {row}.numbers -> {name},
      'changed_at', {row}.changed ->> {name})"""


_COLUMNS: Mapping[str, LiteralString] = {
    "external_id": "external_id", "name": "name", "state": "state", "owner": "owner",
    "modified_by": "modified_by", "parent": "parent", "host": "host", "opened_at": "opened_at",
    "closed_at": "closed_at", "modified_at": "modified_at",
}  # fmt: skip
_OWN: Mapping[str, LiteralString] = {
    "name": "c.name", "language": "c.language", "country": "c.country", "timezone": "c.timezone",
    "external_id": "c.external_id",
}  # fmt: skip


def _value(key: str, row: LiteralString, name: LiteralString) -> LiteralString:
    if key not in ATTRIBUTES:
        return f"{row}.properties -> {name}"
    if key == "closed":
        return f"to_jsonb({row}.state = 'closed')"
    if key == "type":
        return f"(SELECT to_jsonb(y.name) FROM case_type y WHERE y.id = {row}.type_id)"
    return f"to_jsonb({row}.{_COLUMNS[key]})"


def _of_contact(leaf: Comparison | InGroup, values: Values) -> LiteralString:
    if isinstance(leaf, InGroup):
        return """(SELECT jsonb_agg(g.name ORDER BY g.name) FROM group_member gm
          JOIN contact_group g ON g.id = gm.group_id WHERE gm.contact_id = c.id)"""
    if leaf.field in OF_CONTACTS:
        return f"to_jsonb({_OWN[leaf.field]})"
    return f"c.fields -> {values.add(leaf.field)}::text"
