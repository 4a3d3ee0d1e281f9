"""A campaign's way: the channels that it goes over, one after the other, and its lanes on them.

First come a channel or the channels of a pool, of which each person hears from one; then those that it falls
back on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from clarion.domain.campaign import PRIORITY, Announcement
from clarion.domain.pool import common
from clarion.errors import Invalid, NotFound, Problem
from clarion.kit.db import Connection, Row
from clarion.kit.ids import uuid7
from clarion.providers import registry
from clarion.providers.contract import Provider
from clarion.store import campaign as campaigns
from clarion.store import channel as channels
from clarion.store import fallback
from clarion.store import pool as pools
from clarion.store import workspace as workspaces
from clarion.store.routes import Route

SETTING = "route"  # of the workspace: {"channel_id": …} or {"pool_id": …}


@dataclass(frozen=True, slots=True)
class Way:
    """What an announcement goes over before it falls back. `channels` are rows with `id` or, of a pool,
    `channel_id`; the first leads. `skip_paused` is the pool's."""

    channels: tuple[Row, ...]
    pooled: bool = False
    skip_paused: bool = False

    @property
    def ids(self) -> tuple[UUID, ...]:
        return tuple(one["channel_id"] if self.pooled else one["id"] for one in self.channels)

    @property
    def lead(self) -> UUID:
        """The channel that stands for all of them where one is to be named."""
        return self.ids[0]

    @property
    def providers(self) -> tuple[Provider, ...]:
        """Each once, the lead's first."""
        return tuple(dict.fromkeys(registry.of(one) for one in self.channels))

    @property
    def schemes(self) -> tuple[str, ...]:
        """What every one of the channels reaches, the preferred first."""
        return common([provider.schemes for provider in self.providers])

    def routes(self, definition: Announcement) -> tuple[Route, ...] | None:
        """Who would hear over which of the channels: of a pool, routes with the channels for lanes."""
        if not self.pooled:
            return None
        return tuple(self.route(one, one["channel_id"]) for one in self.members(definition))

    def members(self, definition: Announcement) -> tuple[Row, ...]:
        """The channels without those on which the announcement falls back: such a one that came into the
        pool later is no member for it."""
        further = {other.channel_id for other in definition.fallback}
        return tuple(row for row, id in zip(self.channels, self.ids, strict=True) if id not in further)

    def route(self, row: Row, lane_id: UUID) -> Route:
        """A member of the pool with its lane."""
        aside = self.skip_paused and row["state"] == "paused"
        return Route(lane_id, row["channel_id"], tuple(row["prefixes"]), row["weight"], aside)


async def way(connection: Connection, channel_id: UUID | None, definition: Announcement) -> Way:
    """What a definition names beside a campaign's channel, as it is now. Raises NotFound."""
    if definition.pool_id is None:
        if channel_id is None:
            raise NotFound("there is no such channel")
        return Way((await channels.get(connection, channel_id),))
    pool = await pools.get(connection, definition.pool_id)
    return Way(tuple(pool["channels"]), pooled=True, skip_paused=pool["skip_paused"])


async def ways(connection: Connection, channel_id: UUID | None, definition: Announcement) -> list[Row]:
    """The channels (`store.channel` rows) over which an announcement may go; those that are gone are left
    out."""
    try:
        ids = list((await way(connection, channel_id, definition)).ids)
    except NotFound:
        ids = []
    found = []
    for each in dict.fromkeys([*ids, *(one.channel_id for one in definition.fallback)]):
        try:
            found.append(await channels.get(connection, each))
        except NotFound:
            continue
    return found


def named_default(settings: Mapping[str, Any]) -> tuple[UUID | None, UUID | None]:
    """(channel, pool) that a workspace's settings name as its default: at most one."""
    route = settings.get(SETTING) or {}
    channel_id, pool_id = route.get("channel_id"), route.get("pool_id")
    return UUID(channel_id) if channel_id else None, UUID(pool_id) if pool_id else None


async def default(connection: Connection) -> tuple[UUID | None, UUID | None]:
    """(channel, pool), one of which is None: the workspace's own, else its only channel. Raises Invalid."""
    named = named_default((await workspaces.get(connection))["settings"])
    if any(named):
        return named
    found = await channels.page(connection, None, 2)
    if len(found) == 1:
        return found[0]["id"], None
    raise Invalid(
        "nothing says over which channel",
        where="channel_id",
        hint="Give channel_id or pool_id, or name a default: `clarion workspace set --channel …`.",
    )


@dataclass(frozen=True, slots=True)
class Lanes:
    """A campaign's lanes on its way: the lead's, and of a pool all of them (None where there is none)."""

    lead: UUID
    routes: tuple[Route, ...] | None


async def open_lanes(
    connection: Connection,
    campaign_id: UUID,
    over: Way,
    definition: Announcement,
    now: datetime,
    *,
    priority: int = PRIORITY,
    state: str = "open",
) -> Lanes:
    """A lane on each channel of its way and on each that it falls back on, each with the next.

    Those that are there stay as they are but for their share and what comes next; new ones are in `state`.
    Raises Invalid where nothing is left of the pool.
    """
    onward, after = await _open_further(connection, campaign_id, definition, now, priority, state)
    hours = _hours(definition)
    opened: list[tuple[Row, UUID]] = []
    for row in over.members(definition):
        lane_id = await campaigns.open_lane(
            connection, uuid7(now), row["channel_id" if over.pooled else "id"], campaign_id, priority,
            definition.weight, onward=onward, after=after, hours=hours,
            outside=definition.outside_window, state=state,
        )  # fmt: skip
        opened.append((row, lane_id))
    if not opened:
        raise Invalid(
            "every channel of its pool is one that it falls back on",
            where="fallback",
            hint="Take them out of the fallback, or put others into the pool.",
        )
    routes = tuple(over.route(row, lane_id) for row, lane_id in opened) if over.pooled else None
    return Lanes(opened[0][1], routes)


def _hours(definition: Announcement) -> str | None:
    return None if definition.hours is None else definition.hours.model_dump_json(by_alias=True)


async def _open_further(
    connection: Connection, campaign_id: UUID, definition: Announcement, now: datetime, priority: int,
    state: str,
) -> tuple[UUID | None, int | None]:  # fmt: skip
    """The lanes that it falls back on; the first of them, and after how long time alone leads there."""
    lane_id: UUID | None = None
    after: int | None = None
    for other in reversed(definition.fallback):
        lane_id = await campaigns.open_lane(
            connection, uuid7(now), other.channel_id, campaign_id, priority, definition.weight,
            onward=lane_id, after=after, hours=_hours(definition), outside=definition.outside_window,
            state=state,
        )  # fmt: skip
        after = other.after
    return lane_id, after


async def onward(connection: Connection, lane_id: UUID) -> list[tuple[UUID, str]]:
    """(lane, scheme) of what the lanes after one reach, the preferred first."""
    return [
        (lane["id"], scheme)
        for lane in await fallback.onward(connection, lane_id)
        for scheme in registry.get(lane["provider"]).schemes
    ]


async def further(
    connection: Connection, before: tuple[UUID, ...], definition: Announcement
) -> tuple[list[Provider], list[Problem]]:
    """The providers that it falls back on, and what is wrong with naming their channels (`fallback[n]`)
    after those of its way."""
    found: list[Provider] = []
    problems: list[Problem] = []
    named = set(before)
    for place, other in enumerate(definition.fallback):
        where = f"fallback[{place}].channel_id"
        if other.channel_id in named:
            problems.append(Problem(where, "this channel comes before already", "Name each channel once."))
        named.add(other.channel_id)
        try:
            found.append(registry.of(await channels.get(connection, other.channel_id)))
        except NotFound:
            problems.append(Problem(where, "no such channel", "GET /api/v1/channels lists them."))
    return found, problems
