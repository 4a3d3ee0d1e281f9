"""Jobs: the housekeeping of this workspace. A message is no job."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path, Query
from pydantic import Field, JsonValue

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer
from clarion.api.pages import Ask, Page, asked
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.scope import Scope
from clarion.errors import Invalid
from clarion.store import job as jobs

router = new_router("jobs", "Housekeeping: imports, expansions of audiences; what waits, runs or failed.")

Reader = Annotated[Edge, needs(Scope.JOBS_READ)]
Writer = Annotated[Edge, needs(Scope.JOBS_WRITE)]
State = Literal["todo", "doing", "succeeded", "failed", "cancelled", "aborted"]
OfState = Annotated[State | None, Query(description="only these")]
_LARGEST = 2**63 - 1
JobId = Annotated[int, Path(ge=1, le=_LARGEST)]


class Job(Answer):
    """One piece of housekeeping. Running it twice changes nothing the second time."""

    id: int
    task: str = Field(examples=["ingest"], description="fire (expand an audience), ingest, withdraw, pull")
    state: State
    tries: int = Field(description="how often it was begun and ended")
    about: dict[str, JsonValue] = Field(description="what it works on", examples=[{"file": "0190c2d4-…"}])
    asked_at: datetime | None
    scheduled_at: datetime | None = Field(description="not before")
    started_at: datetime | None = Field(description="the last time")
    ended_at: datetime | None


@router.get("", summary="List jobs, newest first")
async def listed(edge: Reader, ask: Annotated[Ask, asked()], state: OfState = None) -> Page[Job]:
    """Those that succeeded are forgotten; what they did is told where it was done, as in `/imports`."""
    before = ask.after.int if ask.after else None
    if before is not None and before > _LARGEST:
        raise Invalid("this is no cursor of ours", where="query.cursor")
    async with edge.transaction() as connection:
        found = await jobs.page(connection, state=state, before=before, limit=ask.fetch)
    return ask.page(Job, [{**one, "place": UUID(int=one["id"])} for one in found], key="place")


@router.get("/{job_id}", summary="Show a job", responses=responses(404))
async def show(job_id: JobId, edge: Reader) -> Job:
    async with edge.transaction() as connection:
        return Job.model_validate(await jobs.get(connection, job_id))


@router.post("/{job_id}/retry", summary="Run a failed job again", responses=responses(404, 409))
async def retry(job_id: JobId, edge: Writer) -> Job:
    async with edge.transaction() as connection:
        await jobs.retry(connection, job_id, edge.now())
        return Job.model_validate(await jobs.get(connection, job_id))
