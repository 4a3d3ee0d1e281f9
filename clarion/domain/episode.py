"""An episode: that a case meets an alert's criteria, since when, and what that means for each recipient.

Pure. A case that comes to meet the criteria begins; when it meets them no more it ends, and meeting them
again it begins again, as the alert says. A recipient is enrolled in what began, and whoever joins later takes
the place that it has reached.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from clarion.domain.alert import NotWithin, Reentry
from clarion.domain.enrollment import Change, Seen, Stand, Status, Stop, changed


class Phase(StrEnum):
    """`ON`: it meets the criteria, and its recipients hear. `OUT`: it meets them and nobody hears, with the
    reason. `OFF`: it does not meet them."""

    ON = "on"
    OUT = "out"
    OFF = "off"


class Out(StrEnum):
    """Why nobody hears of a case that meets the criteria: it did when the alert was launched, it had begun
    once already, or too lately."""

    EXISTING = "existing"
    ONCE = "once"
    TOO_SOON = "too_soon"


@dataclass(frozen=True, slots=True)
class Episode:
    """Where a case stands in an alert. `times`: how often it has begun. `since`: when it last did, or ended,
    or was first looked at. `restart`: what the property that begins it anew said then."""

    phase: Phase
    reason: str
    times: int
    since: datetime
    restart: str
    began_at: datetime | None


@dataclass(frozen=True, slots=True)
class Facts:
    """A case as it is now: whether it meets the criteria, whether it is open, what the property that begins
    it anew says, and whether it was already as it is when the alert was launched."""

    meets: bool
    open: bool
    restart: str = ""
    existing: bool = False


def turned(before: Episode | None, facts: Facts, reentry: Reentry, now: datetime) -> Episode:
    """Where the case stands from now on."""
    if not facts.meets:
        return _ended(before, facts, now)
    if before is None:
        if facts.existing:
            return Episode(Phase.OUT, Out.EXISTING, 0, now, facts.restart, None)
        return _begun(0, facts, now)
    if before.phase is Phase.OFF:
        why = _refused(before, reentry, now)
        if why is not None:
            return Episode(Phase.OUT, why, before.times, now, facts.restart, before.began_at)
        return _begun(before.times, facts, now)
    if facts.restart != before.restart:
        return _begun(before.times, facts, now)
    return before


def _begun(times: int, facts: Facts, now: datetime) -> Episode:
    return Episode(Phase.ON, "", times + 1, now, facts.restart, now)


def _ended(before: Episode | None, facts: Facts, now: datetime) -> Episode:
    why = Stop.NO_MATCH if facts.open else Stop.CLOSED
    if before is None:
        return Episode(Phase.OFF, why, 0, now, facts.restart, None)
    if before.phase is Phase.OFF:
        return replace(before, reason=why)
    return Episode(Phase.OFF, why, before.times, now, facts.restart, before.began_at)


def _refused(before: Episode, reentry: Reentry, now: datetime) -> Out | None:
    if before.times == 0 or before.began_at is None:
        return None
    if reentry == "once":
        return Out.ONCE
    if isinstance(reentry, NotWithin) and now < before.began_at + timedelta(days=reentry.not_within_days):
        return Out.TOO_SOON
    return None


# --- its recipients


def enters(episode: Episode, opted_out: bool, now: datetime, *, replied: bool = False) -> Change | None:
    """What becomes of a recipient who is not enrolled yet; None: nothing. What had come before they joined
    is not said to them. `replied`: a reply has ended what everybody hears of the case."""
    if episode.phase is not Phase.ON:
        return None
    if opted_out or replied:
        return Change(Status.STOPPED, Stop.OPTED_OUT if opted_out else Stop.REPLIED)
    return Change(Status.ACTIVE, since=now)


def answers(stand: Stand, episode: Episode, seen: Seen, *, switched: bool = False) -> bool:
    """Whether a reply in the generation that a recipient is in still counts: neither has the case begun again
    since, nor moved to another date, which begins the next time round."""
    return stand.began_at >= episode.since and (switched or seen.basis == stand.basis)


def follows(
    stand: Stand, episode: Episode, seen: Seen, now: datetime, *, written: bool, switched: bool = False,
    replied: bool = False,
) -> tuple[Change, datetime] | None:  # fmt: skip
    """What becomes of a recipient who is enrolled, and since when their generation counts; None: nothing.

    `seen.meant`: whether the case still names them. `written`: whether their generation has any message.
    `switched`: since they were looked at the alert counts from another property, so that another date says
    nothing of the case: what was said stays said. `replied`: a reply has ended this time round for them.
    """
    if episode.phase is not Phase.ON:
        ended = _over(stand, episode, now)
        return None if ended is None else (ended, stand.began_at)
    if not seen.meant or seen.opted_out:
        if stand.status is Status.STOPPED:
            return None
        return _stopped(Stop.OPTED_OUT if seen.meant else Stop.LEFT), stand.began_at
    if stand.began_at < episode.since:
        return _again(stand, episode, now, written=written)
    change = changed(stand, seen, "continue", now, written=written and not switched)
    if replied and not (change is not None and change.anew):
        change = _replied(stand)
    if change is None:
        return None
    return change, now if change.anew else stand.began_at


def _over(stand: Stand, episode: Episode, now: datetime) -> Change | None:
    """The case is over. Who has had all keeps that; what of it still waits is not sent."""
    if stand.status in (Status.ACTIVE, Status.PAUSED):
        return _stopped(episode.reason)
    if stand.status is Status.FINISHED and episode.since == now:
        return Change(stand.status, stand.reason, withdraw=episode.reason)
    return None


def _replied(stand: Stand) -> Change | None:
    """Who has had all keeps that; what of it still waits is not sent."""
    if stand.status in (Status.FINISHED, Status.LAPSED):
        return Change(stand.status, stand.reason, withdraw=Stop.REPLIED)
    if stand.status is Status.STOPPED and stand.reason in (Stop.REPLIED, Stop.TAKEN_OUT):
        return None
    return _stopped(Stop.REPLIED)


def _stopped(why: str) -> Change:
    return Change(Status.STOPPED, why, withdraw=why)


def _again(stand: Stand, episode: Episode, now: datetime, *, written: bool) -> tuple[Change, datetime] | None:
    """The case has begun again since. Who was taken out by hand stays out, and who is paused stays so."""
    if stand.status is Status.STOPPED and stand.reason == Stop.TAKEN_OUT:
        return None
    status = Status.PAUSED if stand.status is Status.PAUSED else Status.ACTIVE
    withdraw = None if stand.status is Status.STOPPED else "restarted"  # of who has had all, too
    return Change(status, anew=written, since=now, withdraw=withdraw), episode.since
