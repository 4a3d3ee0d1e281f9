"""Flows that content starts by a name: whether the channels that it goes over know them, when written."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from clarion.domain.content import Content, FlowStartForm
from clarion.errors import Problem
from clarion.kit.db import Connection
from clarion.providers import registry
from clarion.providers.abilities import Starting
from clarion.store import channel as channels


async def problems(connection: Connection, channel_ids: Iterable[UUID], content: Content) -> list[Problem]:
    """Each flow that one of these channels could not start, at `content.variants[0].content.flow`."""
    starts = [
        (f"content.variants[{number}].{place}.flow", variant.channel_kind, form.flow)
        for number, variant in enumerate(content.variants)
        for place, form in variant.forms
        if isinstance(form, FlowStartForm)
    ]
    if not starts:
        return []
    found = []
    for channel_id in channel_ids:
        row = await channels.get(connection, channel_id)
        provider, options = registry.get(row["provider"]), row["config"].get("options", {})
        if isinstance(provider, Starting):
            found += [
                Problem(
                    where,
                    f"the channel {row['name']!r} knows no flow {flow!r}",
                    "Write the flow's identifier, or name it in the channel's option `flows`.",
                )
                for where, kind, flow in starts
                if kind in (None, provider.name) and not provider.knows_flow(options, flow)
            ]
    return found
