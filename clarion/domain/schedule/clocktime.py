"""Times of day and days of the week, as they stand in a schedule's document."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

MINUTES = 24 * 60  # of a day


class Part(BaseModel):
    """A piece of a document: it never changes, and what is misspelt is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Weekday(StrEnum):
    """A day of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"

    @property
    def number(self) -> int:
        """0 for Monday, as `date.weekday` has it."""
        return _NUMBERS[self]


_NUMBERS = {day: number for number, day in enumerate(Weekday)}


def minutes_of(text: str) -> int | None:
    """Minutes since midnight of "9:00" or "09:00", or None."""
    hours, colon, minutes = text.strip().partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal() and len(hours) < 3 and len(minutes) == 2):
        return None
    found = int(hours) * 60 + int(minutes)
    return found if int(minutes) < 60 and found < MINUTES else None


def shown(minutes: int) -> str:
    """Minutes since midnight as "09:00"."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _read(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = minutes_of(value)
    if found is None:
        raise ValueError("write a time of day as 09:30, from 00:00 to 23:59")
    return found


ClockTime = Annotated[
    int,
    Field(ge=0, lt=MINUTES),
    BeforeValidator(_read, json_schema_input_type=str),
    PlainSerializer(shown, return_type=str),
]
"""A time of day in minutes since midnight; "09:30" in JSON."""
