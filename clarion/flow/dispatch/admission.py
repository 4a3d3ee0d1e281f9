"""From what is read to what goes: said to each person, counted, and asked of every limit.

One step without a pause in it, so that what is reserved is reserved before anybody else asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from clarion.domain.limits import Limit, Obstacle
from clarion.domain.message import Skip, State, reference
from clarion.domain.outside import Outside
from clarion.domain.schedule.allowed import Allowed, allowed
from clarion.domain.schedule.holds import Closed
from clarion.domain.schedule.written_hours import hours_text
from clarion.domain.segment import segments
from clarion.flow.compose import WINDOW, Lacking, Unsayable, window_open
from clarion.flow.dispatch.account import Channel
from clarion.flow.dispatch.broker import Broker
from clarion.flow.dispatch.lanes import Lanes
from clarion.flow.dispatch.shared import Call, Shared
from clarion.kit.ids import ascending7
from clarion.providers.contract import Content, Parcel, Text
from clarion.store.queue import Waiting

Ends = dict[tuple[State, str], list[Waiting]]
"""Who leaves the queue without a try, by state and reason."""


class Later(NamedTuple):
    """Somebody who waits for a later moment, and why."""

    waiting: Waiting
    moment: datetime
    reason: Skip


class Lacks(NamedTuple):
    """Somebody who waits for a value: until when, why, and whether it is the case's."""

    waiting: Waiting
    until: datetime
    reason: str
    of_case: bool


@dataclass(slots=True)
class Admitted:
    """What goes now, reserved; who ends instead, by state and reason; who waits for their next allowed hour;
    who is outside the service window and is not told there, by what is declared; who waits for a value; how
    many were put aside."""

    calls: list[Call] = field(default_factory=list)
    ends: Ends = field(default_factory=dict)
    later: list[Later] = field(default_factory=list)
    outside: dict[Outside, list[Waiting]] = field(default_factory=dict)
    lacking: list[Lacks] = field(default_factory=list)
    parked: int = 0

    def end(self, waiting: Waiting, state: State, reason: str) -> None:
        """This one leaves the queue without a try."""
        self.ends.setdefault((state, reason), []).append(waiting)

    @property
    def some(self) -> bool:
        """Whether anything came of it."""
        return bool(self.calls or self.leaving or self.parked)

    @property
    def leaving(self) -> bool:
        """Whether anybody leaves the queue, for good or for now."""
        return bool(self.ends or self.later or self.outside or self.lacking)


@dataclass(slots=True)
class Admission:
    """Of one channel."""

    shared: Shared
    channel: Channel
    lanes: Lanes
    broker: Broker
    wait: float = 0.0  # seconds until the rate has room for what could not go last

    def admit(self, room: int, now: datetime, ticks: float) -> Admitted:
        """The next `room` at most. Who waits for themselves stands aside, and others go before them; what
        waits for the channel waits in its order, and everything behind it."""
        admitted, self.wait = Admitted(), 0.0
        ids = ascending7(now)
        taken = self.lanes.take(room)
        for place, waiting in enumerate(taken):
            call = self._said(waiting, now, next(ids), admitted)
            if call is None:
                continue
            found = self.broker.obstacle(call, ticks)
            if found is None:
                self.broker.reserve(call)
                admitted.calls.append(call)
            elif found.alone:
                self.lanes.park(waiting, ticks, found.wait + self._turn(found))
                admitted.parked += 1
            else:
                self.wait = found.wait if found.by is Limit.RATE else 0.0
                self.lanes.give_back(taken[place:])
                break
        return admitted

    def _turn(self, found: Obstacle) -> float:
        """Places of a day's people come free one after the other; so are those asked who wait for them."""
        return self.lanes.parked / self.channel.rate if found.by is Limit.UNIQUES else 0.0

    def _said(self, waiting: Waiting, now: datetime, attempt_id: UUID, admitted: Admitted) -> Call | None:
        """What to say to this person, or None: they leave the queue with the reason."""
        if waiting.expires_at <= now:
            admitted.end(waiting, State.EXPIRED, "expired")
        elif waiting.erased:
            admitted.end(waiting, State.SKIPPED, Skip.ERASED.value)
        elif waiting.opted_out:
            admitted.end(waiting, State.SKIPPED, Skip.OPTED_OUT.value)
        elif (until := self._until(waiting, now, admitted)) is not None:
            return self._composed(waiting, now, until, attempt_id, admitted)
        return None

    def _composed(
        self, waiting: Waiting, now: datetime, until: datetime, attempt_id: UUID, admitted: Admitted
    ) -> Call | None:
        """The same of somebody who may be told until then: by the service window, and by the content."""
        inside = window_open(self.channel.provider, self.channel.id, waiting, now)
        declared = self._declared(waiting)
        if declared in (Outside.WAIT, Outside.SKIP) and not inside:
            admitted.outside.setdefault(declared, []).append(waiting)
            return None
        try:
            content, said = self.shared.composer.compose(self.channel, waiting, now)
        except Unsayable as error:
            self._unsaid(waiting, error, now, admitted)
            return None
        parcel = Parcel(
            reference(waiting.cohort, attempt_id), waiting.scheme, waiting.address, content,
            lifetime=(until - now).total_seconds(),
        )  # fmt: skip
        if declared is not None and inside and waiting.window_at is not None:
            until = min(until, waiting.window_at + WINDOW)  # then it is decided anew
        return Call(
            waiting, attempt_id, parcel, said, units_of(self.channel, content),
            inside=inside, outside=declared is not None and not inside, until=until,
        )  # fmt: skip

    def _unsaid(self, waiting: Waiting, error: Unsayable, now: datetime, admitted: Admitted) -> None:
        """Nothing can be said: it waits for the value that is missing, or is skipped. What was waited for
        once is not waited for anew."""
        if isinstance(error, Lacking):
            limit = min(waiting.due_at + error.patience, waiting.expires_at)
            until = waiting.held_until or limit
            if until > now:
                admitted.lacking.append(Lacks(waiting, until, error.reason, error.of_case))
                return
        admitted.end(waiting, State.SKIPPED, error.reason)

    def _declared(self, waiting: Waiting) -> Outside | None:
        """What the campaign declares of who is outside the service window, where there is one."""
        reader = self.lanes.readers.get(waiting.lane_id)
        if reader is None or reader.lane.outside is None or not self.channel.provider.has_window:
            return None
        return Outside(reader.lane.outside)

    def _until(self, waiting: Waiting, now: datetime, admitted: Admitted) -> datetime | None:
        """Until when a call to this person may begin, or None: by the hours that hold not now."""
        hours = self._hours(waiting)
        if hours is None:
            return waiting.expires_at
        try:
            opens, closes = hours.span(now, self.shared.composer.zone_of(waiting))
        except Closed:
            admitted.end(waiting, State.SKIPPED, Skip.QUIET_HOURS.value)
            return None
        if opens <= now:
            return min(closes, waiting.expires_at)
        if hours.too_late(waiting.due_at, opens):
            admitted.end(waiting, State.SKIPPED, Skip.QUIET_HOURS.value)
        elif opens >= waiting.expires_at:
            admitted.end(waiting, State.EXPIRED, "expired")
        else:
            admitted.later.append(Later(waiting, opens, Skip.QUIET_HOURS))
        return None

    def _hours(self, waiting: Waiting) -> Allowed | None:
        """At which hours this person may be told; None: at any."""
        reader = self.lanes.readers.get(waiting.lane_id)
        if reader is None:
            return None
        found = reader.lane.all_hours
        if own := waiting.fields.get(reader.lane.hours_field or ""):
            found += hours_text(str(own))
        return allowed(*found) if found else None

    def open_until(self, waiting: Waiting, now: datetime) -> datetime | None:
        """The same of somebody who was told already, or may have been; None also while their lane is not
        known."""
        if waiting.lane_id not in self.lanes.readers:
            return None
        return self._until(waiting, now, Admitted())


def units_of(channel: Channel, content: Content) -> int:
    """What this takes of a channel's limits."""
    if channel.provider.counts_segments and isinstance(content, Text):
        return max(1, segments(content.body).count)
    return 1
