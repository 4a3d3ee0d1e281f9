"""Caps: how much one person hears of a workspace at most, over all of its campaigns and channels.

A gap between any two messages, a number a day and a number in seven days in a row, by the person's own
calendar. What is more urgent may have caps of its own, or none, so that a reminder of an appointment is not
held since an announcement was made. Answers and tests are neither held nor counted.

What is held waits: after the gap, or at the same time of its next day that has room.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType

from pydantic import Field, ValidationError, model_validator

from clarion.domain import alert, campaign, sequence
from clarion.domain.message import Skip
from clarion.domain.schedule.clocktime import MINUTES, Part
from clarion.domain.schedule.zones import seconds, utc, zone_or_utc

WEEK = 7  # days in a row
SETTING = "caps"
KINDS: Mapping[int, str] = MappingProxyType(
    {
        alert.PRIORITY: alert.KIND,
        sequence.PRIORITY: sequence.KIND,
        campaign.PRIORITY: campaign.KIND,
    }
)
"""Of which kind the campaigns of a lane's priority are."""
OF_CAPS = (Skip.MINIMUM_GAP, Skip.ENOUGH_TODAY, Skip.ENOUGH_THIS_WEEK)


class Cap(Part):
    """How much is enough. What is absent is not limited."""

    gap: int | None = Field(
        default=None,
        ge=1,
        le=WEEK * MINUTES,
        description="minutes between two messages to a person, at least",
    )
    day: int | None = Field(default=None, ge=1, le=100, description="messages a day, by the person's clock")
    week: int | None = Field(default=None, ge=1, le=500, description="messages in seven days in a row")

    @model_validator(mode="after")
    def _fits(self) -> Cap:
        if self.day is not None and self.week is not None and self.week < self.day:
            raise ValueError(f"{self.day} a day never come about where {self.week} are enough in a week")
        return self

    @property
    def limits(self) -> bool:
        """Whether it holds anything."""
        return (self.gap, self.day, self.week) != (None, None, None)


class Caps(Cap):
    """The caps of a workspace. `kinds`: of campaigns of these kinds other ones hold; an empty one: none.

    Whatever they hear counts, of every kind.
    """

    kinds: dict[str, Cap] = Field(
        default_factory=dict, description="other caps for a kind of campaign: announcement, sequence"
    )

    @model_validator(mode="after")
    def _known(self) -> Caps:
        for kind in self.kinds:
            if kind not in KINDS.values():
                known = " or ".join(sorted(KINDS.values()))
                raise ValueError(f"there is no kind of campaign {kind!r}: it is {known}")
        return self

    def of(self, priority: int) -> Cap:
        """Those of what a lane of this priority says."""
        return self.kinds.get(KINDS.get(priority, ""), self)


@dataclass(frozen=True, slots=True)
class Held:
    """Until when somebody has heard enough, and which cap says so."""

    until: datetime
    reason: Skip


def next_room(
    cap: Cap, heard: Sequence[datetime], due_at: datetime, now: datetime, zone_name: str
) -> Held | None:
    """When somebody may hear what is due at `due_at`, who `heard` something else at these moments; None: now.

    Days are those of their zone (UTC where nobody knows it). Held for the day or the week it comes on a later
    day at the time of day at which it was due.
    """
    found = [
        one
        for one in (_after_gap(cap, heard, now), _on_another_day(cap, heard, due_at, now, zone_name))
        if one is not None
    ]
    return max(found, key=lambda one: one.until, default=None)


def _after_gap(cap: Cap, heard: Sequence[datetime], now: datetime) -> Held | None:
    if cap.gap is None or not heard:
        return None
    until = max(heard) + timedelta(minutes=cap.gap)
    return Held(until, Skip.MINIMUM_GAP) if until > now else None


def _on_another_day(
    cap: Cap, heard: Sequence[datetime], due_at: datetime, now: datetime, zone_name: str
) -> Held | None:
    if cap.day is None and cap.week is None:
        return None
    where = zone_or_utc(zone_name)
    days = [where.wall(seconds(one)).day for one in heard]
    today = where.wall(seconds(now)).day
    reason = _full(cap, days, today)
    if reason is None:
        return None
    day = next(one for one in range(today + 1, today + WEEK + 1) if _full(cap, days, one) is None)
    at = where.wall(seconds(due_at)).second
    return Held(utc(where.moment(day, at, somewhere=True)[0]), reason)


def _full(cap: Cap, days: Sequence[int], day: int) -> Skip | None:
    if cap.day is not None and days.count(day) >= cap.day:
        return Skip.ENOUGH_TODAY
    if cap.week is not None and sum(day - WEEK < one <= day for one in days) >= cap.week:
        return Skip.ENOUGH_THIS_WEEK
    return None


def caps_of(settings: Mapping[str, object]) -> Caps | None:
    """Those in a workspace's settings; None: none."""
    try:
        return Caps.model_validate(settings[SETTING]) if settings.get(SETTING) else None
    except ValidationError:  # written by another version, perhaps: they hold nobody up
        return None


@lru_cache(maxsize=512)
def cap_of(text: str, priority: int) -> Cap | None:
    """What of `Caps` as JSON holds for a lane of this priority; None: nothing."""
    try:
        found = Caps.model_validate_json(text).of(priority)
    except ValidationError:
        return None
    return found if found.limits else None


def told_of(caps: Caps) -> str:
    """All of them in words."""
    parts = [told(caps)] if caps.limits else []
    parts += [f"{kind}s: {told(one) or 'as many as come'}" for kind, one in sorted(caps.kinds.items())]
    return "; ".join(parts)


def told(cap: Cap) -> str:
    """In words; nothing where it limits nothing."""
    parts = [f"{cap.day} a day"] if cap.day is not None else []
    parts += [f"{cap.week} in seven days"] if cap.week is not None else []
    parts += [f"{_long(cap.gap)} between two"] if cap.gap is not None else []
    return ", ".join(parts)


def _long(minutes: int) -> str:
    for many, word in ((24 * 60, "day"), (60, "hour"), (1, "minute")):
        if minutes % many == 0:
            n = minutes // many
            return f"{n} {word}" + ("s" if n > 1 else "")
    raise AssertionError("a minute divides every number of them")
