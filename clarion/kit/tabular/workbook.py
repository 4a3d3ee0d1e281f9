"""XLSX as rows, by openpyxl's streaming reader, after a look at the zip directory.

openpyxl keeps a workbook's shared strings in memory, and its XML goes through defusedxml. A part of a zip
file is never read past its declared size (zipfile stops there), so checking the declared sizes bounds what
is unpacked.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, BinaryIO

import openpyxl
from openpyxl.xml import DEFUSEDXML

from clarion.errors import Invalid, Misconfigured, TooLarge
from clarion.kit.tabular.model import Limits, Row, RowProblem, heading, shaped, too_many_rows

_SMALL_PART = 1024 * 1024


class WorkbookReader:
    """Rows of one sheet. A cell's text is what was typed: whole numbers without ".0", dates in ISO form."""

    def __init__(self, file: BinaryIO, total: int, limits: Limits, sheet: str | None) -> None:
        if not DEFUSEDXML:
            raise Misconfigured("openpyxl runs without defusedxml", hint="unset OPENPYXL_DEFUSEDXML")
        check_archive(file, limits)
        self._total = total
        self._limits = limits
        self._line = 0
        book = _guarded(
            lambda: openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        )
        self._sheet = _pick(book, sheet)
        others = [name for name in book.sheetnames if name != self._sheet.title]
        self.notes: tuple[str, ...] = ()
        if others:
            self.notes = (f"only the sheet {self._sheet.title!r} is read, of {len(others) + 1}",)
        self._last_line: int = self._sheet.max_row or 0
        # the declared size may be a lie, and openpyxl would fill it with blank cells
        self._sheet.reset_dimensions()
        self._records = self._read()
        self.columns = self._heading()

    def bytes_read(self) -> int:
        if not self._last_line:
            return 0
        return self._total * min(self._line, self._last_line) // self._last_line

    def rows(self) -> Iterator[Row | RowProblem]:
        for line, cells in self._records:
            row = shaped(self.columns, cells, line)
            if row is not None:
                yield row
        self._line = self._last_line

    def _heading(self) -> tuple[str, ...]:
        for line, cells in self._records:
            if any(cell.strip() for cell in cells):
                return heading(cells, line, self._limits)
        raise Invalid("the sheet is empty", hint="the first row must name the columns")

    def _read(self) -> Iterator[tuple[int, list[str]]]:
        rows = self._sheet.iter_rows(values_only=True, max_col=self._limits.columns + 1)
        while (values := _guarded(lambda: next(rows, None))) is not None:
            self._line += 1
            if self._line > self._limits.rows:
                raise too_many_rows(self._limits)
            cells = [_text(value) for value in values]
            while cells and not cells[-1]:
                cells.pop()
            yield self._line, cells


def check_archive(file: BinaryIO, limits: Limits) -> None:
    """Refuse a zip file that would unpack to too much, by its directory alone; leaves it at its start.

    Raises TooLarge for a bomb, Invalid for something that is no workbook.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise _unreadable() from None
    finally:
        file.seek(0)
    if "xl/workbook.xml" not in {part.filename for part in parts}:
        raise _unreadable()
    unzipped = sum(part.file_size for part in parts)
    if unzipped > limits.unzipped_bytes or len(parts) > limits.zip_parts:
        raise TooLarge(
            f"the workbook unpacks to {unzipped / 1e6:,.0f} MB in {len(parts):,} parts",
            hint="save it as CSV, or split it",
        )
    for part in parts:
        if part.file_size > max(_SMALL_PART, part.compress_size * limits.zip_ratio):
            times = part.file_size // max(part.compress_size, 1)
            raise TooLarge(
                f"a part of the workbook unpacks to {times:,} times its size",
                hint="no spreadsheet program writes such a file; save it again, or as CSV",
            )


def _pick(book: Any, name: str | None) -> Any:
    if name is not None:
        if name not in book.sheetnames:
            raise Invalid(
                "no such sheet", where=name[:60], hint=f"there are {', '.join(book.sheetnames[:20])}"
            )
        return book[name]
    visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    if not visible:
        raise Invalid("the workbook has no visible sheet")
    return visible[0]


def _guarded(read: Any) -> Any:
    """What `read` gives; any failure inside openpyxl means a damaged file, whatever its class."""
    try:
        return read()
    except Exception as error:
        raise _unreadable() from error


def _unreadable() -> Invalid:
    return Invalid(
        "not an Excel workbook that can be read", hint="open it in a spreadsheet program and save it as .xlsx"
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return str(value)
