"""What a channel carries of what falls due: first come, first served, at its rate, within its limits and the
hours of the campaign, until it expires. Pure; a model of the dispatch, which has every message for itself.

Messages that wait for the same moment are one batch. Of a batch goes at once what leaves within the same
minute, one after the other: the first when the channel is free, each next one after 1 / rate seconds. So a
rehearsal of a million messages is as many steps as there are minutes in which something leaves.

Moments are seconds since 1970.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from clarion.domain.limits import DAY, Limits
from clarion.domain.schedule.allowed import Allowed
from clarion.domain.schedule.holds import Closed
from clarion.domain.schedule.zones import Zone, seconds, utc

MINUTE = 60
_NEAR = 1e-6  # seconds, units: what rounding may add


@dataclass(slots=True)
class Carried:
    """What became of what was due over one channel. Counters are by minute (its beginning).

    `due` are messages, `due_units` what these take (segments, or messages). `held` came outside the hours and
    waited for the next; `put_off` could not go before the hours ended (by that moment) and waited for the
    next; `quiet` came outside the hours and is not waited for. `expired` is by the minute in which it was
    due. `longest` are seconds that one waited for the channel, due at `longest_due`. `last` is when the last
    left.
    """

    due: Counter[int] = field(default_factory=Counter)
    due_units: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    left: Counter[int] = field(default_factory=Counter)
    left_units: float = 0.0
    expired: Counter[int] = field(default_factory=Counter)
    put_off: Counter[int] = field(default_factory=Counter)
    held: int = 0
    quiet: int = 0
    longest: float = 0.0
    longest_due: int | None = None
    last: float | None = None


class Meter:
    """The limits of one number, or of the account that several share: how much may go, and when again.

    Of these limits rate, `daily` and `uniques` are kept. Each message counts as another address among the
    `uniques`. A `capacity` is freed by receipts, and when these come nobody knows beforehand.
    """

    def __init__(self, limits: Limits, zone: Zone) -> None:
        self.rate, self.free = limits.rate, -math.inf
        self._daily, self._uniques, self._zone = limits.daily, limits.uniques, zone
        self._today = 0.0
        self._until = -math.inf  # the midnight that ends today
        self._addresses: deque[tuple[float, int]] = deque()  # of the last 24 hours
        self._different = 0

    def until(self, now: float) -> float:
        """Until when what `room` says holds."""
        if self._daily is None:
            return math.inf
        if now >= self._until:
            day = self._zone.wall(int(now)).day
            self._until = self._zone.moment(day + 1, 0, somewhere=True)[0]
            self._today = 0.0
        return self._until

    def room(self, now: float, units: float) -> float:
        """How many messages that take so many units may go now, but for the rate."""
        room = math.inf
        if self._daily is not None:
            self.until(now)
            room = (self._daily - self._today + _NEAR) // units
        if self._uniques is not None:
            while self._addresses and self._addresses[0][0] + DAY <= now + _NEAR:
                self._different -= self._addresses.popleft()[1]
            room = min(room, self._uniques - self._different)
        return room

    def again(self, now: float, units: float) -> float:
        """When there is room again, where there is none."""
        found = now
        if self._daily is not None and self._today + units > self._daily + _NEAR:
            found = self.until(now)
        if self._uniques is not None and self._different >= self._uniques:
            found = max(found, self._addresses[0][0] + DAY)
        return found

    def take(self, now: float, many: int, units: float) -> None:
        """So many go from now on, one after the other."""
        self.free = now + many * units / self.rate
        self._today += many * units
        if self._uniques is not None:
            self._addresses.append((now, many))
            self._different += many


@dataclass(slots=True)
class Batch:
    """Messages that wait for one moment and expire at one. `units` are those of each; `closes` is when the
    hours end in which they are due."""

    due: float
    zone: str
    many: int
    units: float
    expires: float
    closes: float = math.inf


class Line:
    """What waits for one channel, in order. `meters` are its own and its account's; `hours` those of the
    campaign, by the clock of each batch's zone; `patience` seconds after its moment a message expires."""

    def __init__(self, meters: Sequence[Meter], hours: Allowed | None, patience: float) -> None:
        self.told = Carried()
        self._meters, self._hours, self._patience = meters, hours, patience
        self._waiting: list[tuple[float, int, Batch]] = []
        self._numbers = count()
        self._spans: dict[str, tuple[float, float]] = {}

    @property
    def waiting(self) -> bool:
        """Whether anything does."""
        return bool(self._waiting)

    def add(self, due: int, zone: str, many: int, units: float = 1.0) -> None:
        """So many messages are due at a moment. What comes outside the hours is due at the next opening."""
        batch = Batch(due, zone, many, units, due + self._patience)
        if self._hours is None or self._opened(batch):
            heappush(self._waiting, (batch.due, next(self._numbers), batch))
        self.told.due[_minute(batch.due)] += many
        self.told.due_units[_minute(batch.due)] += many * units

    def next(self) -> float:
        """When the first of it may go."""
        found = max(self._waiting[0][0], *(meter.free for meter in self._meters))
        whole = round(found)
        return whole if abs(found - whole) < _NEAR else found

    def step(self) -> None:
        """Send what leaves within one minute, or learn why it does not."""
        batch, now = self._waiting[0][2], self.next()
        if now >= batch.expires:
            self._expire(batch)
            return
        if self._hours is not None and not self._open(batch, now):
            return
        room = min(meter.room(now, batch.units) for meter in self._meters)
        if room < 1:
            for meter in self._meters:
                meter.free = max(meter.free, meter.again(now, batch.units))
            return
        pace = batch.units / min(meter.rate for meter in self._meters)
        end = min(batch.expires, self._end(batch, now), *(meter.until(now) for meter in self._meters))
        fits = max(1, math.ceil((end - now - _NEAR) / pace))
        self._send(batch, now, int(min(batch.many, fits, room)), pace)

    def _send(self, batch: Batch, now: float, many: int, pace: float) -> None:
        told, last = self.told, now + (many - 1) * pace
        told.left[_minute(now)] += many
        told.left_units += many * batch.units
        told.last = last if told.last is None else max(told.last, last)
        if last - batch.due > told.longest:
            told.longest, told.longest_due = last - batch.due, int(batch.due)
        for meter in self._meters:
            meter.take(now, many, batch.units)
        batch.many -= many
        if not batch.many:
            heappop(self._waiting)

    def _end(self, batch: Batch, now: float) -> float:
        """The minute's, or that of the hours, if it is sooner."""
        minute = _minute(now) + MINUTE
        return minute if self._hours is None else min(minute, self._spans[batch.zone][1])

    def _expire(self, batch: Batch) -> None:
        heappop(self._waiting)
        self.told.expired[_minute(batch.due)] += batch.many

    # --- hours

    def _opened(self, batch: Batch) -> bool:
        """Whether what has just come waits: for the channel, or first for the next opening."""
        span = self._span(batch.zone, batch.due)
        if span is None or (span[0] > batch.due and self._too_late(batch, span[0])):
            self.told.quiet += batch.many
            return False
        if span[0] > batch.due:
            self.told.held += batch.many
            if span[0] >= batch.expires:
                self.told.expired[_minute(batch.due)] += batch.many
                return False
        batch.due, batch.closes = max(batch.due, span[0]), span[1]
        return True

    def _open(self, batch: Batch, now: float) -> bool:
        """Whether the first of those that wait may be told now. Else the channel was too slow for them: they
        wait for the next opening, expire, or are not waited for."""
        span = self._span(batch.zone, now)
        if span is not None and span[0] <= now:
            return True
        self.told.put_off[int(batch.closes)] += batch.many
        heappop(self._waiting)
        if span is None or self._too_late(batch, span[0]):
            self.told.quiet += batch.many
        elif span[0] >= batch.expires:
            self.told.expired[_minute(batch.due)] += batch.many
        else:
            batch.due, batch.closes = span
            heappush(self._waiting, (batch.due, next(self._numbers), batch))
        return False

    def _span(self, zone: str, now: float) -> tuple[float, float] | None:
        """From when to when people of a zone may be told: now, or next. None: it is not waited for."""
        found = self._spans.get(zone)
        if found is None or not found[0] <= now < found[1]:
            assert self._hours is not None
            try:
                opens, closes = self._hours.span(utc(int(now)), zone)
            except Closed:
                return None
            found = self._spans[zone] = (seconds(opens), seconds(closes))
        return found

    def _too_late(self, batch: Batch, opens: float) -> bool:
        assert self._hours is not None
        return self._hours.too_late(utc(int(batch.due)), utc(int(opens)))


def _minute(moment: float) -> int:
    return int(moment) // MINUTE * MINUTE


def carry(lines: Sequence[Line]) -> None:
    """Let time pass until nothing waits in any of these, which may share meters."""
    waiting = [line for line in lines if line.waiting]
    while waiting:
        line = waiting[0] if len(waiting) == 1 else min(waiting, key=Line.next)
        line.step()
        if not line.waiting:
            waiting.remove(line)
