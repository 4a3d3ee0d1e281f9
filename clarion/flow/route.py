"""A campaign's way: the channels that it goes over, one after the other, and its lane on each."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from clarion.domain.campaign import PRIORITY, Announcement
from clarion.errors import NotFound, Problem
from clarion.kit.db import Connection
from clarion.kit.ids import uuid7
from clarion.providers import registry
from clarion.providers.contract import Provider
from clarion.store import campaign as campaigns
from clarion.store import channel as channels
from clarion.store import fallback


async def open_lanes(
    connection: Connection, campaign_id: UUID, channel_id: UUID, definition: Announcement, now: datetime
) -> UUID:
    """A lane on its channel and on each that it falls back on, each with the next; the first one's id."""
    lane_id: UUID | None = None
    after: int | None = None
    for other in reversed(definition.fallback):
        lane_id = await campaigns.open_lane(
            connection, uuid7(now), other.channel_id, campaign_id, PRIORITY, definition.weight,
            onward=lane_id, after=after,
        )  # fmt: skip
        after = other.after
    return await campaigns.open_lane(
        connection, uuid7(now), channel_id, campaign_id, PRIORITY, definition.weight, onward=lane_id,
        after=after,
    )  # fmt: skip


async def onward(connection: Connection, lane_id: UUID) -> list[tuple[UUID, str]]:
    """(lane, scheme) of what the lanes after one reach, the preferred first."""
    return [
        (lane["id"], scheme)
        for lane in await fallback.onward(connection, lane_id)
        for scheme in registry.get(lane["provider"]).schemes
    ]


async def further(
    connection: Connection, channel_id: UUID, definition: Announcement
) -> tuple[list[Provider], list[Problem]]:
    """The providers that it falls back on, and what is wrong with naming their channels (`fallback[n]`)."""
    found: list[Provider] = []
    problems: list[Problem] = []
    named = {channel_id}
    for place, other in enumerate(definition.fallback):
        where = f"fallback[{place}].channel_id"
        if other.channel_id in named:
            problems.append(Problem(where, "this channel comes before already", "Name each channel once."))
        named.add(other.channel_id)
        try:
            found.append(registry.get((await channels.get(connection, other.channel_id))["provider"]))
        except NotFound:
            problems.append(Problem(where, "no such channel", "GET /api/v1/channels lists them."))
    return found, problems
