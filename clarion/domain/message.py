"""A message: one content owed to one contact; and the attempts at it (DESIGN, the ledger).

States rise with evidence only, in the order in which the enum of the database declares them, so
that receipts may come in any order, repeated or before our own commit, and end the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from clarion.errors import Invalid


class State(StrEnum):
    """What the ledger stores. `READY` is shown as scheduled, ready or sending (`shown`)."""

    READY = "ready"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    UNDELIVERED = "undelivered"
    DELIVERED = "delivered"
    READ = "read"


# Evidence that the provider had it; from here on a message never falls back.
TAKEN = frozenset({State.ACCEPTED, State.UNDELIVERED, State.DELIVERED, State.READ})
# Ends in which nothing was sent, unless later evidence raises them.
NOT_SENT = frozenset({State.SKIPPED, State.CANCELLED, State.EXPIRED, State.FAILED})
ORDER = tuple(State)


def shown(state: State, due_at: datetime, now: datetime, *, in_flight: bool) -> str:
    """The word that a person reads: `ready` is scheduled until due and sending while in flight."""
    if state is not State.READY:
        return state.value
    if in_flight:
        return "sending"
    return "scheduled" if due_at > now else "ready"


def raised(state: State, evidence: State) -> State:
    """`state` after `evidence` (accepted, undelivered, delivered or read) came in, in whatever order."""
    return max(state, evidence, key=ORDER.index)


class Outcome(StrEnum):
    """How an attempt ended, as the attempt's row keeps it."""

    ACCEPTED = "accepted"  # the provider took it
    REFUSED = "refused"  # the provider said no, for good
    UNSENT = "unsent"  # proven: nothing left, or the provider said that it was not processed
    UNKNOWN = "unknown"  # bytes left and no answer came: only evidence settles it
    SETTLED_NOT_SENT = "settled_not_sent"  # somebody decided so: a person, or a retry of what did not arrive


class Skip(StrEnum):
    """Why somebody intended was not sent to. Each such person has a row that says so."""

    DUPLICATE_PERSON = "duplicate_person"
    DUPLICATE_ADDRESS = "duplicate_address"
    OPTED_OUT = "opted_out"
    NO_ADDRESS = "no_address"
    INVALID_NUMBER = "invalid_number"
    ERASED = "erased"
    QUIET_HOURS = "quiet_hours"  # outside the hours at which they are told: it waits for the next, or not
    MINIMUM_GAP = "minimum_gap"  # they heard something else just now (`domain.caps`); it waits, or not
    ENOUGH_TODAY = "enough_today"  # the same of a day
    ENOUGH_THIS_WEEK = "enough_this_week"  # and of seven days in a row
    NO_ROUTE = "no_route"  # no channel of the pool takes this number
    SUPERSEDED = "superseded"  # a confirmation that was overtaken by what the person said next
    NO_CONTENT = "no_content"  # no variant for this person's language, channel or service window
    HOLIDAY = "holiday"  # by its schedule it falls on a public holiday
    CLOCK_CHANGE = "clock_change"  # the clocks left its time out
    MISSED = "missed"  # it could not be sent in time, or the next one was due as well
    PAUSED = "paused"  # it fell due while the campaign, or the person in it, was paused
    ASKED = "asked"  # somebody said to leave this one out
    LEFT = "left"  # the person is no longer in the audience
    TAKEN_OUT = "taken_out"  # somebody took the person out of the campaign
    MOVED = "moved"  # the date that it was counted from changed before it was sent
    RESTARTED = "restarted"  # the person began anew before it was sent
    NO_MATCH = "no_match"  # its case meets the criteria no more
    CLOSED = "closed"  # its case was closed


@dataclass(slots=True)
class Verdict:
    """What an attempt's end means for its message.

    `state` is READY when it goes back to the queue at `retry_at`; `counts` says whether the try is
    one of the channel's allowed attempts (being throttled, or the account's fault, is not).
    """

    attempt_id: UUID
    outcome: Outcome
    state: State
    reason: str | None = None
    provider_id: str | None = None
    code: str | None = None
    detail: str | None = None
    retry_at: datetime | None = None
    counts: bool = True


_REFERENCE = re.compile(r"([1-9][0-9]{3})(0[1-9]|1[0-2])\.([0-9a-fA-F]{32})")


@lru_cache(maxsize=64)
def _month(cohort: date) -> str:
    return f"{cohort:%Y%m}."


def reference(cohort: date, attempt_id: UUID) -> str:
    """What we hand to the provider and read back in receipts: the partition and the attempt."""
    return _month(cohort) + attempt_id.hex


def parse_reference(text: str) -> tuple[date, UUID]:
    """The cohort and attempt of a reference. Raises Invalid where it is none of ours."""
    found = _REFERENCE.fullmatch(text)  # int() and UUID() read much more than digits
    if found is None:
        raise Invalid("this reference is not one that Clarion gave", where="reference")
    year, month, attempt_id = found.groups()
    return date(int(year), int(month), 1), UUID(hex=attempt_id)


def cohort_of(moment: datetime) -> date:
    """The month (its first day, UTC) whose partition holds what begins at `moment`."""
    return date(moment.year, moment.month, 1)
