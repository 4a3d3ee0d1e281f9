"""Hours in which people may be spoken to: of a workspace, of a campaign, of a person. All of them hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from clarion.domain.schedule.clocktime import MINUTES, ClockTime, Part, Weekday

SEARCHED = 31  # days in which an opening must come
Spans = tuple[tuple[int, int], ...]
"""Minutes of a day, each from (included) to (not included), in order and apart."""


class Open(Part):
    """From a time to before another, on these days of the week. One that ends before it begins goes on over
    midnight and belongs to the day on which it began; one that ends as it begins is the whole day."""

    opens: ClockTime = Field(alias="from")
    closes: ClockTime = Field(alias="to")
    weekdays: tuple[Weekday, ...] = Field(default=tuple(Weekday), min_length=1, max_length=7)


class Hours(Part):
    """When it is allowed: within any of `allowed` (none: at all times) and within none of `quiet`.

    What would be sent at another time waits for the next opening, or is dropped. `late`: minutes of waiting
    after which it is dropped too.
    """

    allowed: tuple[Open, ...] = Field(default=(), max_length=50)
    quiet: tuple[Open, ...] = Field(default=(), max_length=50)
    outside: Literal["hold", "drop"] = "hold"
    late: int | None = Field(default=None, ge=1, le=MINUTES * SEARCHED)

    @model_validator(mode="after")
    def _some(self) -> Hours:
        if not any(self.week()):
            raise ValueError("nothing is allowed at any time: look at what is both allowed and quiet")
        return self

    def week(self) -> tuple[Spans, ...]:
        """What is open on each day of the week, Monday first."""
        allowed = _minutes(self.allowed) if self.allowed else [bytearray(b"\1" * MINUTES) for _ in range(7)]
        quiet = _minutes(self.quiet)
        return tuple(_spans(day, no) for day, no in zip(allowed, quiet, strict=True))


def _minutes(some: Sequence[Open]) -> list[bytearray]:
    week = [bytearray(MINUTES) for _ in range(7)]
    for one in some:
        for weekday in one.weekdays:
            first, width = one.opens, (one.closes - one.opens - 1) % MINUTES + 1
            for minute in range(first, first + width):
                week[(weekday.number + minute // MINUTES) % 7][minute % MINUTES] = 1
    return week


def _spans(day: bytearray, quiet: bytearray) -> Spans:
    found: list[tuple[int, int]] = []
    began: int | None = None
    for minute in range(MINUTES + 1):
        is_open = minute < MINUTES and day[minute] and not quiet[minute]
        if is_open and began is None:
            began = minute
        elif not is_open and began is not None:
            found.append((began, minute))
            began = None
    return tuple(found)


def meet(weeks: Sequence[tuple[Spans, ...]]) -> tuple[Spans, ...]:
    """What is open in all of them."""
    first, *others = weeks
    for other in others:
        first = tuple(_both(mine, its) for mine, its in zip(first, other, strict=True))
    return first


def _both(mine: Spans, its: Spans) -> Spans:
    return tuple((max(a, c), min(b, d)) for a, b in mine for c, d in its if max(a, c) < min(b, d))


def opening(week: tuple[Spans, ...], weekday: int, minute: int) -> tuple[int, int] | None:
    """(days from now, minute) of the first open minute at or after this one; None within `SEARCHED` days."""
    for later in range(SEARCHED + 1):
        for opens, closes in week[(weekday + later) % 7]:
            if later == 0 and closes <= minute:
                continue
            return later, max(opens, minute) if later == 0 else opens
    return None
