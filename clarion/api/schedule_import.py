"""A schedule's spreadsheet over HTTP: it becomes a document, and nothing is kept here."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import orjson
from fastapi import Query, Request
from pydantic import Field, ValidationError

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer, Body
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.api.upload import FORM, XLSX, Received, received
from clarion.domain.schedule.clocktime import Weekday
from clarion.domain.schedule.sentence import describe
from clarion.domain.schedule.sheet import document
from clarion.domain.schedule.sheet.choices import Choices
from clarion.domain.scope import Scope
from clarion.errors import Invalid, Problem
from clarion.flow.schedule_file import read_file
from clarion.kit.ids import uuid7
from clarion.store import field as fields

router = new_router("schedules", "When a campaign speaks: described, checked and foreseen.")

_CSV = "day,time,text:eng,text:swa\n0,9:00,Hello {{ contact.name }},Habari {{ contact.name }}\n"
_BINARY = {"type": "string", "format": "binary"}
_FORM: dict[str, Any] = {
    "type": "object", "required": ["file"],
    "properties": {
        "file": _BINARY, "update": {"type": "string", "description": "an earlier `document`, as JSON"},
    },
}  # fmt: skip
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "the file; in a form, the choices may stand beside it as fields",
        "content": {
            "text/csv": {"schema": {"type": "string"}, "example": _CSV},
            XLSX: {"schema": _BINARY},
            FORM: {"schema": _FORM},
        },
    }
}


class TableChoices(Body):
    """How the table is to be read. Every choice may be left out."""

    start: str | None = Field(
        default=None, max_length=200,
        description="day 0: enrollment, field:registration_date, property:next_visit, or a date",
    )  # fmt: skip
    time: str | None = Field(default=None, max_length=40, description="of rows that say none")
    track: str | None = Field(default=None, max_length=100, description="take only the rows of this track")
    week: Weekday = Field(default=Weekday.MON, description="on which day weeks begin")
    sheet: str | None = Field(default=None, max_length=100, description="of a workbook; else the first")
    encoding: str | None = Field(default=None, max_length=40, description="of CSV; else UTF-8")


class TableAnswer(Answer):
    """What became of the table."""

    document: dict[str, Any] = Field(
        description="`schedule`, the `contents` that its steps name, and `sheet`, by which its rows are "
        "known again; give it as `update` the next time"
    )
    sentence: str
    counts: dict[str, int]
    notes: list[str] = Field(description="what its author should look at")


@router.post("/import", summary="Read a spreadsheet", openapi_extra=_BODY, responses=responses(413))
async def read_table(
    request: Request,
    edge: Annotated[Edge, needs(Scope.ANNOUNCEMENTS_READ)],
    choices: Annotated[TableChoices, Query()],
) -> TableAnswer:
    """A schedule as people keep it in a spreadsheet, a row for each message, becomes a document for a
    sequence. The fields in its texts are checked. Everything that is wrong is told by line; nothing is
    stored. With `update` in a form, rows that were there keep the numbers of their steps."""
    path = edge.services.settings.state_dir.absolute() / "schedules" / str(uuid7(edge.now()))
    async with received(request, path, edge.now()) as file:
        try:
            said, before = _chosen(choices, file)
            async with edge.transaction() as connection:
                known = {key: field.type for key, field in (await fields.declared(connection)).items()}
            how = Choices(said.start, said.time, said.track, said.week, known, before)
            found = await asyncio.to_thread(
                read_file, file.path, how, sheet=said.sheet, encoding=said.encoding
            )
        finally:
            await asyncio.to_thread(file.path.unlink, missing_ok=True)
    return TableAnswer(
        document=found.document.stored(), sentence=describe(found.document.schedule),
        counts=found.counts(), notes=list(found.notes),
    )  # fmt: skip


def _chosen(choices: TableChoices, file: Received) -> tuple[TableChoices, document.Document | None]:
    """What the address says, and what a form says beside the file. Raises Invalid."""
    said: dict[str, Any] = choices.model_dump()
    given = {name: values[-1] for name, values in file.fields.items()}
    update = given.pop("update", None)
    try:
        chosen = TableChoices.model_validate({**said, **given})
    except ValidationError as error:
        wrong = tuple(Problem(f"body.{one['loc'][0]}", one["msg"]) for one in error.errors() if one["loc"])
        raise Invalid("the form is not valid", problems=wrong) from None
    if update is None:
        return chosen, None
    try:
        return chosen, document.read(orjson.loads(update), "body.update")
    except orjson.JSONDecodeError:
        raise Invalid(
            "not JSON", where="body.update", hint="Give the document of the answer before."
        ) from None
