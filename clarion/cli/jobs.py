"""`clarion jobs` and `clarion workers`: the housekeeping, and who does it."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from rich.text import Text

from clarion.cli import options, place, terminal
from clarion.cli.commands import group, single
from clarion.errors import Conflict, NotFound
from clarion.kit import process
from clarion.store import worker as store_workers
from clarion.store.worker import Worker
from clarion.wiring import House

app = group(
    "Housekeeping jobs (imports, expansions of audiences): list, retry. Messages are no jobs.",
    ["clarion jobs list", "clarion jobs retry 17"],
)
workers_app = single()
LATELY = timedelta(hours=1)


class Status(StrEnum):
    """Where a job is."""

    TODO = "todo"
    DOING = "doing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABORTED = "aborted"


@app.command("list")
def listed(
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    limit: options.Limit = 100,
    json: options.Json = False,
) -> None:
    """List jobs of all workspaces, newest first. Those that succeeded are forgotten."""
    place.run(_list(status, limit, json))


async def _list(status: Status | None, limit: int, json: bool) -> None:
    async with place.house() as house:
        found = await house.app.job_manager.list_jobs_async(status=None if status is None else status.value)
    jobs = sorted(found, key=lambda job: job.id or 0, reverse=True)[:limit]
    if json:
        terminal.json([_plain(job) for job in jobs])
        return
    terminal.table(
        ("id", "job", "status", "tries", "about"),
        (
            (str(job.id), job.task_name.removeprefix("clarion:"), job.status, job.attempts, _about(job))
            for job in jobs
        ),
        numbers=("tries",),
    )


@app.command()
def retry(job: Annotated[int, typer.Argument(help="Its id.")]) -> None:
    """Run a failed job again. A job that is run twice changes nothing the second time."""
    place.run(_retry(job))


async def _retry(job_id: int) -> None:
    async with place.house() as house:
        job = await _job(house, job_id)
        if job.status != Status.FAILED:
            raise Conflict(f"job {job_id} is {job.status}: only a failed one is run again")
        try:
            await house.app.job_manager.retry_job_by_id_async(job_id, house.services.clock.now())
        except ConnectorException:  # its name is unique among those that wait
            raise Conflict(
                "the same job waits already", hint="It will be done; there is nothing to retry."
            ) from None
    terminal.say("It runs again as soon as a worker is free.")


async def _job(house: House, job_id: int) -> Job:
    found = list(await house.app.job_manager.list_jobs_async(id=job_id))
    if not found:
        raise NotFound(f"there is no job {job_id}", hint="`clarion jobs list` shows them.")
    return found[0]


@workers_app.command()
def workers(
    everything: Annotated[bool, typer.Option("--all", help="Also those that left in the last hour.")] = False,
    json: options.Json = False,
) -> None:
    """List the workers on all machines: what they hold, when they were last seen.

    [dim]$[/] clarion workers --all
    """
    place.run(_workers(everything, json))


async def _workers(everything: bool, json: bool) -> None:
    async with place.house() as house:
        now, lease = house.services.clock.now(), timedelta(seconds=house.services.settings.lease)
        async with house.services.db.system() as connection:
            found = await store_workers.lately(connection, now - LATELY)
    rows = [(one, _state(one, silent=now - one.seen_at > lease * 2)) for one in found]
    rows = [
        (one, state) for one, state in rows if everything or state in ("alive", "silent", "suspect clock")
    ]
    if json:
        terminal.json([_plain_worker(one, state) for one, state in rows])
        return
    terminal.table(
        ("id", "host", "pid", "version", "state", "channels", "in flight", "seen"),
        (
            (
                one.id, one.host, str(one.pid), one.version,
                Text(state, style="green" if state == "alive" else "yellow"),
                one.state.get("channels", 0), one.state.get("in_flight", 0),
                f"{terminal.ago(now - one.seen_at)} ago",
            )
            for one, state in rows
        ),
        numbers=("channels", "in flight"),
    )  # fmt: skip
    if not rows:
        terminal.say("No worker is running: `clarion serve` or `clarion worker` starts one.")


def _state(one: Worker, *, silent: bool) -> str:
    if one.stopped_at is not None:
        return "left"
    if process.proven_dead(one.host, one.boot, one.pid, one.born):
        return "dead"
    if silent:
        return "silent"
    return "suspect clock" if one.state.get("suspicion") else "alive"


def _plain(job: Job) -> dict[str, Any]:
    return {
        "id": job.id, "job": job.task_name.removeprefix("clarion:"), "status": job.status,
        "tries": job.attempts, "arguments": job.task_kwargs, "scheduled_at": job.scheduled_at,
    }  # fmt: skip


def _plain_worker(one: Worker, state: str) -> dict[str, Any]:
    names = ("id", "host", "pid", "version", "started_at", "seen_at", "stopped_at")
    return {**{name: getattr(one, name) for name in names}, "state": state, **one.state}


def _about(job: Job) -> str:
    return " ".join(f"{name} {value}" for name, value in job.task_kwargs.items())
