"""The twin of what Apprise calls: the receiver of its json:// service, which tells nothing back.

The shape is that of Apprise's custom JSON service, version 1.0. A message is posted to
/apprise/<sending number>/<person>, with one of the sandbox's tokens as the bearer; a receiver answers by the
status alone. No message carries a reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import orjson

from clarion.sandbox.calls import Calls
from clarion.sandbox.dialect import Example, Refusal, Submission, Told, Webhook
from clarion.sandbox.head import Handler, Head, response
from clarion.sandbox.server import Exchange
from clarion.sandbox.world import Inbound, Number, World

_PLACE = "/apprise/"
_NEVER = frozenset(
    ("call", "malformed_json", "not_processed_503", "receipts", "receipts_failed", "reference", "settle")
) | {"spaces", "write"}
_UNAUTHORIZED, _UNREADABLE, _NOBODY, _BUSY = 401, 400, 404, 429
_CODES = frozenset((_UNAUTHORIZED, _UNREADABLE, _NOBODY, _BUSY))


class Apprise:
    """Speaks for one world. Implements dialect.Twin."""

    batches: ClassVar[bool] = False
    example: ClassVar[Example] = Example(
        "room",
        {"url": "json://{host}/apprise/room/{address}?+Authorization=Bearer%20sandbox-token"},
        never=_NEVER,
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
        if not head.path.startswith(_PLACE) or calls is None:
            return None
        name, _, person = head.path[len(_PLACE) :].rstrip("/").partition("/")
        return lambda exchange: self._send(exchange, calls, name, person)

    def _send(self, exchange: Exchange, calls: Calls, name: str, person: str) -> bytes | None:
        to = person.lstrip("+")
        number = self._world.number(name, "apprise")
        if number is None or exchange.head.headers.get("authorization") not in number.tokens:
            return calls.invalid(self, Refusal(_UNAUTHORIZED), to)
        try:
            said = orjson.loads(exchange.body)
            text = "\n".join(filter(None, (said["title"], said["message"])))
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return calls.invalid(self, Refusal(_UNREADABLE), to)
        return calls.submit(exchange, self, Submission(number, to, "", 0, text, person))

    # --- words

    def objection(self, submission: Submission, now: float, mono: float) -> Refusal | None:
        """Its rate, if it has one."""
        bucket = submission.number.bucket
        return None if bucket is None or bucket.take(mono) else self.throttled(None)

    def throttled(self, retry_after: float | None) -> Refusal:
        return Refusal(_BUSY)

    def not_processed(self, code: int) -> Refusal:
        return Refusal(_BUSY)

    def accepted(self, submission: Submission, wamid: str) -> bytes:
        return response(200, b"", "text/plain")

    def refused(self, refusal: Refusal) -> bytes:
        return response(refusal.code if refusal.code in _CODES else _NOBODY, b"", "text/plain")

    def broken(self) -> bytes:
        return response(500, b"<h1>Internal Server Error</h1>", "text/html")

    def malformed(self) -> bytes:
        return response(200, b"", "text/plain")

    def statuses(self, number: Number, told: Sequence[Told]) -> Webhook | None:
        """It tells nothing."""
        return None

    def inbound(self, number: Number, messages: Sequence[Inbound]) -> Webhook | None:
        """Nobody writes back."""
        return None


TWIN = Apprise
