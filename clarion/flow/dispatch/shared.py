"""What the desks of one process share, and what one call is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from clarion.errors import Unavailable
from clarion.flow.compose import Composer
from clarion.flow.dispatch.account import Channel
from clarion.flow.dispatch.committer import Committer
from clarion.flow.dispatch.eye import Eye
from clarion.flow.dispatch.judge import Beyond
from clarion.flow.dispatch.settler import Settler
from clarion.flow.tell.listening import Listening
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.flight import FlightRecorder
from clarion.kit.metrics import Metrics
from clarion.providers.contract import Call as Heard
from clarion.providers.contract import Parcel, Told
from clarion.store.queue import Waiting

Ear = Callable[[UUID, UUID, Heard], Awaitable[None]]
"""Makes durable what a provider tells of a channel over its connection: workspace, channel, the call."""


async def deaf(workspace_id: UUID, channel_id: UUID, call: Heard) -> None:
    """The `Ear` of a process that stores nothing of what it hears. Raises Unavailable."""
    raise Unavailable("this process keeps nothing of what it hears")


@dataclass(slots=True)
class Shared:
    """What the desks of one process share."""

    db: Database
    clock: Clock
    worker_id: UUID
    recorder: FlightRecorder
    settler: Settler
    composer: Composer
    places: int  # calls that may be under way at once, over all desks
    beyond: Callable[[Channel, Waiting, Beyond, Told], None]
    metrics: Metrics = field(default_factory=Metrics)
    clock_tolerance: float = 2.0  # seconds that this machine's clock may be away from the database's
    listening: Listening = field(default_factory=Listening)
    ear: Ear = deaf
    busy: set[UUID] = field(default_factory=set)  # channels with something intended and not yet durable
    gate: asyncio.Semaphore = field(init=False)
    committer: Committer = field(init=False)
    eye: Eye = field(init=False)

    def __post_init__(self) -> None:
        self.gate = asyncio.Semaphore(self.places)
        self.committer = Committer(self.db, self.clock, self.worker_id)
        self.eye = Eye(self.db, self.clock)

    def share(self, channel_id: UUID) -> int:
        """The places of one channel while others are busy: equal shares, so that a slow provider's
        calls do not keep everybody else's from being made."""
        return max(1, self.places // len(self.busy | {channel_id}))


@dataclass(slots=True)
class Call:
    """An attempt that is ours to make: its queue row as read, what to say, and how many units of the
    channel's limits that takes. `inside`: the person wrote to this number within its service window.
    `outside`: they did not, and their campaign declares what they are told then. `until`: it may begin until
    then, and until its expiry at most."""

    waiting: Waiting
    attempt_id: UUID
    parcel: Parcel
    said: dict[str, Any] | None
    units: int = 1
    inside: bool = False
    outside: bool = False
    until: datetime | None = None
    opened: int = 0  # how often the breaker had opened when it was intended
