"""What a campaign goes over, as it is now: its channels with what they carry, its prices, its hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import ValidationError

from clarion.domain.campaign import Announcement
from clarion.domain.caps import Cap, caps_of
from clarion.domain.channel import ChannelConfig, limits
from clarion.domain.content import Content
from clarion.domain.limits import Limits
from clarion.domain.price import Prices
from clarion.domain.rehearsal.reckoning import Lot
from clarion.domain.schedule.hours import Hours
from clarion.errors import Misconfigured
from clarion.flow import costing
from clarion.flow.enroll.course import priority_of
from clarion.flow.home_hours import HomeHours
from clarion.flow.rehearse.speech import Speech
from clarion.flow.route import Way
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.providers import registry
from clarion.providers.contract import Provider
from clarion.store import channel as channels
from clarion.store import sample
from clarion.store import workspace as workspaces
from clarion.store.expansion import Meant
from clarion.store.routes import Route

SAMPLE = 200  # people for whom it is made in full


@dataclass(frozen=True, slots=True)
class Carrier:
    """A channel with what it may carry, and what the account may that it belongs to. `paused`: why it sends
    nothing now."""

    id: UUID
    name: str
    provider: Provider
    limits: Limits
    account_id: UUID
    account: Limits | None
    paused: str | None


@dataclass(frozen=True, slots=True)
class Scene:
    """A campaign (`row`) that begins at `begin`. `definition` is how it is said, to whom and at which hours;
    `home` the workspace's zone; `routes` those of a pool, with the channels for lanes."""

    row: Row
    definition: Announcement
    home: str
    now: datetime
    begin: datetime
    over: Way
    routes: tuple[Route, ...] | None
    carriers: Mapping[UUID, Carrier]
    prices: Mapping[UUID, Prices]
    speech: Speech
    home_hours: HomeHours
    cap: Cap | None = None  # how much its people hear at most, where that is limited

    @property
    def hours(self) -> tuple[Hours, ...]:
        """All that hold: those of the workspace and of the campaign."""
        own = self.definition.hours
        return self.home_hours.layers if own is None else (own, *self.home_hours.layers)

    @property
    def cut(self) -> int:
        """How much of an address prices ask for."""
        return max((len(one) for table in self.prices.values() for one in table.by_prefix), default=0)

    def lot(self, channel_id: UUID | None, zone: str, language: str) -> Lot:
        """With whom somebody is alike."""
        return Lot(
            channel_id or self.over.lead,
            (zone or self.home) if self.hours else "",
            language if self.speech.many_languages else "",
        )


@dataclass(frozen=True, slots=True)
class Play:
    """Of which campaign a scene is made: what it says at which steps, from when on, to whom."""

    row: Row
    definition: Announcement
    contents: Mapping[str, Content]
    steps: Mapping[int, str]
    begin: datetime
    over: Way
    meant: Meant


async def read(connection: Connection, services: Services, play: Play) -> Scene:
    """Raises Misconfigured where a channel's configuration cannot be read."""
    over, definition = play.over, play.definition
    members = over.members(definition)
    carriers = {}
    for member in members:
        one = await _carrier(connection, member["channel_id" if over.pooled else "id"])
        carriers[one.id] = one
    routes = over.routes(definition)
    people = await sample.some(connection, play.meant, over.schemes, over.lead, SAMPLE, play.begin, routes)
    speech = await Speech.prepare(
        connection, services, play.contents, play.steps,
        {one.id: one.provider for one in carriers.values()}, people, play.begin,
    )  # fmt: skip
    home = await workspaces.get(connection)
    caps = caps_of(home["settings"])
    cap = None if caps is None else caps.of(priority_of(play.row))
    return Scene(
        play.row, definition, home["timezone"], services.clock.now(), play.begin, over, routes, carriers,
        await costing.tables(connection, over), speech, HomeHours.read(home["settings"]),
        cap if cap is not None and cap.limits else None,
    )  # fmt: skip


async def _carrier(connection: Connection, channel_id: UUID) -> Carrier:
    row = await channels.get(connection, channel_id)
    provider, config = registry.of(row), _config(row)
    leads = row["account_id"] is None
    leader = config if leads else _config(await channels.get(connection, row["account_id"]))
    return Carrier(
        row["id"], row["name"], provider, limits(config, float(row["rate"]), provider.limits),
        row["account_id"] or row["id"], None if leader.account is None else leader.account.limits,
        (row["reason"] or "it is paused") if row["state"] == "paused" else None,
    )  # fmt: skip


def _config(row: Row) -> ChannelConfig:
    try:
        return ChannelConfig.model_validate(row["config"])
    except ValidationError as error:  # written by another version, perhaps
        raise Misconfigured(
            f"the configuration of the channel {row['name']} cannot be read",
            where="config",
            hint="`clarion channel set NAME --set KEY=` goes back to a default.",
        ) from error
