"""At which second of its day an occurrence is due, before anything moves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, time

from clarion.domain.schedule.clocktime import minutes_of
from clarion.domain.schedule.draws import below, draw, even, person_key, shuffled
from clarion.domain.schedule.model import Chosen, Fixed, Time, Window
from clarion.domain.schedule.subject import Subject

_Order = tuple[list[int], Iterator[int]]  # slots as far as they were asked for, and those that come then


class Own:
    """What one person's times are drawn by: `key` is theirs in the campaign (`draws.person_key`), `place`
    where they stand in the audience."""

    __slots__ = ("key", "orders", "place")

    def __init__(self, key: bytes, place: int = 0) -> None:
        self.key, self.place = key, place
        self.orders: dict[tuple[Cover, str, int], _Order] = {}  # by turn


Second = Callable[[Own, int, int], int]
"""(whose, iteration, step) → seconds after the midnight of its day; from 24 hours on, of the next."""


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
    return lambda _, iteration, step: own


def _chosen(wish: Chosen, subject: Subject) -> int:
    values = subject.fields if wish.field is not None else subject.properties
    value = values.get(wish.field or wish.property or "")
    if isinstance(value, datetime | time):
        return value.hour * 60 + value.minute
    found = minutes_of(value) if isinstance(value, str) else None
    return wish.otherwise if found is None else found


def drawn(window: Window, cover: Cover | None, seed: str) -> Second:
    """When a step with this window is due: of everybody in the campaign of this `seed`. `cover` is the
    window's, where it is covered."""
    if cover is not None:
        return _covered(cover)
    opens, width = window.opens, window.width
    if window.strategy == "spread":
        everybody = person_key(seed, "")
        return lambda own, iteration, step: (
            60 * (opens + even(own.place, width, below(draw(everybody, "spread", iteration, step), width)))
        )
    return lambda own, iteration, step: (
        60 * (opens + below(draw(own.key, "time", iteration, step), width))
    )  # fmt: skip


def _covered(cover: Cover) -> Second:
    places, many, size, opens = cover.places, len(cover.places), cover.size, cover.opens
    slots, all_slots, extras = cover.slots, range(cover.slots), cover.extras

    def second(own: Own, iteration: int, step: int) -> int:
        turn, place = divmod((iteration - 1) * many + places[step], size)
        # every slot once, and then those that are worth more
        purpose = "cover" if place < slots else "valued"
        order = own.orders.get((cover, purpose, turn))
        if order is None:
            among = all_slots if place < slots else extras
            order = [], shuffled(draw(own.key, purpose, opens, turn), among)
            own.orders[cover, purpose, turn] = order
        known, more = order
        if place >= slots:
            place -= slots
        while len(known) <= place:
            known.append(next(more))
        return (opens + 60 * known[place]) * 60

    return second
