"""A time of day as people write it in a message: "18:30", "6pm", "18h30", "٦:٣٠ م".

Nothing is guessed. What may be two times, or something else, is no time: "6", "6:30" (morning or evening?),
"1830" (a number), "12.05" (a date), "at six". Read is a whole message, so that a sentence with a time in it
stays a sentence.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 20  # characters of a message that may still be a time

# By 24 hours: an hour of two digits, and minutes; or the hour alone with its "h", as in "18h". With a point
# between them, minutes that may be a month make a date of it.
_OF_24 = re.compile(
    r"(?P<hour>[01]\d|2[0-3])"
    r"(?:(?:[:፡]|\s?h\s?|\.(?!0[1-9]|1[0-2]))(?P<minute>[0-5]\d)(?:\s?h|\s?hrs)?|\s?h|\s?hrs)"
)
# By 12 hours: with its half of the day, and then the minutes may be left out.
_OF_12 = re.compile(
    r"(?P<hour>0?[1-9]|1[0-2])(?:[:.፡](?P<minute>[0-5]\d))?\s?(?:(?P<half>[ap])\.?\s?m\.?|(?P<mark>[صم]))"
)
_AFTER_NOON = frozenset(("p", "م"))
# Ethiopic numerals add up: a ten and a one. They have no zero, so minutes below ten are one of them.
_ETHIOPIC = re.compile("[፲-፺]?[፩-፱]|[፲-፺]")
_NOON = 12


def read_time(text: str) -> int | None:
    """Minutes since midnight, where the whole message is one time of day and can be no other; else None.

    Digits may be of any script. In Ethiopic numerals, and without a half of the day, an hour up to twelve is
    no time either: who writes them counts from dawn.
    """
    if len(text) > LONGEST:
        return None
    plain = _plain(text)
    if found := _OF_12.fullmatch(plain):
        hour = int(found["hour"]) % _NOON
        return _minutes(hour + _NOON * ((found["half"] or found["mark"]) in _AFTER_NOON), found["minute"])
    if found := _OF_24.fullmatch(plain):
        hour = int(found["hour"])
        return None if hour <= _NOON and _ETHIOPIC.search(text) else _minutes(hour, found["minute"])
    return None


def _minutes(hour: int, minute: str | None) -> int:
    return hour * 60 + int(minute or 0)


def _plain(text: str) -> str:
    """In one spelling: European digits, small letters, no invisible signs, nothing around it."""
    seen = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    seen = " ".join(seen.split()).strip(" .!").casefold()
    seen = _ETHIOPIC.sub(_european, seen)
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in seen)


def _european(number: re.Match[str]) -> str:
    value = int(sum(unicodedata.numeric(c) for c in number[0]))
    return f"{value:02}" if number.start() else str(value)
