"""From local times to moments. Moments are seconds since 1970 (UTC), days are `date.toordinal()`.

Most days of most zones have one offset: their midnights are kept, and a time of such a day is an addition.
On the others a local time may be left out (clocks set forward) or come twice (set back), by the rules that
the schedule declares.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY = 86_400
EPOCH = date(1970, 1, 1).toordinal()
_MOST = 40_000  # days kept of a zone


class Wall(NamedTuple):
    """A local time: the day's ordinal, and seconds since its midnight."""

    day: int
    second: int


class LeftOut(Exception):
    """The clocks were set forward over this local time, and the schedule says to leave it out."""


class Zone:
    """One zone's clock, by these rules: `gap` is forward or skip, `overlap` is first or second."""

    def __init__(self, name: str, gap: str = "forward", overlap: str = "first") -> None:
        self.name = name
        self._info = ZoneInfo(name)
        self._skip, self._fold = gap == "skip", int(overlap == "second")
        self._midnights: dict[int, int | None] = {}

    def midnight(self, day: int) -> int | None:
        """When this day began, where all its times have one offset; else None."""
        try:
            return self._midnights[day]
        except KeyError:
            if len(self._midnights) >= _MOST:
                self._midnights.clear()
            found = self._midnights[day] = self._find(day)
            return found

    def moment(self, day: int, second: int, *, somewhere: bool = False) -> tuple[int, bool]:
        """When it is so many seconds after midnight by the clocks of that day, and whether a clock change
        moved it: a time that was left out becomes the first that there is. Raises LeftOut where that is to
        be skipped, unless it must be `somewhere`."""
        if not 0 <= second < DAY:
            more, second = divmod(second, DAY)
            day += more
        midnight = self.midnight(day)
        if midnight is not None:
            return midnight + second, False
        return self._odd(day, second, somewhere=somewhere)

    def wall(self, moment: int) -> Wall:
        """What the clocks show at a moment."""
        local = datetime.fromtimestamp(moment, self._info)
        return Wall(local.toordinal(), local.hour * 3600 + local.minute * 60 + local.second)

    def _find(self, day: int) -> int | None:
        begins, ends = self._naive(day, 0), self._naive(day + 1, 0)
        offsets = {one.replace(fold=fold).utcoffset() for one in (begins, ends) for fold in (0, 1)}
        if len(offsets) > 1:
            return None
        middle = begins + timedelta(hours=12)
        if middle.utcoffset() not in offsets:  # there and back within a day
            return None
        return int(begins.timestamp())

    def _odd(self, day: int, second: int, *, somewhere: bool) -> tuple[int, bool]:
        local = self._naive(day, second)
        first = int(local.replace(fold=0).timestamp())
        second_time = int(local.replace(fold=1).timestamp())
        if self.wall(first) == (day, second):  # it is there, once or twice
            return second_time if self._fold else first, False
        if self._skip and not somewhere:
            raise LeftOut
        return self._change(second_time, first), True

    def _change(self, before: int, after: int) -> int:
        """The moment after `before` from which another offset holds than there."""
        offset = self._offset(before)
        while after - before > 1:
            middle = (before + after) // 2
            if self._offset(middle) == offset:
                before = middle
            else:
                after = middle
        return after

    def _offset(self, moment: int) -> timedelta | None:
        return datetime.fromtimestamp(moment, self._info).utcoffset()

    def _naive(self, day: int, second: int) -> datetime:
        return datetime.fromordinal(day).replace(tzinfo=self._info) + timedelta(seconds=second)


@lru_cache(maxsize=2_048)
def zone(name: str, gap: str = "forward", overlap: str = "first") -> Zone:
    """The zone of this name by these rules, made once. Raises ZoneInfoNotFoundError."""
    return Zone(name, gap, overlap)


def zone_or_utc(name: str) -> Zone:
    """The zone of this name, and UTC where nobody knows it."""
    try:
        return zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return zone("UTC")


def seconds(moment: datetime) -> int:
    """An aware moment as seconds since 1970; what is less than a second is cut off."""
    return int(moment.timestamp() // 1)


def utc(moment: int) -> datetime:
    """Seconds since 1970 as a moment in UTC."""
    return datetime.fromtimestamp(moment, UTC)
