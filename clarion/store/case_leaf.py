"""One property of a case as SQL, over the row of a case under any alias: `domain.case_matching`'s meaning.

A row's kind is what its type declares, so a leaf is as many conditions as its key has kinds among the types,
and the row's type says which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from clarion.domain.case_reading import DATES, Reading, declared, read
from clarion.domain.case_view import ATTRIBUTES, NO, YES, TypeView
from clarion.domain.field import FieldType, stored
from clarion.domain.leaf import Op, Property
from clarion.domain.refusal import Refusal
from clarion.store.criteria import Frame, Values, compare
from clarion.store.point import Line, Source

_MOMENTS: Mapping[str, LiteralString] = {
    "opened_at": "opened_at",
    "closed_at": "closed_at",
    "modified_at": "modified_at",
}
_TEXTS: Mapping[str, LiteralString] = {
    "external_id": "external_id",
    "name": "name",
    "state": "state",
    "owner": "owner",
    "modified_by": "modified_by",
    "parent": "parent",
    "host": "host",
}


class Leaves:
    """Writes the leaves of one statement."""

    def __init__(self, types: Mapping[UUID, TypeView], read_in: Frame, values: Values) -> None:
        self._types, self._zone, self._values = types, read_in.zone, values
        self.line = Line(read_in.zone, read_in.now.astimezone(read_in.zone).date(), values)

    def holds(self, leaf: Property, row: LiteralString) -> LiteralString:
        """Whether it holds of the case `row`; never null."""
        return self._by_type(leaf, row, self._holds, "false")

    def turn(self, leaf: Property, row: LiteralString) -> LiteralString:
        """The day on which that turns for the case `row`; null where it does not."""
        return self._by_type(leaf, row, self._turn, "NULL::date")

    def _by_type(
        self,
        leaf: Property,
        row: LiteralString,
        write: Callable[[Reading, str, LiteralString], LiteralString],
        refused: LiteralString,
    ) -> LiteralString:
        """What is written for the leaf as each type reads it, and one text where all read it alike."""

        def written(reading: Reading | None) -> LiteralString:
            return refused if reading is None else write(reading, leaf.key, row)

        other = self._read(leaf, ATTRIBUTES.get(leaf.key))
        types: dict[Reading | None, list[UUID]] = {}
        for identifier, one in self._types.items():
            reading = self._read(leaf, declared(leaf.key, one.kinds))
            if reading != other:
                types.setdefault(reading, []).append(identifier)
        if not types:
            return written(other)
        arms = [
            f"WHEN {row}.type_id = ANY ({self._values.add(ids)}::uuid[]) THEN {written(reading)}"
            for reading, ids in types.items()
        ]
        return f"(CASE {' '.join(arms)} ELSE {written(other)} END)"

    def _read(self, leaf: Property, kind: FieldType | None) -> Reading | None:
        reading = read(leaf, kind, self._zone)
        return None if isinstance(reading, Refusal) else reading

    def _turn(self, reading: Reading, key: str, row: LiteralString) -> LiteralString:
        if not reading.turns:
            return "NULL::date"
        return self._of_points(self.line.turn(reading.op, reading.points), reading, key, row)

    def _holds(self, reading: Reading, key: str, row: LiteralString) -> LiteralString:
        if reading.kind in DATES:
            return self._of_points(self._asked(reading), reading, key, row)
        column = self._column(reading.kind, key, row)
        if reading.op is Op.NO_VALUE:
            return f"({column} IS NULL)"
        return f"coalesce({compare(reading.op, column, self._operands(reading))}, false)"

    def _asked(self, reading: Reading) -> LiteralString:
        if reading.op is Op.NO_VALUE:
            return "v.f IS NULL"
        if reading.op is Op.HAS_VALUE:
            return "v.f IS NOT NULL"
        return f"coalesce({self.line.holds(reading.op, reading.points)}, false)"

    def _of_points(
        self, what: LiteralString, reading: Reading, key: str, row: LiteralString
    ) -> LiteralString:
        if key in _MOMENTS:
            source = Source(moment=f"{row}.{_MOMENTS[key]}")
        else:
            source = self.line.of_text(f"({row}.dates ->> {self._key(key)})")
        return self.line.ask(what, source, by_day=reading.kind is FieldType.DATE)

    def _column(self, kind: FieldType, key: str, row: LiteralString) -> LiteralString:
        """The value as it is compared; null where it is missing."""
        if key == "closed":
            return f"({row}.state = 'closed')"
        if key == "type":
            return f"(SELECT y.name FROM case_type y WHERE y.id = {row}.type_id)"
        if key in _TEXTS:
            return f"nullif({row}.{_TEXTS[key]}, '')"
        if kind is FieldType.NUMBER:
            number: LiteralString = f"({row}.numbers -> {self._key(key)})"
            return f"(CASE WHEN jsonb_typeof({number}) = 'number' THEN {number} END)"
        text = self._text(key, row)
        if kind is FieldType.TEXT:
            return text
        # letters are folded as ASCII has them, whatever the language of the database
        folded: LiteralString = f'({text} COLLATE "C")'
        return f"(CASE WHEN {folded} ~* '^({YES})$' THEN true WHEN {folded} ~* '^({NO})$' THEN false END)"

    def _text(self, key: str, row: LiteralString) -> LiteralString:
        value: LiteralString = f"({row}.properties -> {self._key(key)})"
        return f"""nullif(CASE jsonb_typeof({value}) WHEN 'string' THEN {value} #>> '{{}}'
          WHEN 'boolean' THEN {value} #>> '{{}}'
          WHEN 'number' THEN trim_scale({value}::numeric)::text END, '')"""

    def _operands(self, reading: Reading) -> list[LiteralString]:
        if reading.kind is FieldType.TEXT:
            return [f"{self._values.add(stored(one))}::text" for one in reading.values]
        if reading.kind is FieldType.BOOLEAN:
            return [f"{self._values.add(one)}::boolean" for one in reading.values]
        return [f"{self._values.add(Jsonb(stored(one)))}::jsonb" for one in reading.values]

    def _key(self, key: str) -> LiteralString:
        return f"{self._values.add(key)}::text"
