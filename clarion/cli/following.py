"""Waiting for an announcement: how far it is, until nothing of it waits, and what became of everybody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from rich.text import Text

from clarion import wiring
from clarion.cli import terminal
from clarion.cli.place import Place
from clarion.cli.signals import interrupts
from clarion.domain.campaign import KIND, State
from clarion.kit import process
from clarion.kit.db import Row
from clarion.store import campaign as campaigns
from clarion.store import channel as channels
from clarion.store import run, tally
from clarion.store import worker as workers

LOOK_EVERY = 0.25  # seconds
EVIDENCE = timedelta(seconds=30)  # what is unknown may still be settled by the provider's own evidence
RECEIPTS = timedelta(seconds=1)  # and the first receipts come at once
STYLES = {
    "accepted": "green", "delivered": "green", "read": "green", "failed": "red", "undelivered": "red",
    "unknown": "yellow", "expired": "yellow", "ready": "cyan",
}  # fmt: skip
TAKEN = ("accepted", "delivered", "read", "undelivered")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an announcement is. `counts` are its messages by state and reason: {state, reason, n}."""

    state: str
    reason: str
    expanded: bool
    counts: Sequence[Row] = field(default_factory=list)

    def count(self, *states: str) -> int:
        """Messages in these states; in any, if none is named."""
        return sum(row["n"] for row in self.counts if not states or row["state"] in states)

    @property
    def ended(self) -> bool:
        """Nothing of it waits any more."""
        return self.state in (State.COMPLETED, State.CANCELLED) and not self.count("ready")

    def plain(self) -> dict[str, object]:
        """For JSON."""
        counts = [{"state": row["state"], "reason": row["reason"], "people": row["n"]} for row in self.counts]
        return {"state": self.state, "reason": self.reason, "people": self.count(), "counts": counts}


async def look(here: Place, campaign_id: UUID) -> Progress:
    """How far it is now. Raises NotFound."""
    async with here.tenant() as connection:
        row = await campaigns.get(connection, campaign_id, KIND)
        channel = await channels.get(connection, row["channel_id"])
        runs = await run.of_campaign(connection, campaign_id)
        found = [each for one in runs for each in await tally.counts(connection, one["id"])]
    state, reason = row["state"], row["reason"]
    if state in (State.RUNNING, State.SCHEDULED) and channel["state"] == "paused":
        state, reason = State.PAUSED, f"channel {channel['name']}: {channel['reason']}"
    expanded = bool(runs) and all(one["state"] in ("expanded", "cancelled") for one in runs)
    return Progress(state, reason, expanded, found)


async def follow(
    here: Place,
    campaign_id: UUID,
    leave: asyncio.Event,
    *,
    settle: timedelta = EVIDENCE,
    receipts: timedelta = RECEIPTS,
) -> Progress:
    """Watch with a bar until it has ended, is paused, or `leave` is set; how far it was then.

    Once all has ended it waits up to `settle` longer for evidence of what is unknown, and `receipts` for
    the first receipts.
    """
    clock = here.services.clock
    until: float | None = None
    with terminal.Bar("sending") as bar:
        while True:
            now = await look(here, campaign_id)
            bar.update(now.count() - now.count("ready"), _note(now), total=now.count() or None)
            if leave.is_set() or now.state == State.PAUSED:
                return now
            if now.ended and until is None:
                until = clock.monotonic() + settle.total_seconds()
                quick = clock.monotonic() + receipts.total_seconds()
            if until is not None and clock.monotonic() >= (until if now.count("unknown") else quick):
                return now
            with suppress(TimeoutError):
                await asyncio.wait_for(leave.wait(), LOOK_EVERY)


def _note(now: Progress) -> str:
    if now.state == State.SCHEDULED:
        return "waits for its moment"
    if not now.expanded:
        return "working out who it is for"
    parts = [
        (now.count(*TAKEN), "accepted"), (now.count("failed"), "failed"), (now.count("skipped"), "skipped"),
        (now.count("unknown"), "unknown"), (now.count("expired", "cancelled"), "not sent"),
    ]  # fmt: skip
    return ", ".join(f"{n:,} {word}" for n, word in parts if n)


def tell(progress: Progress) -> None:
    """What became of everybody, by status and reason, on standard output."""
    ordered = sorted(progress.counts, key=lambda row: (-row["n"], row["state"], row["reason"] or ""))
    terminal.table(
        ("people", "status", "reason"),
        (
            (row["n"], Text(row["state"], style=STYLES.get(row["state"], "")), _words(row["reason"]))
            for row in ordered
        ),
        numbers=("people",),
    )
    terminal.result(f"{progress.count():,} people in all")


def _words(reason: str | None) -> str:
    return (reason or "").replace("_", " ")


async def alive(here: Place) -> bool:
    """Whether a worker runs somewhere."""
    since = here.now() - timedelta(seconds=here.services.settings.lease * 2)
    async with here.services.db.system() as connection:
        lately = await workers.lately(connection, since)
    return any(
        w.stopped_at is None and not process.proven_dead(w.host, w.boot, w.pid, w.born) for w in lately
    )


@asynccontextmanager
async def worker_if_none(here: Place) -> AsyncIterator[bool]:
    """A worker inside this process while the block runs, where none runs elsewhere; whether it is ours.

    Raises what the worker raises.
    """
    if await alive(here):
        yield False
        return
    stop = asyncio.Event()
    work = asyncio.create_task(wiring.work(here.house, stop))
    try:
        yield True
    finally:
        stop.set()
        await work


async def wait(here: Place, campaign_id: UUID, gone_on: Callable[[bool], None]) -> Progress:
    """Follow an announcement, with a worker of our own where none runs; `gone_on(ours)` is called when
    somebody presses Ctrl-C before it has ended."""
    async with worker_if_none(here) as ours:
        if ours:
            terminal.say("No worker is running: this command sends by itself until it ends.")
        with interrupts() as leave:
            progress = await follow(here, campaign_id, leave)
        if leave.is_set() and not progress.ended:
            gone_on(ours)
    return progress
