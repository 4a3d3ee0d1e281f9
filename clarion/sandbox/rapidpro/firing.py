"""When an event of a campaign speaks to one contact, by RapidPro's rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

_ABSOLUTE = {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1)}
_CALENDAR = {"days": timedelta(days=1), "weeks": timedelta(weeks=1)}
UNITS = (*_ABSOLUTE, *_CALENDAR)


def fire_at(
    start: datetime, offset: int, unit: str, delivery_hour: int, zone: tzinfo, now: datetime
) -> datetime | None:
    """The moment (UTC) of an event so far from `start`, or None where that is before `now`.

    The start is taken to the workspace's zone, and begun minutes count as whole ones. Minutes and hours
    pass on every clock; days and weeks keep the time of day. A delivery hour (0–23; −1: none) then sets the
    time of that day.
    """
    local = _whole_minute(start).astimezone(zone)
    if unit in _ABSOLUTE:
        local = (local.astimezone(UTC) + offset * _ABSOLUTE[unit]).astimezone(zone)
    else:
        local += offset * _CALENDAR[unit]  # between aware times of one zone this is by the calendar
    if delivery_hour >= 0:
        local = local.replace(hour=delivery_hour, minute=0, second=0, microsecond=0, fold=0)
    at = local.astimezone(UTC)
    return None if at < now else at


def _whole_minute(start: datetime) -> datetime:
    start = start.astimezone(UTC)
    minute = start.replace(second=0, microsecond=0)
    return minute + timedelta(minutes=1) if start.second else minute
