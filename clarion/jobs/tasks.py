"""The jobs: each parses identifiers and calls one verb."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from procrastinate import Blueprint, JobContext, RetryStrategy

from clarion.errors import Unavailable
from clarion.flow import announce, fire, ingest
from clarion.flow.bring import commcare
from clarion.flow.services import Services
from clarion.kit.db import AWAY

tasks = Blueprint()

# A file is on one machine only: whoever takes the job elsewhere gives it back, until the right one has it.
# The database may be away for longer than a job's work on it: all of them can be begun again.
_AWAY = (Unavailable, *AWAY)
_AGAIN = RetryStrategy(wait=2, retry_exceptions=_AWAY)


@asynccontextmanager
async def _counted(context: JobContext) -> AsyncIterator[Services]:
    """The process's parts for one job, whose outcome is counted: done, failed, unavailable (what it needs
    is not here: the file, the database), interrupted."""
    services: Services = context.additional_context["services"]
    outcome = "interrupted"
    try:
        yield services
        outcome = "done"
    except Exception as error:
        outcome = "unavailable" if isinstance(error, _AWAY) else "failed"
        raise
    finally:
        services.metrics.jobs.labels(context.job.task_name.rpartition(":")[2], outcome).inc()


@tasks.task(name="fire", pass_context=True, retry=_AGAIN)
async def fire_run(context: JobContext, workspace: str, run: str) -> None:
    """Expand a run whose moment has come."""
    async with _counted(context) as services:
        await fire.fire(services, UUID(workspace), UUID(run))


@tasks.task(name="ingest", pass_context=True, retry=_AGAIN)
async def ingest_file(context: JobContext, workspace: str, file: str) -> None:
    """Read a file of people that was handed in."""
    async with _counted(context) as services:
        await ingest.ingest(services, UUID(workspace), UUID(file))


@tasks.task(name="withdraw", pass_context=True, retry=_AGAIN)
async def withdraw_cancelled(context: JobContext, workspace: str, campaign: str) -> None:
    """End what still waits of a campaign that was cancelled."""
    async with _counted(context) as services:
        await announce.withdraw_cancelled(services, UUID(workspace), UUID(campaign))


@tasks.task(name="pull", pass_context=True, retry=_AGAIN)
async def pull_source(context: JobContext, workspace: str, source: str) -> None:
    """Pull the cases of a source that was asked for."""
    async with _counted(context) as services:
        await commcare.pull_as_asked(services, UUID(workspace), UUID(source))
