"""Criteria as SQL over `contact c`. The meaning is `domain.matching.matches`'s; this must equal it.

Every leaf is true or false, never null, so that NOT means not. Values of fields are compared in the one
form in which they are stored: numbers as JSON numbers, dates and moments as text of fixed width that
sorts by time. Nothing is cast, so no value that somebody stored can make a query fail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb

from clarion.domain.contact import ATTRIBUTES
from clarion.domain.criteria import All, AnyOf, Node, Not
from clarion.domain.field import FieldType, Value, stored
from clarion.domain.leaf import Comparison, InGroup, Op
from clarion.domain.matching import known_fields, operands
from clarion.domain.point import DAY
from clarion.domain.refusal import Refusal
from clarion.kit.db import Connection
from clarion.store import field as fields
from clarion.store import workspace


@dataclass(frozen=True, slots=True)
class Frame:
    """What criteria are read in: the fields there are (`matching.known_fields`), the moment, the zone."""

    known: Mapping[str, FieldType]
    now: datetime
    zone: ZoneInfo


async def frame(connection: Connection, now: datetime) -> Frame:
    """The frame of the transaction's workspace at `now`."""
    home = await workspace.get(connection)
    declared = {key: one.type for key, one in (await fields.declared(connection)).items()}
    return Frame(known_fields(declared), now, ZoneInfo(home["timezone"]))


@dataclass
class Values:
    """The values of one statement under names of their own, so that it can stand in any other."""

    params: dict[str, Any] = field(default_factory=dict)

    def add(self, value: object) -> LiteralString:
        """A place for this value in the text."""
        name: LiteralString = f"who_{len(self.params) + 1}"
        self.params[name] = value
        return f"%({name})s"


def compiled(criteria: Node, read_in: Frame, values: Values) -> LiteralString:
    """The condition on `contact c` that holds exactly for those whom the criteria match."""
    match criteria:
        case All():
            return "(" + " AND ".join(compiled(child, read_in, values) for child in criteria.all) + ")"
        case AnyOf():
            return "(" + " OR ".join(compiled(child, read_in, values) for child in criteria.any) + ")"
        case Not():
            return f"NOT {compiled(criteria.not_, read_in, values)}"
        case InGroup(of=None):
            return _in_group(criteria, values)
        case Comparison(of=None):
            return _comparison(criteria, read_in, values)
        case _:  # asked of a case
            return "false"


def in_groups(groups: Sequence[UUID], values: Values, *, nested: bool = True) -> LiteralString:
    """Whether `c` is in one of the groups, or below where `nested`: a look-up by key for each contact, never
    a hash of the whole group, so that a page of contacts costs the same however large the group is."""
    among = these(groups, values, nested=nested)
    return f"""coalesce((SELECT true FROM group_member gm
      WHERE gm.contact_id = c.id AND gm.group_id = ANY ({among}) LIMIT 1), false)"""


def these(groups: Sequence[UUID], values: Values, *, nested: bool) -> LiteralString:
    """The groups as an array, with all below them where `nested`."""
    return below(groups, values) if nested else f"{values.add(list(groups))}::uuid[]"


def below(groups: Sequence[UUID], values: Values) -> LiteralString:
    """The groups and all below them, as an array that is made once a statement."""
    return f"""ARRAY(WITH RECURSIVE below AS (
      SELECT unnest({values.add(list(groups))}::uuid[]) AS id
      UNION SELECT g.id FROM contact_group g JOIN below ON g.parent_id = below.id)
      SELECT id FROM below)"""


def _in_group(leaf: InGroup, values: Values) -> LiteralString:
    group = group_of(leaf)
    return "false" if group is None else in_groups([group], values, nested=leaf.deep)


def group_of(leaf: InGroup) -> UUID | None:
    """The group that a leaf asks for; None where it is written as no group is."""
    try:
        group = UUID(leaf.in_group)
    except ValueError:
        return None
    return group if str(group) == leaf.in_group else None


def _comparison(leaf: Comparison, read_in: Frame, values: Values) -> LiteralString:
    kind = read_in.known.get(leaf.field)
    if kind is None:
        return "true" if leaf.op is Op.NO_VALUE else "false"
    column, present = _column(leaf.field, kind, values)
    if leaf.op is Op.NO_VALUE:
        return f"NOT {present}"
    wanted = operands(leaf, kind, now=read_in.now, zone=read_in.zone)
    if isinstance(wanted, Refusal):
        return "false"
    return f"({present} AND {compare(leaf.op, column, [_operand(one, kind, values) for one in wanted])})"


# What a stored value looks like. A text that is kept from when the field was of another type is missing.
_SHAPES: Mapping[FieldType, LiteralString] = {
    FieldType.DATE: f"^({DAY})$",
    FieldType.DATETIME: f"^({DAY})T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9][.][0-9]{{6}}Z$",
}
_JSON: Mapping[FieldType, LiteralString] = {FieldType.NUMBER: "number", FieldType.BOOLEAN: "boolean"}
_COLUMNS: Mapping[str, LiteralString] = {
    "name": "c.folded_name",
    "language": "c.language",
    "country": "c.country",
    "timezone": "c.timezone",
    "external_id": "c.external_id",
}


def _column(key: str, kind: FieldType, values: Values) -> tuple[LiteralString, LiteralString]:
    """The value of an attribute or a field, and whether it is there in the field's type; never null."""
    if key in ATTRIBUTES:
        column = _COLUMNS[key]
        return column, f"(coalesce({column}, '') <> '')"
    name = values.add(key)
    json: LiteralString = f"(c.fields -> {name}::text)"
    text: LiteralString = f"(c.fields ->> {name}::text)"
    if kind in _JSON:
        return json, f"(coalesce(jsonb_typeof({json}), '') = '{_JSON[kind]}')"
    is_text: LiteralString = f"coalesce(jsonb_typeof({json}), '') = 'string'"
    if kind in _SHAPES:
        return f'({text} COLLATE "C")', f"({is_text} AND {text} ~ '{_SHAPES[kind]}')"
    return text, f"({is_text} AND {text} <> '')"


def _operand(value: Value, kind: FieldType, values: Values) -> LiteralString:
    kept = stored(value)
    return f"{values.add(Jsonb(kept))}::jsonb" if kind in _JSON else f"{values.add(kept)}::text"


_SIGNS: Mapping[Op, LiteralString] = {
    Op.EQUAL: "=",
    Op.NOT_EQUAL: "<>",
    Op.GT: ">",
    Op.GTE: ">=",
    Op.LT: "<",
    Op.LTE: "<=",
}


def compare(op: Op, column: LiteralString, wanted: Sequence[LiteralString]) -> LiteralString:
    """A column compared with operands of its own type; null where the column is."""
    match op:
        case Op.HAS_VALUE:
            return f"{column} IS NOT NULL"
        case Op.IN:
            return f"{column} IN ({', '.join(wanted)})"
        case Op.BETWEEN:
            return f"{column} BETWEEN {wanted[0]} AND {wanted[1]}"
        case Op.CONTAINS:
            return f"strpos({column}, {wanted[0]}) > 0"
        case Op.STARTS_WITH:
            return f"starts_with({column}, {wanted[0]})"
        case Op.MATCHES:
            return f"{column} ~ {wanted[0]}"
        case _:
            return f"{column} {_SIGNS[op]} {wanted[0]}"
