"""`clarion jobs` and `clarion workers`: the housekeeping, and who does it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from clarion.cli import options, place, terminal
from clarion.cli.commands import group, single
from clarion.flow.crew import Member, Standing, crew
from clarion.store import job as store_jobs

app = group(
    "Housekeeping jobs (imports, expansions of audiences): list, retry. Messages are no jobs.",
    ["clarion jobs list", "clarion jobs retry 17"],
)
workers_app = single()
HERE = (Standing.ALIVE, Standing.SILENT, Standing.SUSPECT_CLOCK)


class State(StrEnum):
    """Where a job is, in Procrastinate's words."""

    TODO = "todo"
    DOING = "doing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABORTED = "aborted"


@app.command("list")
def listed(
    state: Annotated[State | None, typer.Option(help="Only these.")] = None,
    limit: options.Limit = 100,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """List jobs, newest first. Those that succeeded are forgotten."""
    place.run(_list(None if state is None else state.value, limit, workspace, json))


async def _list(state: str | None, limit: int, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await store_jobs.page(connection, state=state, limit=limit)
    if json:
        terminal.json(found)
        return
    terminal.table(
        ("id", "job", "state", "tries", "asked", "about"),
        (
            (
                str(job["id"]), job["task"], job["state"], job["tries"],
                terminal.moment(job["asked_at"], here.zone),
                " ".join(f"{name} {value}" for name, value in job["about"].items()),
            )
            for job in found
        ),
        numbers=("tries",),
    )  # fmt: skip


@app.command()
def retry(
    job: Annotated[int, typer.Argument(min=1, help="Its id.")],
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Run a failed job again. A job that is run twice changes nothing the second time."""
    place.run(_retry(job, workspace, json))


async def _retry(job: int, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        await store_jobs.retry(connection, job, here.now())
        found = await store_jobs.get(connection, job)
    if json:
        terminal.json(found)
        return
    terminal.say("It runs again as soon as a worker is free.")


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
        now = house.services.clock.now()
        found = [one for one in await crew(house.services) if everything or one.standing in HERE]
    if json:
        terminal.json([_plain(one) for one in found])
        return
    terminal.table(
        ("id", "host", "pid", "version", "state", "channels", "in flight", "seen"),
        (
            (
                one.worker.id, one.worker.host, str(one.worker.pid), one.worker.version,
                Text(one.standing, style="green" if one.standing is Standing.ALIVE else "yellow"),
                one.worker.state.get("channels", 0), one.worker.state.get("in_flight", 0),
                f"{terminal.ago(now - one.worker.seen_at)} ago",
            )
            for one in found
        ),
        numbers=("channels", "in flight"),
    )  # fmt: skip
    if not found:
        terminal.say("No worker is running: `clarion serve` or `clarion worker` starts one.")


def _plain(one: Member) -> dict[str, Any]:
    names = ("id", "host", "pid", "version", "started_at", "seen_at", "stopped_at")
    told = {name: getattr(one.worker, name) for name in names}
    return {**one.worker.state, **told, "state": one.standing}
