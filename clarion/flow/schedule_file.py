"""A schedule in a file of rows, as people keep it in a spreadsheet: read into a document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from clarion.domain.schedule.model import AtEnrollment, AtField, AtMoment, Schedule
from clarion.domain.schedule.sheet import reading
from clarion.domain.schedule.sheet.choices import Choices
from clarion.domain.schedule.sheet.reading import Imported
from clarion.domain.schedule.sheet.rows import Line
from clarion.errors import Invalid
from clarion.flow.foresee import Foreseen, Wish, foresee, nobody
from clarion.kit.tabular import Limits, Row, Table, open_table

_MEGABYTE = 1024 * 1024
LIMITS = Limits(
    file_bytes=16 * _MEGABYTE, unzipped_bytes=128 * _MEGABYTE, rows=5_000, columns=100,
    row_chars=1024 * 1024,
)  # fmt: skip


def read_file(
    path: Path, choices: Choices, *, sheet: str | None = None, encoding: str | None = None
) -> Imported:
    """The document of a CSV or XLSX file (see `domain.schedule.sheet`). Raises NotFound, TooLarge, Invalid:
    with everything that is wrong with its rows."""
    with open_table(path, limits=LIMITS, sheet=sheet, encoding=encoding) as table:
        if table.kind == "json":
            raise Invalid("a table of a schedule is CSV or XLSX, and this is JSON", hint="Save it as CSV.")
        found = reading.read(table.columns, _lines(table), choices)
        return replace(found, notes=(*table.notes, *found.notes))


def _lines(table: Table) -> Iterator[Line]:
    for row in table:
        yield (row.line, row.values) if isinstance(row, Row) else (row.line, row.reason)


def example(schedule: Schedule, now: datetime, zone: str | None, count: int) -> tuple[Foreseen, str]:
    """The first occurrences for somebody whose day 0 is today, or the start's own; and in words, for whom.
    They were enrolled before all of it, or at the midnight of today where that is the start."""
    today = now.astimezone(ZoneInfo(zone or "UTC")).replace(hour=0, minute=0, second=0, microsecond=0)
    start, day = schedule.start, f"{today:%Y-%m-%d}"
    wish = Wish(today, zone=zone, count=count)
    if isinstance(start, AtEnrollment):
        return foresee(schedule, nobody(wish), count), f"somebody who is enrolled on {day} at 00:00"
    words = "everybody"
    if isinstance(start, AtMoment):
        day = start.moment[:10]
    elif isinstance(start, AtField):
        wish, words = replace(wish, fields={start.key: day}), f"somebody whose {start.key} is {day}"
    else:
        wish, words = replace(wish, properties={start.key: day}), f"a case whose {start.key} is {day}"
    days = min(0, *(step.days for step in schedule.steps), 0) + min(0, start.days) - 7
    before = datetime.fromisoformat(day).replace(tzinfo=today.tzinfo) + timedelta(days=days)
    return foresee(schedule, nobody(replace(wish, now=before)), count), words
