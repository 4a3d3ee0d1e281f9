"""`groups.json`: groups of contacts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from clarion.sandbox.rapidpro.bodies import Body, text
from clarion.sandbox.rapidpro.complaints import full, not_found, wrong
from clarion.sandbox.rapidpro.lists import Query, Row
from clarion.sandbox.rapidpro.workspace import Group, Workspace, new_uuid

_LONGEST = 64


class Groups:
    scope = "v2"

    def __init__(self, workspace: Workspace, most: int) -> None:
        self._workspace, self._most = workspace, most

    def rows(self, query: Query, at: int) -> Iterator[Row]:
        members = Counter(group for one in self._workspace.contacts.all(at) for group in one.groups)
        for one in self._workspace.groups.all(at):
            named = query.get("uuid", one.uuid) == one.uuid and (
                query.get("name", one.name).casefold() == one.name.casefold()
            )
            if named and not one.deleted:
                yield Row(0, one.serial, partial(_shown, one, members[one.uuid]))

    def create(self, body: Body) -> dict[str, Any]:
        name = self._name(body, None)
        if sum(not one.deleted for one in self._workspace.groups.all()) >= self._most:
            raise full(self._most)
        return self._put(Group(new_uuid(), self._workspace.serial(), name), 0)

    def update(self, query: Query, body: Body) -> tuple[int, dict[str, Any]]:
        found = self._found(query)
        return 200, self._put(replace(found, name=self._name(body, found)), self._members(found))

    def delete(self, query: Query) -> None:
        """Its people leave it, which changes each of them."""
        found, at = self._found(query), self._workspace.now()
        if any(one.group == found.uuid for one in self._workspace.campaigns.all()):
            raise wrong("non_field_errors", "Group is being used by campaigns which must be deleted first.")
        for one in list(self._workspace.contacts.all()):
            if found.uuid in one.groups:
                groups = tuple(each for each in one.groups if each != found.uuid)
                self._workspace.write(replace(one, groups=groups), at)
        self._workspace.groups.put(found.uuid, replace(found, deleted=True), at)

    def _found(self, query: Query) -> Group:
        found = self._workspace.groups.get(query.get("uuid", ""))
        if found is None or found.deleted:
            raise not_found()
        return found

    def _name(self, body: Body, mine: Group | None) -> str:
        name = text(body, "name", _LONGEST)
        taken = self._workspace.group(name)
        if taken is not None and (mine is None or taken.uuid != mine.uuid):
            raise wrong("name", "This field must be unique.")
        return name

    def _members(self, group: Group) -> int:
        return sum(group.uuid in one.groups for one in self._workspace.contacts.all())

    def _put(self, group: Group, members: int) -> dict[str, Any]:
        self._workspace.groups.put(group.uuid, group, self._workspace.now())
        return _shown(group, members)


def _shown(group: Group, members: int) -> dict[str, Any]:
    return {
        "uuid": group.uuid, "name": group.name, "query": None, "status": "ready", "system": False,
        "count": members,
    }  # fmt: skip
