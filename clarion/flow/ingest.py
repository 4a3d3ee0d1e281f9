"""Ingest: people come in, from a file or from a program; and files of cases.

A file is read, understood and checked in one thread while PostgreSQL stores the batch before; memory
holds a few batches, whatever the size of the file. Each batch is one transaction together with the file's
position, so an import that was killed goes on after the last batch that was committed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from clarion.domain.case_columns import CaseColumns
from clarion.domain.columns import Columns
from clarion.domain.country import parse_country
from clarion.domain.field import FieldType
from clarion.domain.imports import ImportOptions
from clarion.domain.person import Customs, Finding, Given, read_person
from clarion.domain.refusal import Refusal
from clarion.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable
from clarion.flow.case_ingest import CaseJob, case_columns
from clarion.flow.importing import Job, Progress
from clarion.flow.reading import Batch, batches, columns_of, opened
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import AWAY, Connection, Database, Row
from clarion.kit.ids import uuid7
from clarion.kit.log import logger
from clarion.kit.tabular import Table
from clarion.store import channel as channels
from clarion.store import field as fields
from clarion.store import imports, intake, workspace

BATCH = 5_000
MOST_AT_ONCE = 10_000
FOUND_WITHIN = timedelta(hours=1)
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one person that a program gave. No contact: refused, as the findings say."""

    contact_id: UUID | None
    outcome: str
    findings: tuple[Finding, ...]


async def upsert_people(
    db: Database, clock: Clock, workspace_id: UUID, given: Sequence[Given], *, by: str = ""
) -> list[Told]:
    """Store up to 10,000 people in one transaction; one answer each, in order. Raises Invalid for more."""
    if len(given) > MOST_AT_ONCE:
        raise Invalid(f"{len(given):,} people at once; at most {MOST_AT_ONCE:,}", hint="send them in parts")
    async with db.tenant(workspace_id) as connection:
        home = await workspace.get(connection)
        customs = await customs_of(connection, home, None)
        read = await asyncio.to_thread(lambda: [read_person(one, customs) for one in given])
        people = [person for person, _ in read if person is not None]
        taken = iter(
            await intake.upsert(connection, bytes(home["pepper"]), people, clock.now(), how="api", by=by)
        )
    told = []
    for person, findings in read:
        if person is None:
            told.append(Told(None, "refused", tuple(findings)))
        else:
            result = next(taken)
            told.append(Told(result.contact_id, result.outcome.value, tuple(findings)))
    return told


async def start_import(
    db: Database,
    clock: Clock,
    workspace_id: UUID,
    path: Path,
    *,
    name: str | None = None,
    options: ImportOptions | None = None,
    ask: Callable[[Connection, UUID], Awaitable[None]] | None = None,
) -> UUID:
    """Register a file to be imported, once it is known that it can be read; its identifier.

    `ask` is told of it in the transaction that registers it, so that both happen or neither.
    Raises NotFound, Invalid or TooLarge when the file or the options are wrong; nothing is kept then.
    """
    chosen = options or ImportOptions()
    async with db.tenant(workspace_id) as connection:
        home = await workspace.get(connection)
        columns = await _columns(connection, home, chosen)
    with await asyncio.to_thread(opened, path, chosen) as table:
        if table.columns:
            columns.check(table.columns)
        kind, size = table.kind, table.bytes_total
    identifier = uuid7(clock.now())
    async with db.tenant(workspace_id) as connection:
        await imports.create(
            connection,
            identifier,
            name=name or path.name,
            kind=kind,
            path=str(path),
            size_bytes=size,
            options=chosen.model_dump(mode="json"),
            now=clock.now(),
        )
        if ask is not None:
            await ask(connection, identifier)
    return identifier


async def cancel_import(db: Database, clock: Clock, workspace_id: UUID, import_id: UUID) -> Row:
    """Stop an import at its next batch; what was stored stays. Returns it. Raises NotFound."""
    async with db.tenant(workspace_id) as connection:
        await imports.get(connection, import_id)
        await imports.finish(connection, import_id, "cancelled", clock.now())
        return await imports.get(connection, import_id)


async def ingest(services: Services, workspace_id: UUID, import_id: UUID) -> Row:
    """What the job of a registered file does: `import_file`, told to nobody on the way.

    Raises Unavailable when the file lies on another machine, the one that took it: a worker there reads
    it. One that nobody found within an hour ends as failed.
    """
    async with services.db.tenant(workspace_id) as connection:
        known = await imports.get(connection, import_id)
    waits = known["state"] in ("waiting", "running")
    lately = services.clock.now() - known["created_at"] < FOUND_WITHIN
    if waits and lately and not await asyncio.to_thread(Path(known["path"]).exists):
        raise Unavailable("the file is not on this machine", where="import")
    return await import_file(services.db, services.clock, workspace_id, import_id)


async def import_file(
    db: Database,
    clock: Clock,
    workspace_id: UUID,
    import_id: UUID,
    progress: Callable[[Progress], None] | None = None,
    *,
    batch: int = BATCH,
) -> Row:
    """Read a registered file into contacts or cases, from where it stands; the import's row at the end.

    Running it again after a crash goes on; running it when it has ended changes nothing. A file that
    turns out to be wrong ends as failed, with what was stored before, and so does one that meets a fault
    of ours. Raises NotFound (no such import), Conflict (somebody else is reading it) and what the database
    says when it is away, after which it can be run again.
    """
    async with db.tenant(workspace_id) as connection:
        known = await imports.get(connection, import_id)
        begun = await imports.begin(connection, import_id, clock.now())
        home = await workspace.get(connection)
        options = ImportOptions.model_validate(known["options"])
        kind = PeopleJob if options.case_type is None else CaseJob
        job = kind(db, clock, workspace_id, import_id, known, options, progress)
        await job.prepare(connection, home)
    if begun:
        state, error = "done", ""
        try:
            if not await job.read(Path(known["path"]), batch):
                state = "cancelled"
        except (Invalid, TooLarge, NotFound) as wrong:
            state, error = "failed", str(wrong)
        except (*AWAY, Conflict):
            raise
        except Exception as fault:  # of ours: nobody would run it again, so it must not seem to go on
            log.exception("an import failed", import_id=str(import_id))
            state, error = "failed", f"a fault of Clarion's ({type(fault).__name__}); the log says more"
        async with db.tenant(workspace_id) as connection:
            await imports.finish(connection, import_id, state, clock.now(), error=error)
    if options.remove_file:  # also where it was cancelled before anybody began
        await asyncio.to_thread(Path(known["path"]).unlink, missing_ok=True)
    async with db.tenant(workspace_id) as connection:
        return await imports.get(connection, import_id)


class PeopleJob(Job):
    """A file of people."""

    async def prepare(self, connection: Connection, home: Row) -> None:
        self.pepper = bytes(home["pepper"])
        self.customs = await customs_of(connection, home, self.options)
        self.columns = columns_of(self.customs, self.options)

    def batches(self, table: Table, skip: int, size: int) -> Iterator[Batch]:
        columns = self.columns
        assert isinstance(columns, Columns)
        return batches(table, columns, self.customs, self.options, self.pepper, skip=skip, size=size)

    async def take(self, connection: Connection, ready: Batch) -> tuple[Counter[str], list[imports.Trouble]]:
        if ready.new_fields:
            await fields.declare_texts(connection, ready.new_fields)
        taken = await intake.upsert(connection, self.pepper, ready.people, self.clock.now(), rows=ready.said)
        twins = [
            imports.Trouble(line, "external_id", _TWIN, "warning")
            for line, one in zip(ready.lines, taken, strict=True)
            if one.twin is not None
        ]
        return Counter(one.outcome.value for one in taken), twins


_TWIN = (
    "another contact has the same address and name under another external id; merge them if it is one person"
)


async def _columns(connection: Connection, home: Row, chosen: ImportOptions) -> Columns | CaseColumns:
    if chosen.case_type is not None:
        return await case_columns(connection, chosen)
    return columns_of(await customs_of(connection, home, chosen), chosen)


async def customs_of(connection: Connection, home: dict[str, Any], options: ImportOptions | None) -> Customs:
    country = home["country"]
    if options is not None and options.country:
        chosen = parse_country(options.country)
        if isinstance(chosen, Refusal):
            raise chosen.error("country")
        country = chosen
    declared: dict[str, FieldType] = {
        key: one.type for key, one in (await fields.declared(connection)).items()
    }
    names = await channels.names(connection)
    return Customs(
        country=country,
        zone=ZoneInfo(home["timezone"]),
        fields=declared,
        channels={key.casefold(): str(id) for id, name in names.items() for key in (name, str(id))},
    )
