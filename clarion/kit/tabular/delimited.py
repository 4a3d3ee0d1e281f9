"""CSV as it is met: any of four separators, a byte-order mark, CRLF, quoted line breaks, stray quotes."""

from __future__ import annotations

import csv
import io
import itertools
from collections import Counter, deque
from collections.abc import Iterator
from typing import BinaryIO

from clarion.errors import Invalid
from clarion.kit.tabular.model import Limits, Row, RowProblem, heading, shaped, too_many_rows
from clarion.kit.tabular.text import BorrowedText

_SEPARATORS = ",;\t|"
_SAMPLE_CHARS = 64 * 1024
_SAMPLE_ROWS = 30
_MOST_REREAD = 200  # longest rows; a file full of quotes that run away would take for ever

_BAD_QUOTES = "a quotation mark is never closed, or stands inside a quoted cell and is not written twice"
_TOO_LONG = "the row is too long, perhaps because a quotation mark is never closed"


class DelimitedReader:
    """Rows of a CSV file, with the memory of one row."""

    notes: tuple[str, ...] = ()

    def __init__(self, file: BinaryIO, codec: str, limits: Limits) -> None:
        self._file = file
        self._limits = limits
        sample = BorrowedText(file, codec).read(_SAMPLE_CHARS)
        file.seek(0)
        self._lines = _Lines(BorrowedText(file, codec), limits.row_chars)
        separator = _declared_separator(sample)
        if separator is not None:
            next(self._lines)
        # strict: what Excel would not write is told, rather than read as something else
        self._csv = csv.reader(self._lines, delimiter=separator or separator_of(sample), strict=True)
        self._reread = 0
        self._records = self._read()
        self.columns = self._heading()

    def bytes_read(self) -> int:
        return self._file.tell()

    def rows(self) -> Iterator[Row | RowProblem]:
        names = self.columns
        for line, cells in self._records:
            if isinstance(cells, str):
                yield RowProblem(line, cells)
            elif (row := shaped(names, cells, line)) is not None:
                yield row

    def _heading(self) -> tuple[str, ...]:
        for line, cells in self._records:
            if isinstance(cells, str):
                raise Invalid(f"the heading cannot be read: {cells}", where=f"line {line}")
            if any(cell.strip() for cell in cells):
                return heading(cells, line, self._limits)
        raise Invalid("the file is empty", hint="the first line must name the columns")

    def _read(self) -> Iterator[tuple[int, list[str] | str]]:
        """Each record with the line on which it begins; text instead of cells says what is wrong with it."""
        lines = self._lines
        while True:
            start = lines.mark()
            if start > self._limits.rows:
                raise too_many_rows(self._limits)
            try:
                cells = next(self._csv)
            except StopIteration:
                return
            except csv.Error:
                yield start, self._recover(start)
                continue
            yield start, cells

    def _recover(self, start: int) -> str:
        """Give up the line on which a broken record began, and read on from the next one."""
        too_long = self._lines.too_long
        self._reread += self._lines.rewind_to_second()
        if self._reread > _MOST_REREAD * self._limits.row_chars:
            raise Invalid(
                "too many quotation marks that are never closed",
                where=f"line {start}",
                hint="inside a quoted cell a quotation mark is written twice",
            )
        return _TOO_LONG if too_long else _BAD_QUOTES


class _Lines:
    """Physical lines one by one, remembering those of the present record so that they can be read again."""

    def __init__(self, text: BorrowedText, longest: int) -> None:
        self._text = text
        self._longest = longest
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._chars = 0
        self._number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._text.readline(self._longest + 1)
        if not line:
            raise StopIteration
        self._number += 1
        self._taken.append(line)
        self._chars += len(line)
        if self._chars > self._longest:
            raise csv.Error("the record is too long")
        return line

    @property
    def too_long(self) -> bool:
        return self._chars > self._longest

    def mark(self) -> int:
        """Begin a record here; gives the number of its first line."""
        self._taken.clear()
        self._chars = 0
        return self._number + 1

    def rewind_to_second(self) -> int:
        """Make the next line the one after the record's first; gives the characters to be read again."""
        self._pass_line_end()
        redo = self._taken[1:]
        self._again.extendleft(reversed(redo))
        self._number -= len(redo)
        return sum(map(len, redo))

    def _pass_line_end(self) -> None:
        """Read away the rest of a line of which only a part was taken, since it is too long."""
        last = self._taken[-1]
        if len(last) <= self._longest:
            return
        while last and not last.endswith(("\n", "\r")):
            last = self._text.readline(self._longest)


def separator_of(sample: str) -> str:
    """The separator under which the first rows agree best on a number of columns above one; else ","."""
    best, best_score = ",", (0, 0)
    for separator in _SEPARATORS:
        try:
            reader = csv.reader(io.StringIO(sample, newline=""), delimiter=separator)
            widths = [len(cells) for cells in itertools.islice(reader, _SAMPLE_ROWS) if cells]
        except csv.Error:
            continue
        (width, agreeing), *_ = Counter(widths).most_common(1) or [(1, 0)]
        score = (agreeing, width)
        if width > 1 and widths[0] > 1 and score > best_score:
            best, best_score = separator, score
    return best


def _declared_separator(sample: str) -> str | None:
    """The separator that Excel's own first line "sep=;" names."""
    first = sample.splitlines()[0] if sample else ""
    return first[4] if len(first) == 5 and first.startswith("sep=") else None
