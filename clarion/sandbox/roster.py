"""The roster file: which people's phones behave how.

CSV in UTF-8 (a byte-order mark is allowed) with a header: `number,behaviour,parameter,times`; the last two
columns may be missing or empty. Empty lines and lines that begin with # are passed over.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from clarion.errors import Invalid, Problem
from clarion.sandbox.config import RosterLine

COLUMNS = ("number", "behaviour", "parameter", "times")


def load_roster(path: Path) -> list[RosterLine]:
    """Read a roster file. Raises Invalid with every bad line."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Invalid(f"the roster cannot be read: {error.strerror}", where=path.name) from error
    except UnicodeDecodeError as error:
        raise Invalid("the roster is not UTF-8", where=f"{path.name} byte {error.start}") from error
    return parse_roster(text, path.name)


def parse_roster(text: str, name: str = "roster") -> list[RosterLine]:
    """Parse a roster's text. Raises Invalid with every bad line, told by its line number."""
    lines = csv.reader(io.StringIO(text))
    header: list[str] | None = None
    found: list[RosterLine] = []
    problems: list[Problem] = []
    for cells in lines:
        if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
            continue
        if header is None:
            header = _header(cells, name)
            continue
        try:
            found.append(_line(header, cells))
        except ValueError as error:
            problems.append(Problem(f"{name} line {lines.line_num}", _words(error)))
    if problems:
        raise Invalid("the roster has lines that cannot be used", problems=tuple(problems))
    return found


def _header(cells: list[str], name: str) -> list[str]:
    header = [cell.strip().lower() for cell in cells]
    unknown = [cell for cell in header if cell not in COLUMNS]
    if unknown or "number" not in header or "behaviour" not in header:
        raise Invalid(
            f"the roster's first line is {','.join(cells)!r}",
            where=name,
            hint=f"it names the columns: {','.join(COLUMNS)}; the last two may be left out",
        )
    return header


def _line(header: list[str], cells: list[str]) -> RosterLine:
    if len(cells) > len(header):
        raise ValueError(f"{len(cells)} cells, but the header has {len(header)}")
    row: dict[str, Any] = {k: v.strip() for k, v in zip(header, cells, strict=False) if v.strip()}
    return RosterLine.model_validate(row)


def _words(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(
        f"{'.'.join(str(p) for p in e['loc']) or 'line'}: {e['msg'].removeprefix('Value error, ')}"
        for e in error.errors(include_url=False, include_context=False)
    )
