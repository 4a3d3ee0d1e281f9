"""When somebody may be told next, by the hours of their campaign and their own clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from clarion.domain.schedule.holds import Closed, gate
from clarion.domain.schedule.hours import Hours
from clarion.domain.schedule.zones import seconds, utc, zone_or_utc

AGAIN = 8 * 24 * 60  # minutes that an opening is followed for: what is open for a week has no end
_MOST = 4_096
Span = tuple[datetime, datetime]


class Allowed:
    """The hours of a campaign and of its workspace, asked many times a second for people of few zones."""

    def __init__(self, *layers: Hours) -> None:
        self._gate = gate(layers)
        self._spans: dict[tuple[int, str], Span | None] = {}

    def span(self, now: datetime, zone_name: str) -> Span:
        """From when to before when it is allowed: from `now` on where it is allowed now, else from the next
        opening. By the clocks of a zone (UTC where nobody knows it). Raises Closed where nobody is waited
        for, or there is no opening within a month."""
        minute = seconds(now) // 60
        key = (minute, zone_name)
        if key not in self._spans:
            if len(self._spans) >= _MOST:
                self._spans.clear()
            self._spans[key] = self._find(minute * 60, zone_name)
        found = self._spans[key]
        if found is None:
            raise Closed
        return max(now, found[0]), found[1]

    def too_late(self, due_at: datetime, opens: datetime) -> bool:
        """Whether it would have waited for longer than it may."""
        late = self._gate.late
        return late is not None and opens - due_at > timedelta(minutes=late)

    def _find(self, moment: int, zone_name: str) -> Span | None:
        where = zone_or_utc(zone_name)
        shown = where.wall(moment)
        day, minute = shown.day, shown.second // 60
        opens = moment
        while not self._gate.is_open(day, minute):
            try:
                day, minute = self._gate.next(day, minute)
            except Closed:
                return None
            opens = where.moment(day, minute * 60)[0]
            shown = where.wall(opens)
            day, minute = shown.day, shown.second // 60  # an opening may lie in a gap
        day, minute = self._gate.closing(day, minute, AGAIN)
        return utc(opens), utc(where.moment(day, minute * 60)[0])


@lru_cache(maxsize=_MOST)  # people may have hours of their own
def allowed(*texts: str) -> Allowed:
    """From `Hours` as JSON, made once: all of these hold. Raises ValidationError."""
    return Allowed(*map(Hours.model_validate_json, texts))
