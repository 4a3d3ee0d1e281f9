"""Criteria: a tree that says which contacts, or which cases, are meant.

    {"all": [{"field": "department", "op": "equal", "value": "Finance"},
             {"not": {"in_group": "0190c2d4-…"}},
             {"any": [{"field": "language", "op": "in", "value": ["sw", "en"]},
                      {"field": "start_date", "op": "gte", "value": {"days_from_today": -30}}]}]}

Meanings (`matches` is their reference; the SQL that the store compiles equals it):

- A leaf is true or false, never unknown. A missing value (no value, blank text, a field that is not
  declared, a value of a type that the field no longer has) makes every comparison false, `not_equal` too;
  only `no_value` is true of it. `not` negates: {"not": {… "equal" …}} is true of a missing value where
  {… "not_equal" …} is false.
- Text is compared as it is stored, exactly: case counts. The exception is `name`, compared folded
  (`contact.fold_name`) on both sides, so that spelling does not matter.
- Numbers, dates and moments are compared by value, `between` with both ends. A date and time without an
  offset is local time of the workspace's zone, and {"days_from_today": n} is the day n days after the
  workspace's present day (its local midnight where moments are compared).
- `in_group` is true of members of the group and of every group below it; with {"nested": false} of its own
  members alone.

Criteria of a case have leaves of their own beside these (`case_matching` is their reference); an audience
refuses them:

    {"all": [{"property": "appointment_date", "op": "between",
              "value": [{"days_from_today": 0}, {"days_from_today": 2}]},
             {"property": "closed", "of": "parent", "op": "equal", "value": false},
             {"property": "risk", "changed_to": "high"},
             {"field": "language", "of": "owner", "op": "equal", "value": "sw"}]}
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, TypeAdapter, ValidationError

from clarion.domain.leaf import ChangedTo, Comparison, InGroup, Property, Shape
from clarion.errors import Invalid, Problem

DEEPEST = 50
MOST_NODES = 500


class All(Shape):
    """True when every one of these is."""

    all: tuple[Criteria, ...] = Field(min_length=1)


class AnyOf(Shape):
    """True when at least one of these is."""

    any: tuple[Criteria, ...] = Field(min_length=1)


class Not(Shape):
    """True when this is not."""

    not_: Criteria = Field(alias="not")


_BRANCHES = ("all", "any", "not")
_SHAPES = {
    "all": All,
    "any": AnyOf,
    "not": Not,
    "in_group": InGroup,
    "field": Comparison,
    "changed_to": ChangedTo,
    "property": Property,
}


def _shape(given: Any) -> str | None:
    """Which kind of node this is, by its telling key, so that errors speak of that kind alone."""
    if isinstance(given, dict):
        return next((key for key in _SHAPES if key in given), None)
    return next((key for key, shape in _SHAPES.items() if isinstance(given, shape)), None)


Criteria = Annotated[
    Annotated[All, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Not, Tag("not")]
    | Annotated[InGroup, Tag("in_group")]
    | Annotated[Comparison, Tag("field")]
    | Annotated[ChangedTo, Tag("changed_to")]
    | Annotated[Property, Tag("property")],
    Discriminator(
        _shape,
        custom_error_type="criteria_shape",
        custom_error_message="a node has one of the keys all, any, not, in_group, field, property",
    ),
]

Node = All | AnyOf | Not | InGroup | Comparison | Property | ChangedTo

for _branch in (All, AnyOf, Not):
    _branch.model_rebuild()

CRITERIA: TypeAdapter[Node] = TypeAdapter(Criteria)
"""Reads, writes and describes criteria: `validate_python`, `dump_python(by_alias=True)`, `json_schema`."""


def parse_criteria(raw: object) -> Node:
    """Criteria from what JSON gives. Raises Invalid with the JSON path of each thing that is wrong.

    Only the shape is judged here; whether the fields exist is `check`'s to say.
    """
    _bounded(raw)
    try:
        return CRITERIA.validate_python(raw)
    except ValidationError as error:
        raise Invalid("the filter cannot be understood", problems=tuple(_problems(error))) from None


_VALUE = re.compile(r"\.(value|changed_to)(\[\d+\])?$")
_WORDS = {
    "too_short": "at least one condition is needed",
    "extra_forbidden": "no such key here",
    "missing": "is missing",
}


def _problems(error: ValidationError) -> list[Problem]:
    told: dict[str, str] = {}
    for found in error.errors():
        where = _path(found["loc"])
        message = _WORDS.get(found["type"]) or found["msg"].removeprefix("Value error, ")
        if _VALUE.search(where) and found["type"] != "value_error":
            # the value is one of several types, and pydantic says of each that it is not
            message = 'a value is text, a number, true or false, or {"days_from_today": n}'
            told.setdefault(where, message)
        else:
            told[where] = message
    # of a list whose item is wrong pydantic also says that it is too short, or no value
    return [Problem(where, what) for where, what in told.items() if not _inside(where, told)]


def _inside(where: str, told: Iterable[str]) -> bool:
    return any(other.startswith(where + "[") for other in told)


def _path(location: tuple[int | str, ...]) -> str:
    """A JSON path ("$.all[1].not.value") from pydantic's location, in which each node's kind stands before
    its key."""
    told, steps = "$", list(location)
    while steps and steps.pop(0) in _SHAPES and steps:
        key = steps.pop(0)
        told += f".{key}"
        if key in ("all", "any") and steps:
            told += f"[{steps.pop(0)}]"
        if key not in _BRANCHES:
            # behind a value stands also which of its types refused it
            told += "".join(f"[{step}]" for step in steps if isinstance(step, int))
            break
    return told


def _bounded(raw: object) -> None:
    """Refuse what is too deep or too large before anything walks it by recursion."""
    level, nodes, depth = [raw], 0, 0
    while level:
        nodes += len(level)
        if depth > DEEPEST or nodes > MOST_NODES:
            raise Invalid(
                "the filter is too large", hint=f"at most {MOST_NODES} conditions, nested {DEEPEST} deep"
            )
        level = [child for node in level for child in _children(node)]
        depth += 1


def _children(raw: object) -> list[object]:
    if not isinstance(raw, dict):
        return []
    found: list[object] = [raw["not"]] if "not" in raw else []
    for key in ("all", "any"):
        if isinstance(raw.get(key), list | tuple):
            found += raw[key]
    return found
