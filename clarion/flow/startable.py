"""Flows that content starts by a name: whether the channels that it goes over know them, when written."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from clarion.domain.campaign import Announcement
from clarion.domain.content import Content, FlowStartForm
from clarion.errors import Problem
from clarion.flow import route
from clarion.kit.db import Connection, Row
from clarion.providers import registry
from clarion.providers.abilities import Starting


async def problems(
    connection: Connection, channel_id: UUID | None, definition: Announcement
) -> list[Problem]:
    """`unknown`, over all channels that an announcement may go over."""
    if not _starts(definition.content):
        return []
    return unknown(await route.ways(connection, channel_id, definition), definition.content)


def unknown(rows: Sequence[Row], content: Content) -> list[Problem]:
    """Each flow that one of these channels (`store.channel` rows) could not start, at
    `content.variants[0].content.flow`."""
    found = []
    for row in rows:
        provider, options = registry.get(row["provider"]), row["config"].get("options") or {}
        if isinstance(provider, Starting):
            found += [
                Problem(
                    where,
                    f"the channel {row['name']!r} knows no flow {flow!r}",
                    "Write the flow's identifier, or name it in the channel's option `flows`.",
                )
                for where, kind, flow in _starts(content)
                if kind in (None, provider.name) and not provider.knows_flow(options, flow)
            ]
    return found


def _starts(content: Content) -> list[tuple[str, str | None, str]]:
    """(place, kind of channel, flow) of each flow that it starts."""
    return [
        (f"content.variants[{number}].{place}.flow", variant.channel_kind, form.flow)
        for number, variant in enumerate(content.variants)
        for place, form in variant.forms
        if isinstance(form, FlowStartForm)
    ]
