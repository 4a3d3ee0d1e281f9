"""The twin of the WhatsApp Cloud API: its addresses, its checks, its words.

Shapes and codes follow Meta's public reference (Messages, Webhooks, Error codes). HTTP statuses are those of
its table of error codes, where throttling by rate is a 400: a caller must decide by `code`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

import orjson

from clarion.sandbox.calls import Calls
from clarion.sandbox.cloud_api import templates
from clarion.sandbox.cloud_api.codes import CODES, UNKNOWN
from clarion.sandbox.cloud_api.messages import read, whose
from clarion.sandbox.cloud_api.webhooks import of_messages, of_statuses
from clarion.sandbox.dialect import Example, Refusal, Submission, Told, Webhook
from clarion.sandbox.head import Handler, Head, response
from clarion.sandbox.server import Exchange
from clarion.sandbox.world import Inbound, Number, World

_VERSION = r"/v\d{1,3}(?:\.\d{1,2})?"
_PATH = re.compile(_VERSION + r"/([^/]{1,64})/messages")
_TEMPLATES = re.compile(_VERSION + r"/([^/]{1,64})/message_templates")

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: %d\r\n\r\n"
_ACCEPTED = (
    b'{"messaging_product":"whatsapp","contacts":[{"input":"%b","wa_id":"%b"}],'
    b'"messages":[{"id":"%b","message_status":"accepted"}]}'
)
_ACCEPTED_USER = _ACCEPTED.replace(b'"wa_id"', b'"user_id"')


class WhatsApp:
    """Speaks for one world. Implements dialect.Twin."""

    batches: ClassVar[bool] = True
    example: ClassVar[Example] = Example(
        "100200300",
        {"token": "sandbox-token", "app_secret": "sandbox-secret", "verify_token": "sandbox-verify"},
    )

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls: Calls | None = None

    def serve(self, calls: Calls) -> None:
        """Take messages from now on."""
        self._calls = calls

    # --- addresses

    def route(self, head: Head) -> Handler | None:
        """The handler of this head, when the address is this provider's."""
        if listed := _TEMPLATES.fullmatch(head.path):
            return lambda _: self._templates(head, listed[1])
        match = _PATH.fullmatch(head.path)
        if match is None or self._calls is None:
            return None
        number = self._world.number(match[1], "whatsapp")
        calls = self._calls
        authorised = head.headers.get("authorization", "")
        allowed = number.tokens if number else frozenset(f"Bearer {t}" for t in self._world.config.tokens)
        if authorised not in allowed:
            refusal = Refusal(190, "" if authorised else "An access token is required.")
            return lambda _exchange: calls.invalid(self, refusal)
        if number is None:
            missing = Refusal(100, f"Object with ID '{match[1]}' does not exist.", subcode=33)
            return lambda _exchange: calls.invalid(self, missing)
        if head.method == "POST":
            return lambda exchange: self._send(exchange, number, calls)
        if head.method == "GET" and self._world.config.lookup.mode == "on":
            return lambda exchange: self._look_up(exchange)
        unsupported = self.refused(Refusal(100, f"Unsupported {head.method.lower()} request."))
        return lambda _exchange: unsupported

    def _send(self, exchange: Exchange, number: Number, calls: Calls) -> bytes | None:
        try:
            document = orjson.loads(exchange.body)
        except orjson.JSONDecodeError:
            return calls.invalid(self, Refusal(100, "The body is not JSON."), sender=number.sender)
        submission = read(document, number)
        if isinstance(submission, Submission):
            return calls.submit(exchange, self, submission)
        to, reference = whose(document)
        return calls.invalid(self, submission, to, reference, sender=number.sender)

    def _templates(self, head: Head, account: str) -> bytes:
        """Of a business account: those of its numbers, in pages."""
        self._world.listings += 1
        found = templates.listed(head, account, self._world.config)
        return self.refused(found) if isinstance(found, Refusal) else response(200, orjson.dumps(found))

    def _look_up(self, exchange: Exchange) -> bytes:
        """A sandbox extension, for providers that can be asked what became of a reference."""
        reference = exchange.head.first("reference")
        if reference is None:
            return self.refused(Refusal(100, "The parameter reference is required."))
        world = self._world
        world.lookups += 1
        seen = world.clock.now() - world.config.lookup.lag
        found = [
            {
                "id": world.record.wamid(entry.row),
                "to": entry.to,
                "biz_opaque_callback_data": entry.reference,
                "status": entry.status,
                "timestamp": str(int(entry.accepted_at)),
            }
            for entry in world.record.with_reference(reference)
            if entry.accepted_at is not None and entry.accepted_at <= seen
        ]
        return response(200, orjson.dumps({"data": found}))

    # --- words

    def objection(self, submission: Submission, now: float, mono: float) -> Refusal | None:
        number = submission.number
        if number.bucket is not None and not number.bucket.take(mono):
            return Refusal(130429)
        if number.pair_rate is not None and not number.may_write_to(submission.to, mono):
            return Refusal(131056)
        if submission.template is not None:
            return templates.objection(number, submission.template)
        if number.window_enforced and not self._world.window_open(number, submission.to, now):
            return Refusal(131047)
        return None

    def throttled(self, retry_after: float | None) -> Refusal:
        return Refusal(130429, status=429, retry_after=retry_after)

    def not_processed(self, code: int) -> Refusal:
        return Refusal(code, status=503)

    def accepted(self, submission: Submission, wamid: str) -> bytes:
        to = submission.to.encode()
        given = submission.given
        if "." in submission.to:
            body = _ACCEPTED_USER % (to, to, wamid.encode())
            return _OK % len(body) + body
        echoed = to if given == submission.to else orjson.dumps(given)[1:-1]
        body = _ACCEPTED % (echoed, to, wamid.encode())
        return _OK % len(body) + body

    def refused(self, refusal: Refusal) -> bytes:
        known = CODES.get(refusal.code, UNKNOWN)
        status = refusal.status or known.status
        error: dict[str, Any] = {
            "message": f"(#{refusal.code}) {known.title}" if refusal.code != 190 else known.title,
            "type": "OAuthException",
            "code": refusal.code,
            "error_data": {"messaging_product": "whatsapp", "details": refusal.details or known.details},
            "fbtrace_id": f"A{len(self._world.record):011X}",
        }
        if refusal.subcode:
            error["error_subcode"] = refusal.subcode
        headers = [] if refusal.retry_after is None else [("Retry-After", f"{refusal.retry_after:g}")]
        return response(status, orjson.dumps({"error": error}), "application/json; charset=UTF-8", headers)

    def broken(self) -> bytes:
        return response(
            500,
            b"<html><head><title>Error</title></head><body>Sorry, something went wrong.</body></html>",
            "text/html",
        )

    def malformed(self) -> bytes:
        return response(
            200, b'{"messaging_product":"whatsapp","contacts":[{"inp', "application/json; charset=UTF-8"
        )

    # --- webhooks

    def statuses(self, number: Number, told: Sequence[Told]) -> Webhook | None:
        return of_statuses(number, self._world.record, told)

    def inbound(self, number: Number, messages: Sequence[Inbound]) -> Webhook | None:
        return of_messages(number, messages)


TWIN = WhatsApp
