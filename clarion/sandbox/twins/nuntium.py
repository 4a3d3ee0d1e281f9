"""The twin of Nuntium: the messages of one application, its acknowledgements and its interface.

Shapes follow Nuntium's source (instedd/nuntium). The application is `selam/clarion`, its password one of the
sandbox's tokens. A sending number is what a message names as `from`, without its protocol; both callbacks go
to the number's callback address, with the number's app_secret as their password.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

import orjson

from clarion.sandbox.calls import Calls
from clarion.sandbox.dialect import Example, Refusal, Submission, Told, Webhook
from clarion.sandbox.head import Handler, Head, basic_login, response
from clarion.sandbox.record import STATUSES, Entry
from clarion.sandbox.server import Exchange
from clarion.sandbox.world import Inbound, Number, World

_PATH = "/api/ao_messages.json"
USER = "selam/clarion"
_WORDS = {"accepted": "queued", "sent": "delivered", "delivered": "confirmed", "failed": "failed"}


class Nuntium:
    """Speaks for one world. Implements dialect.Twin."""

    batches: ClassVar[bool] = False
    example: ClassVar[Example] = Example(
        "4444",
        {"username": USER, "password": "sandbox-token", "hook_key": "sandbox-secret"},
        {"look_up": True},
        never=frozenset(("refuse_permanent", "not_processed_503", "malformed_json")),
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
        if head.path != _PATH or calls is None:
            return None
        user, password = basic_login(head.headers.get("authorization", ""))
        if user != USER or password not in self._world.config.tokens:
            return lambda _: calls.invalid(self, Refusal(401))
        if head.method == "GET":
            return self._index
        return lambda exchange: self._create(exchange, calls)

    def _create(self, exchange: Exchange, calls: Calls) -> bytes | None:
        try:
            (said,) = orjson.loads(exchange.body)
            to, text, sender = said["to"].removeprefix("sms://"), said["body"], said.get("from", "")
            guid, token = said.get("guid", ""), said.get("token", "")
        except (ValueError, KeyError, TypeError, AttributeError):
            return calls.invalid(self, Refusal(500))
        if any(entry.accepted_at is not None for entry in self._world.record.with_reference(guid)):
            return _taken(token)  # a guid is taken once
        number = self._world.number(sender.removeprefix("sms://"), "nuntium")
        if number is None:
            return calls.invalid(self, Refusal(400), to, guid)
        return calls.submit(exchange, self, Submission(number, to, guid, 0, text, token))

    def _index(self, exchange: Exchange) -> bytes:
        """The messages that were made under a token."""
        token = exchange.head.first("token")
        if token is None:
            return self.refused(Refusal(400))
        self._world.lookups += 1
        found = [
            _message(entry, token)
            for entry in self._world.record.with_reference(token)
            if entry.accepted_at is not None
        ]
        return response(200, orjson.dumps(found))

    # --- words

    def objection(self, submission: Submission, now: float, mono: float) -> Refusal | None:
        """It takes everything, and sends it as fast as it can."""
        return None

    def throttled(self, retry_after: float | None) -> Refusal:
        """What a server before it says; Nuntium itself knows no such word."""
        return Refusal(429, retry_after=retry_after)

    def not_processed(self, code: int) -> Refusal:
        return Refusal(429)

    def accepted(self, submission: Submission, wamid: str) -> bytes:
        return _taken(submission.given)

    def refused(self, refusal: Refusal) -> bytes:
        status = refusal.code if refusal.code in (400, 401, 429) else 500
        headers = [] if refusal.retry_after is None else [("Retry-After", f"{refusal.retry_after:g}")]
        return response(status, b" ", "text/html", headers)

    def broken(self) -> bytes:
        return response(500, b"<h1>Something went wrong</h1>", "text/html")

    def malformed(self) -> bytes:
        return response(200, b"", "text/html")

    # --- callbacks

    def statuses(self, number: Number, told: Sequence[Told]) -> Webhook | None:
        (one,) = told
        state, entry = _WORDS.get(STATUSES[one.status]), self._world.record.entry(one.row)
        if state is None:
            return None
        return _called(number, {"guid": entry.reference, "channel": "smsc", "state": state})

    def inbound(self, number: Number, messages: Sequence[Inbound]) -> Webhook | None:
        (said,) = messages
        form = {
            "application": "clarion", "from": f"sms://{said.person}", "to": f"sms://{number.id}",
            "subject": "", "body": said.text, "guid": said.id, "channel": "smsc",
        }  # fmt: skip
        return _called(number, form)


def _called(number: Number, form: dict[str, str]) -> Webhook | None:
    if number.callback_url is None:
        return None
    login = base64.b64encode(b"nuntium:" + number.app_secret).decode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Basic {login}"}
    return Webhook(number.callback_url, headers, urlencode(form).encode())


def _message(entry: Entry, token: str) -> dict[str, Any]:
    return {
        "to": f"sms://{entry.to}", "body": entry.text, "guid": entry.reference, "token": token,
        "channel": "smsc", "channel_kind": "smpp", "state": _WORDS.get(entry.status, "confirmed"),
    }  # fmt: skip


def _taken(token: str) -> bytes:
    return response(200, b"", "text/html", [("X-Nuntium-Token", token)])


TWIN = Nuntium
