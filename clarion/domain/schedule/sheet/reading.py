"""From the rows of a table to the document of a schedule, or to everything that is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clarion.domain.schedule.sheet.choices import Choices, beyond, default_of, start_of
from clarion.domain.schedule.sheet.document import Document
from clarion.domain.schedule.sheet.headings import HEADING, understood
from clarion.domain.schedule.sheet.rows import Entry, Line, Reader, folded
from clarion.domain.schedule.sheet.table import Table, refused
from clarion.errors import Problem

_KINDS = {"number": "a number of days", "weekday": "a day of a week", "date": "a date"}
_UNTIMED = "Name one time, or give a time for rows that say none."


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a table: its document, how many rows it has, how many of them were known before and how
    many of those are no more, which fields its texts read (where nobody said which there are), and what its
    author should look at."""

    document: Document
    rows: int
    kept: int
    retired: int
    tracks: tuple[str, ...]
    fields: tuple[str, ...]
    notes: tuple[str, ...]

    def counts(self) -> dict[str, int]:
        """For people and programs."""
        languages = {one.language for said in self.document.contents.values() for one in said.variants}
        return {
            "rows": self.rows, "contents": len(self.document.contents), "languages": len(languages),
            "tracks": len(self.tracks), "kept": self.kept, "new": self.rows - self.kept,
            "retired": self.retired,
        }  # fmt: skip


def read(columns: Iterable[str], lines: Iterable[Line], choices: Choices) -> Imported:
    """The document that a table becomes. Raises Invalid with everything that is wrong, by line."""
    heading, problems = understood(columns)
    problems += beyond(choices.before)
    if problems:
        raise refused(problems)
    start, default = start_of(choices, problems), default_of(choices, problems)
    untimed = choices.time is not None or default is not None or "time" not in heading.columns
    reader = Reader(heading, choices.fields, choices.track, untimed, problems)
    entries = reader.read(lines)
    if choices.time is None and default is None and untimed and any(one.time is None for one in entries):
        problems.append(Problem(HEADING, "no column says at what time", _UNTIMED))
    mixed = list(_mixed(entries))
    table = Table([] if mixed else entries, choices, start, default)
    document, numbered = table.document(reader.tracks, [*problems, *mixed])
    unread = [f"the column {column!r} is not read" for column in heading.unread]
    used = {folded(entry.track) for entry in entries}
    retired = choices.before.schedule.retired if choices.before else ()
    return Imported(
        document, len(entries), numbered.kept, len(set(numbered.retired) - set(retired)),
        tuple(track for key, track in reader.tracks.items() if key in used),
        tuple(sorted(reader.asked)), (*unread, *reader.notes, *table.notes()),
    )  # fmt: skip


def _mixed(entries: Sequence[Entry]) -> Iterable[Problem]:
    """Days that are counted in several ways have no order."""
    kinds = Counter(entry.day.kind for entry in entries)
    if len(kinds) < 2:
        return
    usual = kinds.most_common(1)[0][0]
    for entry in entries:
        if entry.day.kind != usual:
            what = f"{_KINDS[entry.day.kind]}, where most rows have {_KINDS[usual]}"
            yield Problem(f"line {entry.line}", what, "Write the days of all rows in one way.")
