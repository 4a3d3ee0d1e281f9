"""JSON as rows: an array of objects, or one object after another (JSON lines), read a piece at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from clarion.errors import Invalid
from clarion.kit.tabular.model import Limits, Row, RowProblem, too_many_rows
from clarion.kit.tabular.text import BorrowedText

_CHUNK = 64 * 1024
_SPACE = re.compile(r"[ \t\r\n]*")
_NEAR_END = 12  # a literal or an escape cut by the buffer's end fails at most so far before it

Pairs = list[tuple[str, object]]


class _Object:
    """A JSON object as its pairs, so that a key given twice can be told rather than the last one taken."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs


class _NotARow(Exception):
    """Why a JSON value is not a row."""


class JsonReader:
    """Rows of a JSON file, with the memory of one row and one chunk.

    Numbers stay as they are written ("0.10"). true and false become "true" and "false", null becomes "".
    A list of plain values is joined with ";". An object inside is spread with dotted names
    ({"a": {"b": 1}} → "a.b"). In JSON lines a broken line is one `RowProblem` and reading goes on; in an
    array, where the next row begins is not known any more, so `Invalid` is raised.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, file: BinaryIO, codec: str, limits: Limits) -> None:
        self.columns: tuple[str, ...] = ()
        self._file = file
        self._limits = limits
        self._text = BorrowedText(file, codec)
        self._decoder = json.JSONDecoder(
            parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_Object
        )
        self._buffer = ""
        self._at = 0
        self._line = 1
        self._ended = False
        self._array = self._peek() == "["
        if self._peek() == "":
            raise Invalid("the file is empty", hint="give an array of objects, or one object a line")

    def bytes_read(self) -> int:
        return self._file.tell()

    def rows(self) -> Iterator[Row | RowProblem]:
        for count, (line, value) in enumerate(self._elements() if self._array else self._lines(), 1):
            if count > self._limits.rows:
                raise too_many_rows(self._limits)
            try:
                if isinstance(value, _NotARow):
                    raise value
                row = Row(line, self._values(value))
            except _NotARow as why:
                yield RowProblem(line, str(why))
                continue
            if not self.columns:
                self.columns = tuple(row.values)
            yield row

    def _elements(self) -> Iterator[tuple[int, object]]:
        self._skip(1)
        if self._peek() == "]":
            return
        while True:
            self._peek()
            line = self._line
            value = self._value()
            if isinstance(value, _NotARow):
                raise Invalid(str(value), where=f"line {line}")
            yield line, value
            separator = self._peek()
            if separator == "]":
                self._skip(1)
                break
            if separator != ",":
                raise Invalid(_after_row(separator), where=f"line {self._line}")
            self._skip(1)
        if self._peek():
            raise Invalid("something follows the end of the array", where=f"line {self._line}")

    def _lines(self) -> Iterator[tuple[int, object]]:
        while self._peek():
            line = self._line
            value = self._value()
            if isinstance(value, _NotARow):
                self._pass_line()
            yield line, value

    def _value(self) -> object:
        """The value that begins here; `_NotARow` when there is none, with the position left unchanged."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if not self._incomplete(error) or not self._more():
                    return _NotARow(f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}")
            except RecursionError:
                return _NotARow("nested too deeply")
            else:
                # a number that ends where the buffer does may go on
                if end < len(self._buffer) or not self._more():
                    self._skip(end - self._at)
                    return value
            if len(self._buffer) - self._at > self._limits.row_chars:
                return _NotARow(
                    f"longer than {self._limits.row_chars:,} characters; give an array of objects"
                )

    def _incomplete(self, error: json.JSONDecodeError) -> bool:
        return error.pos >= len(self._buffer) - _NEAR_END or error.msg.startswith("Unterminated string")

    def _more(self) -> bool:
        """Read on; False at the end of the file."""
        if self._ended:
            return False
        chunk = self._text.read(_CHUNK)
        self._ended = not chunk
        self._buffer = self._buffer[self._at :] + chunk
        self._at = 0
        return bool(chunk)

    def _peek(self) -> str:
        """The next character that is not white space, without taking it; "" at the end."""
        while True:
            found = _SPACE.match(self._buffer, self._at)
            self._skip(found.end() - self._at if found else 0)
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more():
                return ""

    def _skip(self, count: int) -> None:
        self._line += self._buffer.count("\n", self._at, self._at + count)
        self._at += count

    def _pass_line(self) -> None:
        while (end := self._buffer.find("\n", self._at)) < 0:
            self._at = len(self._buffer)
            if not self._more():
                return
        self._skip(end + 1 - self._at)

    def _values(self, value: object) -> dict[str, str]:
        if not isinstance(value, _Object):
            raise _NotARow("not an object with a name for each value")
        values: dict[str, str] = {}
        self._spread(value, "", values, 1)
        if len(values) > self._limits.columns:
            raise _NotARow(f"{len(values):,} values; at most {self._limits.columns:,} are read")
        return values

    def _spread(self, value: _Object, prefix: str, into: dict[str, str], depth: int) -> None:
        if depth > self._limits.json_depth:
            raise _NotARow("nested too deeply")
        for key, inner in value.pairs:
            if not key.strip():
                raise _NotARow("a value without a name")
            name = prefix + " ".join(key.split())
            if isinstance(inner, _Object):
                self._spread(inner, name + ".", into, depth + 1)
                continue
            if name in into:
                raise _NotARow(f"two values are named {name[:60]!r}")
            text = into[name] = _text(inner)
            if "\0" in text or "\0" in name:
                raise _NotARow("holds a NUL character")


def _after_row(separator: str) -> str:
    return "a comma or ] is missing between rows" if separator else "the file ends in the middle of the array"


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        if any(isinstance(item, list | _Object) for item in value):
            raise _NotARow("a list inside a row may hold only plain values")
        texts = [_text(item) for item in value]
        if any(";" in text for text in texts):
            raise _NotARow("a value of a list holds a semicolon, which separates them")
        return ";".join(texts)
    raise _NotARow("a value that is not JSON")
