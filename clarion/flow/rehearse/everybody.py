"""The people of a sequence, copied so small that a hundred thousand of them are a few megabytes: who is alike
is kept together, and of each only what their draws need."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from clarion.domain.enrollment import Key
from clarion.domain.rehearsal.reckoning import Lot

WIDTH = 16  # bytes of an identifier


class Alike(NamedTuple):
    """What people have alike who have the same occurrences, but for what is random. `since` is from when on
    theirs are looked for, `paused` before when what fell due is not sent; `reason` why nothing can be sent to
    them, None where something can."""

    zone: str
    values: tuple[str | None, ...]
    generation: int
    began_at: datetime
    since: datetime
    paused: datetime | None
    lot: Lot
    begins: str
    reason: str | None


@dataclass(slots=True)
class Some:
    """People who are alike: how many; of a schedule that is another for each their identifiers, one after the
    other, and their places."""

    many: int = 0
    ids: bytearray = field(default_factory=bytearray)
    places: array[int] = field(default_factory=lambda: array("q"))

    def each(self) -> Iterator[tuple[str, int]]:
        """(identifier, place) of each."""
        for nth, place in enumerate(self.places):
            yield str(UUID(bytes=bytes(self.ids[nth * WIDTH : nth * WIDTH + WIDTH]))), place


class Particular(NamedTuple):
    """Somebody who has heard some of it, or of whom something was moved."""

    alike: Alike
    contact_id: UUID
    place: int
    said: tuple[Key, ...]
    moves: Mapping[Key, int]


@dataclass(slots=True)
class Everybody:
    """All of them. `personal`: whether it matters who somebody is. `apart` are those who hear nothing, by
    why."""

    personal: bool
    alike: dict[Alike, Some] = field(default_factory=dict)
    particular: list[Particular] = field(default_factory=list)
    apart: Counter[str] = field(default_factory=Counter)
    people: int = 0
    _keys: dict[Key, Key] = field(default_factory=dict)

    def add(self, alike: Alike, contact_id: UUID, place: int) -> None:
        """Somebody of whom nothing else is known."""
        some = self.alike.get(alike)
        if some is None:
            some = self.alike[alike] = Some()
        some.many += 1
        if self.personal:
            some.ids += contact_id.bytes
            some.places.append(place)

    def keys(self, some: Iterable[Key]) -> tuple[Key, ...]:
        """The same occurrences, each kept once however many people have heard it."""
        return tuple(self._keys.setdefault(key, key) for key in some)
