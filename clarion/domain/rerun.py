"""A re-run: how far an alert is in going over all cases of its type, since its launch or its last change.

Pure. What it is told by is counted in the transactions that do it, so that it never says more than is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Stage(StrEnum):
    """`WAITING` for a worker, `GOING`, `DONE`: over all of them; or `CANCELLED` before that, so that the rest
    follow when they are next touched."""

    WAITING = "waiting"
    GOING = "going"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Gone:
    """What is kept of it. `size`: how many cases there were when it began, None before that. `looked`: how
    many of its parts' have been gone over, in `parts` of which `left` are not at their end."""

    state: str
    asked_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    size: int | None
    looked: int
    parts: int
    left: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Rerun:
    """`done` of `cases` have been gone over (None: nobody has counted yet), at `rate` a second since it
    began; `eta` is when it may be done, where that can be said. `error`: why it does not go on."""

    state: Stage
    since: datetime
    ended_at: datetime | None
    done: int
    cases: int | None
    rate: float
    eta: datetime | None
    error: str

    @property
    def locks(self) -> bool:
        """Whether what decides who hears must stay as it is."""
        return self.state in (Stage.WAITING, Stage.GOING)

    def __str__(self) -> str:
        """How far, in words."""
        if self.state is Stage.WAITING or self.cases is None:
            return "its cases wait to be gone over"
        percent = min(100, 100 * self.done // max(1, self.cases))
        return f"{self.done:,} of {self.cases:,} cases are gone over, {percent} %"


def rerun(gone: Gone, now: datetime) -> Rerun:
    """How far it is at this moment."""
    stage = stage_of(gone)
    cases = None if gone.size is None else max(gone.size, gone.looked)
    rate = _rate(gone, stage, now)
    eta = None
    if stage is Stage.GOING and rate > 0 and cases is not None:
        eta = now + timedelta(seconds=round((cases - gone.looked) / rate, 3))
    ended_at = gone.ended_at if stage in (Stage.DONE, Stage.CANCELLED) else None
    return Rerun(stage, gone.asked_at, ended_at, gone.looked, cases, round(rate, 1), eta, gone.error)


def stage_of(gone: Gone) -> Stage:
    """Where it is: at its end only when every part is."""
    if gone.state == "planned":
        return Stage.WAITING
    if gone.state == "expanding":
        return Stage.GOING
    whole = gone.parts > 0 and gone.left == 0
    return Stage.DONE if whole else Stage.CANCELLED


def _rate(gone: Gone, stage: Stage, now: datetime) -> float:
    """Cases a second since it began, until now or its end."""
    if stage is Stage.WAITING or gone.started_at is None:
        return 0.0
    until = now if stage is Stage.GOING else gone.ended_at or now
    seconds = (until - gone.started_at).total_seconds()
    return gone.looked / seconds if seconds > 0 else 0.0
