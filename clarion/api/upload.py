"""A file in a request: the body itself, or one part of a multipart form. It goes to disk as it comes, so
that its size costs no memory; how large it may be is the shell's to say.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from clarion.api.model import unstorable
from clarion.errors import Invalid

FORM = "multipart/form-data"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ENDINGS = {
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/json": ".json",
    XLSX: ".xlsx",
}
_ENDING = re.compile(r"\.[a-z]{3,6}")
_AT_ONCE = 1024 * 1024
_MOST_FIELDS = 500
_PART = ".part"  # not whole yet
_LEFT_AFTER = 86_400.0  # seconds: nobody sends one file for so long


@dataclass(frozen=True, slots=True)
class Received:
    """The file as it lies on disk, what its sender calls it ("" where nobody said), the form's fields."""

    path: Path
    name: str
    fields: Mapping[str, list[str]] = field(default_factory=dict)


@asynccontextmanager
async def received(request: Request, path: Path, now: datetime) -> AsyncIterator[Received]:
    """The request's file at `path` with a fitting ending. It is deleted when what is done with it fails.

    What a killed process had half received goes away when a file is received a day later. Raises Invalid:
    no form that can be read, not one file in it, or it broke off.
    """
    await asyncio.to_thread(_make_room, path.parent, now)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    target, part = path, path.with_suffix(_PART)
    try:
        if kind == FORM:
            async with request.form(max_files=1, max_fields=_MOST_FIELDS) as form:
                file, fields = _parts(list(form.multi_items()))
                target = path.with_suffix(_ending(file.filename or "", file.content_type or ""))
                await asyncio.to_thread(_copy, file.file, part)
                part.rename(target)
            yield Received(target, file.filename or "", fields)
        else:
            target = path.with_suffix(_ending("", kind))
            await _write(request, part)
            part.rename(target)
            yield Received(target, "")
    except BaseException as error:
        for one in (part, target):
            await asyncio.to_thread(one.unlink, missing_ok=True)
        if isinstance(error, ClientDisconnect):
            raise Invalid("the file broke off", where="body", hint="Send it again.") from None
        if isinstance(error, HTTPException):
            raise Invalid(f"the form cannot be read: {error.detail}", where="body") from None
        raise


def _make_room(folder: Path, now: datetime) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for part in folder.glob(f"*{_PART}"):
        with suppress(FileNotFoundError):  # somebody else received a file at the same moment
            if now.timestamp() - part.stat().st_mtime > _LEFT_AFTER:
                part.unlink()


def _parts(items: list[tuple[str, UploadFile | str]]) -> tuple[UploadFile, Mapping[str, list[str]]]:
    files = [value for _, value in items if isinstance(value, UploadFile)]
    if len(files) != 1:
        raise Invalid("a form has one file in it", where="body", hint="Name its part `file`.")
    fields: dict[str, list[str]] = {}
    for name, value in items:
        if isinstance(value, str):
            if unstorable(name) or unstorable(value):
                raise Invalid("holds a character that cannot be stored", where="body")
            fields.setdefault(name, []).append(value)
    return files[0], fields


def _ending(name: str, kind: str) -> str:
    """What the name or the type says of the format; nothing where neither does: then the content tells."""
    of_name = Path(name.replace("\0", "")).suffix.lower()
    return of_name if _ENDING.fullmatch(of_name) else _ENDINGS.get(kind.partition(";")[0].strip().lower(), "")


def _copy(source: BinaryIO, target: Path) -> None:
    with target.open("wb") as file:
        shutil.copyfileobj(source, file, _AT_ONCE)


async def _write(request: Request, target: Path) -> None:
    with await asyncio.to_thread(target.open, "wb") as file:
        held = bytearray()
        async for chunk in request.stream():
            held += chunk
            if len(held) >= _AT_ONCE:
                await asyncio.to_thread(file.write, bytes(held))
                held.clear()
        await asyncio.to_thread(file.write, bytes(held))
