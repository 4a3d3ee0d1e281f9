"""Campaigns that follow somebody, as people write them in files and name them on the command line; what is
alike for sequences and alerts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import orjson
import typer
from pydantic import BaseModel, ValidationError

from clarion.domain.campaign import State
from clarion.errors import Invalid, NotFound, Problem
from clarion.kit.db import Connection, Row
from clarion.store import campaign as campaigns

SEARCHED = 1_000
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Change nothing: tell how many people it would touch, and how.")
]
M = TypeVar("M", bound=BaseModel)
# What a document for the API says beside the campaign itself, as in examples/clinic.
_OPTIONS = {
    "name": "Leave it out of the file, and say --name.",
    "channel_id": "Leave it out of the file, and say --channel.",
    "launch": "Leave it out of the file, and say --launch.",
}


def read(file: Path) -> dict[str, Any]:
    """A document. Raises NotFound, Invalid."""
    try:
        found = orjson.loads(file.read_bytes())
    except OSError as error:
        raise NotFound(f"it cannot be read: {error.strerror}", where=str(file)) from None
    except orjson.JSONDecodeError as error:
        raise Invalid(f"not JSON: {error}", where=str(file)) from None
    if not isinstance(found, dict):
        raise Invalid("not a JSON object", where=str(file), hint='It begins with "{".')
    found.pop("sheet", None)  # of `schedule import`
    return found


def checked(shape: type[M], document: dict[str, Any], kind: str, where: str) -> M:
    """A document as what it should be. Raises Invalid with all its problems."""
    try:
        return shape.model_validate(document)
    except ValidationError as error:
        found = ((".".join(str(part) for part in one["loc"]), str(one["msg"])) for one in error.errors())
        problems = tuple(Problem(at, what, _OPTIONS.get(at, "")) for at, what in found)
        raise Invalid(f"this is no {kind}", where=where, problems=problems) from None


async def find(connection: Connection, kind: str, named: str) -> Row:
    """A campaign of a kind by id, or by its name where only one has it. Raises NotFound, Invalid."""
    try:
        return await campaigns.get(connection, UUID(named), kind)
    except ValueError:
        recent = await campaigns.page(connection, kind, None, SEARCHED)
    found = [row for row in recent if row["name"] == named]
    if len(found) > 1:
        found = [row for row in found if row["state"] != State.CANCELLED] or found
    if len(found) > 1:
        ids = ", ".join(str(row["id"]) for row in found[:10])
        raise Invalid(f"{len(found)} {kind}s are named so", hint=f"Say which by id: {ids}")
    if not found:
        raise NotFound(f"there is no such {kind}", hint=f"`clarion {kind} list` shows them.")
    return found[0]


def short(row: Row) -> dict[str, Any]:
    """A campaign's row as JSON has it."""
    return {key: row[key] for key in ("id", "name", "state", "reason", "channel_id", "launched_at")}


def state(row: Row) -> str:
    """Its state, with the reason where there is one."""
    return f"{row['state']}: {row['reason']}" if row["reason"] else str(row["state"])


def nobody(state: str, enrolls: str = "a worker enrolls them") -> str:
    """What stands for its people where there are none."""
    return f"nobody yet; {enrolls}" if state == State.RUNNING else "nobody yet"
