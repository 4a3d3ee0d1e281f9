"""The provider, which is the truth; and the workers that call it, some of which are dead or asleep."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from clarion.domain.message import Outcome, State, Verdict
from clarion.store.owner import Holding
from clarion.store.queue import Waiting
from tests.store.ledger.model import Tried
from tests.store.ledger.world import NOW

# What a provider does with a call, and what its caller learns if it hears the answer.
ANSWERS = ("accepts", "refuses", "later", "throttles", "fails_for_good", "fails_too_late")


@dataclass(slots=True)
class Provider:
    """Knows of every call whether it was accepted: a phone shows what was."""

    called: dict[UUID, bool] = field(default_factory=dict)

    def call(self, attempt_id: UUID, answer: str) -> None:
        assert attempt_id not in self.called, "one attempt is one call"
        self.called[attempt_id] = answer == "accepts"

    def accepted(self, attempt_id: UUID) -> bool:
        return self.called.get(attempt_id, False)


def verdict(attempt_id: UUID, answer: str, now: datetime, wait: int = 0) -> Verdict:
    """What dispatch makes of an answer; "" is none. Every one of these is true."""
    again = now + timedelta(seconds=wait)
    match answer:
        case "accepts":
            return Verdict(attempt_id, Outcome.ACCEPTED, State.ACCEPTED, provider_id=f"wamid.{attempt_id}")
        case "refuses":
            return Verdict(attempt_id, Outcome.REFUSED, State.FAILED, reason="refused", code="131026")
        case "later":
            return Verdict(attempt_id, Outcome.UNSENT, State.READY, code="131000", retry_at=again)
        case "throttles":
            return Verdict(
                attempt_id, Outcome.UNSENT, State.READY, code="130429", retry_at=again, counts=False
            )
        case "fails_for_good":
            return Verdict(attempt_id, Outcome.UNSENT, State.FAILED, reason="attempts_used_up")
        case "fails_too_late":
            return Verdict(attempt_id, Outcome.UNSENT, State.EXPIRED, reason="expired")
        case _:
            return Verdict(attempt_id, Outcome.UNKNOWN, State.UNKNOWN, code="unanswered")


def decision(attempt_id: UUID, as_: str, now: datetime) -> Verdict:
    """What a person says of an unknown: it was sent, it was not, or send it again (flow.unknowns)."""
    match as_:
        case "sent":
            return Verdict(attempt_id, Outcome.ACCEPTED, State.ACCEPTED)
        case "not":
            return Verdict(attempt_id, Outcome.SETTLED_NOT_SENT, State.FAILED, "settled_not_sent")
        case _:
            return Verdict(attempt_id, Outcome.SETTLED_NOT_SENT, State.READY, retry_at=now, counts=False)


def not_begun(attempt_id: UUID, now: datetime) -> Verdict:
    """The call certainly never began."""
    return Verdict(attempt_id, Outcome.UNSENT, State.READY, code="not_begun", retry_at=now, counts=False)


@dataclass(slots=True)
class Worker:
    """A process: what it believes, what it has read, what it may call, what it was answered."""

    id: UUID
    alive: bool = True
    epoch: int | None = None
    settled_through: datetime = NOW
    recovered: bool = False
    seen: Holding | None = None
    lanes: dict[UUID, int] = field(default_factory=dict)  # lane → epoch, as read
    cursors: dict[UUID, tuple[datetime, UUID]] = field(default_factory=dict)
    buffer: list[Waiting] = field(default_factory=list)
    hands: list[Tried] = field(default_factory=list)  # committed, and not called yet
    begun: dict[UUID, datetime] = field(default_factory=dict)  # committed, and not durably settled
    marks: set[UUID] = field(default_factory=set)  # the flight recorder
    answers: dict[UUID, Verdict] = field(default_factory=dict)  # and not settled yet

    def own(self, epoch: int, settled_through: datetime) -> None:
        """A new desk, which has read nothing. Calls of an old one may still be made."""
        if self.alive:
            self.epoch, self.settled_through, self.recovered = epoch, settled_through, False
            self.lanes, self.cursors, self.buffer = {}, {}, []

    def die(self) -> None:
        """kill -9: only the marks remain."""
        self.alive = False
        self.buffer, self.hands, self.answers, self.begun = [], [], {}, {}
