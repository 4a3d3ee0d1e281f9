"""The jobs: each parses identifiers and calls one verb."""

from __future__ import annotations

from uuid import UUID

from procrastinate import Blueprint, JobContext, RetryStrategy

from clarion.errors import Unavailable
from clarion.flow import announce, fire, ingest
from clarion.flow.services import Services

tasks = Blueprint()


def _services(context: JobContext) -> Services:
    services: Services = context.additional_context["services"]
    return services


@tasks.task(name="fire", pass_context=True)
async def fire_run(context: JobContext, workspace: str, run: str) -> None:
    """Expand a run whose moment has come."""
    await fire.fire(_services(context), UUID(workspace), UUID(run))


# A file is on one machine only: whoever takes the job elsewhere gives it back, until the right one has it.
_ELSEWHERE = RetryStrategy(wait=2, retry_exceptions=(Unavailable,))


@tasks.task(name="ingest", pass_context=True, retry=_ELSEWHERE)
async def ingest_file(context: JobContext, workspace: str, file: str) -> None:
    """Read a file of people that was handed in."""
    await ingest.ingest(_services(context), UUID(workspace), UUID(file))


@tasks.task(name="withdraw", pass_context=True)
async def withdraw_cancelled(context: JobContext, workspace: str, campaign: str) -> None:
    """End what still waits of a campaign that was cancelled."""
    await announce.withdraw_cancelled(_services(context), UUID(workspace), UUID(campaign))
