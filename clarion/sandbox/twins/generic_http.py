"""The twin of no provider and of many: a small aggregator's JSON interface, with its description.

It takes a message at /generic/{sender}/messages, calls the address that came with it when its state
changes, and brings people's messages to the number's callback address, with the number's app_secret as
`key`. `example.options` describes it as docs/generic-http.md does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote_plus, urlsplit

import orjson

from clarion.sandbox.calls import Calls
from clarion.sandbox.dialect import Example, Refusal, Submission, Told, Webhook
from clarion.sandbox.head import Handler, Head, response
from clarion.sandbox.record import FAILED, STATUSES
from clarion.sandbox.server import Exchange
from clarion.sandbox.world import Inbound, Number, World

_PATH = re.compile(r"/generic/([^/]{1,64})/messages")
_STATES = {"sent": "SENT", "delivered": "DELIVRD", "read": "SEEN", "failed": "UNDELIV"}
CODES: dict[int, tuple[int, str]] = {
    401: (401, "E01"),
    429: (429, "E02"),
    503: (503, "E03"),
    10: (400, "E10"),  # what is asked makes no sense
    11: (400, "E11"),  # nobody has this number
}
_PERMANENT = 11

DESCRIPTION: dict[str, object] = {
    "request": {
        "path": "/generic/{sender}/messages",
        "headers": {"Authorization": "Bearer {token}"},
        "json": {"to": "{digits}", "text": "{text}", "callback": "{hook}"},
    },
    "answer": {"accepted": {"at": "state", "is": ["queued"]}, "id": "id", "code": "error.code"},
    "errors": {
        "E02": "too_fast", "E03": "not_processed", "E10": "content", "E11": "person", "http_401": "account",
    },
    "receipt": {
        "status": "state", "id": "id", "code": "reason", "at": "time",
        "values": {"SENT": "accepted", "DELIVRD": "delivered", "SEEN": "read", "UNDELIV": "failed"},
    },
    "reply": {"from": "msisdn", "text": "message", "id": "id", "at": "time"},
}  # fmt: skip


class GenericHttp:
    """Speaks for one world. Implements dialect.Twin."""

    batches: ClassVar[bool] = False
    example: ClassVar[Example] = Example(
        "SELAM", {"token": "sandbox-token", "hook_key": "sandbox-secret"}, DESCRIPTION
    )

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls: Calls | None = None

    def serve(self, calls: Calls) -> None:
        """Take messages from now on."""
        self._calls = calls

    def route(self, head: Head) -> Handler | None:
        """The handler of this head, when the address is this provider's."""
        match = _PATH.fullmatch(head.path)
        calls = self._calls
        if match is None or calls is None:
            return None
        number = self._world.number(match[1], "generic_http")
        authorised = head.headers.get("authorization", "")
        if number is None or authorised not in number.tokens or head.method != "POST":
            return lambda _: calls.invalid(self, Refusal(401))
        key = head.headers.get("idempotency-key", "")
        return lambda exchange: self._send(exchange, calls, number, key)

    def _send(self, exchange: Exchange, calls: Calls, number: Number, key: str) -> bytes | None:
        try:
            said = orjson.loads(exchange.body)
            to, text, callback = said["to"], said["text"], said.get("callback", "")
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return calls.invalid(self, Refusal(10), sender=number.sender)
        if not all(isinstance(value, str) for value in (to, text, callback)) or not text:
            return calls.invalid(self, Refusal(10), sender=number.sender)
        reference = (parse_qs(urlsplit(callback).query).get("ref") or [key])[0]
        if key and (known := self._known(key)) is not None:
            return known
        if not to.isdigit():
            return calls.invalid(self, Refusal(11), to, reference, sender=number.sender)
        return calls.submit(exchange, self, Submission(number, to, reference, 0, text, to, callback=callback))

    def _known(self, key: str) -> bytes | None:
        """The answer to a request whose key was given before and whose message was taken."""
        outcomes = {one.outcome: one for one in self._world.record.with_reference(key)}
        if "accepted" in outcomes:
            return self._taken(self._world.record.wamid(outcomes["accepted"].row))
        return response(409, b'{"error":{"code":"E09"}}') if "waiting" in outcomes else None

    def _taken(self, wamid: str) -> bytes:
        return response(200, orjson.dumps({"state": "queued", "id": wamid.rpartition(".")[2]}))

    # --- words

    def objection(self, submission: Submission, now: float, mono: float) -> Refusal | None:
        bucket = submission.number.bucket
        return Refusal(429) if bucket is not None and not bucket.take(mono) else None

    def throttled(self, retry_after: float | None) -> Refusal:
        return Refusal(429, retry_after=retry_after)

    def not_processed(self, code: int) -> Refusal:
        return Refusal(503)

    def accepted(self, submission: Submission, wamid: str) -> bytes:
        return self._taken(wamid)

    def refused(self, refusal: Refusal) -> bytes:
        status, code = CODES.get(refusal.code, CODES[_PERMANENT])
        headers = [] if refusal.retry_after is None else [("Retry-After", f"{refusal.retry_after:g}")]
        return response(status, orjson.dumps({"error": {"code": code}}), headers=headers)

    def broken(self) -> bytes:
        return response(500, b"<html>Sorry</html>", "text/html")

    def malformed(self) -> bytes:
        return response(200, b'{"state":"que')

    # --- webhooks

    def statuses(self, number: Number, told: Sequence[Told]) -> Webhook | None:
        (one,) = told
        url = self._world.callbacks.get(one.row)
        if url is None:
            return None
        said: dict[str, Any] = {
            "id": self._world.record.wamid(one.row).rpartition(".")[2],
            "state": _STATES[STATUSES[one.status]],
            "time": int(one.at),
        }
        if one.status == FAILED:
            said["reason"] = CODES[_PERMANENT][1]
        return _posted(url, said)

    def inbound(self, number: Number, messages: Sequence[Inbound]) -> Webhook | None:
        if number.callback_url is None:
            return None
        (one,) = messages
        said = {"id": one.id, "msisdn": one.person, "message": one.text, "time": int(one.at)}
        return _posted(f"{number.callback_url}?key={quote_plus(number.app_secret)}", said)


def _posted(url: str, said: dict[str, Any]) -> Webhook:
    return Webhook(url, {"Content-Type": "application/json"}, orjson.dumps(said))


TWIN = GenericHttp
