"""Jobs across machines: Procrastinate on the same database, for housekeeping only.

It carries imports, expansions and ticks. It is neither a lock nor a fence, and one of its jobs is
never one message (docs/decisions/not-one-job-a-message.md). Jobs carry identifiers, nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

from procrastinate import App, Blueprint, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.worker import Worker
from psycopg.conninfo import make_conninfo

from clarion.kit.db import Connection, become_app
from clarion.kit.log import logger

FETCH_EVERY = 2.0  # seconds; NOTIFY wakes it sooner
STALLED_AFTER = 20.0
log = logger(__name__)


def app(url: str, tasks: Blueprint) -> App:
    """The job application on a database, not yet open (`async with app.open_async()`)."""
    made = App(
        connector=PsycopgConnector(
            conninfo=make_conninfo(url, application_name="clarion jobs"),
            configure=become_app,
            min_size=1,
            max_size=4,
        )
    )
    made.add_tasks_from(tasks, namespace="clarion")
    return made


async def defer(
    app: App, task: str, arguments: Mapping[str, Any], *, once: str, connection: Connection | None = None
) -> bool:
    """Ask for a job, inside `connection`'s transaction where one is given.

    `once` names it: while one of that name waits, another is not added (False).
    """
    if connection is not None:
        # AlreadyEnqueued aborts the transaction that it comes in, so ask in a savepoint.
        with suppress(AlreadyEnqueued):
            async with connection.transaction():
                await app.configure_task(
                    f"clarion:{task}", queueing_lock=once, connection=connection
                ).defer_async(**arguments)
            return True
        return False
    try:
        await app.configure_task(f"clarion:{task}", queueing_lock=once).defer_async(**arguments)
    except AlreadyEnqueued:
        return False
    return True


async def work(
    app: App, *, concurrency: int, context: Mapping[str, Any], stop: asyncio.Event, drain: float
) -> None:
    """Run jobs until `stop`, then give those under way `drain` seconds. Raises what the worker raises."""
    worker = Worker(
        app,
        concurrency=concurrency,
        install_signal_handlers=False,
        fetch_job_polling_interval=FETCH_EVERY,
        shutdown_graceful_timeout=drain,
        update_heartbeat_interval=5.0,
        stalled_worker_timeout=STALLED_AFTER,
        delete_jobs="successful",
        additional_context=dict(context),
    )
    run: Callable[[], Coroutine[Any, Any, None]] = worker.run
    end: Callable[[], None] = worker.stop
    running = asyncio.create_task(run())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    # Not by cancelling it: a cancellation that meets it while it registers is lost, and it works on.
    end()
    await running


async def sweep(app: App) -> int:
    """Put jobs of workers that died back into line; returns how many."""
    stalled = list(await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER))
    for job in stalled:
        await app.job_manager.retry_job(job)
        log.warning("a job's worker died; it runs again", task=job.task_name, job=job.id)
    return len(stalled)
