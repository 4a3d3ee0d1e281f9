"""A channel as its desk needs it: read from the store, its credentials opened, its provider found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from clarion.domain.channel import LIMITS, ChannelConfig, limits
from clarion.domain.limits import Limits
from clarion.errors import ClarionError, Misconfigured
from clarion.flow.configure import open_credentials
from clarion.flow.services import Services
from clarion.kit.db import Row
from clarion.providers import registry
from clarion.providers.abilities import Replayable
from clarion.providers.contract import Account, Provider
from clarion.store import channel as channels

HOOKS = "/hooks"  # where providers call, of our own address; the channel's identifier follows


@dataclass(frozen=True, slots=True)
class Channel:
    """A configured account. `rate` is units (messages or segments) a second, one of its `limits`; its days
    are those of `zone`. `modified_at` tells an edit."""

    id: UUID
    workspace_id: UUID
    name: str
    provider: Provider
    config: ChannelConfig
    account: Account
    rate: float
    active: bool
    modified_at: datetime
    zone: tzinfo

    def differs_by_limits_alone(self, other: Channel) -> bool:
        """Whether this is the same channel with other limits, of the same kinds: what a new kind counts
        is known only to who reads what was sent before."""
        plain = [
            replace(
                one, rate=0.0, modified_at=self.modified_at,
                config=one.config.model_copy(update=dict.fromkeys((*LIMITS, "account"))),
            )
            for one in (self, other)
        ]  # fmt: skip
        return self.limits.kinds == other.limits.kinds and plain[0] == plain[1]

    @property
    def limits(self) -> Limits:
        """What it may carry."""
        return limits(self.config, self.rate, self.provider.limits)

    @property
    def can_look_up(self) -> bool:
        """Whether this account's service answers what became of a reference."""
        return self.provider.can_look_up and bool(self.account.options.get("look_up"))

    @property
    def replays_for(self) -> float:
        """For how many seconds a try may be repeated under its reference; 0: never."""
        provider = self.provider
        return provider.replays_for(self.account.options) if isinstance(provider, Replayable) else 0.0


@dataclass(frozen=True, slots=True)
class Siblings:
    """The channels of one account, all `ids`: those that can be spoken for, those that are active and cannot,
    with the reason, and what all of them may carry together."""

    ids: list[UUID]
    channels: list[Channel]
    broken: list[tuple[UUID, ClarionError]]
    limits: Limits | None

    @property
    def active(self) -> list[Channel]:
        """Those that send."""
        return [channel for channel in self.channels if channel.active]


async def load(services: Services, workspace_id: UUID, channel_id: UUID) -> Channel:
    """Raises NotFound, Invalid (no such provider) and Misconfigured (credentials cannot be opened)."""
    async with services.db.tenant(workspace_id) as connection:
        found = await channels.for_dispatch(connection, channel_id)
    return _channel(services, found)


async def siblings(services: Services, workspace_id: UUID, account_id: UUID) -> Siblings:
    """An account's channels as they are now, by the channel that leads it."""
    async with services.db.tenant(workspace_id) as connection:
        found = await channels.of_account(connection, account_id)
    members = Siblings([row["id"] for row in found], [], [], None)
    for row in found:
        try:
            if row["account_id"] is None and (together := _config(row).account) is not None:
                members = replace(members, limits=together.limits)
            members.channels.append(_channel(services, row))
        except ClarionError as error:
            if row["state"] == "active":
                members.broken.append((row["id"], error))
            if row["account_id"] is None and not _readable(row):
                return members  # nobody knows what its channels may carry together: none of them sends
    return members


def _channel(services: Services, found: Row) -> Channel:
    config = _config(found)
    provider = registry.of(found)
    opened = open_credentials(services, found["workspace_id"], found["id"], found["credentials"])
    return Channel(
        id=found["id"],
        workspace_id=found["workspace_id"],
        name=found["name"],
        provider=provider,
        config=config,
        account=made(services, found["id"], provider, config, opened),
        rate=float(found["rate"]),
        active=found["state"] == "active",
        modified_at=found["modified_at"],
        zone=ZoneInfo(found["timezone"]),
    )


def _config(found: Row) -> ChannelConfig:
    try:
        return ChannelConfig.model_validate(found["config"])
    except ValidationError as error:  # written by another version, perhaps
        raise Misconfigured(
            "a channel's configuration cannot be read",
            where="config",
            hint="`clarion channel set NAME --set KEY=` goes back to a default.",
        ) from error


def _readable(found: Row) -> bool:
    try:
        _config(found)
    except ClarionError:
        return False
    return True


def made(
    services: Services,
    channel_id: UUID,
    provider: Provider,
    config: ChannelConfig,
    opened: Mapping[str, object] | None = None,
) -> Account:
    """The account of this configuration; without credentials where none are `opened`."""
    public = services.settings.public_url
    return Account(
        base_url=config.base_url or provider.base_url,
        sender=config.sender,
        # what is a document (Google's file of a service account) may be given as one
        credentials={
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in (opened or {}).items()
        },
        options={**config.options, **({"api_version": config.api_version} if config.api_version else {})},
        connect_timeout=config.connect_timeout,
        total_timeout=config.total_timeout,
        hook=hook(public, channel_id) if public else "",
    )


def hook(base: str, channel_id: UUID) -> str:
    """Where a channel's provider calls, of a Clarion that is found at `base`."""
    return f"{base.rstrip('/')}{HOOKS}/{channel_id}"
