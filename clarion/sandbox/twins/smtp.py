"""The twin of SMTP: a mail server that lets in who logs in, takes mail, and posts what became of it.

Follows RFC 5321, 4954 (AUTH PLAIN and LOGIN), 3461 and 3464 (delivery status notifications). It listens at
an address of its own, without encryption. A sending number is the address of MAIL FROM; the password is one
of the sandbox's tokens. Every phone of the sandbox has a mailbox: its digits at whatever domain; anybody
else is known by the whole address. Notifications are posted to the number's callback address as the whole
message, with its app_secret as the bearer.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import struct
from collections.abc import Callable, Sequence
from email import message_from_bytes, policy
from email.utils import formatdate
from typing import ClassVar, cast

from clarion.sandbox.calls import Calls
from clarion.sandbox.dialect import Example, Refusal, Submission, Told, Webhook
from clarion.sandbox.head import Handler, Head
from clarion.sandbox.record import STATUSES
from clarion.sandbox.world import Inbound, Number, World

_LARGEST = 1 << 20
_ADDRESS = re.compile(r"(?:FROM|TO):\s*<([^<>\s]*)>\s*(.*)", re.IGNORECASE)
_ACTIONS = {"sent": "relayed", "delivered": "delivered", "failed": "failed"}
_REPLIES = {
    450: b"450 4.7.1 Too many messages, slow down\r\n",
    451: b"451 4.3.0 Queue file write error, try again later\r\n",
    550: b"550 5.1.1 Recipient address rejected: User unknown\r\n",
    554: b"554 5.6.0 The message is no message\r\n",
}


class Smtp:
    """Speaks for one world. Implements dialect.Twin and dialect.Listening."""

    batches: ClassVar[bool] = False
    protocol: ClassVar[str] = "smtp"
    example: ClassVar[Example] = Example(
        "clarion@selam.example",
        {"username": "selam", "password": "sandbox-token", "hook_key": "sandbox-secret"},
        {"starttls": False},
        never=frozenset(("write",)),
        protocol="smtp",
    )

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls: Calls | None = None

    def serve(self, calls: Calls) -> None:
        """Take mail from now on."""
        self._calls = calls

    def route(self, head: Head) -> Handler | None:
        """Nothing of it is HTTP."""
        return None

    def connection(self) -> asyncio.Protocol:
        """For one more connection."""
        return _Conversation(self)

    def knows(self, password: str) -> bool:
        """Whether this lets somebody in."""
        return password in self._world.config.tokens

    def take(self, conversation: _Conversation, raw: bytes) -> bytes | None:
        """A whole letter; its answer, where there is one now."""
        calls = self._calls
        number = self._world.number(conversation.sender, "smtp")
        assert calls is not None
        to = _person(conversation.recipient)
        if number is None:
            return calls.invalid(self, Refusal(550), to)
        message = message_from_bytes(raw, policy=policy.default)
        text = message.get_body(("plain",))
        if text is None or not message["Message-ID"] or not message["Date"]:
            return calls.invalid(self, Refusal(554), to)
        reference = conversation.envelope_id or str(message["Message-ID"]).strip("<>").partition("@")[0]
        words = str(text.get_content()).replace("\r\n", "\n")
        what = Submission(number, to, reference, 0, words, conversation.recipient)
        return calls.submit(conversation, self, what)

    # --- words

    def objection(self, submission: Submission, now: float, mono: float) -> Refusal | None:
        """Its rate, if it has one."""
        bucket = submission.number.bucket
        return None if bucket is None or bucket.take(mono) else self.throttled(None)

    def throttled(self, retry_after: float | None) -> Refusal:
        return Refusal(450)

    def not_processed(self, code: int) -> Refusal:
        return Refusal(451)

    def accepted(self, submission: Submission, wamid: str) -> bytes:
        return f"250 2.0.0 Ok: queued as {wamid[-18:]}\r\n".encode()

    def refused(self, refusal: Refusal) -> bytes:
        return _REPLIES.get(refusal.code, _REPLIES[550])

    def broken(self) -> bytes:
        """A line that is no reply."""
        return b"Internal error\r\n"

    def malformed(self) -> bytes:
        return b"2 queued\r\n"

    # --- notifications

    def statuses(self, number: Number, told: Sequence[Told]) -> Webhook | None:
        """The notification of one letter (RFC 3464)."""
        (one,) = told
        action = _ACTIONS.get(STATUSES[one.status])
        if action is None:
            return None
        entry = self._world.record.entry(one.row)
        status = "5.1.1" if action == "failed" else "2.0.0"
        fields = (
            f"Reporting-MTA: dns; mail.selam.example\r\nOriginal-Envelope-Id: {entry.reference}\r\n\r\n"
            f"Final-Recipient: rfc822; {entry.to}@selam.example\r\nAction: {action}\r\nStatus: {status}\r\n"
            f"Last-Attempt-Date: {formatdate(one.at)}\r\n\r\n"
        )
        body = (
            f"From: MAILER-DAEMON@selam.example\r\nTo: <{number.id}>\r\nSubject: Delivery Status\r\n"
            "MIME-Version: 1.0\r\n"
            'Content-Type: multipart/report; report-type=delivery-status; boundary="B"\r\n'
            "\r\n--B\r\nContent-Type: text/plain\r\n\r\nThis is the mail system.\r\n"
            f"--B\r\nContent-Type: message/delivery-status\r\n\r\n{fields}"
            f"--B\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: as it was\r\n\r\n--B--\r\n"
        )
        return self._posted(number, body.encode())

    def inbound(self, number: Number, messages: Sequence[Inbound]) -> Webhook | None:
        """What people write goes to a mailbox, and not to a hook."""
        return None

    def _posted(self, number: Number, body: bytes) -> Webhook | None:
        if number.callback_url is None:
            return None
        headers = {
            "Content-Type": "message/rfc822",
            "Authorization": f"Bearer {number.app_secret.decode()}",
        }
        return Webhook(number.callback_url, headers, body)


class _Conversation(asyncio.Protocol):
    """One connection: a line, a reply; or a letter, up to its dot. Implements dialect.Caller."""

    def __init__(self, twin: Smtp) -> None:
        self._twin = twin
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._asked: Callable[[str], bytes] | None = None  # what the next line answers
        self._letter = False
        self._waiting = False  # for an answer that was put off
        self._known = False
        self.sender = self.recipient = self.envelope_id = ""

    # --- called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._transport.write(b"220 mail.selam.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > 2 * _LARGEST:
            self.hang_up()
            return
        self._advance()

    # --- dialect.Caller

    def answer(self, raw: bytes) -> None:
        self._waiting = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(raw)
            self._advance()

    def hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        if self._transport is not None:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def half_close(self) -> None:
        if self._transport is not None:
            self._transport.write_eof()

    # --- inside

    def _advance(self) -> None:
        while not self._waiting:
            raw = self._next(b"\r\n.\r\n" if self._letter else b"\r\n")
            if raw is None:
                return
            reply = self._end(raw) if self._letter else self._line(raw.decode(errors="replace"))
            if reply is None:
                self._waiting = True
            elif self._transport is not None:
                self._transport.write(reply)
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
        reply = self._twin.take(self, re.sub(rb"(?m)^\.", b"", raw) + b"\r\n")
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
        self._known = self._twin.knows(password)
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


def _person(address: str) -> str:
    """Whose mailbox it is, as the record holds people."""
    local = address.rpartition("@")[0].lstrip("+")
    return local if local.isdigit() else address


TWIN = Smtp
