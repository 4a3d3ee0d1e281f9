"""One file on its way in: read ahead, stored batch by batch, each with the place where the file stands."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from clarion.domain.case_columns import CaseColumns
from clarion.domain.columns import Columns
from clarion.domain.imports import ImportOptions
from clarion.flow.reading import Ahead, Batch, opened, quick_turns
from clarion.kit.clock import Clock
from clarion.kit.db import Connection, Database, Row
from clarion.kit.tabular import Table
from clarion.store import imports


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: bytes of the file and rows, and what became of the rows."""

    done_bytes: int
    size_bytes: int
    done_rows: int
    created: int
    updated: int
    unchanged: int
    refused: int


@dataclass
class Job(ABC):
    """One reading of one file. What kind of rows it has is for those who derive from it."""

    db: Database
    clock: Clock
    workspace_id: UUID
    import_id: UUID
    known: Row
    options: ImportOptions
    progress: Callable[[Progress], None] | None
    began_at: int = 0  # the row
    columns: Columns | CaseColumns = field(init=False)

    @abstractmethod
    async def prepare(self, connection: Connection, home: Row) -> None:
        """Find out `columns`, and whatever the rows are read by. Raises Invalid or NotFound."""

    @abstractmethod
    def batches(self, table: Table, skip: int, size: int) -> Iterator[Batch]:
        """The rows after the first `skip`, read and checked; runs in a thread of its own."""

    @abstractmethod
    async def take(self, connection: Connection, ready: Batch) -> tuple[Counter[str], list[imports.Trouble]]:
        """Store a batch: how many had which outcome, and what only the database could tell."""

    async def read(self, path: Path, size: int) -> bool:
        """All batches from where the file stands; False when it was cancelled meanwhile."""
        self.began_at = done = self.known["done_rows"]
        columns = self.columns
        table = await asyncio.to_thread(opened, path, self.options)
        ahead = Ahead(self.batches(table, done, size), table.close)
        with quick_turns():
            async with ahead as coming:
                async for ready in coming:
                    if not await self._store(ready, done):
                        return False
                    done += ready.rows
        # Of a file without a heading it is only known now. Who went on after a crash has not seen all rows.
        whole = table.kind == "json" and not self.began_at
        await self._tell_ignored(columns, columns.unmet() if whole else ())
        return True

    async def _store(self, ready: Batch, at_row: int) -> bool:
        async with self.db.tenant(self.workspace_id) as connection:
            if not await imports.hold(connection, self.import_id, at_row):
                return False
            outcomes, more = await self.take(connection, ready)
            step = imports.Step(
                rows=ready.rows,
                at_byte=ready.at_byte,
                created=outcomes["created"],
                updated=outcomes["updated"],
                unchanged=outcomes["unchanged"],
                refused=ready.refused,
            )
            await imports.advance(connection, self.import_id, step, ready.troubles + more)
        self._report(step)
        return True

    def _report(self, step: imports.Step) -> None:
        known = self.known
        known["done_rows"] += step.rows
        known["done_bytes"] = step.at_byte
        for outcome in ("created", "updated", "unchanged", "refused"):
            known[outcome] += getattr(step, outcome)
        if self.progress is not None:
            self.progress(Progress(**{name: known[name] for name in Progress.__dataclass_fields__}))

    async def _tell_ignored(self, columns: Columns | CaseColumns, unmet: Sequence[str]) -> None:
        async with self.db.tenant(self.workspace_id) as connection:
            await imports.note(
                connection,
                self.import_id,
                [
                    imports.Trouble(1, column, f"this column was not read: {why}", "warning")
                    for column, why in columns.ignored.items()
                ]
                + [imports.Trouble(1, column, _UNMET, "warning") for column in unmet],
            )


_UNMET = "this column was given a meaning, and no row has anything in it"
