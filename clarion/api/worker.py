"""Workers: the processes that send and do the jobs, on whatever machine. All workspaces share them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import Field

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer
from clarion.api.routers import new_router
from clarion.domain.scope import Scope
from clarion.flow.crew import Member, Standing, crew

router = new_router("workers", "The processes that send and do the jobs.")

Reader = Annotated[Edge, needs(Scope.JOBS_READ)]
All = Annotated[bool, Query(description="also those that left or died in the last hour")]
_HERE = (Standing.ALIVE, Standing.SILENT, Standing.SUSPECT_CLOCK)


class WorkerAnswer(Answer):
    """One process."""

    id: UUID
    host: str
    pid: int
    version: str
    standing: Standing = Field(description="silent: not seen for two leases, and not known to be dead")
    channels: int = Field(description="how many it holds, of all workspaces")
    in_flight: int = Field(description="calls to providers under way")
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None


class WorkersAnswer(Answer):
    """All of them, newest first."""

    items: list[WorkerAnswer]


@router.get("", summary="List workers")
async def listed(edge: Reader, all: All = False) -> WorkersAnswer:
    found = await crew(edge.services)
    return WorkersAnswer(items=[_shown(one) for one in found if all or one.standing in _HERE])


def _shown(one: Member) -> WorkerAnswer:
    worker = one.worker
    return WorkerAnswer(
        id=worker.id, host=worker.host, pid=worker.pid, version=worker.version, standing=one.standing,
        channels=int(worker.state.get("channels", 0)), in_flight=int(worker.state.get("in_flight", 0)),
        started_at=worker.started_at, seen_at=worker.seen_at, stopped_at=worker.stopped_at,
    )  # fmt: skip
