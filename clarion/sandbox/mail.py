"""A mail server's side of one connection (RFC 5321, 4954, 3461), for the twin that decides what it takes."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable
from typing import Protocol, cast

from clarion.sandbox.closing import Closing

_LARGEST = 1 << 20
_ADDRESS = re.compile(r"(?:FROM|TO):\s*<([^<>\s]*)>\s*(.*)", re.IGNORECASE)


class Host(Protocol):
    """Whose connection it is."""

    def knows(self, password: str) -> bool:
        """Whether this lets somebody in."""

    def take(self, conversation: Conversation, raw: bytes) -> bytes | None:
        """A whole letter; its answer, where there is one now."""


class Conversation(Closing):
    """One connection: a line, a reply; or a letter, up to its dot. Implements dialect.Caller."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._buffer = bytearray()
        self._asked: Callable[[str], bytes] | None = None  # what the next line answers
        self._letter = False
        self._waiting = False  # for an answer that was put off
        self._known = False
        self.sender = self.recipient = self.envelope_id = ""

    # --- called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self.transport.write(b"220 mail.selam.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > 2 * _LARGEST:
            self.hang_up()
            return
        self._advance()

    # --- dialect.Caller

    def answer(self, raw: bytes) -> None:
        self._waiting = False
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(raw)
            self._advance()

    # --- inside

    def _advance(self) -> None:
        while not self._waiting:
            raw = self._next(b"\r\n.\r\n" if self._letter else b"\r\n")
            if raw is None:
                return
            reply = self._end(raw) if self._letter else self._line(raw.decode(errors="replace"))
            if reply is None:
                self._waiting = True
            elif self.transport is not None:
                self.transport.write(reply)
                if reply.startswith(b"221"):
                    self.hang_up()

    def _next(self, end: bytes) -> bytes | None:
        at = self._buffer.find(end)
        if at < 0:
            return None
        raw = bytes(self._buffer[:at])
        del self._buffer[: at + len(end)]
        return raw

    def _end(self, raw: bytes) -> bytes | None:
        self._letter = False
        reply = self._host.take(self, re.sub(rb"(?m)^\.", b"", raw) + b"\r\n")
        self._forget()
        return reply

    def _line(self, line: str) -> bytes:
        if self._asked is not None:
            asked, self._asked = self._asked, None
            return asked(line)
        verb, _, rest = line.partition(" ")
        verbs: dict[str, Callable[[str], bytes]] = {
            "EHLO": self._hello, "AUTH": self._auth, "MAIL": self._mail, "RCPT": self._rcpt,
            "DATA": self._data, "RSET": self._rset, "NOOP": lambda _: b"250 2.0.0 Ok\r\n",
            "QUIT": lambda _: b"221 2.0.0 Bye\r\n",
        }  # fmt: skip
        take = verbs.get(verb.upper())
        return b"502 5.5.2 Command not recognized\r\n" if take is None else take(rest)

    def _hello(self, _: str) -> bytes:
        self._forget()
        return (
            f"250-mail.selam.example\r\n250-SIZE {_LARGEST}\r\n250-AUTH PLAIN LOGIN\r\n250-DSN\r\n"
            "250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n"
        ).encode()

    def _auth(self, rest: str) -> bytes:
        way, _, first = rest.partition(" ")
        if way.upper() == "PLAIN" and first:
            return self._let_in(_decoded(first).rpartition("\0")[2])
        if way.upper() == "LOGIN":
            self._asked = self._user
            return self._user("") if first else b"334 VXNlcm5hbWU6\r\n"
        return b"504 5.5.4 Unrecognized authentication type\r\n"

    def _user(self, _: str) -> bytes:
        self._asked = lambda line: self._let_in(_decoded(line))
        return b"334 UGFzc3dvcmQ6\r\n"

    def _let_in(self, password: str) -> bytes:
        self._known = self._host.knows(password)
        if self._known:
            return b"235 2.7.0 Authentication successful\r\n"
        return b"535 5.7.8 Error: authentication failed\r\n"

    def _mail(self, rest: str) -> bytes:
        found = _ADDRESS.fullmatch(rest)
        if not self._known:
            return b"530 5.7.0 Authentication required\r\n"
        if found is None or self.sender:
            return b"503 5.5.1 Error: nested MAIL command, or none\r\n"
        self.sender = found[1]
        for word in found[2].split():
            if word.upper().startswith("ENVID="):
                self.envelope_id = word[6:]
        return b"250 2.1.0 Ok\r\n"

    def _rcpt(self, rest: str) -> bytes:
        found = _ADDRESS.fullmatch(rest)
        if found is None or not self.sender or self.recipient:
            return b"503 5.5.1 Error: one recipient after MAIL\r\n"
        self.recipient = found[1]
        return b"250 2.1.5 Ok\r\n"

    def _data(self, _: str) -> bytes:
        if not self.recipient:
            return b"503 5.5.1 Error: need RCPT command\r\n"
        self._letter = True
        return b"354 End data with <CR><LF>.<CR><LF>\r\n"

    def _rset(self, _: str) -> bytes:
        self._forget()
        return b"250 2.0.0 Ok\r\n"

    def _forget(self) -> None:
        self.sender = self.recipient = self.envelope_id = ""


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""
