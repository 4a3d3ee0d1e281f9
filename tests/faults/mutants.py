"""Deliberate mistakes: each is what somebody once shipped. The fault suite must catch every one."""

from __future__ import annotations

MUTANTS: dict[str, str] = {}


def apply(name: str) -> None:
    """Break the code of this process in the way that `name` says. Raises KeyError."""
    raise KeyError(name)
