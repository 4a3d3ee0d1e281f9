"""A channel that this process holds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from clarion.flow.dispatch.desk import Desk


@dataclass(slots=True)
class Held:
    """A desk and the task that runs it; `leaving` once it is being given up."""

    desk: Desk
    task: asyncio.Task[None]
    leaving: asyncio.Task[None] | None = None
