"""Deliberate mistakes: each is what somebody once shipped. The fault suite must catch every one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any


def _late_commit() -> None:
    """The call is made first, its intent is committed a moment later."""
    from clarion.flow.dispatch import committer, intents
    from clarion.store import intent

    async def intend(self: Any, calls: Any, now: Any) -> Any:
        tries = [
            intent.Intended(c.waiting, self.lanes.epoch(c.waiting.lane_id), c.attempt_id, c.said)
            for c in calls
        ]

        async def commit() -> None:
            async with self.shared.db.tenant(self.channel.workspace_id) as connection:
                await asyncio.sleep(0.15)
                await intent.intend(
                    connection, worker_id=self.shared.worker_id, now=now,
                    intents=[intent.Intent(self.channel.id, self.epoch, tries)],
                )  # fmt: skip

        _kept.append(asyncio.create_task(commit()))
        return committer.Decided({call.attempt_id for call in calls})

    intents.Intents.intend = intend  # type: ignore[method-assign]


_kept: list[Any] = []


def _retry_timeouts() -> None:
    """A time-out is taken for a failure, and tried again."""
    from clarion.kit import http
    from clarion.providers import calling

    class Never(Exception):
        """No call ends like this any more."""

    setattr(calling, "NeverSent", (http.NeverSent, http.Unanswered))  # noqa: B010
    setattr(calling, "Unanswered", Never)  # noqa: B010


def _client_retries() -> None:
    """The HTTP client repeats a request whose connection dropped."""
    from clarion.kit import http

    once = http.Http.call

    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await once(self, *args, **kwargs)
        except http.Unanswered:
            return await once(self, *args, **kwargs)

    http.Http.call = call  # type: ignore[method-assign]


def _forget_marks() -> None:
    """Calls are not marked before their first byte."""
    from clarion.kit import flight

    flight.FlightRecorder.mark = lambda self, identifier: None  # type: ignore[method-assign]


def _die_with_verdicts() -> None:
    """A worker that loses the database dies of it, and what it knew dies with it."""
    from clarion.flow.dispatch.settler import Settler
    from clarion.kit.db import AWAY
    from clarion.store import attempt

    async def once(self: Any, workspace_id: Any, cohort: Any, group: Any) -> None:
        try:
            async with self._db.tenant(workspace_id) as connection:
                await attempt.settle(connection, cohort, [e.verdict for e in group], self._clock.now())
        except AWAY:
            os._exit(1)
        for ended in group:
            ended.durable(ended.verdict.attempt_id)

    Settler._write_group = once  # type: ignore[method-assign]


def _unknown_stays() -> None:
    """What is told of a call that nobody answered is passed over."""
    from clarion.store import receipt

    apply = receipt.apply

    async def only_of_known(connection: Any, cohort: Any, said: Any, now: Any) -> Any:
        doubtful = await connection.execute("SELECT id FROM attempt WHERE unknown_since IS NOT NULL")
        unknown = {row[0] for row in await doubtful.fetchall()}
        return await apply(connection, cohort, [s for s in said if s.attempt_id not in unknown], now)

    receipt.apply = only_of_known


def _answer_first() -> None:
    """A provider's call is answered before it is durable."""
    from clarion.flow.receive.batcher import Batcher

    put = Batcher.put

    async def hurried(self: Any, workspace_id: Any, body: Any) -> None:
        _kept.append(asyncio.create_task(put(self, workspace_id, body)))

    Batcher.put = hurried  # type: ignore[method-assign]


MUTANTS: dict[str, Callable[[], None]] = {
    "intent committed after the call": _late_commit,
    "time-out treated as a failure and retried": _retry_timeouts,
    "the HTTP client's own retry let back in": _client_retries,
    "calls not marked before their first byte": _forget_marks,
    "a worker that loses the database dies with what it knew": _die_with_verdicts,
    "receipts of what is unknown passed over": _unknown_stays,
    "receipts answered before they are durable": _answer_first,
}

# A mistake in the database rather than in the code, as the statement that makes it.
DROPPED_INDEX = "DROP INDEX attempt_effective"


def apply(name: str) -> None:
    """Break the code of this process in the way that `name` says. Raises KeyError."""
    MUTANTS[name]()
