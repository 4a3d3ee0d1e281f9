"""How much one person hears at most, as it is written and shown on the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from clarion.domain.caps import Caps
from clarion.errors import Invalid

Gap = Annotated[
    list[str] | None,
    typer.Option(metavar="[KIND=]TIME", help="Between two messages to a person, at least: 90m, 2h, 1d."),
]
PerDay = Annotated[
    list[str] | None,
    typer.Option(metavar="[KIND=]N", help="A person hears so many messages a day: 3, announcement=1."),
]
PerWeek = Annotated[list[str] | None, typer.Option(metavar="[KIND=]N", help="And in seven days in a row.")]
_TIME = re.compile(r"(\d{1,5}) *(m|min|h|d|)", re.I)
_MINUTES = {"": 1, "m": 1, "min": 1, "h": 60, "d": 24 * 60}


def changed(
    before: Caps | None, gap: Sequence[str], per_day: Sequence[str], per_week: Sequence[str]
) -> Caps | None:
    """Other caps; what is not given stays, and an empty value takes a limit away ("sequence=": nothing is
    limited of these). None where nothing is left. Raises Invalid."""
    all_kinds: dict[str, Any] = {} if before is None else before.model_dump(exclude_none=True)
    kinds: dict[str, dict[str, Any]] = all_kinds.pop("kinds", {})
    for option, name, given in (
        ("--gap", "gap", gap),
        ("--per-day", "day", per_day),
        ("--per-week", "week", per_week),
    ):
        for one in given:
            kind, equals, value = one.rpartition("=")
            limits = kinds.setdefault(kind.strip(), {}) if equals else all_kinds
            limits.pop(name, None)
            if value.strip():
                limits[name] = _minutes(value, option) if name == "gap" else _count(value, option)
    try:
        found = Caps.model_validate({**all_kinds, "kinds": kinds})
    except ValidationError as error:
        raise Invalid(error.errors()[0]["msg"].removeprefix("Value error, "), where="the caps") from None
    return found if found.limits or any(one.limits for one in found.kinds.values()) else None


def _minutes(text: str, option: str) -> int:
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise Invalid("no length of time", where=option, hint="Write 90m, 2h or 1d.")
    return int(found[1]) * _MINUTES[found[2].lower()]


def _count(text: str, option: str) -> int:
    if not text.strip().isdecimal() or len(text.strip()) > 4:
        raise Invalid("no number of messages", where=option, hint="Write 3, or announcement=1.")
    return int(text)
