"""Moments as people write them on a command line."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from clarion.errors import Invalid

HINT = "Write YYYY-MM-DD HH:MM (of the workspace's zone), or ISO 8601 with an offset."


def parse_moment(text: str, zone: ZoneInfo, now: datetime, where: str = "--at") -> datetime:
    """A moment to come, in UTC, from ISO 8601 or from local time of `zone` ("2026-03-04 18:00").

    Raises Invalid for what is no moment, is past, or which the zone's change of clocks skips or repeats.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Invalid(f"{text!r} is not a moment", where=where, hint=HINT) from None
    if len(text.strip()) <= len("2026-03-04"):
        raise Invalid("a day alone is not a moment: say the time too", where=where, hint=HINT)
    if found.tzinfo is None:
        found = _local(found, zone, where)
    moment = found.astimezone(UTC)
    if moment < now:
        raise Invalid(
            f"{found:%Y-%m-%d %H:%M %Z} is past; now it is {now.astimezone(zone):%Y-%m-%d %H:%M %Z}",
            where=where,
            hint=f"Leave {where} out to send now.",
            extra={"reason": "past"},
        )
    return moment


def _local(wall: datetime, zone: ZoneInfo, where: str) -> datetime:
    early, late = wall.replace(tzinfo=zone, fold=0), wall.replace(tzinfo=zone, fold=1)
    if early.utcoffset() == late.utcoffset():
        return early
    if early.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall:
        why = "is skipped there: the clocks go forward"
    else:
        why = "comes twice there: the clocks go back"
    raise Invalid(
        f"{wall:%Y-%m-%d %H:%M} {why} ({zone.key})",
        where=where,
        hint="Give it with an offset, such as +02:00.",
    )
