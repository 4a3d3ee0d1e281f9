"""The Liquid filters that templates may use: those that make text of text, with bounded results.

What grows by multiplication is measured before it is made, so that no chain of filters can fill the
memory. `date` is our own: Liquid's reads the clock for "now" and "today". It, `time` and `number` write as
the person's language does (`domain.manner`), which stands beside the values under `MANNER`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from functools import wraps
from typing import Any

from liquid import Environment, RenderContext
from liquid.exceptions import FilterArgumentError
from liquid.filter import with_context
from liquid.stringify import to_liquid_string
from liquid.undefined import is_undefined

from clarion.domain.manner import (
    FORMS,
    MOST_DECIMALS,
    TIMES,
    Manner,
    written_date,
    written_number,
    written_time,
)
from clarion.domain.required import Required

MANNER = "(manner)"
"""The name of a `Manner` among a template's values; no template can spell it."""
WRITTEN = frozenset(("date", "time", "number"))
"""The filters that need one."""
LONGEST = 64_000
LARGEST = 10**18
_PLAIN = (
    "default upcase downcase capitalize strip lstrip rstrip squish strip_newlines append prepend remove"
    " remove_first remove_last truncate truncatewords slice split first last size reverse sort uniq compact"
    " url_encode plus minus times divided_by modulo abs ceil floor round at_least at_most"
)
_DIRECTIVES = re.compile(r"%-?[aAbBdeHIjklmMpSuVyYZz%]|[^%]+")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK = re.compile(r"[0-9]{1,2}(:[0-9]{2}){1,2}")


def _bounded(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(plain)
    def bounded(value: object, *arguments: object, **options: object) -> object:
        if isinstance(value, Required) and name != "default":
            str(value)  # theirs would make a zero of it, or nothing
        result = plain(value, *arguments, **options)
        if isinstance(result, str | list) and len(result) > LONGEST:
            raise _too_long(name)
        if isinstance(result, int | float) and not -LARGEST < result < LARGEST:
            raise FilterArgumentError(f"{name}: the number is too large", token=None)
        return result

    return bounded


def _replace(value: object, old: object = "", new: object = "") -> str:
    text, old, new = _text(value), _text(old), _text(new)
    if len(text) + text.count(old) * len(new) > LONGEST:
        raise _too_long("replace")
    return text.replace(old, new)


def _replace_first(value: object, old: object = "", new: object = "") -> str:
    return _within("replace_first", _text(value).replace(_text(old), _text(new), 1))


def _join(value: object, separator: object = " ") -> str:
    items = [_text(item) for item in value] if isinstance(value, list | tuple) else [_text(value)]
    between = _text(separator)
    if sum(map(len, items)) + len(items) * len(between) > LONGEST:
        raise _too_long("join")
    return between.join(items)


@with_context
def _date(value: object, form: object = "", *, context: RenderContext) -> str:
    """A date or a moment, as templates get them, as the person's language writes it, or in strftime's form;
    other text is left as it is."""
    text, pattern = _text(value), _text(form) or "medium"
    if "%" in pattern and "".join(_DIRECTIVES.findall(pattern)) != pattern:
        raise FilterArgumentError("date: a directive that is not supported", token=None)
    if "%" not in pattern and pattern not in FORMS:
        raise _no_form("date", pattern, (*FORMS, "those of strftime such as '%d.%m.%Y'"))
    manner = _manner(context)
    moment = _moment(text, manner)
    if moment is None:
        return text
    return moment.strftime(pattern) if "%" in pattern else written_date(moment.date(), pattern, manner)


@with_context
def _time(value: object, form: object = "short", *, context: RenderContext) -> str:
    """The time of a moment, by the person's clock, or a time of day; other text is left as it is."""
    text, wanted = _text(value), _text(form)
    if wanted not in TIMES:
        raise _no_form("time", wanted, TIMES)
    manner = _manner(context)
    if _CLOCK.fullmatch(text):
        clock = _clock(text)
    else:
        moment = None if _DAY.fullmatch(text) else _moment(text, manner)
        clock = moment.time() if moment else None
    return text if clock is None else written_time(clock, wanted, manner)


@with_context
def _number(value: object, decimals: object = None, *, context: RenderContext) -> str:
    """A number as the person's language writes it; other text is left as it is."""
    text = _text(value)
    if decimals is not None and decimals not in range(MOST_DECIMALS + 1):
        raise FilterArgumentError(f"number: say how many decimals, 0 to {MOST_DECIMALS}", token=None)
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or abs(number) >= LARGEST:
        return text
    return written_number(number, None if decimals is None else int(str(decimals)), _manner(context))


def _manner(context: RenderContext) -> Manner:
    found = context.resolve(MANNER, default=None)
    return found if isinstance(found, Manner) else Manner()


def _moment(text: str, manner: Manner) -> datetime | None:
    try:
        return manner.there(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def _clock(text: str) -> time | None:
    try:
        hour, minute, *second = (int(part) for part in text.split(":"))
        return time(hour, minute, second[0] if second else 0)
    except ValueError:
        return None


def _no_form(name: str, given: str, there: tuple[str, ...]) -> FilterArgumentError:
    known = ", ".join(there)
    return FilterArgumentError(f"{name}: there is no form {given[:40]!r}; there are {known}", token=None)


def _text(value: object) -> str:
    return str(value) if is_undefined(value) else to_liquid_string(value, autoescape=False)


def _within(name: str, text: str) -> str:
    if len(text) > LONGEST:
        raise _too_long(name)
    return text


def _too_long(name: str) -> FilterArgumentError:
    return FilterArgumentError(f"{name}: the text grows too long", token=None)


def _filters() -> dict[str, Callable[..., Any]]:
    theirs = Environment().filters
    own: dict[str, Callable[..., Any]] = {
        "replace": _replace,
        "replace_first": _replace_first,
        "join": _join,
        "date": _date,
        "time": _time,
        "number": _number,
    }
    return {name: _bounded(name, theirs[name]) for name in _PLAIN.split()} | own


FILTERS: Mapping[str, Callable[..., Any]] = _filters()
