"""The ways in which a provider ends a connection: in order, by a reset, or its own side alone."""

from __future__ import annotations

import asyncio
import socket
import struct


class Closing(asyncio.Protocol):
    """A connection, whatever is spoken on it. Implements that part of dialect.Caller."""

    __slots__ = ("transport",)

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None

    def hang_up(self) -> None:
        """Close in the orderly way (FIN) without an answer."""
        if self.transport is not None:
            self.transport.close()

    def reset(self) -> None:
        """Close with RST: what the caller sees as `connection reset by peer`."""
        if self.transport is not None:
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    def half_close(self) -> None:
        """Close only our sending side: the caller reads an end of file, we keep reading."""
        if self.transport is not None:
            self.transport.write_eof()
