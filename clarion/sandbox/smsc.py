"""An SMSC's side of one connection (SMPP 3.4), for the twin that decides what it takes."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from typing import Protocol, cast

from clarion.sandbox.closing import Closing

BIND, SUBMIT, DELIVER, UNBIND, ENQUIRE = 0x09, 0x04, 0x05, 0x06, 0x15
RESPONSE, NACK = 0x80000000, 0x80000000
NOT_BOUND, UNKNOWN_COMMAND = 0x04, 0x03
_HEADER = struct.Struct("!IIII")
_LARGEST = 1 << 17


def pdu(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    """One PDU as it goes over the wire."""
    return _HEADER.pack(_HEADER.size + len(body), command, status, sequence) + body


class Host(Protocol):
    """Whose connection it is."""

    def let_in(self, conversation: Conversation, system_id: str, password: str) -> int:
        """The command_status that answers a bind; 0 lets it in."""

    def take(self, asked: Asked, raw: bytes) -> bytes | None:
        """A whole submit_sm; its answer, where there is one now."""

    def gone(self, conversation: Conversation) -> None:
        """It has ended."""


@dataclass(slots=True)
class Asked:
    """One request that waits for its answer. Implements dialect.Caller."""

    conversation: Conversation
    sequence: int

    def answer(self, raw: bytes) -> None:
        self.conversation.write(self.numbered(raw))

    def numbered(self, raw: bytes) -> bytes:
        """The answer as one to this request."""
        return raw[:12] + struct.pack("!I", self.sequence) + raw[16:]

    def hang_up(self) -> None:
        self.conversation.hang_up()

    def reset(self) -> None:
        self.conversation.reset()

    def half_close(self) -> None:
        self.conversation.half_close()


class Conversation(Closing):
    """One connection: requests, answered in whatever order, and what the SMSC delivers."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._buffer = bytearray()
        self._sequence = 0
        self._delivering: dict[int, asyncio.Future[int]] = {}
        self.bound = False

    # --- called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def connection_lost(self, exc: Exception | None) -> None:
        self.bound = False
        self._host.gone(self)
        for waiting in self._delivering.values():
            if not waiting.done():
                waiting.set_result(-1)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            length, command, status, sequence = _HEADER.unpack_from(self._buffer)
            if not _HEADER.size <= length <= _LARGEST:
                self.hang_up()
                return
            if len(self._buffer) < length:
                return
            raw = bytes(self._buffer[:length])
            del self._buffer[:length]
            self._read(command, status, sequence, raw)

    # --- for the twin

    def write(self, raw: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(raw)

    async def deliver(self, raw: bytes, timeout: float) -> bool:
        """Deliver this deliver_sm; whether it was acknowledged with a 0 in time."""
        self._sequence += 1
        sequence = self._sequence
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._delivering[sequence] = answer
        self.write(Asked(self, sequence).numbered(raw))
        try:
            return await asyncio.wait_for(answer, timeout) == 0
        except TimeoutError:
            return False
        finally:
            del self._delivering[sequence]

    # --- inside

    def _read(self, command: int, status: int, sequence: int, raw: bytes) -> None:
        if command == DELIVER | RESPONSE:
            waiting = self._delivering.get(sequence)
            if waiting is not None and not waiting.done():
                waiting.set_result(status)
        elif command == BIND:
            system_id, password = raw[_HEADER.size :].split(b"\0")[:2]
            status = self._host.let_in(self, system_id.decode("latin-1"), password.decode("latin-1"))
            self.bound = not status
            self.write(pdu(BIND | RESPONSE, status, sequence, b"" if status else b"sandbox\0"))
        elif command == SUBMIT:
            asked = Asked(self, sequence)
            answer = self._host.take(asked, raw) if self.bound else pdu(SUBMIT | RESPONSE, NOT_BOUND, 0)
            if answer is not None:
                asked.answer(answer)
        elif command in (UNBIND, ENQUIRE):
            self.write(pdu(command | RESPONSE, 0, sequence))
            if command == UNBIND:
                self.hang_up()
        elif not command & RESPONSE:
            self.write(pdu(NACK, UNKNOWN_COMMAND, sequence))
