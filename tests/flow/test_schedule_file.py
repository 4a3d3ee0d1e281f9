"""A schedule's table in a file: the example, and workbooks with real cells of dates and times."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from openpyxl import Workbook

from clarion.domain.schedule.sheet.choices import Choices
from clarion.errors import Invalid
from clarion.flow.schedule_file import example, read_file

EXAMPLE = Path(__file__).parents[2] / "examples" / "schedule.csv"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def book(tmp_path: Path, *rows: tuple[object, ...], formats: dict[str, str] | None = None) -> Path:
    """A workbook as a spreadsheet program would have it."""
    made = Workbook()
    sheet = made.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    for cell, kind in (formats or {}).items():
        sheet[cell].number_format = kind
    path = tmp_path / "schedule.xlsx"
    made.save(path)
    return path


def shown(path: Path, **choices: str) -> list[tuple[int, str]]:
    """Days and times of the steps."""
    schedule = read_file(path, Choices()).document.schedule
    steps = schedule.stored()["steps"]
    default = schedule.stored().get("time")
    return [(step.get("days", 0), step.get("time", default)) for step in steps]


def test_the_example_is_read() -> None:
    found = read_file(EXAMPLE, Choices(start="field:registration_date"))
    assert (found.rows, len(found.document.contents), found.notes) == (7, 6, ())


def test_cells_of_dates_and_times_are_what_they_show(tmp_path: Path) -> None:
    path = book(
        tmp_path,
        ("Date", "Time", "English", "Swahili"),
        (date(2026, 3, 1), time(9, 0), "one", "moja"),
        (datetime(2026, 3, 4), time(17, 30), "two", "mbili"),  # noqa: DTZ001
        ("6 March 2026", "9 am - 5 pm", "three", "tatu"),
        (date(2026, 3, 8), 0.375, "four", "nne"),
        (date(2026, 3, 9), timedelta(hours=8, minutes=15), "five", "tano"),
        (date(2026, 3, 10), datetime(1899, 12, 30, 20, 45), "six", "sita"),  # noqa: DTZ001
        formats={"B6": "[h]:mm"},
    )
    window = {"from": "09:00", "to": "17:00"}
    assert shown(path) == [
        (0, "09:00"), (3, "17:30"), (5, window), (7, "09:00"), (8, "08:15"), (9, "20:45"),
    ]  # fmt: skip


def test_cells_of_numbers_and_of_moments(tmp_path: Path) -> None:
    days = book(tmp_path, ("Day", "Hour", "Message"), (0, 9, "a"), (3.0, 17, "b"), ("day 7", time(8), "c"))
    assert shown(days) == [(0, "09:00"), (3, "17:00"), (7, "08:00")]
    moments = book(
        tmp_path,
        ("When", "Message"),
        (datetime(2026, 3, 1, 9, 30), "a"),  # noqa: DTZ001
        (datetime(2026, 3, 3, 18, 0), "b"),  # noqa: DTZ001
    )
    assert shown(moments) == [(0, "09:30"), (2, "18:00")]


def test_a_time_with_seconds_is_told_by_its_row(tmp_path: Path) -> None:
    path = book(tmp_path, ("Day", "Time", "Message"), (0, time(9), "a"), (1, time(9, 0, 30), "b"))
    with pytest.raises(Invalid) as told:
        read_file(path, Choices())
    assert [(one.where, one.what) for one in told.value.problems] == [
        ("line 3, Time", "a time of day with seconds")
    ]


def test_json_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    path.write_text('[{"day": 1}]', encoding="utf-8")
    with pytest.raises(Invalid, match="CSV or XLSX"):
        read_file(path, Choices())


@pytest.mark.parametrize(
    ("start", "first", "whose"),
    [
        ("enrollment", "2026-03-01 09:00", "somebody who is enrolled on 2026-03-01 at 00:00"),
        ("field:born", "2026-03-01 09:00", "somebody whose born is 2026-03-01"),
        ("property:visit", "2026-03-01 09:00", "a case whose visit is 2026-03-01"),
        ("2025-01-05", "2025-01-05 09:00", "everybody"),
    ],
)
def test_it_is_foreseen_for_somebody_who_hears_all_of_it(start: str, first: str, whose: str) -> None:
    schedule = read_file(EXAMPLE, Choices(start=start)).document.schedule
    found, said = example(schedule, NOW, "Africa/Nairobi", 20)
    assert (len(found.lines), f"{found.lines[0].local:%Y-%m-%d %H:%M}", said) == (7, first, whose)
