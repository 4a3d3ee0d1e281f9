"""What the campaigns of the workspace say to whom, and when: `GET /rapidpro/fires`. No API of the real one
tells this; a test asks it in place of waiting for months.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from clarion.sandbox.rapidpro.firing import fire_at
from clarion.sandbox.rapidpro.workspace import ACTIVE, Contact, Event, Workspace, moment, spelled

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fires(workspace: Workspace, after: int) -> list[dict[str, Any]]:
    """Each (contact, event, at) from `after` (microseconds since 1970) on, by moment: of contacts that are
    active and in the campaign's group, and whose date says when. The workspace's own zone is UTC."""
    found = [
        {
            "contact": contact.uuid, "urns": list(contact.urns), "event": event.uuid,
            "relative_to": event.relative_to, "flow": event.flow, "message": event.message, "at": spelled(at),
        }
        for event in workspace.events.all()
        for contact in _members(workspace, event)
        if (at := _at(contact, event, after)) is not None
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one["at"], one["contact"], one["event"]))


def _members(workspace: Workspace, event: Event) -> Iterator[Contact]:
    campaign = workspace.campaigns.get(event.campaign)
    if campaign is None or event.deleted:
        return
    for one in workspace.contacts.all():
        if not one.deleted and one.status == ACTIVE and campaign.group in one.groups:
            yield one


def _at(contact: Contact, event: Event, after: int) -> int | None:
    """Microseconds since 1970."""
    value = contact.fields.get(event.relative_to)
    if event.relative_to != "created_on" and value is None:
        return None
    start = contact.created_on if value is None else moment(value)
    begins, since = (_EPOCH + timedelta(microseconds=one) for one in (start, after))
    at = fire_at(begins, event.offset, event.unit, event.delivery_hour, UTC, since)
    return None if at is None else (at - _EPOCH) // timedelta(microseconds=1)
