"""The rows of a table together: their days from day 0, their order, and the document that they become."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from clarion.domain.schedule import check
from clarion.domain.schedule.model import FARTHEST_DAYS, MOST_STEPS, AtEnrollment, Schedule, Time
from clarion.domain.schedule.sheet import contents, numbers
from clarion.domain.schedule.sheet.choices import Choices
from clarion.domain.schedule.sheet.document import Document, Known, Sheet
from clarion.domain.schedule.sheet.rows import Entry, folded
from clarion.errors import Invalid, Problem

_STEP = re.compile(r"steps\[(\d+)\](?:\.(\w+))?")


def refused(problems: Sequence[Problem]) -> Invalid:
    """All of them, in the order of their lines."""

    def line(problem: Problem) -> int:
        found = re.match(r"line (\d+)", problem.where)
        return int(found[1]) if found else 0

    return Invalid("the table cannot become a schedule", problems=tuple(sorted(problems, key=line)))


class Table:
    """Rows with which nothing is wrong by themselves. `start` and `default`: None, nobody said."""

    def __init__(
        self,
        entries: Sequence[Entry],
        choices: Choices,
        start: dict[str, Any] | None,
        default: Time | None,
    ) -> None:
        self._entries, self._before, self._week = entries, choices.before, choices.week
        self._default = default
        self._kind = entries[0].day.kind if entries else "number"  # that of all
        self._first = self._day0(start) if self._kind == "date" else None
        self._days = [self._after(entry) for entry in entries]
        self._start = self._begins(start)

    def document(
        self, tracks: Mapping[str, str], problems: Sequence[Problem]
    ) -> tuple[Document, numbers.Numbered]:
        """The document, and how its rows are numbered. Raises Invalid with these problems and all others."""
        entries = self._entries
        rows = [self._row(entry, days) for entry, days in zip(entries, self._days, strict=True)]
        retired = self._before.schedule.retired if self._before else ()
        found, wrong = numbers.numbered(rows, numbers.before(self._before), retired)
        names, said, twice = contents.named(entries, found.numbers, self._before)
        wrong += [*twice, *_same(entries, rows), *self._out_of_reach()]
        fitting = 0 < len(entries) <= MOST_STEPS and not wrong
        schedule = self._schedule(found, names, wrong) if fitting else None
        if problems or wrong or schedule is None:
            raise refused([*problems, *wrong] or [Problem("", "no row is left to be a step")])
        known = {
            number: Known(id=entry.id or None, track=tracks.get(folded(entry.track)) or None)
            for entry, number in zip(entries, found.numbers, strict=True)
            if entry.id or entry.track
        }
        sheet = Sheet(first_date=self._first, rows=dict(sorted(known.items())))
        return Document(schedule=schedule, contents=said, sheet=sheet), found

    def notes(self) -> list[str]:
        """What its author may not have thought of."""
        at = self._start.get("from", "enrollment")
        if at != "enrollment" or 0 not in self._days:
            return []
        hint = "what has passed by the time at which somebody is enrolled is not sent to them"
        return [f"day 0 is the day of the enrollment: {hint}"]

    # --- days

    def _day0(self, start: dict[str, Any] | None) -> date:
        """From which the days of a table of dates are counted."""
        if start is not None and start["from"] == "moment":
            return date.fromisoformat(start["moment"][:10])
        if self._before is not None and self._before.sheet.first_date is not None:
            return self._before.sheet.first_date
        return date.fromordinal(min(entry.day.value for entry in self._entries))

    def _after(self, entry: Entry) -> int:
        """Days after day 0."""
        if self._first is not None:
            return entry.day.value - self._first.toordinal()
        if entry.day.kind == "weekday":
            week, weekday = divmod(entry.day.value, 7)
            return 7 * week + (weekday - self._week.number) % 7
        return entry.day.value

    def _begins(self, start: dict[str, Any] | None) -> dict[str, Any]:
        """The start as it will stand in the schedule."""
        if start is None and self._before is not None:
            start = self._before.schedule.stored().get("start", {"from": "enrollment"})
        elif start is None and self._first is not None:
            start = {"from": "moment", "moment": self._first.isoformat()}
        start = dict(start or {"from": "enrollment"})
        if self._kind == "weekday":
            start["weekday"] = self._week.value
        return start

    def _out_of_reach(self) -> Iterable[Problem]:
        start = Schedule.model_validate({"start": self._start}).start
        for entry, days in zip(self._entries, self._days, strict=True):
            where = f"line {entry.line}"
            if abs(days) > FARTHEST_DAYS:
                yield Problem(where, f"{abs(days):,} days from day 0; at most {FARTHEST_DAYS:,}")
            elif days < 0 and isinstance(start, AtEnrollment) and start.days <= 0:
                hint = "Begin at a date: field:registration_date."
                yield Problem(where, "before the enrollment, so that nobody would hear it", hint)

    # --- the schedule

    def _row(self, entry: Entry, days: int) -> numbers.Row:
        day = days if self._first is None else date.fromordinal(entry.day.value)
        time = numbers.clock(entry.time or self._default)
        return numbers.Row(
            f"line {entry.line}", entry.number, entry.id, folded(entry.track), day, time,
            frozenset(entry.texts),
        )  # fmt: skip

    def _minute(self, place: int) -> int:
        """Of what falls on one day, what comes first; the default's last where it is not known here."""
        time: Any = self._entries[place].time or self._default
        return int(getattr(time, "at", getattr(time, "opens", 24 * 60)))

    def _schedule(self, found: numbers.Numbered, names: Sequence[str], problems: list[Problem]) -> Schedule:
        """What stood in it before stays, but for the steps and what was said now."""
        entries, default = self._entries, self._default
        order = sorted(range(len(entries)), key=lambda place: (self._days[place], self._minute(place), place))
        own = {entry.time for entry in entries}
        if len(own) == 1 and None not in own:
            (default,) = own
            entries = [replace(entry, time=None) for entry in entries]
        document: dict[str, Any] = {
            **(self._before.schedule.stored() if self._before else {}),
            "start": self._start, "retired": found.retired,
            "steps": [
                {
                    "number": found.numbers[place], "days": self._days[place],
                    "time": entries[place].time, "content": names[place],
                }
                for place in order
            ],
            "time": default if any(entry.time is None for entry in entries) else None,
        }  # fmt: skip
        schedule = Schedule.model_validate(document)
        problems += [self._placed(problem, order) for problem in check.check(schedule)]
        return schedule

    def _placed(self, problem: Problem, order: Sequence[int]) -> Problem:
        """A problem of the schedule by the lines of the table."""

        def line(found: re.Match[str]) -> str:
            return f"line {self._entries[order[int(found[1])]].line}"

        where, what = _STEP.sub(line, problem.where), _STEP.sub(line, problem.what)
        return Problem(where if where.startswith("line") else f"schedule.{where}", what, problem.hint)


def _same(entries: Sequence[Entry], rows: Sequence[numbers.Row]) -> Iterable[Problem]:
    """Rows that say something twice, or of which nobody could tell later which was which."""
    first: dict[Any, int] = {}
    for place, row in enumerate(rows):
        other = first.setdefault((row.track, row.day, row.time), place)
        if other == place:
            continue
        line = entries[other].line
        if rows[other].texts == row.texts:
            yield Problem(row.where, f"says the same as line {line} at the same time", "Leave one out.")
        elif not all(one.number is not None or one.id for one in (row, rows[other])):
            hint = "Give both a number or an id, or one of them another time."
            yield Problem(row.where, f"the same track, day and time as line {line}", hint)
