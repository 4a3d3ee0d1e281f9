"""Waiting for an announcement: how far it is, until nothing of it waits, and what became of everybody."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from rich.text import Text

from clarion import wiring
from clarion.cli import terminal
from clarion.cli.place import Place
from clarion.cli.signals import interrupts
from clarion.domain.campaign import KIND, State
from clarion.domain.wording import why
from clarion.flow.crew import Standing, crew
from clarion.flow.progress import Progress, progress
from clarion.store import campaign as campaigns
from clarion.store import channel as channels

LOOK_EVERY = 0.25  # seconds
EVIDENCE = timedelta(seconds=15)  # what is unknown may still be settled by the provider's own evidence
RECEIPTS = timedelta(seconds=1)  # and the first receipts come at once
STYLES = {
    "accepted": "green", "delivered": "green", "read": "green", "failed": "red", "undelivered": "red",
    "unknown": "yellow", "expired": "yellow", "ready": "cyan", "sending": "cyan", "scheduled": "cyan",
}  # fmt: skip
TAKEN = ("accepted", "delivered", "read", "undelivered")
WAITING = ("scheduled", "ready", "sending")


@dataclass(frozen=True, slots=True)
class Seen:
    """How far an announcement is. `state` is paused also where its channel is; `far` are the counts."""

    state: str
    reason: str
    far: Progress

    def count(self, *words: str) -> int:
        """Messages that people read as one of these words; all of them, if none is named."""
        counts = self.far.counts
        return sum(counts.get(word, 0) for word in words) if words else self.far.total

    @property
    def ended(self) -> bool:
        """Nothing of it waits any more."""
        return self.state in (State.COMPLETED, State.CANCELLED) and not self.count(*WAITING)

    def rows(self) -> list[tuple[int, str, str | None]]:
        """(people, word, reason), most people first; what has no reason has None."""
        found: list[tuple[int, str, str | None]] = []
        for word, total in self.far.counts.items():
            reasons = self.far.reasons.get(word, {})
            found += [(n, word, reason) for reason, n in reasons.items()]
            if rest := total - sum(reasons.values()):
                found.append((rest, word, None))
        return sorted(found, key=lambda one: (-one[0], one[1], one[2] or ""))

    def plain(self) -> dict[str, object]:
        """For JSON."""
        counts = [{"state": word, "reason": reason, "people": n} for n, word, reason in self.rows()]
        return {"state": self.state, "reason": self.reason, "people": self.count(), "counts": counts}


async def look(here: Place, campaign_id: UUID) -> Seen:
    """How far it is now. Raises NotFound."""
    async with here.tenant() as connection:
        row = await campaigns.get(connection, campaign_id, KIND)
        over = [row["channel_id"]]
        if row["definition"].get("pool_id"):  # of its channels, those on which something waits
            over = await campaigns.waiting_channels(connection, campaign_id)
        kept = [await channels.get(connection, one) for one in over]
        far = await progress(connection, campaign_id, here.now())
    stopped = bool(kept) and all(channel["state"] == "paused" for channel in kept)
    if far.state in (State.RUNNING, State.SCHEDULED) and stopped:
        why = "; ".join(f"channel {channel['name']}: {channel['reason']}" for channel in kept)
        return Seen(State.PAUSED, why, far)
    return Seen(far.state, far.reason, far)


async def follow(
    here: Place,
    campaign_id: UUID,
    leave: asyncio.Event,
    *,
    settle: timedelta = EVIDENCE,
    receipts: timedelta = RECEIPTS,
) -> Seen:
    """Watch with a bar until it has ended, is paused, or `leave` is set; how far it was then.

    Once all has ended it waits up to `settle` longer for evidence of what is unknown, and `receipts` for
    the first receipts.
    """
    clock = here.services.clock
    until = quick = math.inf
    with terminal.Bar("sending") as bar:
        while True:
            now = await look(here, campaign_id)
            bar.update(now.far.done, _note(now), total=now.count() or None)
            if leave.is_set() or now.state == State.PAUSED:
                return now
            if now.ended and until == math.inf:
                until = clock.monotonic() + settle.total_seconds()
                quick = clock.monotonic() + receipts.total_seconds()
            if now.ended and clock.monotonic() >= (until if now.count("unknown") else quick):
                return now
            with suppress(TimeoutError):
                await asyncio.wait_for(leave.wait(), LOOK_EVERY)


def _note(now: Seen) -> str:
    if now.state == State.SCHEDULED:
        return "waits for its moment"
    if not now.far.expanded:
        return "working out who it is for"
    parts = [
        (now.count(*TAKEN), "accepted"), (now.count("failed"), "failed"), (now.count("skipped"), "skipped"),
        (now.count("unknown"), "unknown"), (now.count("expired", "cancelled"), "not sent"),
    ]  # fmt: skip
    told = ", ".join(f"{n:,} {word}" for n, word in parts if n)
    return "; ".join(filter(None, (told, now.far.waits)))


def tell(seen: Seen) -> None:
    """What became of everybody, by status and reason, on standard output."""
    terminal.table(
        ("people", "status", "reason"),
        ((n, Text(word, style=STYLES.get(word, "")), _words(reason)) for n, word, reason in seen.rows()),
        numbers=("people",),
    )
    terminal.result(f"{seen.count():,} people in all")


def _words(reason: str | None) -> str:
    return why(reason)


async def alive(here: Place) -> bool:
    """Whether a worker runs somewhere."""
    return any(one.standing in (Standing.ALIVE, Standing.SUSPECT_CLOCK) for one in await crew(here.services))


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


async def wait(here: Place, campaign_id: UUID, gone_on: Callable[[bool], None]) -> Seen:
    """Follow an announcement, with a worker of our own where none runs; `gone_on(ours)` is called when
    somebody presses Ctrl-C before it has ended."""
    with interrupts() as leave:
        async with worker_if_none(here) as ours:
            if ours:
                terminal.say("No worker is running: this command sends by itself until it ends.")
            seen = await follow(here, campaign_id, leave)
            if leave.is_set() and not seen.ended:
                gone_on(ours)
    return seen
