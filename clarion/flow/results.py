"""Who got it and who did not, and why: everybody who was meant, as rows, as CSV or as XLSX.

Read in chunks, each a transaction of its own, so that a million rows hold neither memory nor the
database. While it is being sent, each row is true of the moment at which it was read.
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from clarion.domain.message import State, shown
from clarion.domain.wording import why
from clarion.errors import Invalid
from clarion.flow import draft
from clarion.flow.services import Services
from clarion.kit.db import Row
from clarion.store import message as messages

CHUNK = 2_000
COLUMNS = (
    "external_id", "name", "address", "state", "reason", "explanation", "tries", "due_at", "settled_at",
    "delivered_at", "read_at", "provider_code", "provider_id", "contact_id", "message_id",
    "channel",
)  # fmt: skip
SHEET = 1_048_576  # rows that a sheet of a workbook holds (Office Open XML)
Progress = Callable[[int], None]
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# A cell that begins like this is a formula to a spreadsheet (OWASP, "CSV Injection").
_FORMULA = re.compile(r"^[=@\t\r]|^[+-](?![\d ()-]*$)")


async def stream(
    services: Services,
    workspace_id: UUID,
    campaign_id: UUID,
    *,
    states: Sequence[str] = (),
    run_id: UUID | None = None,
) -> AsyncIterator[list[Row]]:
    """Messages in chunks, in the order of the people (`store.message`), with `shown`. Raises NotFound."""
    async with services.db.tenant(workspace_id) as connection:
        await draft.read(connection, campaign_id)
    after: UUID | None = None
    while True:
        async with services.db.tenant(workspace_id) as connection:
            found = await messages.of_campaign(
                connection, campaign_id, states=states, after=after, limit=CHUNK, run_id=run_id
            )
        now = services.clock.now()
        for one in found:
            one["shown"] = shown_word(one, now)
        if found:
            yield found
            after = found[-1]["contact_id"]
        if len(found) < CHUNK:
            return


def shown_word(one: Row, now: datetime) -> str:
    """The word of a message's row that a person reads."""
    return shown(State(one["state"]), one["due_at"], now, in_flight=one["in_flight"])


async def as_csv(
    services: Services,
    workspace_id: UUID,
    campaign_id: UUID,
    *,
    states: Sequence[str] = (),
    run_id: UUID | None = None,
) -> AsyncIterator[bytes]:
    """UTF-8 with a byte-order mark (spreadsheets need it to read names in their own script)."""
    yield b"\xef\xbb\xbf" + _lines([COLUMNS])
    async for chunk in stream(services, workspace_id, campaign_id, states=states, run_id=run_id):
        yield _lines([[_harmless(cell) for cell in _cells(one)] for one in chunk])


async def as_xlsx(
    services: Services,
    workspace_id: UUID,
    campaign_id: UUID,
    path: Path,
    *,
    states: Sequence[str] = (),
    run_id: UUID | None = None,
    progress: Progress | None = None,
) -> int:
    """Write a workbook to `path`; how many rows. More than a sheet holds go on in the next one."""
    book, count = _Book(), 0
    async for chunk in stream(services, workspace_id, campaign_id, states=states, run_id=run_id):
        await asyncio.to_thread(book.add, [_cells(one) for one in chunk])
        count += len(chunk)
        if progress is not None:
            progress(count)
    await asyncio.to_thread(book.save, path)
    return count


async def xlsx_file(
    services: Services,
    workspace_id: UUID,
    campaign_id: UUID,
    *,
    states: Sequence[str] = (),
    run_id: UUID | None = None,
) -> Path:
    """A workbook in a temporary file of its own, which the caller removes. Raises NotFound."""
    path = await asyncio.to_thread(_fresh, ".xlsx", None)
    try:
        await as_xlsx(services, workspace_id, campaign_id, path, states=states, run_id=run_id)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


async def write(
    services: Services,
    workspace_id: UUID,
    campaign_id: UUID,
    path: Path,
    *,
    states: Sequence[str] = (),
    run_id: UUID | None = None,
    progress: Progress | None = None,
) -> int:
    """Write the results to a file, CSV or XLSX by its ending; how many rows.

    The file is there whole or not at all. Raises Invalid for another ending, NotFound.
    """
    ending = path.suffix.lower()
    if ending not in (".csv", ".xlsx"):
        raise Invalid(
            "results are written as CSV or XLSX", where=str(path), hint="Let the name end in .csv or .xlsx."
        )
    unfinished = await asyncio.to_thread(_fresh, ending, path.parent)
    try:
        if ending == ".xlsx":
            count = await as_xlsx(
                services,
                workspace_id,
                campaign_id,
                unfinished,
                states=states,
                run_id=run_id,
                progress=progress,
            )
        else:
            count = await _write_csv(
                services, workspace_id, campaign_id, unfinished, states, run_id, progress
            )
        await asyncio.to_thread(os.replace, unfinished, path)
    finally:
        await asyncio.to_thread(unfinished.unlink, missing_ok=True)
    return count


def _fresh(ending: str, folder: Path | None) -> Path:
    """A new empty file that only we may read."""
    handle, name = tempfile.mkstemp(ending, ".results-", folder)
    os.close(handle)
    return Path(name)


async def _write_csv(
    services: Services,
    workspace_id: UUID,
    campaign_id: UUID,
    path: Path,
    states: Sequence[str],
    run_id: UUID | None,
    progress: Progress | None,
) -> int:
    count = 0
    with await asyncio.to_thread(path.open, "wb") as file:
        await asyncio.to_thread(file.write, b"\xef\xbb\xbf" + _lines([COLUMNS]))
        async for chunk in stream(services, workspace_id, campaign_id, states=states, run_id=run_id):
            lines = _lines([[_harmless(cell) for cell in _cells(one)] for one in chunk])
            await asyncio.to_thread(file.write, lines)
            count += len(chunk)
            if progress is not None:
                progress(count)
    return count


def _cells(one: Row) -> list[str]:
    address = f"{one['scheme']}:{one['address']}" if one["address"] else ""
    return [
        one["external_id"] or "", one["name"], address, one["shown"], one["reason"] or "",
        why(one["reason"]), str(one["tries"]), *(_moment(one[key]) for key in _MOMENTS), one["code"] or "",
        one["provider_id"] or "", str(one["contact_id"]), str(one["id"]), one["channel"] or "",
    ]  # fmt: skip


_MOMENTS = ("due_at", "settled_at", "delivered_at", "read_at")


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula; numbers, such as +254…, stay as they are."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


class _Book:
    """A workbook that is written row by row; what it holds lies in temporary files."""

    def __init__(self) -> None:
        from openpyxl import Workbook  # slow to load, and for who wants a workbook

        self._book = Workbook(write_only=True)
        self._left = 0
        self._turn()

    def _turn(self) -> None:
        self._sheet = self._book.create_sheet(f"results {len(self._book.worksheets) + 1}")
        self._sheet.append(list(COLUMNS))
        self._left = SHEET - 1

    def add(self, rows: Sequence[Sequence[str]]) -> None:
        for row in rows:
            if self._left == 0:
                self._turn()
            self._sheet.append([self._cell(value) for value in row])
            self._left -= 1

    def save(self, path: Path) -> None:
        self._book.save(path)

    def _cell(self, value: str) -> object:
        value = _NOT_IN_XML.sub("", value)
        if not value.startswith("="):
            return value
        from openpyxl.cell import WriteOnlyCell

        cell = WriteOnlyCell(self._sheet, value=value)
        cell.data_type = "s"  # text, whatever it looks like
        return cell
