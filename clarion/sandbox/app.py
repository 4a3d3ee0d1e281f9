"""A sandbox put together: one world, its providers' twins, the control API, one listening socket."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from clarion.errors import Misconfigured
from clarion.sandbox.calls import Calls
from clarion.sandbox.commcare.endpoints import CommCare
from clarion.sandbox.config import Config, load_config
from clarion.sandbox.control import Control
from clarion.sandbox.dialect import Listening
from clarion.sandbox.head import Handler, Head, response
from clarion.sandbox.journal import Journal
from clarion.sandbox.receipts import Receipts
from clarion.sandbox.record import Record
from clarion.sandbox.roster import load_roster
from clarion.sandbox.server import Server
from clarion.sandbox.twins import twins
from clarion.sandbox.world import World

_FLUSH_EVERY = 0.1
BACKLOG = 4096  # connections of many channels come at once; what overflows would hang until a time-out
_NOT_FOUND = response(404, b'{"error":{"message":"Unknown path","type":"OAuthException","code":2500}}')


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Options:
    """How a sandbox is started. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 0
    config: Path | None = None
    roster: Path | None = None
    record: Path | None = None
    ready_file: Path | None = None
    allow_public: bool = False
    end_with_stdin: bool = False
    announce: Callable[[str], None] = field(default=_say)


def serve(options: Options) -> None:
    """Run a sandbox until SIGTERM or SIGINT. Raises Invalid or Misconfigured before it listens."""
    _check_host(options)
    config = load_config(options.config) if options.config else Config()
    if options.roster is not None:
        config = config.model_copy(update={"roster": [*config.roster, *load_roster(options.roster)]})
    if sys.platform == "win32":
        asyncio.run(_run(options, config))
    else:
        import uvloop

        uvloop.run(_run(options, config))


def _check_host(options: Options) -> None:
    try:
        loopback = options.host == "localhost" or ipaddress.ip_address(options.host).is_loopback
    except ValueError:
        loopback = False
    if not loopback and not options.allow_public:
        raise Misconfigured(
            f"{options.host} is not a loopback address, and a sandbox obeys whoever reaches it",
            where="--host",
            hint="listen on 127.0.0.1, or say --allow-public if this network is yours alone",
        )


def _listen(options: Options, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, port))
    except OSError as error:
        raise Misconfigured(
            f"cannot listen on {options.host} port {port}: {error.strerror}", where="--port"
        ) from error
    listener.listen(BACKLOG)
    return listener


async def _run(options: Options, config: Config) -> None:
    loop = asyncio.get_running_loop()
    record = Record()
    journal = Journal(options.record, record) if options.record else None
    world = World(config, record, journal)
    providers = twins(world)
    receipts = Receipts(world, providers)
    calls = Calls(world, receipts)
    for twin in providers.values():
        twin.serve(calls)
    commcare = CommCare(world)
    routes: list[Callable[[Head], Handler | None]] = [twin.route for twin in providers.values()]
    routes.append(commcare.route)

    def route(head: Head) -> Handler:
        for find in routes:
            handler = find(head)
            if handler is not None:
                return handler
        return lambda _exchange: _NOT_FOUND

    server = Server(route, keep_alive=config.keep_alive)
    routes.append(Control(world, receipts, server, commcare.controls).route)
    listener = await loop.create_server(server.protocol, sock=_listen(options, options.port), backlog=BACKLOG)
    world.addresses["http"] = _address(options, "http", listener)
    others = [await _also(options, world, twin) for twin in providers.values() if isinstance(twin, Listening)]
    _announce(options, world, listener.sockets[0].getsockname()[1])
    ended = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ended.set)
    if options.end_with_stdin:
        loop.add_reader(sys.stdin.fileno(), _end_at_eof, ended)
    # The record is not made of objects that the collector follows; what is here now stays for ever.
    gc.freeze()
    try:
        await _until(ended, journal)
    finally:
        for one in (listener, *others):
            one.close()
        server.close()
        await receipts.close()
        await commcare.close()
        if journal is not None:
            journal.close()


def _end_at_eof(ended: asyncio.Event) -> None:
    """Whoever started us holds the other end of our stdin: when they die, however, we end too."""
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        ended.set()


async def _until(ended: asyncio.Event, journal: Journal | None) -> None:
    while not ended.is_set():
        try:
            await asyncio.wait_for(ended.wait(), _FLUSH_EVERY if journal else None)
        except TimeoutError:
            if journal is not None:
                journal.flush()


async def _also(options: Options, world: World, twin: Listening) -> asyncio.Server:
    """Listen for a twin of another protocol, on a free port."""
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(twin.connection, sock=_listen(options, 0), backlog=BACKLOG)
    world.addresses[twin.protocol] = _address(options, twin.protocol, listener)
    return listener


def _address(options: Options, protocol: str, listener: asyncio.Server) -> str:
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"{protocol}://{host}:{listener.sockets[0].getsockname()[1]}"


def _announce(options: Options, world: World, port: int) -> None:
    """Say where the sandbox listens: one JSON line, and the same in the ready file, written whole at once."""
    others = {name: address for name, address in world.addresses.items() if name != "http"}
    said = {"url": world.addresses["http"], "host": options.host, "port": port, **others}
    line = orjson.dumps(said).decode()
    if options.ready_file is not None:
        unready = options.ready_file.with_name(options.ready_file.name + ".new")
        unready.write_text(line + "\n")
        unready.replace(options.ready_file)
    options.announce(line)
