"""At what time of day a row of a table is, as people write it and as spreadsheets keep it."""

from __future__ import annotations

import re

from clarion.domain.refusal import Refusal
from clarion.domain.schedule.clocktime import MINUTES, shown
from clarion.domain.schedule.model import Fixed, Time, Window

_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})(?:[:.h](?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?)?\s*(?:(?P<half>[ap])\.?\s?m\.?)?"
)
_DIGITS = re.compile(r"([01]\d|2[0-3])([0-5]\d)")  # 0930
_FRACTION = re.compile(r"0\.\d{3,}")  # of a day: a spreadsheet's time in a cell that is formatted as a number
_DAY_ZERO = re.compile(r"(?:1899-12-3[01]|1900-01-0[01])t(.+)")  # a time that a spreadsheet keeps as a moment
_AFTER = re.compile(r"\s*(?:hrs?|hours?|o'clock|h)\.?$")
_BEFORE = re.compile(r"^(?:at|between|from|random(?:ly)?(?: between| from)?)\s+")
_TO = re.compile(r"\s*[-–—−]\s*|\s+(?:to|until|till|and)\s+")
_NAMED = {"noon": 720, "12 noon": 720, "midday": 720, "midnight": 0, "12 midnight": 0}

_NOT_A_TIME = Refusal(
    "not_a_time", "not a time of day", "Write 09:00, 9 am, or 09:00-21:00 for a random one."
)
_SECONDS = Refusal("seconds", "a time of day with seconds", "Times are in minutes: write 09:00.")
_NUMBER = Refusal(
    "time_as_number", "a number, perhaps a time in a cell that is formatted as one",
    "Format the cell as a time, or write 09:00.",
)  # fmt: skip
_NO_LENGTH = Refusal("no_length", "it begins and ends at the same time", "Write 09:00-21:00, or one time.")


def read_time(text: str) -> Time | Refusal:
    """A time ("9:00", "9 am", "0930", "9.30 pm", "noon"), or a window in which one is drawn for each person
    ("09:00-21:00", "9 am to 5 pm").

    Refusals: `not_a_time`, `seconds`, `time_as_number`, `no_length`.
    """
    plain = _BEFORE.sub("", " ".join(text.casefold().split()))
    if kept := _DAY_ZERO.fullmatch(plain):
        plain = kept[1]
    parts = _TO.split(plain)
    if len(parts) == 1:
        found = _minutes(plain)
        return found if isinstance(found, Refusal) else Fixed(at=found)
    if len(parts) != 2:
        return _NOT_A_TIME
    opens, closes = _minutes(parts[0]), 0 if parts[1] == "24:00" else _minutes(parts[1])
    for one in (opens, closes):
        if isinstance(one, Refusal):
            return one
    assert isinstance(opens, int)
    assert isinstance(closes, int)
    if opens == closes:
        return _NO_LENGTH
    return Window.model_validate({"from": shown(opens), "to": shown(closes)})


def written(time: Time | None) -> str | None:
    """A time as `read_time` reads it back; "" for none, None for one that a table cannot say."""
    if time is None:
        return ""
    if isinstance(time, Fixed):
        return shown(time.at)
    if isinstance(time, Window) and time == Window(opens=time.opens, closes=time.closes):
        return f"{shown(time.opens)}-{shown(time.closes)}" if time.opens != time.closes else None
    return None


def _minutes(text: str) -> int | Refusal:
    text = _AFTER.sub("", text)
    if text in _NAMED:
        return _NAMED[text]
    if digits := _DIGITS.fullmatch(text):
        return int(digits[1]) * 60 + int(digits[2])
    if _FRACTION.fullmatch(text):
        minutes = float(text) * MINUTES
        return round(minutes) if abs(minutes - round(minutes)) < 0.01 else _SECONDS
    found = _CLOCK.fullmatch(text)
    if found is None or text.startswith("0.") or re.fullmatch(r"\d{1,2}\.\d", text):
        return _NUMBER if re.fullmatch(r"\d+\.\d+", text) else _NOT_A_TIME
    if int(found["second"] or 0):
        return _SECONDS
    return _of(int(found["hour"]), int(found["minute"] or 0), found["half"])


def _of(hour: int, minute: int, half: str | None) -> int | Refusal:
    if half is not None:
        if not 1 <= hour <= 12:
            return _NOT_A_TIME
        hour = hour % 12 + (12 if half == "p" else 0)
    return hour * 60 + minute if hour < 24 and minute < 60 else _NOT_A_TIME
