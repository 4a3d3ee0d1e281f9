"""Counts by minute as people read them: by day and by hour of a zone, and the busiest minute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Busiest(NamedTuple):
    """The minute (seconds since 1970) in which most is due: so many messages, which take so many units."""

    minute: int
    many: int
    units: float


def busiest(due: Mapping[int, int], units: Mapping[int, float]) -> Busiest | None:
    """The first of those in which most units are due; None where nothing is."""
    if not due:
        return None
    minute = max(due, key=lambda one: (units[one], -one))
    return Busiest(minute, due[minute], units[minute])


def by_day(minutes: Mapping[int, int], zone: ZoneInfo) -> Counter[date]:
    """How many on each day of a zone."""
    found: Counter[date] = Counter()
    for minute, many in minutes.items():
        found[datetime.fromtimestamp(minute, zone).date()] += many
    return found


def by_hour(minutes: Mapping[int, int], zone: ZoneInfo) -> Counter[int]:
    """How many in each hour of a zone, by its beginning (seconds since 1970)."""
    found: Counter[int] = Counter()
    for minute, many in minutes.items():
        found[minute - 60 * datetime.fromtimestamp(minute, zone).minute] += many
    return found
