"""Reading a file of people, ahead of whoever stores them."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from clarion.domain.columns import Columns
from clarion.domain.imports import ImportOptions
from clarion.domain.person import Customs, Person, clean_group, read_person
from clarion.errors import Invalid, TooLarge
from clarion.kit.tabular import Row, RowProblem, Table, open_table
from clarion.store.imports import Trouble
from clarion.store.writing import Said, said

_TURN_SECONDS = 0.0005
_usual_turns: list[float] = []  # of each import that goes on now, the interval from before the first


@dataclass
class Batch:
    """Rows that were read, and what was wrong with others; `rows` counts both."""

    people: list[Person] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)  # of each of them
    lines: list[int] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    refused: int = 0
    rows: int = 0
    at_byte: int = 0
    new_fields: dict[str, str] = field(default_factory=dict)


class Ahead:
    """Runs an iterator in a thread of its own, at most `depth` items ahead of whoever takes them.

    Two, not one: while PostgreSQL works on a batch and Python waits, there is always one to read.
    """

    def __init__(self, batches: Iterator[Batch], close: Callable[[], None], depth: int = 2) -> None:
        self._batches = batches
        self._close = close
        self._ready: asyncio.Queue[Batch | None] = asyncio.Queue(depth)
        self._thread: asyncio.Future[Batch | None] | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Ahead:
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._reading is not None
        self._reading.cancel()
        # a thread cannot be cancelled: it must be out of the file before that is closed
        waited_for = [one for one in (self._reading, self._thread) if one is not None]
        await asyncio.gather(*waited_for, return_exceptions=True)
        self._close()

    async def __aiter__(self) -> AsyncIterator[Batch]:
        assert self._reading is not None
        while (ready := await self._ready.get()) is not None:
            yield ready
        await self._reading

    async def _read(self) -> None:
        try:
            await self._put_all()
        except Exception:
            await self._ready.put(None)  # wakes whoever waits, who then meets the error
            raise
        await self._ready.put(None)

    async def _put_all(self) -> None:
        while True:
            self._thread = asyncio.ensure_future(asyncio.to_thread(next, self._batches, None))
            batch = await asyncio.shield(self._thread)
            if batch is None:
                return
            await self._ready.put(batch)


@contextmanager
def quick_turns() -> Iterator[None]:
    """While it lasts, threads hand over the interpreter after half a millisecond instead of five.

    The thread that reads would otherwise keep the event loop waiting five milliseconds each time that
    PostgreSQL has answered: a quarter of an import's time, and the dispatch in the same loop waits as well.
    """
    _usual_turns.append(_usual_turns[0] if _usual_turns else sys.getswitchinterval())
    sys.setswitchinterval(_TURN_SECONDS)
    try:
        yield
    finally:
        usual = _usual_turns.pop()
        if not _usual_turns:
            sys.setswitchinterval(usual)


def batches(
    table: Table,
    columns: Columns,
    customs: Customs,
    options: ImportOptions,
    pepper: bytes,
    *,
    skip: int,
    size: int,
) -> Iterator[Batch]:
    """The rows after the first `skip`, read and checked, `size` at a time. Runs in a thread of its own.

    All that needs no database is done here, while PostgreSQL stores the batch before.

    Where the file itself turns out to be wrong, what came before is given first, and then Invalid or
    TooLarge is raised.
    """
    everybody = [clean_group(name) for name in options.groups]

    def take(batch: Batch, row: Row | RowProblem) -> None:
        _take(batch, row, columns, customs, everybody)

    for batch in in_batches(table, Batch, take, skip=skip, size=size):
        batch.said = [said(pepper, person) for person in batch.people]
        batch.new_fields = dict(columns.created)
        yield batch


B = TypeVar("B", bound=Batch)


def in_batches(
    table: Table, new: Callable[[], B], take: Callable[[B, Row | RowProblem], None], *, skip: int, size: int
) -> Iterator[B]:
    """Batches of `size` rows after the first `skip`, each filled by `take`. Where the file itself turns out
    to be wrong, what came before is given first, and then Invalid or TooLarge is raised."""
    rows = itertools.islice(table, skip, None)
    wrong: Invalid | TooLarge | None = None
    while wrong is None:
        batch = new()
        try:
            for row in itertools.islice(rows, size):
                batch.rows += 1
                take(batch, row)
        except (Invalid, TooLarge) as error:
            wrong = error
        if batch.rows:
            batch.at_byte = table.bytes_read
            yield batch
        elif wrong is None:
            return
    raise wrong


def refused(batch: Batch, row: RowProblem) -> None:
    """A row that cannot be read at all."""
    batch.troubles.append(Trouble(row.line, "", row.reason, "refused"))
    batch.refused += 1


def _take(
    batch: Batch, row: Row | RowProblem, columns: Columns, customs: Customs, groups: Sequence[str]
) -> None:
    if isinstance(row, RowProblem):
        refused(batch, row)
        return
    person, findings = read_person(columns.given(row.values, groups), customs)
    if findings:
        batch.troubles += [Trouble(row.line, columns.label(f.field), f.reason, f.severity) for f in findings]
    if person is None:
        batch.refused += 1
    else:
        batch.people.append(person)
        batch.lines.append(row.line)


def opened(path: Path, options: ImportOptions) -> Table:
    return open_table(path, encoding=options.encoding, sheet=options.sheet)


def columns_of(customs: Customs, options: ImportOptions) -> Columns:
    """The columns share the fields with the customs: a field made by a column is read at once."""
    declared = customs.fields
    assert isinstance(declared, dict)
    return Columns(
        fields=declared,
        mapping=options.columns,
        create_fields=options.create_fields,
        number_scheme=options.scheme,
    )
