"""A network that can be broken in the ways that no provider can be: bytes go in and nothing comes out."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

Mode = Literal["pass", "swallow", "deafen"]


class Proxy:
    """Passes connections on to `url`, from a thread of its own. While it *swallows*, requests vanish and
    their connections stay open; while it *deafens*, requests arrive and their answers vanish."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._there = (parts.hostname or "", parts.port or 80)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.mode: Mode = "pass"
        self.url = ""
        self._writers: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def down(self) -> None:
        """Connections break, and new ones are refused."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)

    def up(self) -> None:
        """At the same address again."""
        self._server = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)

    async def _open(self) -> asyncio.Server:
        port = urlsplit(self.url).port or 0
        return await asyncio.start_server(self._pass_on, "127.0.0.1", port)

    async def _close(self) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_connection(*self._there)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, to_writer}
        # One answer lost is a connection lost: what came after it would be taken for it.
        lost = asyncio.Event()
        await asyncio.gather(
            self._copy(reader, to_writer, "swallow", lost), self._copy(to_reader, writer, "deafen", lost)
        )

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost_in: Mode, lost: asyncio.Event
    ) -> None:
        try:
            while data := await reader.read(65536):
                if self.mode == lost_in:
                    lost.set()
                if not lost.is_set():
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
            self._writers.discard(writer)
