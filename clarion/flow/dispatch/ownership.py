"""Sharing the channels out among workers: who holds which, who is silent, what to take next.

Pure: the board (as read) and monotonic time in, decisions out. A holder is silent when its beat has
not moved for a lease by our own monotonic clock, so that no two machines' clocks are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from clarion.store.owner import Holding


@dataclass(slots=True)
class Watch:
    """What this worker knows about the owners' beats. `lease` in seconds."""

    lease: float
    _seen: dict[UUID, tuple[tuple[UUID | None, int, int], float]] = field(default_factory=dict)

    def look(self, board: Iterable[Holding], ticks: float) -> None:
        """Take a reading of the board."""
        fresh: dict[UUID, tuple[tuple[UUID | None, int, int], float]] = {}
        for holding in board:
            state = (holding.worker_id, holding.epoch, holding.beat)
            before = self._seen.get(holding.channel_id)
            fresh[holding.channel_id] = before if before and before[0] == state else (state, ticks)
        self._seen = fresh

    def silent(self, holding: Holding, ticks: float) -> bool:
        """Whether its holder has not beaten for a lease."""
        seen = self._seen.get(holding.channel_id)
        return seen is not None and ticks - seen[1] > self.lease

    def free(self, board: Iterable[Holding], ticks: float, dead: Callable[[UUID], bool]) -> list[Holding]:
        """What may be taken: those of silent or dead holders first, then what nobody holds and is due.

        A channel that is ours on the board may be among them: the database went away while we took it
        or gave it up, and nobody beats for it. The caller leaves out those that it has a desk for.
        """
        orphans, idle = [], []
        for holding in board:
            if holding.worker_id is None:
                if holding.due:
                    idle.append(holding)
            elif dead(holding.worker_id) or self.silent(holding, ticks):
                orphans.append(holding)
        return orphans + idle

    def share(self, board: Iterable[Holding], alive: int) -> int:
        """How many channels each of `alive` workers should hold, of those that are held or must be."""
        wanted = sum(1 for holding in board if holding.worker_id is not None or holding.due)
        return -(-wanted // max(1, alive))
