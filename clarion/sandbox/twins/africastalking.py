"""The twin of Africa's Talking: SMS of one application, its delivery reports and incoming messages.

Shapes and codes follow Africa's Talking's public documentation. The application is `selam`, its key one of
the sandbox's tokens. A sending number is what a request names as `from`. Reports and messages go to the
number's callback address with the number's app_secret as `key`. No message carries a reference.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote_plus, urlencode

import orjson

from clarion.sandbox.calls import Calls
from clarion.sandbox.dialect import Example, Refusal, Submission, Told, Webhook
from clarion.sandbox.head import Handler, Head, response
from clarion.sandbox.record import FAILED, STATUSES
from clarion.sandbox.server import Exchange
from clarion.sandbox.world import Inbound, Number, World

USER = "selam"
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_WORDS = {"sent": "Sent", "delivered": "Success", "failed": "Failed"}
CODES: dict[int, str] = {
    401: "RiskHold",
    402: "InvalidSenderId",
    403: "InvalidPhoneNumber",
    404: "UnsupportedNumberType",
    405: "InsufficientBalance",
    406: "UserInBlacklist",
    407: "CouldNotRoute",
    409: "DoNotDisturbRejection",
    500: "InternalServerError",
    501: "GatewayError",
    502: "RejectedByGateway",
}
_PERMANENT, _NOBODY, _BUSY = 403, 1, 429


class AfricasTalking:
    """Speaks for one world. Implements dialect.Twin."""

    batches: ClassVar[bool] = False
    example: ClassVar[Example] = Example(
        "20414",
        {"username": USER, "api_key": "sandbox-token", "hook_key": "sandbox-secret"},
        never=frozenset(("not_processed_503", "reference", "settle")),
    )

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls: Calls | None = None

    def serve(self, calls: Calls) -> None:
        """Take messages from now on."""
        self._calls = calls

    def route(self, head: Head) -> Handler | None:
        """The handler of this head, when the address is this provider's."""
        calls = self._calls
        if head.path != "/version1/messaging" or calls is None:
            return None
        key = head.headers.get("apikey", "")
        return lambda exchange: self._send(exchange, calls, key)

    def _send(self, exchange: Exchange, calls: Calls, key: str) -> bytes | None:
        form = dict(parse_qsl(exchange.body.decode("latin-1"), keep_blank_values=True))
        number = self._world.number(form.get("from", ""), "africastalking")
        if key not in (number.keys if number else self._world.config.tokens) or form.get("username") != USER:
            return calls.invalid(self, Refusal(_NOBODY))
        given, text = form.get("to", ""), form.get("message", "")
        if number is None or not text:
            return calls.invalid(self, Refusal(402), given.lstrip("+"))
        if not _NUMBER.fullmatch(given):
            return calls.invalid(self, Refusal(403), given.lstrip("+"), sender=number.sender)
        return calls.submit(exchange, self, Submission(number, given.lstrip("+"), "", 0, text, given))

    # --- words

    def objection(self, submission: Submission, now: float, mono: float) -> Refusal | None:
        bucket = submission.number.bucket
        return Refusal(_BUSY) if bucket is not None and not bucket.take(mono) else None

    def throttled(self, retry_after: float | None) -> Refusal:
        return Refusal(_BUSY, retry_after=retry_after)

    def not_processed(self, code: int) -> Refusal:
        return Refusal(_BUSY)

    def accepted(self, submission: Submission, wamid: str) -> bytes:
        recipient = {
            "statusCode": 101, "number": submission.given, "status": "Success", "cost": "KES 0.8000",
            "messageId": _name(wamid),
        }  # fmt: skip
        return _answer("Sent to 1/1 Total Cost: KES 0.8000", [recipient])

    def refused(self, refusal: Refusal) -> bytes:
        if refusal.code == _NOBODY:
            return response(401, b"The supplied authentication is invalid", "text/plain")
        if refusal.code == _BUSY:
            headers = [] if refusal.retry_after is None else [("Retry-After", f"{refusal.retry_after:g}")]
            return response(429, b"Too many requests", "text/plain", headers)
        code = refusal.code if refusal.code in CODES else _PERMANENT
        if code == 402:
            return _answer("InvalidSenderId", [])
        recipient = {
            "statusCode": code, "number": "+254", "status": CODES[code], "cost": "0", "messageId": "None",
        }  # fmt: skip
        return _answer("Sent to 0/1 Total Cost: 0", [recipient])

    def broken(self) -> bytes:
        return response(500, b"<html>Sorry</html>", "text/html")

    def malformed(self) -> bytes:
        return response(201, b'{"SMSMessageData":{"Message":"Sent')

    # --- callbacks

    def statuses(self, number: Number, told: Sequence[Told]) -> Webhook | None:
        (one,) = told
        word = _WORDS.get(STATUSES[one.status])
        if word is None:
            return None
        form = {
            "id": _name(self._world.record.wamid(one.row)), "status": word, "networkCode": "63902",
            "phoneNumber": f"+{self._world.record.entry(one.row).to}", "retryCount": "0",
        }  # fmt: skip
        if one.status == FAILED:
            form["failureReason"] = "UserDoesNotExist"
        return _called(number, form)

    def inbound(self, number: Number, messages: Sequence[Inbound]) -> Webhook | None:
        (said,) = messages
        form = {
            "date": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(said.at)), "from": f"+{said.person}",
            "id": said.id, "linkId": said.id, "text": said.text, "to": number.id, "networkCode": "63902",
        }  # fmt: skip
        return _called(number, form)


def _called(number: Number, form: dict[str, str]) -> Webhook | None:
    if number.callback_url is None:
        return None
    url = f"{number.callback_url}?key={quote_plus(number.app_secret)}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Webhook(url, headers, urlencode(form).encode())


def _answer(message: str, recipients: list[dict[str, Any]]) -> bytes:
    document = {"SMSMessageData": {"Message": message, "Recipients": recipients}}
    return response(201, orjson.dumps(document))


def _name(wamid: str) -> str:
    """The record's identifier in Africa's Talking's shape."""
    return "ATXid_" + wamid.rpartition(".")[2].lower()


TWIN = AfricasTalking
