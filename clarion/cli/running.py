"""`clarion serve` and `clarion worker`: the processes that stay."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import typer

from clarion import wiring
from clarion.api.health import small_app
from clarion.cli import place, terminal
from clarion.cli.commands import single
from clarion.cli.listening import ApiServer, listen
from clarion.cli.signals import on_end_of_stdin, on_signals
from clarion.kit import log, process
from clarion.settings import Settings

serve_app = single()
worker_app = single()

EndWithStdin = Annotated[
    bool, typer.Option("--end-with-stdin", hidden=True, help="End when the standard input ends.")
]
Concurrency = Annotated[int | None, typer.Option(min=1, help="Housekeeping jobs at once.", show_default="4")]


HealthPort = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65_535,
        help="Serve /healthz, /readyz and /metrics there, on this machine alone unless CLARION_HOST says "
        "otherwise; 0 takes a free port.",
        show_default="CLARION_HEALTH_PORT, else no port",
    ),
]


@worker_app.command()
def worker(
    concurrency: Concurrency = None, health_port: HealthPort = None, end_with_stdin: EndWithStdin = False
) -> None:
    """Send what is due, read what comes in, do the jobs. Start as many as wanted, on any machine.

    SIGTERM drains: no further call begins, those under way end, then the process exits (within
    CLARION_DRAIN seconds and a little). A worker that loses the database comes back by itself, or exits
    to be started anew by its supervisor.

    [dim]$[/] clarion worker
    [dim]$[/] clarion worker --health-port 9601
    [dim]$[/] CLARION_DATABASE_URL=postgresql://clarion_app:…@db/clarion clarion worker --concurrency 8
    """
    present = _settings(concurrency)
    if health_port is not None:
        present = present.model_copy(update={"health_port": health_port})
    place.run(_work(present, end_with_stdin), logs_to_file=False)


@serve_app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.", show_default="8600")
    ] = None,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="The API alone; workers run elsewhere.")
    ] = False,
    concurrency: Concurrency = None,
) -> None:
    """Serve the API, with a worker inside unless told otherwise.

    Listens on this machine alone by default; put a reverse proxy with TLS in front to be reached from
    elsewhere, and set CLARION_PUBLIC_URL to the address that providers call. SIGTERM ends requests and
    calls under way in order.

    [dim]$[/] clarion serve
    [dim]$[/] clarion serve --port 9000 --no-worker
    """
    present = _settings(concurrency)
    change = {"host": host, "port": port}
    present = present.model_copy(update={name: value for name, value in change.items() if value is not None})
    place.run(_serve(present, with_worker=not no_worker), logs_to_file=False)


def _settings(concurrency: int | None) -> Settings:
    present = place.chosen()
    if concurrency is not None:
        present = present.model_copy(update={"job_concurrency": concurrency})
    log.configure(present.log_format, present.log_level)
    return present


async def _work(present: Settings, end_with_stdin: bool) -> None:
    stop = asyncio.Event()
    on_signals(stop)
    if end_with_stdin:
        on_end_of_stdin(stop.set)
    with _listening(present) as listener:
        async with wiring.house(present, progress=terminal.say, name="clarion worker") as house:
            if listener is None:
                await wiring.work(house, stop)
            else:
                await _work_and_tell(house, listener, stop)


def _listening(present: Settings) -> AbstractContextManager[socket.socket | None]:
    if present.health_port is None:
        return nullcontext()
    return listen(present.host, present.health_port, "--health-port")


async def _work_and_tell(house: wiring.House, listener: socket.socket, stop: asyncio.Event) -> None:
    """Work until `stop`, and answer about it until the work has ended."""
    server = ApiServer(house.services, listener, small_app(house.services, stop))
    telling = asyncio.create_task(server.run())
    working = asyncio.create_task(wiring.work(house, stop))
    await server.listening()
    terminal.say(f"The worker's health and metrics: {server.url}/metrics")
    await asyncio.wait({working, telling}, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await asyncio.wait({working})
    server.stop()
    await finish([working, telling])


async def _serve(present: Settings, *, with_worker: bool) -> None:
    stop = asyncio.Event()
    on_signals(stop)
    with listen(present.host, present.port) as listener:
        async with wiring.house(present, progress=terminal.say, name="clarion serve") as house:
            server = ApiServer(house.services, listener)
            parts = [asyncio.create_task(server.run())]
            if with_worker:
                parts.append(asyncio.create_task(wiring.work(house, stop)))
            await server.listening()
            process.settle_memory()
            terminal.say(f"Clarion listens on {server.url} (API docs: {server.url}/docs)")
            await until(stop, parts)
            server.stop()
            await finish(parts)


async def until(stop: asyncio.Event, parts: list[asyncio.Task[None]]) -> None:
    """Wait for the wish to stop, or for a part that ended by itself; then everybody is to stop."""
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({stopped, *parts}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    stop.set()


async def finish(parts: list[asyncio.Task[None]]) -> None:
    """Wait for all parts, and raise what one of them raised."""
    for ended in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended
