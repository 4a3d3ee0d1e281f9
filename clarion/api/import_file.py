"""Imports: files of people or of cases, read by a worker; every row that is refused says why."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request
from pydantic import Field, ValidationError

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer, Body, unstorable
from clarion.api.pages import Ask, Page, asked
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.api.upload import FORM, XLSX, Received, received
from clarion.domain.imports import ImportOptions
from clarion.domain.scope import Scope
from clarion.errors import Invalid, Problem
from clarion.flow import hand_in, ingest
from clarion.kit.ids import uuid7
from clarion.store import imports

router = new_router(
    "imports", "Files of people or cases (CSV, XLSX, JSON) on their way in, and what was wrong."
)

Reader = Annotated[Edge, needs(Scope.CONTACTS_READ, Scope.CASES_READ)]
Writer = Annotated[Edge, needs(Scope.CONTACTS_WRITE, Scope.CASES_WRITE)]
_CSV = "external_id,name,whatsapp,department\nE-1001,Abeba Tesfaye,0712000001,Finance\n"
_BINARY = {"type": "string", "format": "binary"}
_FORM: dict[str, Any] = {"type": "object", "properties": {"file": _BINARY}, "required": ["file"]}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "the file; in a form, the choices may stand beside it as fields",
        "content": {
            "text/csv": {"schema": {"type": "string"}, "example": _CSV},
            XLSX: {"schema": _BINARY},
            "application/json": {
                "schema": {"type": "array", "items": {"type": "object"}},
                "example": [{"external_id": "E-1001", "whatsapp": "0712000001"}],
            },
            FORM: {"schema": _FORM},
        },
    }
}
_LINE_BITS = 64
_MOST_OF_A_LINE = 100_000


class ImportChoices(Body):
    """How the file is to be read. Every choice may be left out."""

    name: str = Field(default="", max_length=200, description="what to call it; absent: the file's name")
    country: str | None = Field(
        default=None, max_length=100, description="of national numbers in rows without a country"
    )
    scheme: Literal["tel", "whatsapp"] = Field(
        default="tel", description="what a column of telephone numbers reaches"
    )
    group: list[str] = Field(default=[], max_length=50, description="a group that everybody joins; repeat it")
    column: list[str] = Field(
        default=[],
        max_length=500,
        description="`Mobile No=tel`: what a column means; repeat it. Of cases: an attribute, `property:KEY` "
        "or `contact:ROLE`",
    )
    create_fields: bool = Field(default=False, description="columns that are unknown become text fields")
    case_type: str | None = Field(
        default=None,
        max_length=200,
        description="the file is of cases of this type; empty: a column `type` says it. Such a file needs a "
        "key with `cases:write`, one of people `contacts:write`",
    )
    encoding: str | None = Field(default=None, max_length=40, description="of CSV and JSON; else UTF-8")
    sheet: str | None = Field(default=None, max_length=100, description="of a workbook; else the first")

    def options(self) -> ImportOptions:
        """As the import keeps them. Raises Invalid."""
        pairs = [one.rpartition("=") for one in self.column]
        if any(not column or not meaning for column, _, meaning in pairs):
            raise Invalid("a column's meaning is COLUMN=MEANING", where="column", hint="as Mobile No=tel")
        return ImportOptions(
            columns={column: meaning.strip() for column, _, meaning in pairs}, country=self.country,
            scheme=self.scheme, groups=tuple(self.group), create_fields=self.create_fields,
            case_type=self.case_type, encoding=self.encoding, sheet=self.sheet, remove_file=True,
        )  # fmt: skip


class ImportAnswer(Answer):
    """A file of people or cases, and how far it is."""

    id: UUID
    name: str = Field(examples=["people.csv"])
    kind: str = Field(examples=["csv"])
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    error: str = Field(description="why the file as a whole failed")
    size_bytes: int
    done_bytes: int = Field(description="how much of it is read")
    done_rows: int
    created: int
    updated: int
    unchanged: int
    refused: int = Field(description="rows of which nobody was stored; see its problems")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ProblemAnswer(Answer):
    """One thing wrong with one row. `refused`: nobody was stored; `warning`: that part was not."""

    line: int = Field(description="where the row begins; the heading is line 1")
    field: str = Field(description="the column; empty where it is the row")
    reason: str
    severity: Literal["refused", "warning"]


@router.post("", status_code=201, summary="Hand in a file", openapi_extra=_BODY, responses=responses(404))
async def upload(request: Request, edge: Writer, choices: Annotated[ImportChoices, Query()]) -> ImportAnswer:
    """The file is the body, or the part `file` of a form. A file that cannot be read at all is refused at
    once; rows that cannot are told in its problems while the others come in. Handing in the same file
    again changes nothing."""
    path = edge.services.settings.state_dir.absolute() / "imports" / str(uuid7(edge.now()))
    async with received(request, path, edge.now()) as file:
        chosen = _chosen(choices, file)
        edge.caller.require((Scope.CONTACTS_WRITE if chosen.case_type is None else Scope.CASES_WRITE,))
        import_id = await hand_in.hand_in(
            edge.services, edge.workspace_id, file.path, name=chosen.name, options=chosen.options()
        )
        async with edge.transaction() as connection:
            return ImportAnswer.model_validate(await imports.get(connection, import_id))


@router.get("", summary="List imports, newest first")
async def listed(edge: Reader, ask: Annotated[Ask, asked()]) -> Page[ImportAnswer]:
    async with edge.transaction() as connection:
        return ask.page(ImportAnswer, await imports.page(connection, ask.after, ask.fetch))


@router.get("/{import_id}", summary="How far it is", responses=responses(404))
async def show(import_id: UUID, edge: Reader) -> ImportAnswer:
    async with edge.transaction() as connection:
        return ImportAnswer.model_validate(await imports.get(connection, import_id))


@router.get("/{import_id}/problems", summary="What was wrong, by line", responses=responses(404))
async def problems(import_id: UUID, edge: Reader, ask: Annotated[Ask, asked()]) -> Page[ProblemAnswer]:
    """Every row that was refused, and everything that was left out of others."""
    line, told = _place(ask.after)
    async with edge.transaction() as connection:
        await imports.get(connection, import_id)
        found = await imports.problems(connection, import_id, (line, "", ""), told + ask.fetch)
    return ask.page(ProblemAnswer, _placed(found)[told:], key="place")


@router.post("/{import_id}/cancel", summary="Cancel it", responses=responses(404))
async def cancel(import_id: UUID, edge: Writer) -> ImportAnswer:
    """It stops at its next batch; who was taken in stays. One that has ended stays as it is."""
    found = await ingest.cancel_import(edge.services.db, edge.services.clock, edge.workspace_id, import_id)
    return ImportAnswer.model_validate(found)


def _chosen(choices: ImportChoices, file: Received) -> ImportChoices:
    """What the address says, and what a form says beside the file. Raises Invalid."""
    said: dict[str, Any] = choices.model_dump()
    for name, values in file.fields.items():
        said[name] = values if name in ("group", "column") else values[-1]
    name = "" if unstorable(file.name) else file.name.replace("\\", "/").rpartition("/")[2][-200:]
    said["name"] = said["name"] or name or "a file"
    try:
        return ImportChoices.model_validate(said)
    except ValidationError as error:
        wrong = tuple(Problem(f"body.{one['loc'][0]}", one["msg"]) for one in error.errors() if one["loc"])
        raise Invalid("the form is not valid", problems=wrong) from None


# A page of problems goes on after the nth one of a line: no text of a file stands in an address.


def _place(after: UUID | None) -> tuple[int, int]:
    line, told = divmod(after.int if after else 0, 1 << _LINE_BITS)
    if line >= 1 << 63 or told > _MOST_OF_A_LINE:
        raise Invalid("this is no cursor of ours", where="query.cursor")
    return line, told


def _placed(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    line, nth = -1, 0
    for one in found:
        line, nth = (line, nth + 1) if one["line"] == line else (one["line"], 1)
        one["place"] = UUID(int=line << _LINE_BITS | nth)
    return found
