"""What the end of a call means for its message, and for what lies beyond it.

Pure: the provider's word in, a verdict out. The table is DESIGN's ledger rule 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from clarion.domain.channel import ChannelConfig, backoff
from clarion.domain.message import Outcome, State, Verdict
from clarion.kit.db import fit
from clarion.providers.contract import Answered, Fault, Told


class Beyond(StrEnum):
    """What else must happen: the message alone is not the trouble."""

    PAUSE_CHANNEL = "pause_channel"
    PAUSE_CAMPAIGN = "pause_campaign"
    OPT_OUT = "opt_out"
    FORGET = "forget"  # the address is not used any more
    HOLD = "hold"  # the channel waits a little before the next call


@dataclass(slots=True)
class Judgement:
    """A verdict for the ledger, and what else follows; `hold` is seconds."""

    verdict: Verdict
    beyond: Beyond | None = None
    hold: float = 0.0


@dataclass(slots=True)
class Try:
    """The call that ended: which attempt, how many tries were counted before it, until when it may go."""

    attempt_id: UUID
    tries: int
    expires_at: datetime


def fitting(told: Told) -> Told:
    """What the provider said, fit for the database: its words are anything that bytes can say."""
    if told.provider_id is not None:
        told.provider_id = fit(told.provider_id)
    if told.code is not None:
        told.code = fit(told.code)
    if told.detail is not None:
        told.detail = fit(told.detail)
    return told


def judge(told: Told, tried: Try, config: ChannelConfig, now: datetime, chance: float) -> Judgement:
    """`chance` in [0, 1) spreads the back-off (full jitter)."""
    if told.answered is Answered.ACCEPTED:
        return Judgement(_verdict(told, tried, Outcome.ACCEPTED, State.ACCEPTED))
    if told.answered is Answered.UNKNOWN:
        return Judgement(_verdict(told, tried, Outcome.UNKNOWN, State.UNKNOWN))
    if told.answered is Answered.REFUSED:
        beyond, reason = _REFUSED.get(told.fault, (None, "refused"))
        return Judgement(_verdict(told, tried, Outcome.REFUSED, State.FAILED, reason), beyond)
    return _later(told, tried, config, now, chance)


_REFUSED: dict[Fault | None, tuple[Beyond, str]] = {
    Fault.OPTED_OUT: (Beyond.OPT_OUT, "opted_out"),
    Fault.GONE: (Beyond.FORGET, "address_gone"),
}


def _later(told: Told, tried: Try, config: ChannelConfig, now: datetime, chance: float) -> Judgement:
    """Proven unsent: back to ready, unless its tries or its time are used up."""
    match told.fault:
        case Fault.ACCOUNT:
            return Judgement(_again(told, tried, now, counts=False), Beyond.PAUSE_CHANNEL)
        case Fault.CONTENT:
            return Judgement(_again(told, tried, now, counts=False), Beyond.PAUSE_CAMPAIGN)
        case Fault.RATE | Fault.NETWORK:
            wait = (
                told.retry_after if told.retry_after is not None else backoff(tried.tries + 1, config, chance)
            )
            return Judgement(
                _after(told, tried, now, wait, counts=False), Beyond.HOLD, told.retry_after or 0.0
            )
        case _:
            if tried.tries + 1 >= config.attempts:
                return Judgement(_verdict(told, tried, Outcome.UNSENT, State.FAILED, "attempts_used_up"))
            wait = max(told.retry_after or 0.0, backoff(tried.tries + 1, config, chance))
            return Judgement(_after(told, tried, now, wait, counts=True))


def _after(told: Told, tried: Try, now: datetime, wait: float, *, counts: bool) -> Verdict:
    at = now + timedelta(seconds=wait)
    if at >= tried.expires_at:
        return _verdict(told, tried, Outcome.UNSENT, State.EXPIRED, "expired")
    return _again(told, tried, at, counts=counts)


def _again(told: Told, tried: Try, at: datetime, *, counts: bool) -> Verdict:
    verdict = _verdict(told, tried, Outcome.UNSENT, State.READY)
    return Verdict(
        verdict.attempt_id, verdict.outcome, verdict.state, code=verdict.code, detail=verdict.detail,
        retry_at=at, counts=counts,
    )  # fmt: skip


def _verdict(told: Told, tried: Try, outcome: Outcome, state: State, reason: str | None = None) -> Verdict:
    return Verdict(
        tried.attempt_id, outcome, state, reason=reason, provider_id=told.provider_id, code=told.code,
        detail=told.detail,
    )  # fmt: skip


def not_begun(attempt_id: UUID, now: datetime, code: str) -> Verdict:
    """An intent whose call never began, as we know ourselves: back to ready at once, not counted."""
    return Verdict(attempt_id, Outcome.UNSENT, State.READY, code=code, retry_at=now, counts=False)


def unanswered(attempt_id: UUID, code: str, detail: str | None = None) -> Verdict:
    """A call that had begun and of which no answer will come to us."""
    return Verdict(attempt_id, Outcome.UNKNOWN, State.UNKNOWN, code=code, detail=detail)
