"""`clarion worker` and `clarion serve`: the processes that stay."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Annotated

import typer

from clarion import wiring
from clarion.kit import log
from clarion.settings import Settings, settings


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(worker)


def on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT ask to stop; a second one of them ends at once."""
    loop = asyncio.get_running_loop()

    def ask() -> None:
        if stop.is_set():
            sys.exit(130)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)


def run(coroutine: object) -> None:
    """Run a coroutine on uvloop where there is one."""
    import uvloop

    uvloop.run(coroutine)  # type: ignore[arg-type]


def worker(
    concurrency: Annotated[int | None, typer.Option(help="Housekeeping jobs at once.")] = None,
) -> None:
    """Send what is due, read what comes in, do the jobs. Start as many as wanted, on any machine.

    SIGTERM drains: no further call begins, those under way end, then the process exits.
    """
    chosen = settings()
    if concurrency is not None:
        chosen = chosen.model_copy(update={"job_concurrency": concurrency})
    log.configure(chosen.log_format, chosen.log_level)
    run(_work(chosen))


async def _work(chosen: Settings) -> None:
    stop = asyncio.Event()
    on_signals(stop)
    async with wiring.house(chosen, name="clarion worker") as house:
        await wiring.work(house, stop)
