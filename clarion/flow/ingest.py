"""Ingest: people come in, from a file or from a program.

A file is read, understood and checked in one thread while PostgreSQL stores the batch before; memory
holds a few batches, whatever the size of the file. Each batch is one transaction together with the file's
position, so an import that was killed goes on after the last batch that was committed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from clarion.domain.columns import Columns
from clarion.domain.country import parse_country
from clarion.domain.field import FieldType
from clarion.domain.imports import ImportOptions
from clarion.domain.person import Customs, Finding, Given, read_person
from clarion.domain.refusal import Refusal
from clarion.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable
from clarion.flow.reading import Ahead, Batch, batches, columns_of, opened, quick_turns
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import AWAY, Connection, Database, Row
from clarion.kit.ids import uuid7
from clarion.kit.log import logger
from clarion.store import channel as channels
from clarion.store import field as fields
from clarion.store import imports, intake, workspace

BATCH = 5_000
MOST_AT_ONCE = 10_000
FOUND_WITHIN = timedelta(hours=1)
log = logger(__name__)


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
        customs = await customs_of(connection, home, chosen)
    columns = columns_of(customs, chosen)
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
    """Read a registered file into contacts, from where it stands; the import's row when it has ended.

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
        customs = await customs_of(connection, home, options)
    if begun:
        job = _Job(db, clock, workspace_id, import_id, bytes(home["pepper"]), known, progress)
        state, error = "done", ""
        try:
            if not await job.read(Path(known["path"]), options, customs, batch):
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


@dataclass
class _Job:
    """One reading of one file."""

    db: Database
    clock: Clock
    workspace_id: UUID
    import_id: UUID
    pepper: bytes
    known: Row
    progress: Callable[[Progress], None] | None
    began_at: int = 0  # the row

    async def read(self, path: Path, options: ImportOptions, customs: Customs, size: int) -> bool:
        """All batches from where the file stands; False when it was cancelled meanwhile."""
        self.began_at = done = self.known["done_rows"]
        columns = columns_of(customs, options)
        table = await asyncio.to_thread(opened, path, options)
        ahead = Ahead(
            batches(table, columns, customs, options, self.pepper, skip=done, size=size), table.close
        )
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
        now = self.clock.now()
        async with self.db.tenant(self.workspace_id) as connection:
            if not await imports.hold(connection, self.import_id, at_row):
                return False
            if ready.new_fields:
                await fields.declare_texts(connection, ready.new_fields)
            taken = await intake.upsert(connection, self.pepper, ready.people, now, rows=ready.said)
            twins = [
                imports.Trouble(line, "external_id", _TWIN, "warning")
                for line, one in zip(ready.lines, taken, strict=True)
                if one.twin is not None
            ]
            outcomes = Counter(one.outcome.value for one in taken)
            step = imports.Step(
                rows=ready.rows,
                at_byte=ready.at_byte,
                created=outcomes["created"],
                updated=outcomes["updated"],
                unchanged=outcomes["unchanged"],
                refused=ready.refused,
            )
            await imports.advance(connection, self.import_id, step, ready.troubles + twins)
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

    async def _tell_ignored(self, columns: Columns, unmet: Sequence[str]) -> None:
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
_TWIN = (
    "another contact has the same address and name under another external id; merge them if it is one person"
)


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
