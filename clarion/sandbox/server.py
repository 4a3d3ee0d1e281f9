"""A small HTTP/1.1 server: one asyncio protocol, no framework, because a benchmark shares two cores with it.

What makes it cheap: a client that keeps a connection alive sends the same head again and again, so a
parsed head (method, path, headers, and the handler that was found for it) is remembered by its bytes.
A message then costs one dictionary look-up, the handler, and one write. A head seen for the first time
is parsed by httptools, and so is every chunked body.

A handler takes the Exchange and returns the whole response as bytes, or None when it will answer later
by `exchange.answer`, or never (`exchange.hang_up`, `reset`, `half_close`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import cast

import httptools

from clarion.sandbox.closing import Closing
from clarion.sandbox.head import REASONS, Collector, Head, Route, parse_head, response

MAX_HEAD = 64 * 1024
MAX_REMEMBERED_HEADS = 4096


class Server:
    """What all connections share: the route, the remembered heads, the limits, the open connections."""

    def __init__(self, route: Route, *, keep_alive: float = 75.0, max_body: int = 1_048_576) -> None:
        self.route = route
        self.keep_alive = keep_alive
        self.max_body = max_body
        self.heads: dict[bytes, Head] = {}
        self.connections: set[Exchange] = set()
        self.loop = asyncio.get_running_loop()
        self._sweeper = self.loop.call_later(1.0, self._sweep)

    def head(self, raw: bytes) -> Head:
        """The parsed head of these bytes, with its handler; remembered unless it asks for one thing."""
        head = parse_head(raw)
        head.handler = self.route(head)
        if head.query:
            return head
        if len(self.heads) >= MAX_REMEMBERED_HEADS:
            self.heads.clear()
        self.heads[raw] = head
        return head

    def forget_heads(self) -> None:
        """Settings changed: whatever was decided for a head (its token, its number) is decided again."""
        self.heads.clear()

    def protocol(self) -> Exchange:
        return Exchange(self)

    def _sweep(self) -> None:
        oldest = self.loop.time() - self.keep_alive
        for connection in [c for c in self.connections if not c.busy and c.since < oldest]:
            connection.hang_up()
        self._sweeper = self.loop.call_later(min(1.0, self.keep_alive / 4), self._sweep)

    def retime(self) -> None:
        """Look at idle connections now: the keep-alive time has changed."""
        self._sweeper.cancel()
        self._sweep()

    def close(self) -> None:
        self._sweeper.cancel()
        for connection in list(self.connections):
            connection.hang_up()


class Exchange(Closing):
    """One connection, and the one request that is being answered on it (no pipelining: the next waits)."""

    __slots__ = ("_buffer", "_chunks", "_draining", "_ended", "_parser", "body", "busy", "gone", "head",
                 "server", "since")  # fmt: skip

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server
        self.head: Head = Head()
        self.body = b""
        self.busy = False
        self.gone = False
        self.since = 0.0
        self._ended = False
        self._buffer = bytearray()
        self._parser: httptools.HttpRequestParser | None = None
        self._chunks: Collector | None = None
        self._draining: asyncio.Event | None = None

    # --- called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self.since = self.server.loop.time()
        self.server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.server.connections.discard(self)
        if self._draining is not None:
            self._draining.set()

    def data_received(self, data: bytes) -> None:
        if self.gone:
            return
        if not self.busy and not self._buffer and self._chunks is None:
            end = data.find(b"\r\n\r\n")
            head = self.server.heads.get(data[:end]) if end > 0 else None
            # The common case: a head seen before, with its whole body in the same read.
            if head is not None and not head.chunked and len(data) == end + 4 + head.length:
                self._serve(head, data[end + 4 :])
                return
        self._buffer += data
        if self.busy and len(self._buffer) > MAX_HEAD + self.server.max_body:
            self.hang_up()
        self._advance()

    def eof_received(self) -> bool:
        # A caller that shuts its sending side may still read the answer; one that is idle has left.
        self._ended = True
        return self.busy

    def pause_writing(self) -> None:
        self._draining = asyncio.Event()

    def resume_writing(self) -> None:
        if self._draining is not None:
            self._draining.set()
            self._draining = None

    # --- for handlers

    def answer(self, raw: bytes) -> None:
        """Write the response that a handler put off; nothing happens if the caller has gone."""
        if self.gone or self.transport is None:
            return
        self.transport.write(raw)
        self.busy = False
        self.since = self.server.loop.time()
        if self._ended or not self.head.keep_alive:
            self.transport.close()
        elif self._buffer:
            self._advance()

    async def stream(self, content_type: str, parts: Iterable[bytes]) -> None:
        """Answer 200 with a chunked body, never further ahead than the caller reads."""
        if self.transport is None:
            return
        self.transport.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        for part in parts:
            if self.gone:
                return
            if part:
                self.transport.write(b"%x\r\n%b\r\n" % (len(part), part))
            if self._draining is not None:
                await self._draining.wait()
            else:
                await asyncio.sleep(0)
        self.answer(b"0\r\n\r\n")

    def half_close(self) -> None:
        """Close only our sending side; nothing that still comes is answered."""
        super().half_close()
        self.gone, self.busy = True, False

    # --- inside

    def _serve(self, head: Head, body: bytes) -> None:
        self.head = head
        self.body = body
        self.busy = True
        handler = head.handler
        assert handler is not None
        raw = handler(self)
        if raw is not None:
            self.answer(raw)

    def _advance(self) -> None:
        """Take the next whole request out of the buffer, if there is one."""
        if self.busy:
            return
        if self._chunks is not None:
            self._feed_chunks()
            return
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                self._refuse(431)
            return
        raw = bytes(self._buffer[:end])
        try:
            head = self.server.heads.get(raw) or self.server.head(raw)
        except ValueError:
            self._refuse(400)
            return
        if head.length > self.server.max_body:
            self._refuse(413)
        elif head.chunked:
            self._begin_chunks(head)
        else:
            self._take_body(head, end + 4)

    def _take_body(self, head: Head, start: int) -> None:
        stop = start + head.length
        if len(self._buffer) >= stop:
            body = bytes(self._buffer[start:stop])
            del self._buffer[:stop]
            self._serve(head, body)
        elif head.expects_continue and len(self._buffer) == start and self.transport is not None:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _begin_chunks(self, head: Head) -> None:
        self.head = head
        self._chunks = Collector()
        self._parser = httptools.HttpRequestParser(self._chunks)
        if head.expects_continue and self.transport is not None:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._feed_chunks()

    def _feed_chunks(self) -> None:
        assert self._chunks is not None
        assert self._parser is not None
        data = bytes(self._buffer)
        self._buffer.clear()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(400)
            return
        if len(self._chunks.body) > self.server.max_body:
            self._refuse(413)
        elif self._chunks.complete:
            body = bytes(self._chunks.body)
            self._chunks = self._parser = None
            self._serve(self.head, body)

    def _refuse(self, status: int) -> None:
        if self.transport is not None:
            reason = REASONS[status].encode()
            self.transport.write(response(status, reason, "text/plain", [("Connection", "close")]))
            self.transport.close()
