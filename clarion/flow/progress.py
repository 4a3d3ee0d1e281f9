"""How far a campaign is: what the tally counts, in the words that people read, and how fast it goes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from clarion.domain import outside
from clarion.domain.campaign import State
from clarion.flow import waits
from clarion.kit.db import Connection, Row
from clarion.store import campaign as campaigns
from clarion.store import channel as channels
from clarion.store import enrollment, run, tally
from clarion.store import progress as waiting

WINDOW = timedelta(seconds=5)  # over which the rate is measured
_WAITING = ("scheduled", "ready", "sending")


@dataclass(frozen=True, slots=True)
class Progress:
    """Messages of a campaign by the words of `message.shown`, and of each word by reason.

    `total` is everybody who was meant, known once `expanded`; `done` those who wait no more. `rate` is
    messages a second taken lately, `eta` when the rest will be, where both can be said; `waits` what the rest
    waits for beyond its turn, `next_at` when a campaign that follows people speaks to the next of them.
    While more than some 20,000 wait, those being sent are counted among the ready.
    """

    state: State
    reason: str
    send_at: datetime | None
    expanded: bool
    total: int
    done: int
    counts: dict[str, int]
    reasons: dict[str, dict[str, int]] = field(default_factory=dict)
    rate: float = 0.0
    eta: datetime | None = None
    error: str = ""
    waits: str = ""
    next_at: datetime | None = None


async def progress(connection: Connection, campaign_id: UUID, now: datetime) -> Progress:
    """Costs the same however large it is. Raises NotFound."""
    row = await campaigns.any_kind(connection, campaign_id)
    runs = await run.of_campaign(connection, campaign_id)
    lanes = await campaigns.lane_ids(connection, campaign_id)
    counts, reasons = await counted(connection, runs)
    ready = counts.pop("ready", 0)
    held = reasons.pop("ready", {})
    if ready:  # those who must write first are due when they expire
        awaited = held.get(outside.REASON, 0)
        counts.update(await _waiting(connection, lanes, ready, awaited, now))
    if held and counts["scheduled"]:
        reasons["scheduled"] = held
    total = counts.total()
    rate = await _rate(connection, runs, lanes, now) if ready else 0.0
    over = await campaigns.waiting_channels(connection, campaign_id) if counts["ready"] else []
    kept = [waits.of_channel(await channels.get(connection, one), now) for one in over]
    moving = ready and rate > 0 and row["state"] == State.RUNNING
    return Progress(
        state=State(row["state"]),
        reason=row["reason"],
        send_at=row["send_at"],
        expanded=bool(runs) and all(one["state"] in ("expanded", "cancelled") for one in runs),
        total=total,
        done=total - sum(counts[word] for word in _WAITING),
        counts={word: n for word, n in counts.items() if n},
        reasons=reasons,
        rate=rate,
        eta=now + timedelta(seconds=ready / rate) if moving else None,
        error=next((one["error"] for one in runs if one["error"]), ""),
        waits=next(filter(None, [*kept, waits.of_people(reasons)]), "")
        if row["state"] == State.RUNNING
        else "",
        next_at=await enrollment.next_due(connection, campaign_id) if row["follows"] else None,
    )


async def counted(connection: Connection, runs: list[Row]) -> tuple[Counter[str], dict[str, dict[str, int]]]:
    """The messages of these runs by state, and of each state by reason."""
    counts: Counter[str] = Counter()
    reasons: dict[str, dict[str, int]] = {}
    for one in runs:
        for found in await tally.counts(connection, one["id"]):
            counts[found["state"]] += found["n"]
            if found["reason"]:
                of_state: Counter[str] = Counter(reasons.get(found["state"], {}))
                of_state[found["reason"]] += found["n"]
                reasons[found["state"]] = dict(of_state)
    return counts, reasons


async def _waiting(
    connection: Connection, lanes: list[UUID], ready: int, awaited: int, now: datetime
) -> dict[str, int]:
    """What the ledger calls ready, told apart by the queue: what has no place there is being sent. `awaited`
    of it waits for people to write."""
    found = await waiting.waiting(connection, lanes, now)
    queued, later = int(found["queued"]), max(int(found["later"]), awaited)
    sending = max(0, ready - queued) if queued < waiting.COUNTED else 0
    return {"scheduled": later, "sending": sending, "ready": max(0, ready - sending - later)}


async def _rate(connection: Connection, runs: list[Row], lanes: list[UUID], now: datetime) -> float:
    began = min((one["started_at"] for one in runs if one["started_at"]), default=now)
    since = max(now - WINDOW, began)
    seconds = (now - since).total_seconds()
    if seconds <= 0:
        return 0.0
    cohorts = sorted({one["cohort"] for one in runs})
    return round(await waiting.begun_since(connection, lanes, cohorts, since, now) / seconds, 1)
