"""`contact_actions.json`: the same thing done to up to a hundred contacts, all at one moment."""

from __future__ import annotations

from dataclasses import replace

from clarion.sandbox.rapidpro.bodies import Body, choice, listed
from clarion.sandbox.rapidpro.complaints import no_such, wrong, wrong_together
from clarion.sandbox.rapidpro.workspace import ACTIVE, BLOCKED, Contact, Workspace

_OF_GROUPS = ("add", "remove")
ACTIONS = (*_OF_GROUPS, "block", "unblock", "interrupt", "archive_messages", "delete")


class Actions:
    scope = "v2"

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def act(self, body: Body) -> None:
        contacts = [self._contact(named) for named in listed(body, "contacts")]
        action = choice(body, "action", ACTIONS)
        if (action in _OF_GROUPS) != (body.get("group") is not None):
            should = "should also specify a group" if action in _OF_GROUPS else "should not specify a group"
            raise wrong_together(f'For action "{action}" you {should}')
        if action in _OF_GROUPS:
            self._move(contacts, str(body["group"]), into=action == "add")
        elif action == "delete":
            self._workspace.delete(contacts)
        elif action in ("block", "unblock"):
            self._workspace.set_status(contacts, BLOCKED if action == "block" else ACTIVE)

    def _contact(self, named: str) -> Contact:
        found = self._workspace.contact(named)
        if found is None:
            raise no_such("contacts", named)
        return found

    def _move(self, contacts: list[Contact], named: str, *, into: bool) -> None:
        group = self._workspace.group(named)
        if group is None:
            raise no_such("group", named)
        if into and any(one.status != ACTIVE for one in contacts):
            raise wrong("contacts", "Non-active contacts can't be added to groups")
        at = self._workspace.now()
        for one in contacts:
            if (group.uuid in one.groups) is not into:
                others = tuple(each for each in one.groups if each != group.uuid)
                groups = (*others, group.uuid) if into else others
                self._workspace.write(replace(one, groups=groups), at)
