"""Paths into a JSON document, as somebody writes them into a mapping: `patient.phones[0].number`.

    name          the member of this name; ["any.name"] where the name holds a dot, a bracket or a quote
    [0], [-1]     the first of a list, the last
    [*]           each of a list
    $             the whole document; it may stand before any path

A path leads to what there is, and never fails: where something on the way is missing, or is of another kind,
it leads to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from clarion.domain.refusal import Refusal

LONGEST = 500
MOST_STEPS = 50
_STEP = re.compile(
    r"""(?P<dot>\.?)(?P<name>[^.\[\]"\s][^.\[\]"]*)
      | \[(?P<place>-?[0-9]{1,6})\]
      | \[(?P<each>\*)\]
      | \["(?P<quoted>[^"]+)"\]""",
    re.VERBOSE,
)
_HOW = 'As patient.phones[0].number, items[*].id, or ["odd.name"].id'


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A path that was read. Of its `steps` a text is a member, a number a place, and None each of a list."""

    text: str
    steps: tuple[str | int | None, ...]

    @property
    def several(self) -> bool:
        """Whether it may lead to more than one value."""
        return None in self.steps

    def find(self, document: Any) -> list[Any]:
        """What it leads to in a document, in order; empty where there is nothing."""
        found = [document]
        for step in self.steps:
            found = [below for one in found for below in _below(one, step)]
        return found

    def found_until(self, document: Any) -> str:
        """How far it leads in a document that does not have all of it, and what there is, for a hint; nothing
        where it leads to a list that is empty."""
        here: list[Any] = [document]
        for number, step in enumerate(self.steps):
            below = [one for each in here for one in _below(each, step)]
            if not below and step is None and isinstance(here[0], list):
                return ""
            if not below:
                return f"{_place(self.steps[:number])} {_what(here[0])}" if here else ""
            here = below
        return ""


def read_path(text: str) -> JsonPath | Refusal:
    """The path that a text spells. Refusals: `blank`, `too_long`, `bad_path`."""
    if not text.strip():
        return Refusal("blank", "a path is missing", _HOW)
    if len(text) > LONGEST:
        return Refusal("too_long", f"a path has at most {LONGEST} characters")
    at = 1 if text.startswith("$") else 0
    steps: list[str | int | None] = []
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or (match["name"] and bool(match["dot"]) is (at == 0)):
            return Refusal("bad_path", f"cannot be read at character {at + 1}: {text[at : at + 20]!r}", _HOW)
        steps.append(_step(match))
        at = match.end()
    if len(steps) > MOST_STEPS:
        return Refusal("too_long", f"a path has at most {MOST_STEPS} steps")
    return JsonPath(text, tuple(steps))


def _step(match: re.Match[str]) -> str | int | None:
    if match["each"]:
        return None
    return int(match["place"]) if match["place"] else match["name"] or match["quoted"]


def _below(value: Any, step: str | int | None) -> Iterator[Any]:
    if isinstance(step, str):
        if isinstance(value, dict) and step in value:
            yield value[step]
    elif isinstance(value, list):
        if step is None:
            yield from value
        elif -len(value) <= step < len(value):
            yield value[step]


def _place(steps: Iterable[str | int | None]) -> str:
    told = ""
    for step in steps:
        told += f".{step}" if isinstance(step, str) else f"[{'*' if step is None else step}]"
    return told.removeprefix(".") or "the body"


def _what(value: Any) -> str:
    if isinstance(value, dict):
        names = ", ".join(str(name)[:40] for name in list(value)[:10])
        return f"has {names}" if names else "is empty"
    return f"is a list of {len(value)}" if isinstance(value, list) else "is no object and no list"
