"""An SMSC that does as it is told, one PDU at a time: what it got is kept as it came."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

BIND, SUBMIT, DELIVER, UNBIND, ENQUIRE, RESPONSE = 0x09, 0x04, 0x05, 0x06, 0x15, 0x80000000


def pdu(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    return struct.pack("!IIII", 16 + len(body), command, status, sequence) + body


@dataclass(frozen=True)
class Got:
    """One PDU that came."""

    command: int
    status: int
    sequence: int
    body: bytes

    def answer(self, status: int = 0, body: bytes = b"") -> bytes:
        return pdu(self.command | RESPONSE, status, self.sequence, body)

    def named(self, name: str) -> bytes:
        """Taken, under this name."""
        return self.answer(0, name.encode() + b"\0")


Reply = Callable[[Got, "Smsc"], Awaitable[bytes | None]]


async def takes(got: Got, smsc: Smsc) -> bytes | None:
    """Takes everything."""
    return got.named(f"m{len(smsc.of(SUBMIT))}")


def in_turn(*statuses: int | bytes | None) -> Reply:
    """The answers to one submit_sm after the other: a status (0: taken), a whole PDU's body, or none."""
    left = list(statuses)

    async def reply(got: Got, smsc: Smsc) -> bytes | None:
        next_one = left.pop(0) if left else 0
        if next_one is None:
            return None
        if isinstance(next_one, bytes):
            return got.answer(0, next_one)
        return got.answer(next_one) if next_one else await takes(got, smsc)

    return reply


@dataclass
class Smsc:
    """Listens on loopback. `submit` answers each submit_sm, `bind` is the status of each bind in turn."""

    submit: Reply = takes
    bind: Sequence[int] = ()
    enquire: bool = True
    got: list[Got] = field(default_factory=list)
    url: str = ""
    most_open: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _binds: int = 0
    _open: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def of(self, command: int) -> list[Got]:
        return [one for one in self.got if one.command == command]

    async def until(self, command: int, count: int = 1) -> list[Got]:
        """Wait until so many have come."""
        while len(self.of(command)) < count:
            self._news.clear()
            await self._news.wait()
        return self.of(command)

    def say(self, raw: bytes) -> None:
        """Over the newest connection."""
        self._writers[-1].write(raw)

    def hang_up(self) -> None:
        self._writers[-1].close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        answering: set[asyncio.Task[None]] = set()
        try:
            while True:
                head = await reader.readexactly(16)
                length, command, status, sequence = struct.unpack("!IIII", head)
                got = Got(command, status, sequence, await reader.readexactly(length - 16))
                self.got.append(got)
                self._news.set()
                task = asyncio.create_task(self._answer(got, writer))
                answering.add(task)
                task.add_done_callback(answering.discard)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            for task in answering:
                task.cancel()
            writer.close()

    async def _answer(self, got: Got, writer: asyncio.StreamWriter) -> None:
        raw: bytes | None = None
        if got.command == BIND:
            self._binds += 1
            status = self.bind[self._binds - 1] if self._binds <= len(self.bind) else 0
            raw = got.answer(status, b"" if status else b"smsc\0")
        elif got.command == SUBMIT:
            self._open += 1
            self.most_open = max(self.most_open, self._open)
            raw = await self.submit(got, self)
            self._open -= 1
        elif got.command == UNBIND or (got.command == ENQUIRE and self.enquire):
            raw = got.answer()
        if raw is not None:
            writer.write(raw)


@asynccontextmanager
async def smsc(
    submit: Reply = takes,
    bind: Sequence[int] = (),
    *,
    enquire: bool = True,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Smsc]:
    one = Smsc(submit, bind, enquire)
    server = await asyncio.start_server(one._serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    one.url = f"smpp://127.0.0.1:{port}"
    try:
        yield one
    finally:
        server.close()
        for writer in one._writers:
            writer.close()
