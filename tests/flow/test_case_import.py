"""Files of cases: read by their heading, told row by row, and gone on with after a stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from clarion.domain.case import declared
from clarion.domain.imports import ImportOptions
from clarion.errors import Invalid, NotFound
from clarion.flow.importing import Progress
from clarion.flow.ingest import import_file, start_import
from clarion.kit.clock import Clock
from clarion.kit.db import Database, Row
from clarion.store import case as cases
from clarion.store import case_type, imports

HEADING = "Case ID,Name,Owner ID,Last modified,EDD,Phone,Village size\n"
FILE = (
    HEADING
    + "P-1,Amina,CHW-4,2026-03-01T06:00:00Z,2026-09-14,0712000001,120\n"
    + "P-2,Rosa,CHW-5,2026-03-01T06:00:00Z,soon,,30\n"
    + "P-1,Old,CHW-4,2026-02-01T06:00:00Z,,,\n"
    + "P-3,Eve,,yesterday,,,\n"
)


async def declare(db: Database, clock: Clock, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        properties = declared([("edd", "date", None, ""), ("phone", "address", "tel", "")])
        await case_type.create(connection, "pregnancy", clock.now(), properties=properties)


async def imported(db: Database, workspace: UUID, path: Path, **options: object) -> Row:
    chosen = ImportOptions.model_validate({"case_type": "pregnancy", **options})
    identifier = await start_import(db, Clock(), workspace, path, options=chosen)
    seen: list[Progress] = []
    ended = await import_file(db, Clock(), workspace, identifier, seen.append, batch=2)
    assert [step.done_rows for step in seen] == sorted({step.done_rows for step in seen})
    return ended


async def test_a_file_of_cases_comes_in_and_every_row_is_told(
    db: Database, workspace: UUID, clock: Clock, tmp_path: Path
) -> None:
    await declare(db, clock, workspace)
    path = tmp_path / "cases.csv"
    path.write_text(FILE, encoding="utf-8")
    ended = await imported(db, workspace, path)
    counts = {name: ended[name] for name in ("done_rows", "created", "unchanged", "refused")}
    assert counts == {"done_rows": 4, "created": 2, "unchanged": 1, "refused": 1}, ended["error"]
    async with db.tenant(workspace) as connection:
        amina = await cases.get(connection, "P-1")
        told = await imports.problems(connection, ended["id"])
    assert (amina["owner"], amina["properties"]["village_size"]) == ("CHW-4", "120")
    assert [who["name"] for who in amina["contacts"]["phone"]] == ["Amina"]
    assert [(one["line"], one["field"], one["severity"]) for one in told] == [
        (3, "EDD", "warning"), (4, "Last modified", "warning"), (5, "Last modified", "refused"),
    ]  # fmt: skip
    again = await imported(db, workspace, path)
    assert (again["created"], again["unchanged"]) == (0, 3)


async def test_an_import_that_was_killed_goes_on_where_it_was(
    db: Database, workspace: UUID, clock: Clock, tmp_path: Path
) -> None:
    await declare(db, clock, workspace)
    path = tmp_path / "cases.csv"
    path.write_text(FILE, encoding="utf-8")
    chosen = ImportOptions(case_type="pregnancy")
    identifier = await start_import(db, clock, workspace, path, options=chosen)

    def kill(step: Progress) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await import_file(db, clock, workspace, identifier, kill, batch=1)
    async with db.tenant(workspace) as connection:
        assert (await imports.get(connection, identifier))["done_rows"] == 1
    ended = await import_file(db, clock, workspace, identifier, batch=1)
    assert (ended["state"], ended["created"], ended["unchanged"], ended["refused"]) == ("done", 2, 1, 1)


async def test_cases_come_as_json_with_a_type_of_their_own(
    db: Database, workspace: UUID, clock: Clock, tmp_path: Path
) -> None:
    await declare(db, clock, workspace)
    path = tmp_path / "cases.json"
    path.write_text(
        '{"type": "pregnancy", "external_id": "P-1", "properties": {"edd": "2026-09-14"}}\n'
        '{"external_id": "P-2"}\n',
        encoding="utf-8",
    )
    ended = await imported(db, workspace, path, case_type="")
    assert (ended["created"], ended["refused"]) == (1, 1)
    async with db.tenant(workspace) as connection:
        assert (await cases.get(connection, "P-1"))["properties"] == {"edd": "2026-09-14"}


async def test_a_file_that_cannot_be_understood_is_refused_before_it_is_read(
    db: Database, workspace: UUID, clock: Clock, tmp_path: Path
) -> None:
    await declare(db, clock, workspace)
    path = tmp_path / "cases.csv"
    path.write_text(FILE, encoding="utf-8")
    with pytest.raises(NotFound, match="there is no case type 'pregnacy'"):
        await imported(db, workspace, path, case_type="pregnacy")
    with pytest.raises(Invalid, match="of which type"):
        await imported(db, workspace, path, case_type="")
    with pytest.raises(Invalid, match="nothing that a column can mean"):
        await imported(db, workspace, path, columns={"EDD": "ownr"})
    with pytest.raises(Invalid, match="no such column"):
        await imported(db, workspace, path, columns={"EDDD": "property:edd"})
