"""Rehearse: what a campaign would do if it were launched now, or at a moment to come, or goes on as it is.

    found = await rehearse(services, workspace_id, campaign_id, Wish(at, days))

The audience is copied in one snapshot; what is reckoned then needs no database, so that nothing is held up
by it. It agrees with what the ledger will have, wherever nothing happens in between that nobody can know: a
person who changes, a pause, a channel that is slower than it may be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from clarion.domain import campaign as announced
from clarion.domain.campaign import FARTHEST
from clarion.domain.rehearsal.reckoning import Reckoning
from clarion.domain.schedule.model import Rule, Schedule
from clarion.domain.schedule.zones import seconds
from clarion.domain.sequence import KIND, require
from clarion.errors import Invalid
from clarion.flow.rehearse import announcement, sequence
from clarion.flow.rehearse.advice import warnings
from clarion.flow.rehearse.outcome import Outcome, outcome
from clarion.flow.rehearse.scene import Scene
from clarion.flow.rehearse.sequence import Progress, Told
from clarion.flow.services import Services
from clarion.kit.db import Row
from clarion.store import campaign as campaigns

ENDLESS = timedelta(days=90)  # of a schedule without an end
MOST_DAYS = FARTHEST.days


@dataclass(frozen=True, slots=True)
class Wish:
    """From when on (now), for how many days (to the end of the schedule; 90 where it has none), and at most
    so many people and messages, where there is a limit."""

    at: datetime | None = None
    days: int | None = None
    most_people: int | None = None
    most_messages: int | None = None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would become of a campaign between `begins` and `until`, in the workspace's `zone`.

    `people` are all who are meant or in it, `hear` those to whom something is sent, `apart` the others by
    why. `messages` fall due and can be sent; `skipped` are those that cannot, by reason; `moved` by what
    moved them. `beyond`: more comes after `until`. `reckoning` has what is due to the second.
    """

    id: UUID
    name: str
    kind: str
    state: str
    begins: datetime
    until: datetime
    zone: str
    people: int
    hear: int
    apart: Mapping[str, int]
    messages: int
    skipped: Mapping[str, int]
    moved: Mapping[str, int]
    beyond: bool
    outcome: Outcome
    warnings: list[str]
    reckoning: Reckoning = field(repr=False)

    @property
    def leave(self) -> int:
        """How many messages leave."""
        return sum(one.leave for one in self.outcome.channels)

    @property
    def held(self) -> int:
        """How many wait for allowed hours: moved by the schedule, or held by those of the campaign."""
        return self.moved.get("quiet_hours", 0) + sum(one.held for one in self.outcome.channels)

    @property
    def expire(self) -> int:
        """How many expire before their turn."""
        return sum(one.expire for one in self.outcome.channels)

    @property
    def last(self) -> datetime | None:
        """When the last one leaves."""
        return max((one.last for one in self.outcome.channels if one.last is not None), default=None)

    def plain(self) -> dict[str, Any]:
        """All of it but the reckoning, for JSON."""
        own = ("id", "name", "kind", "state", "begins", "until", "zone", "beyond", "people", "hear", "apart",
               "messages", "leave", "last", "held", "expire", "skipped", "moved", "warnings")  # fmt: skip
        return {**{name: getattr(self, name) for name in own}, **asdict(self.outcome)}


def unheard(what: str, done: int, total: int | None) -> None:
    """The progress that nobody hears."""


async def rehearse(
    services: Services, workspace_id: UUID, campaign_id: UUID, wish: Wish | None = None,
    progress: Progress = unheard,
) -> Rehearsal:  # fmt: skip
    """Nothing is written, and nobody is told. Raises NotFound, Invalid (not right yet; a moment that is
    past), Conflict (it has ended; an announcement that has begun), TooLarge, Misconfigured."""
    wish, now = wish or Wish(), services.clock.now()
    _check(wish, now)
    async with services.db.snapshot(workspace_id) as connection:
        row = await campaigns.any_kind(connection, campaign_id)
        if not (follows := _follows(row)):
            begin = await announcement.moment(connection, row, wish.at, now)
            until = begin + timedelta(days=wish.days or MOST_DAYS)
            reckoning = Reckoning(seconds(until))
            scene, told = await announcement.count(connection, services, row, begin, reckoning)
        else:
            scene, course = await sequence.play(connection, services, row, wish.at or now)
            copied = await sequence.copy(connection, scene, course, wish.most_people, progress)
            until = scene.begin + _days(wish, course.definition.schedule)
            reckoning = Reckoning(seconds(until))
    if follows:
        told = await sequence.reckon(copied, reckoning, wish.most_messages, progress)
    found = await asyncio.to_thread(outcome, scene, reckoning)
    return _told(scene, reckoning, told, found, until)


def _told(scene: Scene, reckoning: Reckoning, told: Told, found: Outcome, until: datetime) -> Rehearsal:
    apart = {reason: many for reason, many in told.apart.most_common() if many}
    moved: dict[str, int] = {}
    for some, many in reckoning.moved.items():
        moved |= {one: moved.get(one, 0) + many for one in some}
    return Rehearsal(
        scene.row["id"], scene.row["name"], scene.row["kind"], scene.row["state"], scene.begin, until,
        scene.home, told.people, told.hear, apart, sum(one.many for one in reckoning),
        {str(reason): many for reason, many in reckoning.skipped.most_common()}, moved, reckoning.beyond,
        found, warnings(scene, found, apart, coarse=reckoning.grain), reckoning,
    )  # fmt: skip


def _follows(row: Row) -> bool:
    """Whether it follows people: a sequence, or an announcement that recurs. Raises Conflict where it has
    ended."""
    if row["kind"] == KIND:
        require(row["state"], "edit")
        return True
    if row["definition"].get("schedule") is None:
        return False
    announced.require(row["state"], "edit_recurring")
    return True


def _check(wish: Wish, now: datetime) -> None:
    if wish.at is not None and wish.at < now:
        raise Invalid("this moment is past", where="at", hint="Leave it out to begin now.")
    if wish.days is not None and not 1 <= wish.days <= MOST_DAYS:
        raise Invalid(f"between 1 and {MOST_DAYS} days can be rehearsed", where="days")


def _days(wish: Wish, schedule: Schedule) -> timedelta:
    if wish.days is not None:
        return timedelta(days=wish.days)
    return FARTHEST if _ends(schedule) else ENDLESS


def _ends(schedule: Schedule) -> bool:
    """Whether it comes to an end by itself."""
    repeat = schedule.repeat
    if repeat is None or repeat.count is not None:
        return True
    if schedule.until is not None and schedule.until.moment is not None:
        return True
    return isinstance(repeat, Rule) and any(word in repeat.rrule.upper() for word in ("COUNT=", "UNTIL="))
