"""The properties of a case of CommCare's, under keys of ours."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from clarion.domain.case import ATTRIBUTES
from clarion.errors import Problem

SOURCE = "commcare"

OWN = frozenset(
    (
        "case_id", "case_name", "case_type", "owner_id", "external_id", "date_opened", "closed_on",
        "last_modified", "name",
    )
)  # fmt: skip
"""What CommCare puts among the properties, and is none of the project's. Names with an @ are its own, too."""

LONGEST_VALUE = 10_000  # characters
_KEY = re.compile(r"[a-z][a-z0-9_.-]{0,99}")
_ELSE = re.compile(r"[^a-z0-9_.-]")
Value = str | int | float | bool


def property_key(name: str) -> str | None:
    """Our key for a property: in small letters, with `_` for what a key cannot have. What belongs to the
    case itself here (`state`), and what does not begin with a letter, gets `commcare_` before it. None for
    one that stays too long."""
    key = _ELSE.sub("_", name.lower())
    if key in ATTRIBUTES or not key[:1].isalpha():
        key = f"{SOURCE}_{key}"
    return key if _KEY.fullmatch(key) else None


def properties(told: Mapping[str, Any], problems: list[Problem]) -> dict[str, Value]:
    """The project's own properties that have a value, by our keys. What has to be left out is added to
    `problems`, with its place there."""
    found: dict[str, Value] = {}
    names: dict[str, str] = {}
    for name, raw in _in_order(told):
        key, where = property_key(name), f"properties.{name[:100]}"
        if key is None:
            what = "its name is too long for a key here"
            problems.append(Problem(where, what, "Keys have at most 100 characters. It is left out."))
        elif key in names:
            what = f"its key here is {key}, and so is that of {names[key]}"
            problems.append(Problem(where, what, "It is left out; call it otherwise there."))
        else:
            names[key] = name
            if (value := _value(raw, where, problems)) is not None:
                found[key] = value
    return dict(sorted(found.items()))


def _in_order(told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Those whose name is a key already come first, so that they keep it, whatever the order."""
    own = [one for one in told.items() if one[0] not in OWN and not one[0].startswith("@")]
    return iter(sorted(own, key=lambda one: (property_key(one[0]) != one[0], one[0])))


def _value(raw: Any, where: str, problems: list[Problem]) -> Value | None:
    """None for no value: blank, or left out."""
    if isinstance(raw, str):
        text = raw.replace("\0", "")  # which no database keeps
        if len(text) <= LONGEST_VALUE:
            return text if text.strip() else None
        what = f"a value has at most {LONGEST_VALUE:,} characters here, and this has {len(text):,}"
    elif raw is None or isinstance(raw, bool | int) or (isinstance(raw, float) and math.isfinite(raw)):
        return raw
    else:
        what = "a value is a text, a number, true or false, and this is none"
    problems.append(Problem(where, what, "It is left out."))
    return None
