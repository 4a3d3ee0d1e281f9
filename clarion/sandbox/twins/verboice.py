"""The twin of Verboice's calls: it queues one, and tells its status by GET, once.

Shapes follow Verboice's source (instedd/verboice). The account is `selam@example.org`, its password one of
the sandbox's tokens. A sending number is what a request names as its channel. What a phone shows is what the
call says. What the record calls a call's reference is the parameter `ref` of its status_callback_url.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
from defusedxml import ElementTree

from clarion.sandbox.calls import Calls
from clarion.sandbox.dialect import Example, Refusal, Submission, Told, Webhook
from clarion.sandbox.head import Handler, Head, basic_login, response
from clarion.sandbox.record import STATUSES
from clarion.sandbox.server import Exchange
from clarion.sandbox.world import Inbound, Number, World

USER = "selam@example.org"
_WORDS = {"sent": "ringing", "delivered": "completed", "failed": "no-answer"}
WHY: dict[int, tuple[int, str]] = {
    400: (400, "Channel is disabled"),
    404: (400, "Channel not found: "),
    422: (400, "Call address cannot be empty"),
    401: (401, ""),
    429: (429, ""),
}


class Verboice:
    """Speaks for one world. Implements dialect.Twin."""

    batches: ClassVar[bool] = False
    example: ClassVar[Example] = Example(
        "sip1",
        {"username": USER, "password": "sandbox-token", "hook_key": "sandbox-secret"},
        never=frozenset(("not_processed_503", "write")),
    )

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls: Calls | None = None

    def serve(self, calls: Calls) -> None:
        """Take calls from now on."""
        self._calls = calls

    def route(self, head: Head) -> Handler | None:
        """The handler of this head, when the address is this provider's."""
        calls = self._calls
        if head.path != "/api/call" or calls is None:
            return None
        user, password = basic_login(head.headers.get("authorization", ""))
        if user != USER or password not in self._world.config.tokens:
            return lambda _: calls.invalid(self, Refusal(401))
        return lambda exchange: self._call(exchange, calls)

    def _call(self, exchange: Exchange, calls: Calls) -> bytes | None:
        said = {name: values[0] for name, values in exchange.head.query.items()}
        callback, to = said.get("status_callback_url", ""), said.get("address", "")
        reference = (parse_qs(urlsplit(callback).query).get("ref") or [""])[0]
        number = self._world.number(said.get("channel", ""), "verboice") if said.get("channel") else None
        if number is None:
            return calls.invalid(self, Refusal(404), to, reference)
        if not to:
            return calls.invalid(self, Refusal(422), to, reference, sender=number.sender)
        try:
            flow = ElementTree.fromstring(exchange.body)
            text = "".join(one.text or "" for one in flow.iter("Say"))
        except ElementTree.ParseError:
            text = ""
        return calls.submit(exchange, self, Submission(number, to, reference, 2, text, to, callback=callback))

    # --- words

    def objection(self, submission: Submission, now: float, mono: float) -> Refusal | None:
        """It queues everything."""
        return None

    def throttled(self, retry_after: float | None) -> Refusal:
        """What a server before it says; Verboice itself knows no such word."""
        return Refusal(429, retry_after=retry_after)

    def not_processed(self, code: int) -> Refusal:
        return Refusal(429)

    def accepted(self, submission: Submission, wamid: str) -> bytes:
        return response(200, orjson.dumps({"call_id": _call_id(wamid), "state": "queued"}))

    def refused(self, refusal: Refusal) -> bytes:
        status, why = WHY.get(refusal.code, WHY[422])
        headers = [] if refusal.retry_after is None else [("Retry-After", f"{refusal.retry_after:g}")]
        return response(status, orjson.dumps({"error": why}), headers=headers)

    def broken(self) -> bytes:
        return response(500, b"<h1>We're sorry, but something went wrong.</h1>", "text/html")

    def malformed(self) -> bytes:
        return response(200, b'{"call_id":')

    # --- statuses

    def statuses(self, number: Number, told: Sequence[Told]) -> Webhook | None:
        (one,) = told
        url, word = self._world.callbacks.get(one.row), _WORDS.get(STATUSES[one.status])
        if url is None or word is None:
            return None
        query = urlencode(
            {
                "CallSid": _call_id(self._world.record.wamid(one.row)),
                "CallStatus": word,
                "From": self._world.record.entry(one.row).to,
                "CallDuration": 12 if word == "completed" else 0,
            }
        )
        return Webhook(f"{url}{'&' if '?' in url else '?'}{query}", {}, method="GET")

    def inbound(self, number: Number, messages: Sequence[Inbound]) -> Webhook | None:
        """Nobody writes to a voice."""
        return None


def _call_id(wamid: str) -> int:
    """The record's identifier as a number."""
    return int(wamid[-8:], 16) + 755_000


TWIN = Verboice
