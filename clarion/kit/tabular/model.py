"""The values of `clarion.kit.tabular`: rows, what is wrong with them, and the limits of a file."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from clarion.errors import Invalid, TooLarge


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `line` is where it begins in the file (the heading of a CSV file is line 1; a row's number
    in a sheet); `values` has text for each named column, "" where the cell is blank."""

    line: int
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that cannot be read, and why, in words for the person who sent the file."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one file may hold. Sizes in bytes, the rest in pieces."""

    file_bytes: int = 256 * 1024 * 1024
    unzipped_bytes: int = 1024 * 1024 * 1024  # of all parts of a workbook together, as declared
    zip_ratio: int = 200  # unzipped to zipped, of any part over a megabyte; Excel's own reach about 30
    zip_parts: int = 2_000
    columns: int = 500
    rows: int = 5_000_000  # counting blank ones
    row_chars: int = 256 * 1024
    json_depth: int = 4


class Reader(Protocol):
    """One format: yields rows, and knows how far it is."""

    columns: tuple[str, ...]
    notes: tuple[str, ...]

    def rows(self) -> Iterator[Row | RowProblem]: ...

    def bytes_read(self) -> int: ...


class Table:
    """An open file as an iterator of `Row | RowProblem`; a context manager that closes what it opened.

    `columns` are the names in the heading (of JSON: the keys of the first row, known once it is read);
    `notes` are sentences on what was understood, such as which sheet is read. Iterating raises `Invalid`
    or `TooLarge` when the file itself turns out to be wrong, and `Invalid` at the end when there was no
    row at all.
    """

    def __init__(self, reader: Reader, kind: str, total: int, file: BinaryIO, *, close: bool) -> None:
        self.kind = kind
        self.bytes_total = total
        self._reader = reader
        self._file = file
        self._close = close
        self._rows = self._counted()

    @property
    def columns(self) -> tuple[str, ...]:
        return self._reader.columns

    @property
    def notes(self) -> tuple[str, ...]:
        return self._reader.notes

    @property
    def bytes_read(self) -> int:
        """How far reading is, of `bytes_total`; in a workbook estimated from the row."""
        return min(self._reader.bytes_read(), self.bytes_total)

    def __iter__(self) -> Iterator[Row | RowProblem]:
        return self._rows

    def __next__(self) -> Row | RowProblem:
        return next(self._rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file if `open_table` opened it; one that was given stays open."""
        self._rows.close()
        if self._close:
            self._file.close()

    def _counted(self) -> Generator[Row | RowProblem, None, None]:
        some = False
        for row in self._reader.rows():
            some = True
            yield row
        if not some:
            raise Invalid("the file holds no rows", hint="below the heading there must be at least one row")


def heading(cells: list[str], line: int, limits: Limits) -> tuple[str, ...]:
    """The names of the columns from the cells of the heading; "" for a column without a name.

    Raises TooLarge for too many columns, Invalid for no names or for one name twice (names are compared
    without regard to case and spaces around them).
    """
    names = [" ".join(cell.split()) for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise Invalid("the file is empty", hint="the first line must name the columns")
    if len(names) > limits.columns:
        raise TooLarge(
            f"{len(names):,} columns; at most {limits.columns:,} are read",
            where=f"line {line}",
            hint="keep the columns that are needed; if there is only one, check what separates them",
        )
    first: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if name and (before := first.setdefault(name.casefold(), place)) != place:
            raise Invalid(
                f"the columns {before} and {place} are both named {name[:60]!r}",
                where=f"line {line}",
                hint="give each column a name of its own",
            )
        if "\0" in name:
            raise Invalid("a NUL character in the heading", where=f"line {line}, column {place}")
    return tuple(names)


def shaped(names: tuple[str, ...], cells: list[str], line: int) -> Row | RowProblem | None:
    """The cells under their names; None for a blank row, which is no row at all."""
    if len(cells) == len(names) and "" not in names:
        values = dict(zip(names, cells, strict=True))
    else:
        if any(cell.strip() for cell in cells[len(names) :]):
            return RowProblem(line, f"{len(cells)} cells, but the heading names {len(names)} columns")
        cells = cells[: len(names)] + [""] * (len(names) - len(cells))
        if any(cell.strip() and not name for name, cell in zip(names, cells, strict=True)):
            return RowProblem(line, "a value in a column that has no name in the heading")
        values = {name: cell for name, cell in zip(names, cells, strict=True) if name}
    joined = "".join(cells)
    if not joined or joined.isspace():
        return None
    if "\0" in joined:
        return RowProblem(line, "holds a NUL character")
    return Row(line, values)


def too_many_rows(limits: Limits) -> TooLarge:
    return TooLarge(f"more than {limits.rows:,} rows", hint="split the file")
