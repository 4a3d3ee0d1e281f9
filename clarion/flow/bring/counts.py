"""What came of bringing people: counts, and what could not be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something of one person that could not be read. `refused`: they were not brought at all."""

    who: str
    field: str
    reason: str
    refused: bool = False


@dataclass(slots=True)
class Counts:
    """Contacts that were told of (`read`) and what became of each; the rest are reasons and how often."""

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    warnings: Counter[tuple[str, str]] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told on the way: of each stored page, of each trouble, and of each wait in seconds."""

    progress: Callable[[Counts], None] = lambda counts: None
    trouble: Callable[[Trouble], None] = lambda trouble: None
    waiting: Callable[[float], None] = lambda seconds: None
