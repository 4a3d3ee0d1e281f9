"""The API on a socket: uvicorn inside our own loop, with our own signals and our own logs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI

from clarion.api.app import create_app
from clarion.errors import Misconfigured
from clarion.flow.services import Services

BACKLOG = 2048
LAST_REQUESTS = 10  # seconds that requests under way have to end


@contextlib.contextmanager
def listen(host: str, port: int, option: str = "--port") -> Iterator[socket.socket]:
    """A listening socket; port 0 takes a free one. Raises Misconfigured where that cannot be.

    `option` is how the port was chosen, for what is told then.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise Misconfigured(
            f"{host} is no address of this machine: {error.strerror}", where="--host"
        ) from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(BACKLOG)
        except OSError as error:
            raise Misconfigured(
                f"cannot listen on {host} port {port}: {error.strerror}",
                where=option,
                hint=f"Is Clarion running there already? Choose another with {option}, or 0 for a free one.",
            ) from error
        yield listener


class _Uvicorn(uvicorn.Server):
    """It leaves the process's signals to us, and lets others wait until it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class ApiServer:
    """The API of a process, or a smaller `app`. `run` until `stop`."""

    def __init__(self, services: Services, listener: socket.socket, app: FastAPI | None = None) -> None:
        self._listener = listener
        self._server = _Uvicorn(
            uvicorn.Config(
                app or create_app(services), log_config=None, access_log=False, server_header=False,
                timeout_graceful_shutdown=LAST_REQUESTS,
            )
        )  # fmt: skip

    @property
    def url(self) -> str:
        """Where it is reached from this machine."""
        address: Any = self._listener.getsockname()
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(address[0], address[0])  # noqa: S104
        shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"http://{shown}:{address[1]}"

    async def run(self) -> None:
        """Serve until stopped."""
        await self._server.serve(sockets=[self._listener])

    async def listening(self) -> None:
        """Wait until requests are taken."""
        await self._server.ready.wait()

    def stop(self) -> None:
        """Take no further request; `run` ends when those under way have ended."""
        self._server.should_exit = True
