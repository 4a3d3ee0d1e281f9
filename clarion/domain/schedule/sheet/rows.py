"""Rows of a table as values; whatever is wrong is told by its line and column, and the others go on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from clarion.domain.content import Content
from clarion.domain.field import FieldType, field_key
from clarion.domain.refusal import Refusal
from clarion.domain.sayable import check_content
from clarion.domain.schedule.model import MOST_NUMBER, MOST_STEPS, Time
from clarion.domain.schedule.sheet.days import Day, read_day
from clarion.domain.schedule.sheet.headings import HEADING, Heading
from clarion.domain.schedule.sheet.times import read_time
from clarion.domain.template import LONGEST_SOURCE, compile_template, known_variables
from clarion.errors import Invalid, Problem

Line = tuple[int, Mapping[str, str] | str]
"""The line of a row, and its cells by column; or, where it cannot be read, why not."""
Texts = tuple[tuple[str | None, str], ...]
"""What is said, by language (None: to whoever has no better one)."""

LONGEST_ID, LONGEST_TRACK, LONGEST_NAME = 100, 100, 100
_DIGITS = re.compile(r"(\d{1,9})(?:\.0+)?")
_FIELD = re.compile(r"contact\.(\w+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """A row. `number`: what it says itself, else `id` may be its name. `time`: None, the default's."""

    line: int
    day: Day
    time: Time | None
    texts: Texts
    track: str = ""
    number: int | None = None
    id: str = ""
    name: str = ""


@dataclass
class Reader:
    """Reads rows, and gathers what is wrong with them in `problems` and what may be in `notes`.

    `track`: only its rows are taken. `fields`: those that texts may read; None: whatever they name, gathered
    in `asked`. `untimed`: whether a row may say no time.
    """

    heading: Heading
    fields: Mapping[str, FieldType] | None
    track: str | None = None
    untimed: bool = False
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    tracks: dict[str, str] = field(default_factory=dict)  # folded → as it is written first
    _right: set[str] = field(default_factory=set)  # texts that were looked at

    def read(self, lines: Iterable[Line]) -> list[Entry]:
        """The entries of the rows with which nothing is wrong."""
        if self.track is not None and "track" not in self.heading.columns:
            self._wrong(HEADING, "no column says which track a row is of", "Name it track.")
        found, taken = list[Entry](), 0
        for line, cells in lines:
            if isinstance(cells, str):
                self._wrong(f"line {line}", cells)
            elif self._is_taken(cells):
                taken += 1
                if (entry := self._entry(line, cells)) is not None:
                    found.append(entry)
        if self.track is not None and not taken and self.tracks:
            there = f"There are {', '.join(self.tracks.values())}."
            self._wrong("track", f"no row is of the track {self.track}", there)
        if taken > MOST_STEPS:
            hint = "Take one track at a time, or split the table."
            self._wrong("", f"{taken:,} rows; a schedule has at most {MOST_STEPS} steps", hint)
        return found

    def _wrong(self, where: str, what: str, hint: str = "") -> None:
        self.problems.append(Problem(where, what, hint))

    def _cell(self, cells: Mapping[str, str], meaning: str) -> str:
        column = self.heading.columns.get(meaning)
        return "" if column is None else cells.get(column, "").strip()

    def _is_taken(self, cells: Mapping[str, str]) -> bool:
        if track := " ".join(self._cell(cells, "track").split()):
            self.tracks.setdefault(track.casefold(), track)
        return self.track is None or folded(track) == folded(self.track)

    def _entry(self, line: int, cells: Mapping[str, str]) -> Entry | None:
        before = len(self.problems)
        track = " ".join(self._cell(cells, "track").split())
        number, name = self._number(line, self._cell(cells, "id"))
        day, time = self._when(line, cells)
        entry = Entry(
            line, day, time, self._texts(line, cells), self.tracks.get(track.casefold(), ""), number, name,
            self._cell(cells, "name"),
        )  # fmt: skip
        for meaning, text, most in (
            ("track", track, LONGEST_TRACK), ("id", name, LONGEST_ID), ("name", entry.name, LONGEST_NAME),
        ):  # fmt: skip
            if len(text) > most:
                self._wrong(self._place(line, meaning), f"{len(text):,} characters; at most {most} are kept")
        return entry if len(self.problems) == before else None

    def _place(self, line: int, meaning: str) -> str:
        return f"line {line}, {self.heading.columns.get(meaning, meaning)}"

    def _number(self, line: int, text: str) -> tuple[int | None, str]:
        digits = _DIGITS.fullmatch(text)
        if digits is None:
            return None, text
        number = int(digits[1])
        if not 1 <= number <= MOST_NUMBER:
            what = f"{number} cannot be the number of a step"
            self._wrong(self._place(line, "id"), what, f"Numbers are 1 to {MOST_NUMBER:,}.")
        return number, ""

    def _when(self, line: int, cells: Mapping[str, str]) -> tuple[Day, Time | None]:
        """Its day and time; anything where these are wrong, since the row is not taken then."""
        day = read_day(*(self._cell(cells, meaning) for meaning in ("day", "week", "weekday")))
        nowhere = Day("number", 0)
        if isinstance(day, Refusal):
            columns = [one for one in ("day", "week", "weekday") if one in self.heading.columns]
            place = next((one for one in columns if self._cell(cells, one)), columns[0])
            self.problems.append(day.at(self._place(line, place)))
            return nowhere, None
        text = self._cell(cells, "time")
        if text and day.time:
            self._wrong(self._place(line, "time"), "the day has a time already", "Leave one of them out.")
        if not (text or day.time):
            if not self.untimed:
                hint = "Write 09:00 or 09:00-21:00, or give a time for rows that say none."
                self._wrong(self._place(line, "time"), "it has no time", hint)
            return day, None
        time = read_time(text or day.time)
        if isinstance(time, Refusal):
            self.problems.append(time.at(self._place(line, "time" if text else "day")))
            return nowhere, None
        return day, time

    # --- what is said

    def _texts(self, line: int, cells: Mapping[str, str]) -> Texts:
        found = [
            (language, text, column)
            for language, column in self.heading.texts.items()
            if (text := cells.get(column, "").replace("\r\n", "\n").strip())
        ]
        if not found:
            self._wrong(
                f"line {line}", "it says nothing", f"Fill {' or '.join(self.heading.texts.values())}."
            )
        for _, text, column in found:
            if text not in self._right:
                self.problems += _wrong_with(text, f"line {line}, {column}", self._known(text))
            self._right.add(text)
        said = {language for language, _, _ in found}
        missing = [one for one in self.heading.texts if one is not None and one not in said]
        if found and missing and None not in said:
            self.notes.append(f"line {line} says nothing in {', '.join(missing)}")
        return tuple((language, text) for language, text, _ in found)

    def _known(self, text: str) -> dict[str, FieldType]:
        """The variables that this text may read."""
        if self.fields is not None:
            return known_variables(self.fields)
        known = known_variables({})
        for path in _variables(text) - known.keys():
            key = _FIELD.fullmatch(path)
            if key is not None and field_key(key[1]) == key[1]:
                self.asked.add(key[1])
                known[path] = FieldType.TEXT
        return known


def folded(track: str) -> str:
    """A track's name, by which two that are spelled alike are one."""
    return " ".join(track.casefold().split())


def _variables(text: str) -> frozenset[str]:
    try:
        return compile_template(text).variables
    except Invalid:
        return frozenset()  # told when it is checked


def _wrong_with(text: str, where: str, known: Mapping[str, FieldType]) -> Iterator[Problem]:
    if len(text) > LONGEST_SOURCE:
        yield Problem(where, f"{len(text):,} characters; at most {LONGEST_SOURCE:,} are taken")
        return
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        yield Problem(where, "holds half of a character")
        return
    for one in check_content(Content.of_text(text), known):
        place = one.where.removeprefix("variants[0].content").removeprefix(".text").strip(", ")
        yield Problem(f"{where}, {place}" if place else where, one.what, one.hint)
