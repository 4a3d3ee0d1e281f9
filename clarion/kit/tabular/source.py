"""Opening a file: how large it is, which format it has, how its text is encoded."""

from __future__ import annotations

import codecs
import os
from pathlib import Path
from typing import BinaryIO, Literal

from clarion.errors import Invalid, NotFound, TooLarge
from clarion.kit.tabular.delimited import DelimitedReader
from clarion.kit.tabular.json_rows import JsonReader
from clarion.kit.tabular.model import Limits, Reader, Table

Kind = Literal["csv", "xlsx", "json"]

_SUFFIXES: dict[str, Kind] = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), "csv"),
    **dict.fromkeys((".xlsx", ".xlsm"), "xlsx"),
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), "json"),
}
_OLE = b"\xd0\xcf\x11\xe0"  # what old .xls files and password-protected .xlsx files begin with
_BLOCK = 1024 * 1024
_BOMS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def open_table(
    source: str | Path | BinaryIO,
    kind: Kind | None = None,
    *,
    limits: Limits | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
) -> Table:
    """Open a file of rows.

    `source` is a path or a seekable binary file (which stays open). `kind` is taken from the content and
    the name's ending when absent. `encoding` is a Python codec's name for CSV and JSON; when absent the
    file's byte-order mark decides, else it must be UTF-8. `sheet` names a workbook's sheet (the first
    visible one otherwise).

    Raises NotFound (no such file), TooLarge (over a limit; nothing was read), Invalid (empty, not in this
    encoding, no heading, one column name twice, a sheet of what is no workbook, a workbook that cannot be
    opened or is a bomb).
    """
    limits = limits or Limits()
    file, opened = _opened(source)
    try:
        total = _size(file, limits)
        found = kind or _sniffed(file, source)
        reader = _reader(file, found, total, limits, encoding, sheet)
    except BaseException:
        if opened:
            file.close()
        raise
    return Table(reader, found, total, file, close=opened)


def _opened(source: str | Path | BinaryIO) -> tuple[BinaryIO, bool]:
    if not isinstance(source, str | Path):
        return source, False
    try:
        return open(source, "rb"), True
    except FileNotFoundError:
        raise NotFound("no such file", where=str(source)) from None
    except OSError as error:
        raise Invalid(f"the file cannot be read: {error.strerror}", where=str(source)) from None


def _size(file: BinaryIO, limits: Limits) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size == 0:
        raise Invalid("the file is empty", hint="the first line must name the columns")
    if size > limits.file_bytes:
        raise TooLarge(
            f"the file has {size / 1e6:,.0f} MB; at most {limits.file_bytes / 1e6:,.0f} MB are read",
            hint="split the file, or leave out the columns that are not needed",
        )
    return size


def _sniffed(file: BinaryIO, source: str | Path | BinaryIO) -> Kind:
    start = file.read(4096)
    file.seek(0)
    if start.startswith(b"PK\x03\x04"):
        return "xlsx"
    suffix = Path(source).suffix.lower() if isinstance(source, str | Path) else ""
    if start.startswith(_OLE):
        return "xlsx"
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    text = start.removeprefix(codecs.BOM_UTF8).lstrip()
    return "json" if text[:1] in (b"[", b"{") else "csv"


def _reader(
    file: BinaryIO, kind: Kind, total: int, limits: Limits, encoding: str | None, sheet: str | None
) -> Reader:
    if kind == "xlsx":
        start = file.read(4)
        file.seek(0)
        if start == _OLE:
            raise Invalid(
                "an old or password-protected Excel file", hint="save it as .xlsx without a password"
            )
        from clarion.kit.tabular.workbook import WorkbookReader  # openpyxl is slow to load

        return WorkbookReader(file, total, limits, sheet)
    if sheet is not None:
        raise Invalid(
            f"only a workbook has sheets, and this is {kind.upper()}",
            where="sheet",
            hint="leave the sheet away",
        )
    codec = _codec(file, encoding)
    _check_encoding(file, codec, chosen=encoding is not None)
    if kind == "json":
        return JsonReader(file, codec, limits)
    return DelimitedReader(file, codec, limits)


def _codec(file: BinaryIO, encoding: str | None) -> str:
    start = file.read(4)
    file.seek(0)
    if encoding is None:
        return next((codec for bom, codec in _BOMS if start.startswith(bom)), "utf-8")
    try:
        "".encode(encoding)  # also refuses codecs that do not make text, such as zlib
    except LookupError:
        raise Invalid(
            f"no such encoding: {encoding[:40]}", where="encoding", hint="try utf-8, windows-1252 or utf-16"
        ) from None
    name = codecs.lookup(encoding).name
    return "utf-8-sig" if name == "utf-8" else name


def _check_encoding(file: BinaryIO, codec: str, *, chosen: bool) -> None:
    """Decode the whole file once, so that a wrong encoding is told before the first row is taken."""
    decoder = codecs.getincrementaldecoder(codec.removesuffix("-sig"))()
    start = 0
    lines = 1
    while True:
        held = len(decoder.getstate()[0])  # bytes of a character that the last block's end cut in two
        block = file.read(_BLOCK)
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            at = start - held + error.start
            line = lines + block[: max(at - start, 0)].count(b"\n")
            raise _undecodable(file, codec, at, line, chosen=chosen) from None
        if not block:
            file.seek(0)
            return
        start += len(block)
        lines += block.count(b"\n")


def _undecodable(file: BinaryIO, codec: str, at: int, line: int, *, chosen: bool) -> Invalid:
    hint = "save it as 'CSV UTF-8', or say in which encoding it is"
    guess = None if chosen else _guess(file, at)
    if guess is not None:
        hint += f"; it looks like {guess}"
    name = codec.removesuffix("-sig").upper()
    return Invalid(f"the file is not {name} text", where=f"line {line}, byte {at:,}", hint=hint)


def _guess(file: BinaryIO, at: int) -> str | None:
    """The likely encoding of a file that is not UTF-8 at this byte."""
    file.seek(0)
    start = file.read(4096)
    if start[1::2].count(0) > len(start) // 4:
        return "utf-16-le"
    if start[0::2].count(0) > len(start) // 4:
        return "utf-16-be"
    file.seek(at)
    try:
        file.read(4096).decode("cp1252")
    except UnicodeDecodeError:
        return None
    return "windows-1252"
