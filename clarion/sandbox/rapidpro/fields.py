"""`fields.json`: what is known of every contact."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from clarion.sandbox.rapidpro.bodies import Body, choice, text
from clarion.sandbox.rapidpro.complaints import full, not_found, wrong
from clarion.sandbox.rapidpro.lists import Query, Row
from clarion.sandbox.rapidpro.workspace import SYSTEM_FIELDS, Field, Workspace

TYPES = ("text", "number", "datetime", "state", "district", "ward")
_LONGEST = 36
_TAKEN = frozenset(
    (*SYSTEM_FIELDS, "id", "uuid", "name", "first_name", "language", "groups", "urns", "fields")
)


class Fields:
    scope = "v2"

    def __init__(self, workspace: Workspace, most: int) -> None:
        self._workspace, self._most = workspace, most

    def rows(self, query: Query, at: int) -> Iterator[Row]:
        for one in self._workspace.fields.all(at):
            if query.get("key", one.key) == one.key:
                yield Row(0, one.serial, partial(_shown, one))

    def create(self, body: Body) -> dict[str, Any]:
        name, kind = self._read(body, None)
        key = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")
        if not key[:1].isalpha() or key in _TAKEN:
            raise wrong("name", f'Generated key "{key}" is invalid.')
        if len(self._workspace.fields) >= self._most:
            raise full(self._most)
        return self._put(Field(key, self._workspace.serial(), name, kind))

    def update(self, query: Query, body: Body) -> tuple[int, dict[str, Any]]:
        found = self._workspace.fields.get(query.get("key", ""))
        if found is None:
            raise not_found()
        name, kind = self._read(body, found)
        return 200, self._put(Field(found.key, found.serial, name, kind))

    def _read(self, body: Body, mine: Field | None) -> tuple[str, str]:
        name, kind = text(body, "name", _LONGEST), choice(body, "type", TYPES)
        others = [one for one in self._workspace.fields.all() if mine is None or one.key != mine.key]
        if any(one.name.casefold() == name.casefold() for one in others):
            raise wrong("name", "This field must be unique.")
        return name, kind

    def _put(self, field: Field) -> dict[str, Any]:
        self._workspace.fields.put(field.key, field, self._workspace.now())
        return _shown(field)


def _shown(field: Field) -> dict[str, Any]:
    return {"key": field.key, "name": field.name, "type": field.type}
