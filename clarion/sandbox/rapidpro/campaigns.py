"""`campaigns.json`: a name and a group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from clarion.sandbox.rapidpro.bodies import Body, text
from clarion.sandbox.rapidpro.complaints import no_such, not_found
from clarion.sandbox.rapidpro.lists import Query, Row
from clarion.sandbox.rapidpro.workspace import Campaign, Workspace, new_uuid, spelled

_LONGEST = 64


class Campaigns:
    scope = "v2"

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def rows(self, query: Query, at: int) -> Iterator[Row]:
        for one in self._workspace.campaigns.all(at):
            if query.get("uuid", one.uuid) == one.uuid:
                yield Row(one.created_on, one.serial, partial(self._shown, one))

    def create(self, body: Body) -> dict[str, Any]:
        name, group = self._read(body)
        at, serial = self._workspace.now(), self._workspace.serial()
        return self._put(Campaign(new_uuid(), serial, at, name, group))

    def update(self, query: Query, body: Body) -> tuple[int, dict[str, Any]]:
        found = self._workspace.campaigns.get(query.get("uuid", ""))
        if found is None:
            raise not_found()
        name, group = self._read(body)
        return 200, self._put(replace(found, name=name, group=group))

    def _read(self, body: Body) -> tuple[str, str]:
        name, named = text(body, "name", _LONGEST), text(body, "group", _LONGEST)
        group = self._workspace.group(named)
        if group is None:
            raise no_such("group", named)
        return name, group.uuid

    def _put(self, campaign: Campaign) -> dict[str, Any]:
        self._workspace.campaigns.put(campaign.uuid, campaign, self._workspace.now())
        return self._shown(campaign)

    def _shown(self, campaign: Campaign) -> dict[str, Any]:
        return {
            "uuid": campaign.uuid, "name": campaign.name, "archived": False,
            "group": self._workspace.reference(campaign.group), "created_on": spelled(campaign.created_on),
        }  # fmt: skip
