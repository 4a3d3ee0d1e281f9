"""What may stand in a log line. Everything else is withheld, whoever wrote the line.

Two nets. Keys: a string is shown only under a key of the lists below, and there only as one word unless
the key is one of a sentence of ours; numbers below ten million, moments, truths and identifiers are shown
under any key (none of them can be a telephone number or a text). And a scrubber over every string that is
shown: numbers that could be a telephone's, mail addresses, keys, passwords in addresses, and whatever
stands in quotation marks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from enum import Enum
from functools import lru_cache
from uuid import UUID

WITHHELD = "[withheld]"

# Keys whose strings are sentences of ours: constants, or made of numbers and constants.
SENTENCES = frozenset({"event", "why", "frames"})
# Keys whose strings are single words of ours: states, codes, names of our parts.
WORDS = frozenset(
    {
        "level",
        "logger",
        "timestamp",
        "error",
        "errors",
        "reason",
        "state",
        "status",
        "outcome",
        "code",
        "method",
        "route",
        "provider",
        "scheme",
        "task",
        "queue",
        "host",
        "version",
        "kind",
        "cause",
        "phase",
        "worker",
        "workspace",
        "account",
        "channel",
        "lane",
        "campaign",
        "run",
        "attempt",
        "job",
        "signal",
        "crash_point",
        "table",
        "setting",
        "revision",
        "command",
        "boot",
        "format",
        "file",
        "parts",
        "column",
        "request_id",
        "trace_id",
    }
)
# Integers that may be great: amounts, not numbers of telephones.
AMOUNTS = frozenset(["bytes", "rows", "size", "count", "total", "epoch", "beat", "ns", "us"])

_SAFE_INTEGER = 10_000_000
_LONGEST = 300
_DEEPEST = 4

_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|(?<![0-9A-Za-z])[0-9a-fA-F]{32}(?![0-9A-Za-z])"
_MOMENT = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?!\d)"
_KEPT = re.compile(rf"({_UUID}|(?<!\d){_MOMENT})")
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"clarion_[0-9a-fA-F]{8,}\S*"), "[key]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+\S+"), r"\1 [key]"),
    (
        re.compile(r"(?i)\b(password|passwd|secret|token|api_?key|authorization)(\W{1,3})[^\s,;)]+"),
        r"\1\2[key]",
    ),
    (re.compile(r"://[^\s/@]*@"), "://[key]@"),
    (re.compile(r"\?\S+=\S*"), "?[withheld]"),
    (re.compile(r"[^\s@<>'\"=]+@[^\s@<>'\"]+\.[^\s@<>'\"]+"), "[address]"),
)
# Seven digits or more, in any script, also when written in groups: a telephone number may hide there.
_NUMBER = re.compile(r"\+?\d(?:[\s().\-/\u00a0\u2010-\u2015]{0,3}\d){6,}")


_QUOTED = re.compile(r"""(?<!\w)(['"])(.*?)\1(?!\w)""")


def scrub(text: str) -> str:
    """`text` in one line, without what may be a person's or a secret."""
    return _scrubbed(text) if len(text) < _OFTEN else _scrub(text)


def _scrub(text: str) -> str:
    first, _, _ = text.strip().partition("\n")
    first = _QUOTED.sub(lambda found: found[2] if _KEPT.fullmatch(found[2]) else "[text]", first)
    for pattern, instead in _RULES:
        first = pattern.sub(instead, first)
    pieces = _KEPT.split(first)
    # every second piece is an identifier or a moment, which the rule for numbers would eat
    pieces[::2] = [_NUMBER.sub("[number]", piece) for piece in pieces[::2]]
    return "".join(pieces)[:_LONGEST]


# Most of what is logged was logged before: events, routes, methods.
_OFTEN = 100
_scrubbed = lru_cache(maxsize=1024)(_scrub)


def shown(key: str, value: object, depth: int = 0) -> object:
    """`value` as a log may show it under `key`."""
    if value is None or isinstance(value, (bool, float, UUID, date, timedelta)):
        return value if not isinstance(value, (UUID, date, timedelta)) else str(value)
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, int):
        return value if abs(value) < _SAFE_INTEGER or key in AMOUNTS else WITHHELD
    if isinstance(value, str):
        return _string(key, value)
    if isinstance(value, Mapping) and depth < _DEEPEST:
        return {scrub(str(inner)): shown(str(inner), value[inner], depth + 1) for inner in value}
    if isinstance(value, (list, tuple, set, frozenset)) and depth < _DEEPEST:
        return [shown(key, inner, depth + 1) for inner in value]
    return WITHHELD


def message(template: str, arguments: object) -> str:
    """A line of another library, `%`-formatted: only short words and numbers of its arguments are shown."""
    values = arguments if isinstance(arguments, tuple) else (arguments,)
    if isinstance(arguments, Mapping):
        filled = _fill(template, {key: _word(value) for key, value in arguments.items()})
    else:
        filled = _fill(template, tuple(_word(value) for value in values))
    return scrub(filled)


_ARGUMENT = re.compile(r"[\w.:/<>=-]{1,100}")
_DIRECTIVE = re.compile(r"%(\([^)]*\))?[-+ #0]*[\d*]*(?:\.[\d*]+)?[diouxXeEfFgGcrsa]")


def _fill(template: str, arguments: object) -> str:
    # the arguments are words now, so every directive becomes %s
    plain = _DIRECTIVE.sub(lambda found: f"%{found[1] or ''}s", template)
    try:
        return plain % arguments
    except (TypeError, ValueError, KeyError):
        return template


def _word(value: object) -> str:
    text = scrub(str(value)) if isinstance(value, (str, int, float, UUID, date)) else type(value).__name__
    return text if _ARGUMENT.fullmatch(text) else "…"


def _string(key: str, value: str) -> str:
    if key in SENTENCES or (key in WORDS and not re.search(r"\s", value)):
        return scrub(value)
    return value if key.endswith("_id") and _KEPT.fullmatch(value) else WITHHELD
