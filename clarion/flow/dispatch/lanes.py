"""Reading ahead along a channel's lanes: by a cursor, without a claim.

The cursor only moves forward, so that reading stays as cheap behind a million sent messages as at
the start. Rows may appear behind it (a chunk of an expansion that committed late): when all that was read
to a lane's end is taken, a look goes back by `LOOK_BACK`, now and then to the very start; the longer it
takes, the more seldom. While there is no end in sight, what was put back is read by itself and goes first.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from heapq import heapify, heappop, heappush
from uuid import UUID

from clarion.domain.turns import Claim, Turns
from clarion.kit.clock import Clock
from clarion.kit.crash import crash_point
from clarion.kit.db import Connection
from clarion.store import fallback, queue
from clarion.store.intent import Intended
from clarion.store.queue import Lane, Waiting

LOOK_BACK = timedelta(seconds=30)
FROM_THE_START = 300.0
OFTEN, SELDOM = 0.2, 2.0  # seconds between looks at a lane's end
SELDOM_BACK = 15.0  # seconds between looks back while something waits here: who always has some still looks
AHEAD = 1000
STALE = 60.0  # seconds after which somebody who stands aside is read anew
MOST_PARKED = 4 * AHEAD  # of a lane; then it is read no further until some of them may go
Prepare = Callable[[Connection, Sequence[Waiting]], Awaitable[None]]
_START = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))
_arrivals = itertools.count()


@dataclass(slots=True)
class LaneReader:
    """One lane's cursor and what was read and not yet taken."""

    lane: Lane
    ahead: int = AHEAD
    cursor: tuple[datetime, UUID] = _START
    buffer: deque[Waiting] = field(default_factory=deque)
    held: set[UUID] = field(default_factory=set)  # message ids read and not yet settled by us
    parked: list[tuple[float, int, float, Waiting]] = field(default_factory=list)  # a heap, see `park`
    next_look: float = 0.0
    next_start: float = FROM_THE_START
    asked: int = 0  # to look again, or soon: a read under way must not undo that
    hurried: int = 0
    next_back: float = 0.0  # when to look back although something waits here
    at_end: bool = False  # beyond what is read there was nothing, when it was last looked at

    def low(self, ticks: float) -> bool:
        """Whether there is reason to read on, at this monotonic moment."""
        full = len(self.parked) >= MOST_PARKED
        return len(self.buffer) < self.ahead // 2 and ticks >= self.next_look and not full

    def _place(self, ticks: float) -> tuple[datetime, UUID]:
        """Where to read from; at the end, when all is taken or has not been for long, a little before it."""
        if not self.at_end or (self.buffer and ticks < self.next_back):
            return self.cursor
        self.next_back = ticks + SELDOM_BACK
        if ticks >= self.next_start:
            self.next_start = ticks + FROM_THE_START
            return _START
        return max(self.cursor[0] - LOOK_BACK, _START[0]), UUID(int=0)

    async def refill(self, connection: Connection, clock: Clock, prepare: Prepare | None = None) -> None:
        """Read `ahead` more rows, or to the end. `prepare` sees to their content versions beforehand."""
        began = clock.monotonic()
        if not self.low(began):
            return
        asked, hurried, now = self.asked, self.hurried, clock.now()
        place = self._place(began)
        found = await queue.read_ahead(connection, self.lane.id, place, now, self.ahead)
        behind: list[Waiting] = []
        if len(found) == self.ahead:  # what was put back lies behind very many
            behind = await queue.read_again(connection, self.lane.id, now, self.ahead)
        crash_point("refill.read")
        if prepare is not None and found:
            await prepare(connection, (*found, *behind))
        self.buffer.extendleft(reversed(self._new(behind)))
        self.buffer.extend(self._new(found))
        if self.asked != asked:
            return
        self.at_end, was_there = len(found) < self.ahead, self.at_end
        if found:
            last = (found[-1].due_at, found[-1].message_id)
            self.cursor = max(self.cursor, last) if self.at_end else last
        if self.at_end:
            ended = clock.monotonic()
            pause = min(SELDOM, max(OFTEN, 20 * (ended - began)))
            self.next_look = ended + pause if self.hurried == hurried else 0.0
            self.next_back = self.next_back if was_there else ended + SELDOM_BACK

    def _new(self, found: Iterable[Waiting]) -> list[Waiting]:
        """Those that we do not hold yet; we do now."""
        fresh = [waiting for waiting in found if waiting.message_id not in self.held]
        self.held.update(waiting.message_id for waiting in fresh)
        return fresh

    def take(self, limit: int) -> list[Waiting]:
        """Up to `limit` in order; they stay held until `forget`."""
        return [self.buffer.popleft() for _ in range(min(limit, len(self.buffer)))]

    def park(self, waiting: Waiting, ticks: float, until: float) -> None:
        """This one waits for itself (its address was written to just now): others go before it."""
        heappush(self.parked, (until, next(_arrivals), ticks, waiting))

    def unpark(self, ticks: float) -> None:
        """Whose time has come stands first again. What stood aside long is read anew: the person may have
        changed since."""
        back = []
        while self.parked and self.parked[0][0] <= ticks:
            _, _, parked_at, waiting = heappop(self.parked)
            if ticks - parked_at < STALE:
                back.append(waiting)
            else:
                self.held.discard(waiting.message_id)
                self.look_again()
        self.buffer.extendleft(reversed(back))

    def expired(self, now: datetime) -> list[Waiting]:
        """Those read, and not taken, whose time is over; they stay held until `forget`."""
        late = [waiting for waiting in self.buffer if waiting.expires_at <= now]
        late += [one[3] for one in self.parked if one[3].expires_at <= now]
        if late:
            gone = {waiting.message_id for waiting in late}
            self.buffer = deque(one for one in self.buffer if one.message_id not in gone)
            self.parked = [one for one in self.parked if one[3].message_id not in gone]
            heapify(self.parked)
        return late

    def forget(self, message_ids: Iterable[UUID]) -> None:
        """These are settled or no longer ours: should one wait again, it may be read again."""
        self.held.difference_update(message_ids)

    def look_again(self) -> None:
        """Read from the very start: what was forgotten and still waits lies behind the cursor."""
        self.cursor, self.next_look, self.at_end = _START, 0.0, False
        self.asked += 1

    def hurry(self) -> None:
        """Something new is due: the next look is a look into this lane."""
        self.next_look = 0.0
        self.hurried += 1

    def reconsider(self) -> None:
        """The limits are others: everybody who stands aside is asked about again."""
        self.parked = [(0.0, nth, parked_at, waiting) for _, nth, parked_at, waiting in self.parked]
        heapify(self.parked)


class Lanes:
    """All open lanes of a channel."""

    def __init__(self, ahead: int = AHEAD) -> None:
        """`ahead`: how many rows of a lane are read at once."""
        self.ahead = ahead
        self.readers: dict[UUID, LaneReader] = {}
        self._turns: Turns[UUID] = Turns()
        self._parked_until = math.inf

    def learn(self, lanes: Sequence[Lane], ticks: float) -> None:
        """Which lanes are open. One that was paused meanwhile is read anew."""
        for gone in self.readers.keys() - {lane.id for lane in lanes}:
            del self.readers[gone]
        for lane in lanes:
            reader = self.readers.get(lane.id)
            if reader is None or reader.lane.epoch != lane.epoch:
                reader = self.readers[lane.id] = LaneReader(
                    lane, self.ahead, next_start=ticks + FROM_THE_START
                )
            reader.lane = lane  # its share may have changed

    async def refill(self, connection: Connection, clock: Clock, prepare: Prepare | None = None) -> None:
        """Read ahead in each lane where there is reason to."""
        for reader in list(self.readers.values()):
            await reader.refill(connection, clock, prepare)

    def hurry(self) -> None:
        """See LaneReader.hurry."""
        for reader in self.readers.values():
            reader.hurry()

    def reconsider(self) -> None:
        """See LaneReader.reconsider."""
        for reader in self.readers.values():
            reader.reconsider()
        self._parked_until = 0.0

    def low(self, ticks: float) -> bool:
        """Whether there is a lane to read on in, now."""
        return any(reader.low(ticks) for reader in self.readers.values())

    def take(self, limit: int) -> list[Waiting]:
        """The next `limit`: the most urgent priority first, some of every other, lanes of one priority
        by their weight (`domain.turns`); the most urgent stand first."""
        claims = {
            lane_id: Claim(reader.lane.priority, reader.lane.weight, len(reader.buffer))
            for lane_id, reader in self.readers.items()
        }
        share = self._turns.divide(claims, limit)
        return [
            waiting
            for lane_id in sorted(share, key=lambda one: claims[one].priority)
            for waiting in self.readers[lane_id].take(share[lane_id])
        ]

    def give_back(self, untaken: list[Waiting]) -> None:
        """These were taken last, and cannot go yet: they stand first again, in their order."""
        for waiting in reversed(untaken):
            reader = self.readers.get(waiting.lane_id)
            if reader is not None:
                reader.buffer.appendleft(waiting)
                self._turns.refund(waiting.lane_id, reader.lane.priority, reader.lane.weight)

    def park(self, waiting: Waiting, ticks: float, seconds: float) -> None:
        """See LaneReader.park."""
        reader = self.readers.get(waiting.lane_id)
        if reader is not None:
            reader.park(waiting, ticks, ticks + seconds)
            self._parked_until = min(self._parked_until, ticks + seconds)

    def unpark(self, ticks: float) -> None:
        """See LaneReader.unpark."""
        if ticks < self._parked_until:
            return
        for reader in self.readers.values():
            reader.unpark(ticks)
        self._parked_until = min(
            (reader.parked[0][0] for reader in self.readers.values() if reader.parked), default=math.inf
        )

    def expired(self, now: datetime) -> list[Waiting]:
        """See LaneReader.expired."""
        return [waiting for reader in self.readers.values() for waiting in reader.expired(now)]

    def rest(self, ticks: float) -> float:
        """Seconds until the first of those that stand aside may go."""
        return max(0.0, self._parked_until - ticks)

    def epoch(self, lane_id: UUID) -> int:
        """The epoch under which a lane's rows were read; 0 when it is closed by now."""
        reader = self.readers.get(lane_id)
        return reader.lane.epoch if reader else 0

    async def watch(
        self, connection: Connection, granted: Container[UUID], tries: Iterable[Intended], now: datetime
    ) -> None:
        """Where a campaign goes on by time alone, write down when, of the tries that are ours."""
        watched: dict[UUID, list[tuple[UUID, date]]] = {}
        for one in tries:
            reader = self.readers.get(one.waiting.lane_id)
            if reader is not None and reader.lane.next_after is not None and one.attempt_id in granted:
                some = watched.setdefault(one.waiting.lane_id, [])
                some.append((one.waiting.message_id, one.waiting.cohort))
        for lane_id, some in watched.items():
            after = timedelta(seconds=self.readers[lane_id].lane.next_after or 0)
            await fallback.watch(connection, lane_id, some, now + after)

    def forget(self, lane_id: UUID, message_id: UUID) -> None:
        """See LaneReader.forget."""
        reader = self.readers.get(lane_id)
        if reader is not None:
            reader.held.discard(message_id)

    def look_again(self, lane_id: UUID) -> None:
        """See LaneReader.look_again."""
        reader = self.readers.get(lane_id)
        if reader is not None:
            reader.look_again()

    def contents(self) -> set[UUID]:
        """The content versions of what is read and not yet taken."""
        return {
            waiting.content_version_id
            for reader in self.readers.values()
            for waiting in itertools.chain(reader.buffer, (one[3] for one in reader.parked))
        }

    @property
    def waiting(self) -> int:
        """How many are read and may be taken."""
        return sum(len(reader.buffer) for reader in self.readers.values())

    @property
    def parked(self) -> int:
        """How many stand aside."""
        return sum(len(reader.parked) for reader in self.readers.values())
