"""What follows from an answer beyond its message: a pause, an opt-out, an address that is not used any more,
somebody told. Off the hot path."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

from clarion.domain.wording import gone
from clarion.errors import ClarionError
from clarion.flow.dispatch.account import Channel
from clarion.flow.dispatch.health import Health
from clarion.flow.dispatch.judge import Beyond
from clarion.flow.services import Services
from clarion.kit.db import AWAY, Connection
from clarion.kit.log import logger
from clarion.kit.redact import scrub
from clarion.providers.contract import Told
from clarion.store import address, campaign, consent, event, notice
from clarion.store import channel as channels
from clarion.store.queue import Waiting

log = logger(__name__)


@dataclass(slots=True)
class Beyonder:
    """One a process; `put` never waits. Repeating any of it changes nothing."""

    services: Services
    _waiting: asyncio.Queue[tuple[Channel, Waiting, Beyond, Told]] = field(default_factory=asyncio.Queue)

    def put(self, channel: Channel, waiting: Waiting, beyond: Beyond, told: Told) -> None:
        self._waiting.put_nowait((channel, waiting, beyond, told))

    async def run(self) -> None:
        while True:
            channel, waiting, beyond, told = await self._waiting.get()
            while True:
                try:
                    await self.follow(channel, waiting, beyond, told)
                    break
                except AWAY:
                    await asyncio.sleep(0.5)
                except Exception:
                    log.exception("what followed from an answer failed")
                    break

    async def follow(self, channel: Channel, waiting: Waiting, beyond: Beyond, told: Told) -> None:
        """Do what follows from one answer, now."""
        now = self.services.clock.now()
        # Some providers repeat the number in their words.
        why = f"{told.code}: {scrub(told.detail or 'refused by the provider')}"
        async with self.services.db.tenant(channel.workspace_id) as connection:
            if beyond is Beyond.PAUSE_CHANNEL:
                await channels.pause(connection, channel.id, why, now)
                await notice.put(
                    connection, channel.workspace_id, cause=f"channel:{channel.id}:account", level="error",
                    text=f"Channel {channel.name} is paused, the provider refuses our account ({why}).",
                    now=now,
                )  # fmt: skip
            elif beyond is Beyond.PAUSE_CAMPAIGN:
                campaign_id = await campaign.pause_lane(connection, waiting.lane_id, why, now)
                await notice.put(
                    connection, channel.workspace_id, cause=f"campaign:{campaign_id}:content", level="error",
                    text=f"A campaign is paused, the provider refuses its content ({why}).", now=now,
                )  # fmt: skip
            elif beyond is Beyond.OPT_OUT:
                await consent.opt_out(
                    connection, [waiting.consent_key], now, how="provider", by=channel.provider.name, note=why
                )
            elif beyond is Beyond.FORGET:
                said = gone(channel.provider.name, told.code)
                await address.forget(connection, [waiting.scheme], [waiting.consent_key], now, why=said)

    async def tell_health(self, connection: Connection, channel: Channel, health: Health) -> None:
        """That a channel is down, once; or that it is so no longer."""
        now, cause = self.services.clock.now(), f"channel:{channel.id}:health"
        log.warning("a channel's health", channel=str(channel.id), health=health.word, why=health.why)
        down = health.word == "down"
        if down:
            news = await notice.put(
                connection, channel.workspace_id, cause=cause, level="error", now=now,
                text=f"Channel {channel.name} is down: {health.why}. Its messages wait; it is tried again by "
                "itself, one call at a time.",
            )  # fmt: skip
        else:
            news = await notice.clear(connection, cause, now) > 0
        if news:
            word = "down" if down else "up"
            await event.of_channels(connection, [channel.id], word, now, health.why)

    async def misconfigured(self, workspace_id: UUID, channel_id: UUID, error: ClarionError) -> None:
        """A channel that cannot be opened: paused, and somebody told."""
        now = self.services.clock.now()
        async with self.services.db.tenant(workspace_id) as connection:
            await channels.pause(connection, channel_id, error.what, now)
            await notice.put(
                connection, workspace_id, cause=f"channel:{channel_id}:configuration", level="error",
                text=f"A channel is paused: {error.what}. {error.hint}", now=now,
            )  # fmt: skip
