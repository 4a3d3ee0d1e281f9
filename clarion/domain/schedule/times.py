"""At which second of its day an occurrence is due, before anything moves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time

from clarion.domain.schedule.clocktime import minutes_of
from clarion.domain.schedule.draws import below, draw, even, person_key, shuffled
from clarion.domain.schedule.model import Chosen, Fixed, Time, Window
from clarion.domain.schedule.subject import Subject

Second = Callable[[int, int], int]
"""(iteration, step) → seconds after the midnight of its day; from 24 hours on, of the next."""


class Cover:
    """A window whose slots all come: which steps have it, in their order, and which slots come again."""

    def __init__(self, window: Window) -> None:
        self.slots, self.extras = window.slots, window.extras()
        self.places: dict[int, int] = {}

    def take(self, step: int) -> None:
        """This step has it too."""
        self.places[step] = len(self.places)


class Clock:
    """One subject's times. `covering`: the windows that are covered."""

    def __init__(self, subject: Subject, key: bytes, covering: Mapping[Window, Cover]) -> None:
        self._subject, self._key, self._covering = subject, key, covering
        self._orders: dict[tuple[str, int, int], list[int]] = {}  # of cover: slots in their order

    def of(self, time: Time | None, own: int) -> Second:
        """When a step with this time is due; `own` is the start's own second of the day."""
        if time is None:
            return lambda iteration, step: own
        if isinstance(time, Fixed):
            at = time.at * 60
            return lambda iteration, step: at
        if isinstance(time, Chosen):
            chosen = self._chosen(time) * 60
            return lambda iteration, step: chosen
        return self._within(time)

    def _within(self, window: Window) -> Second:
        opens, width, key = window.opens, window.width, self._key
        if window.strategy == "uniform":
            return lambda iteration, step: (opens + below(draw(key, "time", iteration, step), width)) * 60
        if window.strategy == "spread":
            place, everybody = self._subject.place, person_key(self._subject.seed, "")
            return lambda iteration, step: (
                60 * (opens + even(place, width, below(draw(everybody, "spread", iteration, step), width)))
            )
        return self._cover(window)

    def _cover(self, window: Window) -> Second:
        cover, opens = self._covering[window], window.opens
        places, many, size = cover.places, len(cover.places), cover.slots + len(cover.extras)

        def second(iteration: int, step: int) -> int:
            turn, place = divmod((iteration - 1) * many + places[step], size)
            # every slot once, and then those that are worth more
            purpose, place = ("cover", place) if place < cover.slots else ("valued", place - cover.slots)
            order = self._orders.get((purpose, opens, turn))
            if order is None:
                slots = range(cover.slots) if purpose == "cover" else cover.extras
                drawn = draw(self._key, purpose, opens, turn)
                order = self._orders[purpose, opens, turn] = shuffled(drawn, slots)
            return (opens + 60 * order[place]) * 60

        return second

    def _chosen(self, wish: Chosen) -> int:
        values = self._subject.fields if wish.field is not None else self._subject.properties
        value = values.get(wish.field or wish.property or "")
        if isinstance(value, datetime | time):
            return value.hour * 60 + value.minute
        found = minutes_of(value) if isinstance(value, str) else None
        return wish.otherwise if found is None else found
