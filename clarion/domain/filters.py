"""The Liquid filters that templates may use: those that make text of text, with bounded results.

What grows by multiplication is measured before it is made, so that no chain of filters can fill the
memory. `date` is our own: Liquid's reads the clock for "now" and "today".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any

from liquid import Environment
from liquid.exceptions import FilterArgumentError
from liquid.stringify import to_liquid_string
from liquid.undefined import is_undefined

LONGEST = 64_000
LARGEST = 10**18
_PLAIN = (
    "default upcase downcase capitalize strip lstrip rstrip squish strip_newlines append prepend remove"
    " remove_first remove_last truncate truncatewords slice split first last size reverse sort uniq compact"
    " url_encode plus minus times divided_by modulo abs ceil floor round at_least at_most"
)
_DIRECTIVES = re.compile(r"%-?[aAbBdeHIjklmMpSuVyYZz%]|[^%]+")


def _bounded(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(plain)
    def bounded(value: object, *arguments: object, **options: object) -> object:
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


def _date(value: object, form: object) -> str:
    """A date or a moment, as templates get them, in strftime's form; other text is left as it is."""
    text = _text(value)
    pattern = _text(form)
    if "".join(_DIRECTIVES.findall(pattern)) != pattern:
        raise FilterArgumentError("date: a directive that is not supported", token=None)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment.strftime(pattern)


def _text(value: object) -> str:
    return "" if is_undefined(value) else to_liquid_string(value, autoescape=False)


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
    }
    return {name: _bounded(name, theirs[name]) for name in _PLAIN.split()} | own


FILTERS: Mapping[str, Callable[..., Any]] = _filters()
