"""Putting a process together: settings in, parts out. Only this and the command line see everything."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import psycopg
from procrastinate import App

from clarion.errors import Misconfigured, Unavailable
from clarion.flow.dispatch.dispatcher import Dispatcher
from clarion.flow.enroll.watch import Watcher
from clarion.flow.receive import Ear, Receiver
from clarion.flow.services import Services
from clarion.flow.tell.teller import KEPT, PLACES, Teller
from clarion.jobs.tasks import tasks
from clarion.jobs.ticks import Ticks
from clarion.kit import jobs, process
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.http import Http
from clarion.kit.log import logger
from clarion.kit.nudge import Nudges
from clarion.kit.postgres import EmbeddedServer
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings
from clarion.store import schema
from clarion.store.failover import Greeter
from clarion.store.queue import PLANNER

log = logger(__name__)
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class House:
    """A process's parts: what verbs work with, the jobs of the same database, and its nudges."""

    services: Services
    app: App
    nudges: Nudges


def _quiet(_: str) -> None:
    """Nobody watches."""


def embedded(settings: Settings) -> EmbeddedServer:
    """The embedded server of a state folder, not started."""
    return EmbeddedServer(settings.state_dir.absolute())


@asynccontextmanager
async def database(settings: Settings, progress: Progress = _quiet) -> AsyncIterator[str]:
    """The database's URL for the application role; the embedded server is started where none is set.

    The embedded one is migrated at once. A server by URL is migrated by `clarion migrate`, which an
    operator runs: raises Misconfigured when it is behind.
    """
    if settings.database_url is not None:
        try:
            reached = await asyncio.to_thread(schema.current, settings.database_url)
        except psycopg.OperationalError as error:
            raise Unavailable(
                "the database cannot be reached",
                where="CLARION_DATABASE_URL",
                hint="`clarion doctor` says what is wrong with it; a supervisor may try again.",
            ) from error
        if reached != schema.head():
            raise Misconfigured(
                f"the database has schema {reached or 'none'}, this version needs {schema.head()}",
                hint="Run `clarion migrate` once; it is safe beside running workers.",
            )
        yield settings.database_url
        return
    server, done = embedded(settings), threading.Event()
    info = await asyncio.to_thread(server.start, progress)
    try:
        await asyncio.to_thread(_migrate, info.owner_url, progress)
        # A server that was killed is started again by whichever process of the house sees it first.
        threading.Thread(target=server.keep_running, args=(done,), daemon=True).start()
        yield info.app_url
    finally:
        done.set()
        await asyncio.to_thread(server.release)


def _migrate(url: str, progress: Progress) -> None:
    if schema.current(url) != schema.head():
        from clarion.store import migrate  # slow to load, and seldom needed

        migrate.upgrade(url, progress)


@asynccontextmanager
async def house(
    settings: Settings, *, progress: Progress = _quiet, clock: Clock | None = None, name: str = "clarion"
) -> AsyncIterator[House]:
    """Everything that a command or the API works with. Raises Unavailable, Misconfigured."""
    async with (
        database(settings, progress) as url,
        Database(url, size=settings.database_pool, name=name, greet=Greeter(clock or Clock())) as db,
    ):
        await db.wait_ready()
        app = jobs.app(url, tasks)
        nudges = Nudges(db)
        services = Services(
            db, clock or Clock(), settings, SecretBox.from_settings(settings), defer=partial(jobs.defer, app),
            nudge=nudges.send,
        )  # fmt: skip
        passing_on = asyncio.create_task(nudges.pass_on())
        try:
            async with app.open_async():
                yield House(services, app, nudges)
        finally:
            passing_on.cancel()


async def work(house: House, stop: asyncio.Event) -> None:
    """Be a worker until `stop`: dispatch, receive, jobs and ticks, supervised together.

    When one of them fails the others are drained and the failure is raised, so that the process's
    supervisor starts it anew: a worker half alive would be worse than none.
    """
    settings = house.services.settings
    process.settle_memory()
    dispatch_db = Database(
        house.services.db.url, size=settings.database_pool, name="clarion dispatch", planner=PLANNER,
        greet=Greeter(house.services.clock),
    )  # fmt: skip
    async with (
        dispatch_db as db,
        Http(connections=settings.max_in_flight * 2, allow_private=settings.allow_private_addresses) as http,
        # of its own, so that slow subscribers keep no connection from a provider's call
        Http(
            connections=PLACES * 2, keepalive=KEPT, allow_private=settings.allow_private_addresses
        ) as outward,
    ):
        hot = Services(
            db, house.services.clock, settings, house.services.box, house.services.metrics,
            nudge=house.nudges.send, listening=house.services.listening,
        )  # fmt: skip
        # what providers tell over connections of ours is stored as the API stores calls to our hooks
        dispatcher, receiver = Dispatcher(hot, http, Ear(house.services).hear), Receiver(hot)
        watcher = Watcher(house.services)
        house.nudges.on("due", lambda _: dispatcher.wake())
        house.nudges.on("inbox", lambda _: receiver.wake())
        house.nudges.on("freed", dispatcher.freed)
        house.nudges.on("cases", lambda _: watcher.wake())
        parts = {
            "dispatch": asyncio.create_task(dispatcher.run()),
            "receive": asyncio.create_task(receiver.run(stop)),
            "tell": asyncio.create_task(Teller(house.services, outward).run(stop)),
            "follow": asyncio.create_task(watcher.run(stop)),
            "ticks": asyncio.create_task(Ticks(house.services, house.app, http).run(stop)),
            "jobs": asyncio.create_task(
                jobs.work(
                    house.app, concurrency=settings.job_concurrency, context={"services": house.services},
                    stop=stop, drain=settings.drain,
                )
            ),
        }  # fmt: skip
        hearing = asyncio.create_task(house.nudges.listen())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({stopped, *parts.values()}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            failed = [name for name, task in parts.items() if task.done()]
            log.error("a part of the worker ended; the worker leaves", parts=failed)
        stop.set()
        dispatcher.stop()
        results = await asyncio.gather(*parts.values(), return_exceptions=True)
        stopped.cancel()
        hearing.cancel()
        for result in results:
            if isinstance(result, Exception):
                raise result
