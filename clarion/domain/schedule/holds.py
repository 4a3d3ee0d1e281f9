"""What moves an occurrence after its time is known: public holidays, and hours in which nobody is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from types import ModuleType

from clarion.domain.schedule.clocktime import MINUTES
from clarion.domain.schedule.hours import Hours, meet, opening
from clarion.domain.schedule.model import Holidays

MOST_DAYS = 31  # one after the other: then there is no other day


class Closed(Exception):
    """It is not sent: by the rules there is no other time for it."""


class PublicHolidays:
    """The public holidays of one country, by one rule."""

    def __init__(self, rule: Holidays) -> None:
        self._rule = rule
        self._known: dict[int, bool] = {}

    def day(self, day: int) -> int:
        """The day on which it is sent instead, or this very one. Raises Closed."""
        if not self.has(day):
            return day
        if self._rule.policy == "skip":
            raise Closed
        step = 1 if self._rule.policy == "after" else -1
        for _ in range(MOST_DAYS):
            day += step
            if not self.has(day):
                return day
        raise Closed

    def has(self, day: int) -> bool:
        """Whether it is a holiday."""
        found = self._known.get(day)
        if found is None:
            year = date.fromordinal(day).year
            found = day in _of_year(self._rule.country, self._rule.subdivision, year)
            self._known[day] = found
        return found


def _public() -> ModuleType:
    """The library of holidays: slow to load, and for schedules that ask for it."""
    import holidays

    return holidays


@lru_cache(maxsize=2_048)
def _of_year(country: str, subdivision: str | None, year: int) -> frozenset[int]:
    found = _public().country_holidays(country, subdiv=subdivision, years=year)
    return frozenset(day.toordinal() for day in found)


def known(country: str, subdivision: str | None) -> bool:
    """Whether anybody knows the holidays of such a place."""
    supported = _public().list_supported_countries()
    return country in supported and (subdivision is None or subdivision in supported[country])


@lru_cache(maxsize=4_096)
def gate(layers: tuple[Hours, ...]) -> Gate:
    """The gate of these hours, made once."""
    return Gate(layers)


class Gate:
    """The hours of everybody who has a say, together."""

    def __init__(self, layers: Sequence[Hours]) -> None:
        self._week = meet([layer.week() for layer in layers])
        self.drops = any(layer.outside == "drop" for layer in layers)
        lates = [layer.late for layer in layers if layer.late is not None]
        self.late = min(lates) if lates else None  # minutes of waiting after which it is dropped too

    def is_open(self, day: int, minute: int) -> bool:
        """Whether it is allowed then."""
        return any(opens <= minute < closes for opens, closes in self._week[(day - 1) % 7])

    def closing(self, day: int, minute: int, most: int) -> tuple[int, int]:
        """(day, minute) of the first minute from an open one on that is not, `most` minutes later at most."""
        end = day * MINUTES + minute + most
        while day * MINUTES + minute < end:
            found = [closes for opens, closes in self._week[(day - 1) % 7] if opens <= minute < closes]
            if not found:
                return day, minute
            day, minute = (day + 1, 0) if found[0] == MINUTES else (day, found[0])
        return day, minute

    def next(self, day: int, minute: int) -> tuple[int, int]:
        """The first (day, minute) at which it is allowed, by the clock. Raises Closed where that is not
        waited for."""
        found = opening(self._week, (day - 1) % 7, minute)
        if found is None or self.drops:
            raise Closed
        return day + found[0], found[1]
