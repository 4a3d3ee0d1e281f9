"""An enrollment: somebody in a campaign that follows them, where they stand in its schedule, and what becomes
of that when they, or the campaign, change. Pure.

A generation is one time round the schedule (DESIGN, the ledger). Moving the date that day 0 is counted from
keeps it while nothing of it was written; after that the next begins. Within a generation nothing is said
twice, whatever is recalculated.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Literal, NamedTuple
from uuid import UUID

from clarion.domain.schedule.plan import Plan
from clarion.domain.schedule.subject import Occurrence, Skip, Subject
from clarion.domain.schedule.zones import seconds
from clarion.errors import Conflict

AHEAD = 6  # occurrences that are kept beside an enrollment, so that firing computes nothing
FIRST = 2  # when somebody is enrolled: a million at once have none of the others computed for nothing
Key = tuple[int, int]
"""(iteration, step): which occurrence of a generation it is."""
Reentry = Literal["continue", "restart", "once"]


class Status(StrEnum):
    """Where an enrollment is. `FINISHED`: all was written. `LAPSED`: it ended and nothing ever was."""

    ACTIVE = "active"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"
    LAPSED = "lapsed"


class Stop(StrEnum):
    """Why somebody was stopped: they are no longer meant, they said stop, or somebody took them out. Of an
    alert also: its case meets the criteria no more, or was closed, or somebody replied."""

    LEFT = "left"
    OPTED_OUT = "opted_out"
    TAKEN_OUT = "taken_out"
    NO_MATCH = "no_match"
    CLOSED = "closed"
    REPLIED = "replied"


class Wait(StrEnum):
    """Why nothing comes next of an active enrollment."""

    NO_START = "no_start"


@dataclass(frozen=True, slots=True)
class Stand:
    """An enrollment as the database has it. `moves`: occurrences that somebody moved, and whither (seconds
    since 1970)."""

    id: UUID
    generation: int
    status: Status
    reason: str
    began_at: datetime
    basis: str
    moves: Mapping[Key, int]
    next_due: datetime | None


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody as they are now: whether the campaign means them, whether they said stop where it would reach
    them, and what day 0 would be counted from."""

    meant: bool
    opted_out: bool
    basis: str


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of an enrollment. `anew`: the next generation begins. `since`: from when on its
    occurrences are looked for; None where none come. `withdraw`: the reason with which what waits ends."""

    status: Status
    reason: str = ""
    anew: bool = False
    since: datetime | None = None
    withdraw: str | None = None


def entered(seen: Seen, now: datetime) -> Change | None:
    """What becomes of somebody who is not enrolled: None where they are not meant."""
    if not seen.meant:
        return None
    if seen.opted_out:
        return Change(Status.STOPPED, Stop.OPTED_OUT)
    return Change(Status.ACTIVE, since=now)


def changed(stand: Stand, seen: Seen, reentry: Reentry, now: datetime, *, written: bool) -> Change | None:
    """What becomes of an enrollment whose person or campaign may have changed; None: nothing does.

    `written`: whether its generation has any message.
    """
    if not seen.meant or seen.opted_out:
        return _stopped(stand, Stop.OPTED_OUT if seen.meant else Stop.LEFT)
    if stand.status is Status.STOPPED:
        return _back(stand, seen, reentry, now, written=written)
    anew = seen.basis != stand.basis and written
    status = Status.PAUSED if stand.status is Status.PAUSED else Status.ACTIVE
    if anew:
        return Change(status, anew=True, since=now, withdraw="moved")
    return Change(status, since=_overdue(stand, now))


def _stopped(stand: Stand, why: Stop) -> Change | None:
    if stand.status is Status.STOPPED and stand.reason in (why, Stop.TAKEN_OUT):
        return None
    return Change(Status.STOPPED, why, withdraw=why.value)


def _back(stand: Stand, seen: Seen, reentry: Reentry, now: datetime, *, written: bool) -> Change | None:
    """Who was stopped and is meant again. Who was taken out by somebody stays out."""
    if stand.reason == Stop.TAKEN_OUT or (stand.reason == Stop.LEFT and reentry == "once"):
        return None
    again = stand.reason == Stop.LEFT and reentry == "restart"
    anew = written and (again or seen.basis != stand.basis)
    return Change(Status.ACTIVE, anew=anew, since=now)


def _overdue(stand: Stand, now: datetime) -> datetime:
    """What fell due a moment ago and is not written yet is still to come."""
    return now if stand.next_due is None else min(now, stand.next_due)


def stands(change: Change, *, coming: bool, begins: bool, said: bool = False) -> tuple[Status, str]:
    """Where a change leaves somebody, and why: by whether anything comes next, whether day 0 is known, and
    whether anything was `said`."""
    if change.since is None or coming:
        return change.status, change.reason
    if not begins:
        return change.status, Wait.NO_START
    return Status.FINISHED if said else Status.LAPSED, change.reason


def subject_of(case_id: UUID, contact_id: UUID) -> UUID:
    """Whom an alert's schedule is computed for: a person as to a case. It sorts as its case does."""
    told = sha256(case_id.bytes + contact_id.bytes).digest()[:8]
    return UUID(bytes=case_id.bytes[:8] + told)


# --- what comes next


def upcoming(
    plan: Plan,
    somebody: Subject,
    since: datetime,
    *,
    said: Collection[Key] = (),
    moves: Mapping[Key, int] | None = None,
    count: int = AHEAD,
    until: datetime | None = None,
) -> list[Occurrence]:
    """The next occurrences of a generation in order, at most `count`: from `since` on to before `until`,
    without what was `said`, and what was moved at its own moment."""
    found: list[Occurrence] = []
    for one in plan.occurrences(somebody, since, until):
        key = (one.iteration, one.step)
        if key in said or (moves and key in moves):
            continue
        found.append(one)
        if len(found) == count:
            break
    if not moves:
        return found
    first, last = seconds(since), math.inf if until is None else seconds(until)
    moved = [
        Occurrence(due, *key) for key, due in moves.items()
        if key not in said and first <= due < last and key[1] in plan.numbers
    ]  # fmt: skip
    return sorted([*found, *moved])[:count]


class Coming(NamedTuple):
    """One of `ahead`, without what moved it."""

    due: int
    iteration: int
    step: int
    skip: Skip | None


_SKIPS = tuple(Skip)
SKIP_WORDS = tuple(skip.value for skip in _SKIPS)
"""What the fourth number of an occurrence ahead stands for, counted from 1."""
WIDTH = 4


def packed(some: Iterable[Occurrence]) -> list[int]:
    """As the database keeps them: four numbers each, its moment (seconds since 1970), iteration, step, and
    why it is skipped (0: it is not)."""
    flat: list[int] = []
    for one in some:
        flat += (one.due, one.iteration, one.step, 0 if one.skip is None else _SKIPS.index(one.skip) + 1)
    return flat


def unpacked(flat: list[int] | None) -> list[Coming]:
    """What `packed` made."""
    flat = flat or []
    return [
        Coming(due, iteration, step, _SKIPS[skip - 1] if skip else None)
        for due, iteration, step, skip in zip(*(flat[place::WIDTH] for place in range(WIDTH)), strict=True)
    ]


# --- what somebody may ask for one person


class Verb(StrEnum):
    """What may be done with somebody's enrollment. `SKIP` and `MOVE` are of what comes next of it; `CHOOSE`
    changes the person, at which time they hear, and the enrollment follows (`flow.enroll.choose`)."""

    PAUSE = "pause"
    RESUME = "resume"
    RESTART = "restart"
    TAKE_OUT = "take_out"
    SKIP = "skip"
    MOVE = "move"
    CHOOSE = "choose"


def steered(stand: Stand, seen: Seen, verb: Verb, now: datetime) -> Change | None:
    """What a verb makes of an enrollment; None where there is nothing to do, as the second time. Raises
    Conflict where it cannot be."""
    if verb is Verb.TAKE_OUT:
        out = stand.status is Status.STOPPED and stand.reason == Stop.TAKEN_OUT
        return None if out else Change(Status.STOPPED, Stop.TAKEN_OUT, withdraw="taken_out")
    taken_out = stand.status is Status.STOPPED and stand.reason == Stop.TAKEN_OUT
    if stand.status is Status.STOPPED and not (taken_out and verb in (Verb.RESUME, Verb.RESTART)):
        raise Conflict(f"this person was stopped: {stand.reason.replace('_', ' ')}", where="status")
    if not seen.meant or seen.opted_out:
        raise Conflict(
            f"this person {'has opted out' if seen.meant else 'is not in the audience'}", where="status"
        )
    if verb is Verb.RESTART:
        return Change(Status.ACTIVE, anew=True, since=now, withdraw="restarted")
    if verb is Verb.PAUSE:
        if stand.status is Status.PAUSED:
            return None
        return Change(Status.PAUSED, since=_overdue(stand, now), withdraw="paused")
    if verb is Verb.RESUME:
        back = stand.status is Status.PAUSED or taken_out
        return Change(Status.ACTIVE, since=now if taken_out else _overdue(stand, now)) if back else None
    status = Status.PAUSED if stand.status is Status.PAUSED else Status.ACTIVE
    return Change(status, since=_overdue(stand, now))
