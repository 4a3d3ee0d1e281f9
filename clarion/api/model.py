"""What bodies are made of. A request's body is a `Body`, a reply's an `Answer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Body(BaseModel):
    """What a caller sends. Members that nobody knows are refused: a typing error is not silence.

    Characters that no database stores (NUL, halves of surrogate pairs) are refused wherever they stand.
    """

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, given: Any) -> Any:
        _refuse_unstorable(given)
        return given


class Answer(BaseModel):
    """What we answer; made from a row of the store (`Answer.model_validate(row)`)."""

    model_config = ConfigDict(from_attributes=True, extra="ignore")


def unstorable(text: str) -> bool:
    """Whether no database would store this text."""
    return "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text)


def _refuse_unstorable(given: object) -> None:
    if isinstance(given, str):
        # most texts are plain: the slow look is only for those that are not
        if not given.isascii() or "\x00" in given:
            _refuse(given)
    elif isinstance(given, Mapping):
        for key, value in given.items():
            _refuse_unstorable(key)
            _refuse_unstorable(value)
    elif isinstance(given, list):
        for value in given:
            _refuse_unstorable(value)


def _refuse(text: str) -> None:
    if unstorable(text):
        raise ValueError("holds a character that cannot be stored (NUL, or half of a surrogate pair)")
