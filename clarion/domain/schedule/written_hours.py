"""Hours as people write them: "08:00-20:00", "mon-fri 17:00-21:00; sat 10:00-12:00", "not 12:00-14:00".

Parts stand apart by a semicolon. Each is a stretch of the day, on days of the week where they are named
(mon-fri, or mon,wed,sat), by the clock of whoever it is for; what begins with "not" is taken out.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pydantic import ValidationError

from clarion.domain.refusal import Refusal
from clarion.domain.schedule.clocktime import Weekday, minutes_of
from clarion.domain.schedule.hours import Hours, Open

LONGEST = 500  # characters
_PART = re.compile(
    r"(?P<not>not\s+)?(?:(?P<days>[a-z]+(?:\s*[,-]\s*[a-z]+)*)\s+)?(?P<opens>\d{1,2}:\d\d)\s*-\s*"
    r"(?P<closes>\d{1,2}:\d\d)"
)
_DAY = re.compile(r"(mon(day)?|tue(s(day)?)?|wed(nesday)?|thu(r(s(day)?)?)?|fri(day)?|sat(urday)?|sun(day)?)")
_NO_HOURS = Refusal(
    "no_hours", "no hours of a day", "write 08:00-20:00, or mon-fri 17:00-21:00; sat 10:00-12:00"
)
_NEVER = Refusal("never_open", "nothing is allowed at any time", "look at what is both allowed and not")
_WEEK = tuple(Weekday)


@lru_cache(maxsize=4_096)
def read_hours(text: str) -> Hours | Refusal:
    """These hours. Refusals: `no_hours`, `never_open`."""
    allowed: list[Open] = []
    quiet: list[Open] = []
    if len(text) > LONGEST:
        return _NO_HOURS
    for part in text.casefold().replace("–", "-").split(";"):
        found = _PART.fullmatch(part.strip())
        stretch = _open(found) if found else None
        if found is None or stretch is None:
            return _NO_HOURS
        (quiet if found["not"] else allowed).append(stretch)
    try:
        return Hours(allowed=tuple(allowed), quiet=tuple(quiet))
    except ValidationError:  # too many, or none is left
        return _NEVER


@lru_cache(maxsize=4_096)
def hours_text(text: str) -> tuple[str, ...]:
    """The same as a document in JSON; none where they cannot be read."""
    found = read_hours(text)
    return () if isinstance(found, Refusal) else (found.model_dump_json(by_alias=True),)


def _open(found: re.Match[str]) -> Open | None:
    days = _days(found["days"]) if found["days"] else _WEEK
    opens, closes = minutes_of(found["opens"]), minutes_of(found["closes"].replace("24:00", "00:00"))
    if not days or opens is None or closes is None:
        return None
    return Open(opens=opens, closes=closes, weekdays=days)


def _days(text: str) -> tuple[Weekday, ...]:
    """mon-fri, or mon,wed,sat-sun; none where one of them is no day."""
    found: list[Weekday] = []
    for stretch in text.split(","):
        ends = [one.strip() for one in stretch.split("-")]
        if len(ends) > 2 or not all(map(_DAY.fullmatch, ends)):
            return ()
        first, last = (_WEEK.index(Weekday(one[:3])) for one in (ends[0], ends[-1]))
        found += [_WEEK[(first + n) % 7] for n in range((last - first) % 7 + 1)]
    return tuple(dict.fromkeys(found))
