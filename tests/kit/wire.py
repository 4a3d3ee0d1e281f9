"""The other end of a connection, byte by byte: servers that answer well, badly, late or not at all."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answer(status: int, body: bytes, *headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came over the wire. Header names are lower-case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Line:
    """One connection, seen from the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    wire: Wire

    async def request(self) -> Request:
        """The next request, whole; it is written down. Raises IncompleteReadError when none comes."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *rest = head.split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest if line)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(method, path, headers, body)
        self.wire.requests.append(request)
        return request

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Cut the connection with RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@dataclass
class Wire:
    """A server: its address, and all requests that reached it."""

    host: str = "127.0.0.1"
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@asynccontextmanager
async def wire(
    behave: Callable[[Line], Awaitable[None]], ssl: SSLContext | None = None
) -> AsyncIterator[Wire]:
    """Serve on loopback; every connection behaves so, and is closed afterwards."""
    made = Wire()
    lines: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.connections += 1
        task = asyncio.current_task()
        assert task is not None
        lines.add(task)
        try:
            await behave(Line(reader, writer, made))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the caller went away, or the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(serve, made.host, 0, ssl=ssl)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)


def always(reply: bytes) -> Callable[[Line], Awaitable[None]]:
    """Answer every request of a connection so, and keep it open."""

    async def behave(line: Line) -> None:
        while True:
            await line.request()
            await line.say(reply)

    return behave
