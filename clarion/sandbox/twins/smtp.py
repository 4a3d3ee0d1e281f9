"""The twin of SMTP: a mail server that lets in who logs in, takes mail, and posts what became of it.

Follows RFC 5321, 4954 (AUTH PLAIN and LOGIN), 3461 and 3464 (delivery status notifications). It listens at
an address of its own, without encryption. A sending number is the address of MAIL FROM; the password is one
of the sandbox's tokens. Every phone of the sandbox has a mailbox: its digits at whatever domain; anybody
else is known by the whole address. Notifications are posted to the number's callback address as the whole
message, with its app_secret as the bearer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.utils import formatdate
from typing import ClassVar

from clarion.sandbox.calls import Calls
from clarion.sandbox.dialect import Example, Refusal, Submission, Told, Webhook
from clarion.sandbox.head import Handler, Head
from clarion.sandbox.mail import Conversation
from clarion.sandbox.record import STATUSES
from clarion.sandbox.world import Inbound, Number, World

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
        return Conversation(self)

    def knows(self, password: str) -> bool:
        """Whether this lets somebody in."""
        return password in self._world.config.tokens

    def take(self, conversation: Conversation, raw: bytes) -> bytes | None:
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


def _person(address: str) -> str:
    """Whose mailbox it is, as the record holds people."""
    local = address.rpartition("@")[0].lstrip("+")
    return local if local.isdigit() else address


TWIN = Smtp
