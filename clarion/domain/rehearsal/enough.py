"""What the caps hold of what a campaign says to one person: judged as the dispatch judges it
(`domain.caps`), by what they hear of this campaign alone, each message at its moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from clarion.domain.caps import WEEK, Cap, Held, next_room
from clarion.domain.message import Skip
from clarion.domain.rehearsal.late import Coming, Judged
from clarion.domain.schedule.zones import DAY, utc


class _Waiting(NamedTuple):
    """What is asked about at a moment; `why`: for what it waits by then."""

    at: int
    number: int
    one: Coming
    why: Skip | None = None


@dataclass(frozen=True, slots=True)
class Enough:
    """A cap for people of a zone, and how many seconds after its moment a message expires."""

    cap: Cap
    zone: str
    patience: float

    def judged(self, coming: Iterable[Coming]) -> Iterator[Coming]:
        """The same in the order in which it is heard: what is held comes later, and says what moved it; what
        has no room before it expires is skipped, with the reason."""
        numbers, heard = count(), list[int]()
        waiting: list[_Waiting] = []
        for one in coming:
            while waiting and waiting[0].at <= one.due:
                yield from self._asked(waiting, heard, numbers)
            if one.skip is not None:
                yield one
            else:
                heappush(waiting, _Waiting(one.due, next(numbers), one))
        while waiting:
            yield from self._asked(waiting, heard, numbers)

    def _asked(self, waiting: list[_Waiting], heard: list[int], numbers: count[int]) -> Iterator[Coming]:
        at, _, one, why = heappop(waiting)
        while heard and heard[0] < at - (WEEK + 1) * DAY:
            heard.pop(0)
        held = self._held(heard, one.due, at)
        if held is None:
            heard.append(at)
            yield one if why is None else Judged(at, one.iteration, one.step, (*one.moved, why))
        elif (until := -int(-held.until.timestamp() // 1)) >= one.due + self.patience:
            yield Judged(one.due, one.iteration, one.step, one.moved, held.reason)
        else:
            heappush(waiting, _Waiting(until, next(numbers), one, held.reason))

    def _held(self, heard: list[int], due: int, at: int) -> Held | None:
        if not heard or self._rare(heard, at):
            return None
        return next_room(self.cap, [utc(one) for one in heard], utc(due), utc(at), self.zone)

    def _rare(self, heard: list[int], at: int) -> bool:
        """Whether it is clear without a calendar that there is room."""
        cap = self.cap
        if cap.gap is not None and at - heard[-1] < cap.gap * 60:
            return False
        if cap.day is not None and len(heard) >= cap.day and at - heard[-cap.day] <= DAY:
            return False
        return cap.week is None or len(heard) < cap.week
