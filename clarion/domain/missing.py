"""What becomes of a message whose text needs a value that nobody knows: its content declares it.

    {"missing": "skip", "variants": […]}
    {"missing": {"hold_for": 86400}, "variants": […]}

A value is missing where the text would show it. What gives it a `default` needs none, and neither does what
only asks about it (`{% if case.clinic %}`). What is not declared falls back: it is left out of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from clarion.domain.part import Model
from clarion.errors import Problem

if TYPE_CHECKING:
    from clarion.domain.content import Content

_PREFIX = "missing:"
_LONGEST = 200  # of a path in a reason


class HoldFor(Model):
    """It waits for the value, at most so many seconds after its moment; then it is skipped."""

    hold_for: int = Field(ge=1, le=30 * 86_400)


def _known(word: object) -> object:
    if word not in ("fallback", "skip"):
        raise ValueError('say "fallback", "skip", or {"hold_for": seconds}')
    return word


def _which(declared: object) -> str:
    return "hold" if isinstance(declared, HoldFor | dict) else "word"


_Word = Annotated[Literal["fallback", "skip"], BeforeValidator(_known)]
Missing = Annotated[Annotated[_Word, Tag("word")] | Annotated[HoldFor, Tag("hold")], Discriminator(_which)]
"""What a content declares."""


def reason_of(path: str) -> str:
    """Of who is skipped, or waits, for want of the value at this path: "missing:case.clinic"."""
    return _PREFIX + path[:_LONGEST]


def path_of(reason: str | None) -> str | None:
    """Which value a reason is about; None where it is about something else."""
    return reason.removeprefix(_PREFIX) if reason and reason.startswith(_PREFIX) else None


def needed(declared: Missing | None) -> bool:
    """Whether nothing is said without the value."""
    return declared not in (None, "fallback")


def patience_of(declared: Missing | None) -> timedelta | None:
    """How long it is waited for, where it is."""
    return timedelta(seconds=declared.hold_for) if isinstance(declared, HoldFor) else None


def problems(contents: Mapping[str, Content], expires_after: int) -> Iterator[Problem]:
    """Contents that would wait longer than anything may be sent after its moment."""
    for name, content in contents.items():
        patience = patience_of(content.missing)
        if patience is not None and patience.total_seconds() >= expires_after:
            yield Problem(
                f"contents.{name}.missing.hold_for",
                f"it expires first: nothing is sent {expires_after:,} seconds after its moment",
                "Hold it for less, or say a longer expires_after.",
            )
