"""The twin of Kannel's smsbox: sendsms, delivery reports, and a service that brings people's messages.

Shapes and words follow Kannel's user guide (1.4.5) and what the real one answers. A sending number is what
a request names as `from`; its user is `clarion`, its password one of the sandbox's tokens. What the record
calls a message's reference is the parameter `ref` of its dlr-url. The service's address (`get-url`) is the
number's callback address with `key` (the number's app_secret) and Kannel's usual names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import parse_qs, quote_plus, urlsplit

from clarion.sandbox.calls import Calls
from clarion.sandbox.dialect import Example, Refusal, Submission, Told, Webhook
from clarion.sandbox.head import Handler, Head, response
from clarion.sandbox.record import FAILED, STATUSES
from clarion.sandbox.server import Exchange
from clarion.sandbox.world import Inbound, Number, World

USER = "clarion"
_PATHS = ("/cgi-bin/sendsms", "/sendsms")
_BITS = {"sent": 8, "delivered": 1, "failed": 2}
_ESCAPE = re.compile("%(.)", re.DOTALL)

# our numbers for what Kannel only has words for
WORDS: dict[int, tuple[int, str]] = {
    1: (403, "Authorization failed for sendsms"),
    2: (400, "Missing receiver number, rejected"),
    3: (400, "Empty receiver number not allowed, rejected"),
    4: (400, "Sender missing and no global set, rejected"),
    5: (400, "DLR-URL field misformed, rejected"),
    6: (400, "Charset or body misformed, rejected"),
    7: (503, "Temporal failure, try again later."),
    8: (403, "Not routable. Do not try again."),
    9: (400, "Number(s) has/have been denied by white- and/or black-lists."),
}
_BUSY, _PERMANENT = 7, 8


class Kannel:
    """Speaks for one world. Implements dialect.Twin."""

    batches: ClassVar[bool] = False
    example: ClassVar[Example] = Example(
        "1000", {"username": USER, "password": "sandbox-token", "hook_key": "sandbox-secret"}
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
        if head.path not in _PATHS or calls is None:
            return None
        return lambda exchange: self._send(exchange, calls)

    def _send(self, exchange: Exchange, calls: Calls) -> bytes | None:
        said = {name: values[0] for name, values in exchange.head.query.items()}
        sender = said.get("from", "")
        number = self._world.number(sender, "kannel") if sender else None
        keys = number.keys if number else self._world.config.tokens
        reference = (parse_qs(urlsplit(said.get("dlr-url", "")).query).get("ref") or [""])[0]
        to = said.get("to", "").lstrip("+")
        wrong = _wrong(said, keys)
        if number is None or wrong:
            given = number.sender if number else 0
            return calls.invalid(self, Refusal(wrong or 4), to, reference, sender=given)
        callback = said.get("dlr-url", "") if _mask(said) else ""
        what = Submission(number, to, reference, 0, said["text"], said["to"], callback=callback)
        return calls.submit(exchange, self, what)

    # --- words

    def objection(self, submission: Submission, now: float, mono: float) -> Refusal | None:
        bucket = submission.number.bucket
        return Refusal(_BUSY) if bucket is not None and not bucket.take(mono) else None

    def throttled(self, retry_after: float | None) -> Refusal:
        return Refusal(_BUSY)

    def not_processed(self, code: int) -> Refusal:
        return Refusal(_BUSY)

    def accepted(self, submission: Submission, wamid: str) -> bytes:
        return response(202, b"0: Accepted for delivery", "text/html")

    def refused(self, refusal: Refusal) -> bytes:
        status, words = WORDS.get(refusal.code, WORDS[_PERMANENT])
        return response(status, words.encode(), "text/html")

    def broken(self) -> bytes:
        return response(500, b"Sending failed.", "text/html")

    def malformed(self) -> bytes:
        return response(202, b"", "text/html")

    # --- reports and replies

    def statuses(self, number: Number, told: Sequence[Told]) -> Webhook | None:
        (one,) = told
        url, bits = self._world.callbacks.get(one.row), _BITS.get(STATUSES[one.status])
        if url is None or bits is None:
            return None
        failed = one.status == FAILED
        values = {
            "d": str(bits),
            "T": str(int(one.at)),
            "F": self._world.record.wamid(one.row).rpartition(".")[2],
            "A": f"id:1 sub:001 dlvrd:000 stat:UNDELIV err:{one.code:03d} text:" if failed else "",
            "p": f"+{self._world.record.entry(one.row).to}",
        }
        return Webhook(_filled(url, values), {}, method="GET")

    def inbound(self, number: Number, messages: Sequence[Inbound]) -> Webhook | None:
        if number.callback_url is None:
            return None
        (said,) = messages
        unicode = not said.text.isascii()
        text = said.text.encode("utf-16-be") if unicode else said.text.encode()
        query = (
            f"key={quote_plus(number.app_secret)}&id={quote_plus(said.id)}&from=%2B{said.person}"
            f"&at={int(said.at)}&charset={'UTF-16BE' if unicode else 'UTF-8'}&text={quote_plus(text)}"
        )
        return Webhook(f"{number.callback_url}?{query}", {}, method="GET")


def _filled(url: str, values: Mapping[str, str]) -> str:
    """The address with Kannel's escape codes replaced; one that it does not know stays as it is."""
    return _ESCAPE.sub(lambda code: quote_plus(values[code[1]]) if code[1] in values else code[0], url)


def _mask(said: Mapping[str, str]) -> int:
    mask = said.get("dlr-mask", "")
    return int(mask) if mask.isdigit() else 0


def _wrong(said: Mapping[str, str], keys: Sequence[str]) -> int:
    """The number of what is wrong with a request, 0 for nothing."""
    if said.get("username") != USER or said.get("password") not in keys:
        return 1
    if not said.get("to"):
        return 3 if "to" in said else 2
    if not said.get("from"):
        return 4
    if "dlr-url" in said and not said["dlr-url"].startswith(("http://", "https://")):
        return 5
    text, coding = said.get("text", ""), said.get("coding", "0")
    if coding not in ("0", "1", "2") or (coding == "0" and not _latin(text)):
        return 6
    return 0


def _latin(text: str) -> bool:
    """Whether 7-bit coding keeps this text about as it is: the letters of western Europe, the euro."""
    return all(ord(letter) < 256 or letter in "€ΔΦΓΛΩΠΨΣΘΞ" for letter in text)


TWIN = Kannel
