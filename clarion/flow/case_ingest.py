"""A file of cases on its way in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from clarion.domain.case_columns import CaseColumns
from clarion.domain.case_values import Case, CaseCustoms
from clarion.domain.case_word import read_case
from clarion.domain.imports import ImportOptions
from clarion.flow.cases import customs_of
from clarion.flow.importing import Job
from clarion.flow.reading import Batch, in_batches, refused
from clarion.kit.db import Connection
from clarion.kit.db import Row as Kept
from clarion.kit.tabular import Row, RowProblem, Table
from clarion.store import case_intake, case_type, imports
from clarion.store.case_intake import Outcome


@dataclass
class CaseBatch(Batch):
    """Rows that were read as cases; `written` as they are staged."""

    cases: list[Case] = field(default_factory=list)
    written: list[str] = field(default_factory=list)


async def case_columns(connection: Connection, chosen: ImportOptions) -> CaseColumns:
    """The columns of a file of cases. Raises NotFound for a type that is not there, and Invalid."""
    kind = await case_type.named(connection, chosen.case_type) if chosen.case_type else None
    return CaseColumns(kind, chosen.columns)


class CaseJob(Job):
    """A file of cases."""

    pepper: bytes
    customs: CaseCustoms

    async def prepare(self, connection: Connection, home: Kept) -> None:
        self.pepper = bytes(home["pepper"])
        self.customs = await customs_of(connection, home, self.clock)
        self.columns = await case_columns(connection, self.options)

    def batches(self, table: Table, skip: int, size: int) -> Iterator[Batch]:
        return in_batches(table, CaseBatch, self._take, skip=skip, size=size)

    def _take(self, batch: CaseBatch, row: Row | RowProblem) -> None:
        if isinstance(row, RowProblem):
            refused(batch, row)
            return
        columns = cast(CaseColumns, self.columns)
        case, findings = read_case(columns.document(row.values), self.customs)
        batch.troubles += [
            imports.Trouble(row.line, columns.label(one.field), one.reason, one.severity) for one in findings
        ]
        if case is None:
            batch.refused += 1
        else:
            batch.cases.append(case)
            batch.written.append(case_intake.written(case))
            batch.lines.append(row.line)

    async def take(self, connection: Connection, ready: Batch) -> tuple[Counter[str], list[imports.Trouble]]:
        assert isinstance(ready, CaseBatch)
        taken = await case_intake.upsert(
            connection, self.pepper, ready.cases, self.clock.now(), lines=ready.written
        )
        label = cast(CaseColumns, self.columns).label
        counts: Counter[str] = Counter()
        told: list[imports.Trouble] = []
        for line, one in zip(ready.lines, taken, strict=True):
            stale = one.outcome is Outcome.STALE
            counts[Outcome.UNCHANGED.value if stale else one.outcome.value] += 1
            if stale:
                told.append(imports.Trouble(line, label("modified_at"), _STALE, "warning"))
            told += [imports.Trouble(line, label(f.field), f.reason, f.severity) for f in one.findings]
        ready.refused += counts[Outcome.REFUSED.value]
        return counts, told


_STALE = "written before what is known of this case; nothing was changed"
