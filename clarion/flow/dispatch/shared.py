"""What the desks of one process share, and what one call is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from clarion.flow.compose import Composer
from clarion.flow.dispatch.account import Channel
from clarion.flow.dispatch.judge import Beyond
from clarion.flow.dispatch.settler import Settler
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.flight import FlightRecorder
from clarion.kit.metrics import Metrics
from clarion.providers.contract import Parcel, Told
from clarion.store.queue import Waiting


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


@dataclass(slots=True)
class Call:
    """An attempt that is ours to make: its queue row as read, and what to say."""

    waiting: Waiting
    attempt_id: UUID
    parcel: Parcel
    said: dict[str, Any] | None
