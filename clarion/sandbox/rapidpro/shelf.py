"""Things by their key, in every version that they had."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Shelf(Generic[T]):
    """Moments are microseconds. What is taken away stays, as a version that says so itself."""

    def __init__(self) -> None:
        self._versions: dict[str, list[tuple[int, T]]] = {}

    def __len__(self) -> int:
        return len(self._versions)

    def put(self, key: str, thing: T, at: int) -> None:
        """This is how it is from `at` on."""
        self._versions.setdefault(key, []).append((at, thing))

    def get(self, key: str) -> T | None:
        """As it is."""
        found = self._versions.get(key)
        return found[-1][1] if found else None

    def all(self, at: int | None = None) -> Iterator[T]:
        """Everything as it is, or as it was at `at`."""
        for versions in self._versions.values():
            for since, thing in reversed(versions):
                if at is None or since <= at:
                    yield thing
                    break
