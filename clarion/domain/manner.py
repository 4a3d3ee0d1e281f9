"""How a person's language writes dates, times and numbers (CLDR, by babel), and by whose clock.

Digits are Latin in every language. Spaces are plain ones: CLDR's narrow ones would make an SMS twice as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import parse_pattern

from clarion.domain.language import fallbacks

FORMS = ("short", "medium", "long", "full", "weekday")
"""Of a date: 2/3/2026 … Monday, March 2, 2026, or Monday alone, as the language has it."""
TIMES = ("short", "medium")
"""Of a time: without seconds, or with them."""
MOST_DECIMALS = 6
_SPACES = str.maketrans({"\N{NO-BREAK SPACE}": " ", "\N{NARROW NO-BREAK SPACE}": " "})


class Manner(NamedTuple):
    """Of one person: languages, the nearest first, and the name of a zone; English and no zone where
    nothing is known."""

    languages: tuple[str, ...] = ()
    zone: str | None = None

    def there(self, moment: datetime) -> datetime:
        """A moment by the person's clock; one without a zone is by it already."""
        zone = _zone(self.zone)
        return moment if zone is None or moment.tzinfo is None else moment.astimezone(zone)


def languages(of_variant: str | None, of_person: str | None, of_home: str | None) -> tuple[str, ...]:
    """In which languages somebody reads a text, the nearest first: their own, where the text is in it or in
    none; else the text's; then the workspace's."""
    own = of_variant is None or (of_person is not None and of_variant in fallbacks(of_person))
    wanted: Iterable[str | None] = (of_person, of_variant, of_home) if own else (of_variant, of_home)
    return tuple(dict.fromkeys(one for one in wanted if one))


def written_date(day: date, form: str, manner: Manner) -> str:
    """A date in one of the `FORMS`."""
    pattern = "EEEE" if form == "weekday" else form
    return str(format_date(day, pattern, locale=_locale(manner.languages))).translate(_SPACES)


def written_time(clock: time, form: str, manner: Manner) -> str:
    """A time of day in one of `TIMES`; its zone is not looked at."""
    plain = clock.replace(tzinfo=None)
    return str(format_time(plain, form, locale=_locale(manner.languages))).translate(_SPACES)


def written_number(value: Decimal, decimals: int | None, manner: Manner) -> str:
    """A number with so many decimals, or with those that it has, at most three."""
    rounded = value.quantize(Decimal(1).scaleb(-(3 if decimals is None else decimals)), ROUND_HALF_UP)
    locale = _locale(manner.languages)
    pattern = parse_pattern(locale.decimal_formats[None].pattern)
    pattern.frac_prec = (0, 3) if decimals is None else (decimals, decimals)
    return str(pattern.apply(rounded, locale, numbering_system="latn")).translate(_SPACES)


@lru_cache(maxsize=1024)
def _locale(wanted: tuple[str, ...]) -> Locale:
    for tag in wanted:
        for form in fallbacks(tag):
            try:
                found = Locale.parse(form, sep="-")
            except (UnknownLocaleError, ValueError):
                continue
            if _has_names(found):
                return found
    return Locale("en")


def _has_names(locale: Locale) -> bool:
    """Of some languages CLDR knows little: their months are M01, M02."""
    return not str(locale.months["format"]["wide"][1]).startswith("M0")


@lru_cache(maxsize=1024)
def _zone(name: str | None) -> tzinfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):  # one odd row must stop nobody
        return None
