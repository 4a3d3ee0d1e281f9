"""What bodies are made of. A request's body is a `Body`, a reply's an `Answer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Body(BaseModel):
    """What a caller sends. Members that nobody knows are refused: a typing error is not silence.

    Characters that no database stores (NUL, halves of surrogate pairs) are refused wherever they stand,
    and so is nesting without end.
    """

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, given: Any) -> Any:
        refuse_unstorable(given)
        return given


class Answer(BaseModel):
    """What we answer; made from a row of the store (`Answer.model_validate(row)`)."""

    model_config = ConfigDict(from_attributes=True, extra="ignore")


def unstorable(text: str) -> bool:
    """Whether no database would store this text."""
    return "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text)


_DEEPEST = 100


def refuse_unstorable(given: object) -> None:
    """Raises ValueError. Level by level, since a body may be nested deeper than calls may be."""
    level, depth = [given], 0
    while level:
        if depth > _DEEPEST:
            raise ValueError(f"nested deeper than {_DEEPEST} levels")
        below: list[object] = []
        for value in level:
            if isinstance(value, str):
                _refuse(value)
            elif isinstance(value, Mapping):
                below += [*value.keys(), *value.values()]
            elif isinstance(value, list):
                below += value
        level, depth = below, depth + 1


def _refuse(text: str) -> None:
    # most texts are plain: the slow look is only for those that are not
    if (not text.isascii() or "\x00" in text) and unstorable(text):
        raise ValueError("holds a character that cannot be stored (NUL, or half of a surrogate pair)")
