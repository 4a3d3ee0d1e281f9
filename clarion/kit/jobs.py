"""Jobs across machines: Procrastinate on the same database, for housekeeping only.

It carries imports, expansions and ticks. It is neither a lock nor a fence, and one of its jobs is
never one message (docs/decisions/not-one-job-a-message.md). Jobs carry identifiers, nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import copy
from typing import Any

from procrastinate import App, Blueprint, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.worker import Worker
from psycopg.errors import RaiseException

from clarion.kit.db import AWAY, TRY_FOR, WAIT_FOR_ONE, Connection, become_app, conninfo
from clarion.kit.log import logger

FETCH_EVERY = 2.0  # seconds; NOTIFY wakes it sooner
STALLED_AFTER = 20.0
BACK_AFTER = 1.0  # seconds between two looks whether the database is back
log = logger(__name__)


def app(url: str, tasks: Blueprint) -> App:
    """The job application on a database, not yet open (`async with app.open_async()`)."""
    made = App(
        connector=PsycopgConnector(
            conninfo=conninfo(url, "clarion jobs"),
            configure=become_app,
            min_size=1,
            max_size=4,
            timeout=WAIT_FOR_ONE,
            reconnect_timeout=TRY_FOR,
        )
    )
    own = copy(tasks)  # adding them renames them, and another application may be made of the same ones
    own.tasks = {name: copy(task) for name, task in tasks.tasks.items()}
    made.add_tasks_from(own, namespace="clarion")
    return made


async def defer(
    app: App, task: str, arguments: Mapping[str, Any], *, once: str, connection: Connection | None = None
) -> bool:
    """Ask for a job, inside `connection`'s transaction where one is given.

    `once` names it: while one of that name waits, another is not added (False). Raises `kit.db.AWAY`.
    """
    with _as_away():
        return await _defer(app, task, arguments, once, connection)


async def _defer(
    app: App, task: str, arguments: Mapping[str, Any], once: str, connection: Connection | None
) -> bool:
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
    """Run jobs until `stop`, then give those under way `drain` seconds.

    Procrastinate's worker ends when it loses the database; here another takes its place, for as long as
    that lasts. Raises what else a worker raises.
    """
    while not stop.is_set():
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
        try:
            with _as_away():
                await _until(worker, stop)
        except AWAY as error:
            log.warning("jobs wait for the database", error=type(error).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), BACK_AFTER)


async def _until(worker: Worker, stop: asyncio.Event) -> None:
    """Run a worker until `stop`, or until it ends by itself."""
    run: Callable[[], Coroutine[Any, Any, None]] = worker.run
    end: Callable[[], None] = worker.stop
    running = asyncio.create_task(run())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    # Not by cancelling it: a cancellation that meets it while it registers is lost, and it works on.
    end()
    await running


@contextmanager
def _as_away() -> Iterator[None]:
    """A database that is away is told as everywhere else, and not as a fault of Procrastinate's."""
    try:
        yield
    except ConnectorException as error:
        if isinstance(error.__cause__, AWAY):
            raise error.__cause__ from error
        raise


async def sweep(app: App) -> int:
    """Put jobs of workers that died back into line; returns how many. Raises `kit.db.AWAY`.

    Several workers may do it at once: a job that another put back first is left to it.
    """
    again = 0
    with _as_away():
        for job in list(await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER)):
            with _unless_another_was_first():
                again += await _again(app, job)
    return again


async def _again(app: App, job: Job) -> bool:
    """Put a job back; False where another of its name waits by now, which does the same."""
    try:
        await app.job_manager.retry_job(job)
    except UniqueViolation:
        await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
        return False
    log.warning("a job's worker died; it runs again", task=job.task_name, job=job.id)
    return True


@contextmanager
def _unless_another_was_first() -> Iterator[None]:
    # "Job was not found or not in "doing" status": its function raises that and nothing else
    try:
        yield
    except ConnectorException as error:
        if not isinstance(error.__cause__, RaiseException):
            raise
