"""The jobs: each parses identifiers and calls one verb."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from procrastinate import Blueprint, JobContext, RetryStrategy

from clarion.errors import Unavailable
from clarion.flow import announce, fire, ingest
from clarion.flow.services import Services

tasks = Blueprint()


@asynccontextmanager
async def _counted(context: JobContext) -> AsyncIterator[Services]:
    """The process's parts for one job, whose outcome is counted: done, failed, unavailable (what it needs
    is not here), interrupted."""
    services: Services = context.additional_context["services"]
    outcome = "interrupted"
    try:
        yield services
        outcome = "done"
    except Exception as error:
        outcome = "unavailable" if isinstance(error, Unavailable) else "failed"
        raise
    finally:
        services.metrics.jobs.labels(context.job.task_name.rpartition(":")[2], outcome).inc()


@tasks.task(name="fire", pass_context=True)
async def fire_run(context: JobContext, workspace: str, run: str) -> None:
    """Expand a run whose moment has come."""
    async with _counted(context) as services:
        await fire.fire(services, UUID(workspace), UUID(run))


# A file is on one machine only: whoever takes the job elsewhere gives it back, until the right one has it.
_ELSEWHERE = RetryStrategy(wait=2, retry_exceptions=(Unavailable,))


@tasks.task(name="ingest", pass_context=True, retry=_ELSEWHERE)
async def ingest_file(context: JobContext, workspace: str, file: str) -> None:
    """Read a file of people that was handed in."""
    async with _counted(context) as services:
        await ingest.ingest(services, UUID(workspace), UUID(file))


@tasks.task(name="withdraw", pass_context=True)
async def withdraw_cancelled(context: JobContext, workspace: str, campaign: str) -> None:
    """End what still waits of a campaign that was cancelled."""
    async with _counted(context) as services:
        await announce.withdraw_cancelled(services, UUID(workspace), UUID(campaign))
