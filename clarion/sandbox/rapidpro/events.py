"""`campaign_events.json`: what a campaign says so long before or after a date of the contact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from clarion.sandbox.rapidpro.bodies import Body, choice, number, text
from clarion.sandbox.rapidpro.complaints import no_such, not_found, wrong, wrong_together
from clarion.sandbox.rapidpro.firing import UNITS
from clarion.sandbox.rapidpro.lists import Query, Row
from clarion.sandbox.rapidpro.workspace import Event, Workspace, new_uuid, spelled

LONGEST_MESSAGE, _LONGEST, _FAR = 4096, 64, 1_000_000
BUSY = "Cannot modify events which are currently being scheduled."


class Events:
    """`flows` are the names of flows by UUID; for `scheduling_for` microseconds after it was written, an
    event cannot be changed."""

    scope = "v2"

    def __init__(self, workspace: Workspace, flows: dict[str, str], scheduling_for: int) -> None:
        self._workspace, self._flows, self._scheduling_for = workspace, flows, scheduling_for

    def rows(self, query: Query, at: int) -> Iterator[Row]:
        for one in self._workspace.events.all(at):
            asked = query.get("uuid", one.uuid) == one.uuid and (
                query.get("campaign", one.campaign) == one.campaign
            )
            if asked and not one.deleted:
                yield Row(one.created_on, one.serial, partial(self._shown, one))

    def create(self, body: Body) -> dict[str, Any]:
        named = text(body, "campaign", _LONGEST)
        if self._workspace.campaigns.get(named) is None:
            raise no_such("campaign", named)
        at, serial = self._workspace.now(), self._workspace.serial()
        return self._put(Event(new_uuid(), serial, at, named, **self._read(body)))

    def update(self, query: Query, body: Body) -> tuple[int, dict[str, Any]]:
        found = self._changeable(query)
        if body.get("campaign", found.campaign) != found.campaign:
            raise wrong("campaign", "Cannot change campaign for existing events")
        return 200, self._put(replace(found, **self._read(body)))

    def delete(self, query: Query) -> None:
        found = self._changeable(query)
        self._workspace.events.put(found.uuid, replace(found, deleted=True), self._workspace.now())

    def _changeable(self, query: Query) -> Event:
        found = self._workspace.events.get(query.get("uuid", ""))
        if found is None or found.deleted:
            raise not_found()
        if self._workspace.now() < found.written_on + self._scheduling_for:
            raise wrong_together(BUSY)
        return found

    def _read(self, body: Body) -> dict[str, Any]:
        """All but the campaign."""
        key = text(body, "relative_to", _LONGEST)
        field = self._workspace.field(key)
        if field is None or field.type != "datetime":
            raise no_such("relative_to", key)
        has_flow, has_message = body.get("flow") is not None, body.get("message") is not None
        if has_flow == has_message:
            both = "Flow and message cannot both be set." if has_flow else "Flow or a message text required."
            raise wrong_together(both)
        return {
            "relative_to": key,
            "offset": number(body, "offset", -_FAR, _FAR),
            "unit": choice(body, "unit", UNITS),
            "delivery_hour": number(body, "delivery_hour", -1, 23),
            "flow": self._flow(body) if has_flow else None,
            "message": _message(body["message"]) if has_message else None,
        }

    def _flow(self, body: Body) -> str:
        named = text(body, "flow", _LONGEST)
        found = named if named in self._flows else next(
            (uuid for uuid, name in self._flows.items() if name.casefold() == named.casefold()), None
        )  # fmt: skip
        if found is None:
            raise no_such("flow", named)
        return found

    def _put(self, event: Event) -> dict[str, Any]:
        at = self._workspace.now()
        self._workspace.events.put(event.uuid, replace(event, written_on=at), at)
        return self._shown(event)

    def _shown(self, event: Event) -> dict[str, Any]:
        campaign = self._workspace.campaigns.get(event.campaign)
        field = self._workspace.field(event.relative_to)
        flow = None if event.flow is None else {"uuid": event.flow, "name": self._flows.get(event.flow)}
        return {
            "uuid": event.uuid,
            "campaign": {"uuid": event.campaign, "name": campaign.name if campaign else ""},
            "relative_to": {"key": event.relative_to, "name": field.name if field else ""},
            "offset": event.offset, "unit": event.unit, "delivery_hour": event.delivery_hour, "flow": flow,
            "message": event.message, "created_on": spelled(event.created_on),
        }  # fmt: skip


def _message(given: object) -> dict[str, str]:
    """By language; a bare text is in the workspace's own."""
    said = {"eng": given} if isinstance(given, str) else given
    if not isinstance(said, dict) or not said:
        raise wrong("message", "Not a valid translated text.")
    for one in said.values():
        if not isinstance(one, str) or not one.strip():
            raise wrong("message", "This field may not be blank.")
        if len(one) > LONGEST_MESSAGE:
            raise wrong("message", f"Ensure this field has no more than {LONGEST_MESSAGE} characters.")
    return dict(said)
