"""Which step's number each row has. A number that was used is never given to another row.

A row that says a number has it. Others have that of the row that they were, when the table was read before:
by its id; else by its track, day and time; else by its track, day and content, where only the time is
another. What is left is new, and gets numbers that nobody had.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import TypeVar

from clarion.domain.content import TextForm
from clarion.domain.schedule.model import MOST_NUMBER, Fixed, Step, Time, Window
from clarion.domain.schedule.sheet.document import Document, Known
from clarion.domain.schedule.sheet.rows import Texts, folded
from clarion.errors import Problem

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Row:
    """What a row is known by, now or when the table was read before. `day`: after day 0, or a date."""

    where: str
    number: int | None
    id: str
    track: str
    day: int | date
    time: Hashable
    texts: frozenset[tuple[str | None, str]]


@dataclass(frozen=True, slots=True)
class Numbered:
    """Each row's number, in their order; how many of them were known, and which numbers are no more."""

    numbers: list[int]
    kept: int
    retired: tuple[int, ...]


def numbered(
    rows: Sequence[Row], before: Sequence[Row], retired: Iterable[int]
) -> tuple[Numbered, list[Problem]]:
    """The numbers of rows, and what is wrong with those that they say themselves."""
    gone, known = set(retired), {one.number for one in before if one.number is not None}
    problems = list(_wrong(rows, gone, gone | known))
    found = {place: row.number for place, row in enumerate(rows) if row.number is not None}
    for key in (_by_id, _by_time, _by_texts):
        found |= _again(rows, before, found, key)
    kept = len(known & set(found.values()))
    free = count(max(known | gone | set(found.values()), default=0) + 1)
    for place, row in enumerate(rows):
        if place not in found:
            found[place] = number = next(free)
            if number > MOST_NUMBER:
                problems.append(Problem(row.where, f"all numbers up to {MOST_NUMBER:,} were used"))
    numbers = [found[place] for place in range(len(rows))]
    return Numbered(numbers, kept, tuple(sorted((known | gone) - set(numbers)))), problems


def _again(
    rows: Sequence[Row], before: Sequence[Row], found: Mapping[int, int], key: Callable[[Row], Hashable]
) -> dict[int, int]:
    """The numbers of rows without one that are, by this key, one of those before whose number is free."""
    taken = set(found.values())
    mine = _once((place, key(row)) for place, row in enumerate(rows) if place not in found)
    theirs = _once((one, key(one)) for one in before if one.number not in taken)
    return {
        place: old.number
        for same, place in mine.items()
        if (old := theirs.get(same)) is not None
        and old.number is not None
        and (key is _by_id or not (rows[place].id and old.id))  # two ids are two rows
    }


def before(document: Document | None) -> list[Row]:
    """The rows of the table as it was read before."""
    if document is None:
        return []
    return [_row(document, step) for step in document.schedule.steps]


def _row(document: Document, step: Step) -> Row:
    sheet, schedule = document.sheet, document.schedule
    known = sheet.rows.get(step.number, Known())
    day: int | date = step.days
    if sheet.first_date is not None:
        day = date.fromordinal(sheet.first_date.toordinal() + step.days)
    content = document.contents.get(step.content or "")
    texts: Texts = tuple(
        (one.language, one.content.text)
        for one in (content.variants if content else ())
        if isinstance(one.content, TextForm) and one.channel_kind is None
    )
    return Row(
        "", step.number, known.id or "", folded(known.track or ""), day, clock(step.time or schedule.time),
        frozenset(texts),
    )  # fmt: skip


def clock(time: Time | None) -> Hashable:
    """What a step's time is known by."""
    if isinstance(time, Fixed):
        return time.at
    return (time.opens, time.closes, time.strategy) if isinstance(time, Window) else time


def _by_id(row: Row) -> Hashable:
    return row.id or None


def _by_time(row: Row) -> Hashable:
    return row.track, row.day, row.time


def _by_texts(row: Row) -> Hashable:
    return (row.track, row.day, row.texts) if row.texts else None


def _once(some: Iterable[tuple[V, Hashable]]) -> dict[Hashable, V]:
    """By key, where it is one's alone: of two that are alike nobody knows which was which."""
    found: dict[Hashable, list[V]] = {}
    for value, key in some:
        if key is not None:
            found.setdefault(key, []).append(value)
    return {key: values[0] for key, values in found.items() if len(values) == 1}


def _wrong(rows: Sequence[Row], gone: Set[int], used: Set[int]) -> Iterator[Problem]:
    """Numbers and ids that two rows have, and numbers of rows that are no more."""
    numbers: dict[int, str] = {}
    ids: dict[str, str] = {}
    free = max(used | {row.number for row in rows if row.number is not None}, default=0) + 1
    for row in rows:
        first = row.where
        if row.number is not None:
            first = numbers.setdefault(row.number, row.where)
        elif row.id:
            first = ids.setdefault(row.id, row.where)
        if first != row.where:
            yield Problem(row.where, f"{row.number or row.id} is that of {first} too", f"Free is {free}.")
        elif row.number in gone:
            what = f"{row.number} was the number of a row that is no more"
            yield Problem(row.where, what, f"People may have had that. Free is {free}.")
