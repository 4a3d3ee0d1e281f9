"""The twin of Messenger's Send API: a page's messages, their echoes, deliveries and reads.

Shapes and codes follow Meta's public reference (Send API, Error codes, Webhook events). Its addresses look
like WhatsApp's, so a page is one that the settings list as Messenger's. A page's person is known by digits.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import orjson

from clarion.sandbox.calls import Calls
from clarion.sandbox.dialect import Example, Refusal, Submission, Told, Webhook
from clarion.sandbox.head import Handler, Head, response
from clarion.sandbox.record import MEDIA, STATUSES
from clarion.sandbox.server import Exchange
from clarion.sandbox.world import Inbound, Number, World

_PATH = re.compile(r"/v\d{1,3}(?:\.\d{1,2})?/([^/]{1,64})/messages")
MAX_TEXT, MAX_METADATA = 2000, 1000

# code → (HTTP status, subcode, message)
CODES: dict[int, tuple[int, int, str]] = {
    2: (500, 0, "Service temporarily unavailable"),
    10: (403, 2018278, "This message is sent outside of allowed window."),
    100: (400, 0, "Invalid parameter"),
    190: (401, 0, "Invalid OAuth access token."),
    551: (400, 1545041, "This person isn't available right now."),
    613: (400, 0, "Calls to this API have exceeded the rate limit."),
    1200: (500, 0, "Temporary send message failure. Please try again later."),
}
_PERMANENT = 551


class Messenger:
    """Speaks for one world. Implements dialect.Twin."""

    batches: ClassVar[bool] = True
    example: ClassVar[Example] = Example(
        "200300400",
        {"token": "sandbox-token", "app_secret": "sandbox-secret", "verify_token": "sandbox-verify"},
        never=frozenset(("receipts_failed", "reference")),
    )

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls: Calls | None = None

    def serve(self, calls: Calls) -> None:
        """Take messages from now on."""
        self._calls = calls

    def route(self, head: Head) -> Handler | None:
        """The handler of this head, when the address is a page's."""
        match = _PATH.fullmatch(head.path)
        listed = self._world.config.numbers.get(match[1]) if match else None
        calls = self._calls
        if match is None or calls is None or listed is None or listed.provider != "messenger":
            return None
        number = self._world.number(match[1], "messenger")
        if number is None or head.headers.get("authorization", "") not in number.tokens:
            return lambda _: calls.invalid(self, Refusal(190))
        return lambda exchange: self._send(exchange, calls, number)

    def _send(self, exchange: Exchange, calls: Calls, number: Number) -> bytes | None:
        try:
            said = orjson.loads(exchange.body)
            to, message = said["recipient"]["id"], said["message"]
            text, metadata = message.get("text"), message.get("metadata", "")
            file = _file(message["attachment"]) if text is None else None
            kind, tag = said["messaging_type"], said.get("tag", "")
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return calls.invalid(self, Refusal(100), sender=number.sender)
        fitting = isinstance(text, str) and 0 < len(text) <= MAX_TEXT and "attachment" not in message
        if (
            not (fitting or file)
            or len(metadata) > MAX_METADATA
            or kind not in ("RESPONSE", "UPDATE", "MESSAGE_TAG")
        ):
            return calls.invalid(self, Refusal(100), to, metadata, sender=number.sender)
        shown = Submission(number, to, metadata, MEDIA if file else 0, file or text, tag)
        return calls.submit(exchange, self, shown)

    # --- words

    def objection(self, submission: Submission, now: float, mono: float) -> Refusal | None:
        number = submission.number
        if number.bucket is not None and not number.bucket.take(mono):
            return Refusal(613)
        tagged = bool(submission.given)
        if number.window_enforced and not tagged and not self._world.window_open(number, submission.to, now):
            return Refusal(10)
        return None

    def throttled(self, retry_after: float | None) -> Refusal:
        return Refusal(613, retry_after=retry_after)

    def not_processed(self, code: int) -> Refusal:
        return Refusal(1200)

    def accepted(self, submission: Submission, wamid: str) -> bytes:
        return response(200, orjson.dumps({"recipient_id": submission.to, "message_id": _mid(wamid)}))

    def refused(self, refusal: Refusal) -> bytes:
        code = refusal.code if refusal.code in CODES else _PERMANENT
        status, subcode, message = CODES[code]
        error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "BLBz"}
        if subcode:
            error["error_subcode"] = subcode
        headers = [] if refusal.retry_after is None else [("Retry-After", f"{refusal.retry_after:g}")]
        return response(status, orjson.dumps({"error": error}), headers=headers)

    def broken(self) -> bytes:
        return response(500, b"<html>Sorry, something went wrong.</html>", "text/html")

    def malformed(self) -> bytes:
        return response(200, b'{"recipient_id":"1","messa')

    # --- webhooks

    def statuses(self, number: Number, told: Sequence[Told]) -> Webhook | None:
        return _webhook(number, [event for one in told for event in self._told(number, one)])

    def inbound(self, number: Number, messages: Sequence[Inbound]) -> Webhook | None:
        said = [
            {
                "sender": {"id": m.person}, "recipient": {"id": number.id}, "timestamp": int(m.at * 1000),
                "message": {"mid": _mid(m.id), "text": m.text},
            }
            for m in messages
        ]  # fmt: skip
        return _webhook(number, said)

    def _told(self, number: Number, one: Told) -> list[dict[str, Any]]:
        entry, mid = self._world.record.entry(one.row), _mid(self._world.record.wamid(one.row))
        person, page, at = {"id": entry.to}, {"id": number.id}, int(one.at * 1000)
        match STATUSES[one.status]:
            case "sent":
                echo = {"is_echo": True, "app_id": 1517776481860111, "mid": mid, "text": entry.text}
                echo |= {"metadata": entry.reference} if entry.reference else {}
                return [{"sender": page, "recipient": person, "timestamp": at, "message": echo}]
            case "delivered":
                delivery = {"mids": [mid], "watermark": at}
                return [{"sender": person, "recipient": page, "delivery": delivery}]
            case "read":
                return [{"sender": person, "recipient": page, "timestamp": at, "read": {"watermark": at}}]
            case _:
                return []  # Messenger tells no failures


def _file(attachment: Mapping[str, Any]) -> str | None:
    """What the phone shows of a file at an address; None of one that Messenger does not take."""
    url, kind = attachment["payload"]["url"], attachment["type"]
    known = kind in ("image", "video", "audio", "file") and isinstance(url, str)
    return f"[{kind} {url}]" if known and url.startswith(("http://", "https://")) else None


def _webhook(number: Number, messaging: list[dict[str, Any]]) -> Webhook | None:
    if number.callback_url is None or not messaging:
        return None
    entry = {"id": number.id, "time": 1458692752478, "messaging": messaging}
    body = orjson.dumps({"object": "page", "entry": [entry]})
    digest = hmac.new(number.app_secret, body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}
    return Webhook(number.callback_url, headers, body)


def _mid(wamid: str) -> str:
    """The record's identifier in Meta's shape for Messenger."""
    return "m_" + wamid.rpartition(".")[2]


TWIN = Messenger
