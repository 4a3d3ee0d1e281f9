"""At which second of its day an occurrence is due, before anything moves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, time

from clarion.domain.schedule.clocktime import minutes_of
from clarion.domain.schedule.draws import below, draw, even, person_key, shuffled
from clarion.domain.schedule.model import Chosen, Fixed, Time, Window
from clarion.domain.schedule.subject import Subject

Second = Callable[[int, int], int]
"""(iteration, step) → seconds after the midnight of its day; from 24 hours on, of the next."""
_Order = tuple[list[int], Iterator[int]]  # slots as far as they were asked for, and those that come then


class Cover:
    """A window whose slots all come: which steps have it, in their order, and which slots come again."""

    def __init__(self, window: Window) -> None:
        self.opens, self.slots, self.extras = window.opens, window.slots, window.extras()
        self.size = self.slots + len(self.extras)
        self.places: dict[int, int] = {}

    def take(self, step: int) -> None:
        """This step has it too."""
        self.places[step] = len(self.places)


def settled(time: Time | None, own: int, subject: Subject) -> Second:
    """When a step is due at a time that draws nothing: the same for everybody with the same values. `own` is
    the start's own second of the day."""
    if isinstance(time, Fixed):
        own = time.at * 60
    elif isinstance(time, Chosen):
        own = _chosen(time, subject) * 60
    return lambda iteration, step: own


def _chosen(wish: Chosen, subject: Subject) -> int:
    values = subject.fields if wish.field is not None else subject.properties
    value = values.get(wish.field or wish.property or "")
    if isinstance(value, datetime | time):
        return value.hour * 60 + value.minute
    found = minutes_of(value) if isinstance(value, str) else None
    return wish.otherwise if found is None else found


class Clock:
    """One person's drawn times. `key` is theirs in the campaign (`draws.person_key`), `seed` the campaign's,
    `place` where they stand in the audience; `covering`: the windows that are covered."""

    __slots__ = ("_covering", "_key", "_orders", "_place", "_seed")

    def __init__(self, key: bytes, seed: str, place: int, covering: Mapping[Window, Cover]) -> None:
        self._key, self._seed, self._place, self._covering = key, seed, place, covering
        self._orders: dict[tuple[str, int, int], _Order] = {}  # of cover

    def within(self, window: Window) -> Second:
        """When a step with this window is due."""
        opens, width, key = window.opens, window.width, self._key
        if window.strategy == "uniform":
            return lambda iteration, step: (opens + below(draw(key, "time", iteration, step), width)) * 60
        if window.strategy == "spread":
            place, everybody = self._place, person_key(self._seed, "")
            return lambda iteration, step: (
                60 * (opens + even(place, width, below(draw(everybody, "spread", iteration, step), width)))
            )
        return self._cover(self._covering[window])

    def _cover(self, cover: Cover) -> Second:
        places, many, size, opens = cover.places, len(cover.places), cover.size, cover.opens

        def second(iteration: int, step: int) -> int:
            turn, place = divmod((iteration - 1) * many + places[step], size)
            # every slot once, and then those that are worth more
            purpose, place = ("cover", place) if place < cover.slots else ("valued", place - cover.slots)
            order = self._orders.get((purpose, opens, turn))
            if order is None:
                slots = range(cover.slots) if purpose == "cover" else cover.extras
                drawn = draw(self._key, purpose, opens, turn)
                order = self._orders[purpose, opens, turn] = [], shuffled(drawn, slots)
            known, more = order
            while len(known) <= place:
                known.append(next(more))
            return (opens + 60 * known[place]) * 60

        return second
