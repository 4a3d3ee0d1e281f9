"""The twin of Twilio's messages: one address, its checks, its words.

Shapes and codes follow Twilio's public reference (Messages resource; Track outbound message status; Webhook
security; Error and Warning Dictionary). A sending number is what a request names as its MessagingServiceSid
or From. What the record calls a message's reference is the parameter `ref` of its StatusCallback.

Whoever writes STOP, or another of Twilio's words, as the whole message is sent nothing by that number until
they write START: as at Twilio, the call is refused (21610). What Twilio answers them is no message of ours.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import ClassVar
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import orjson

from clarion.sandbox.calls import Calls
from clarion.sandbox.dialect import Example, Refusal, Submission, Told, Webhook
from clarion.sandbox.head import Handler, Head, basic_login, response
from clarion.sandbox.record import FAILED, MEDIA, STATUSES
from clarion.sandbox.server import Exchange
from clarion.sandbox.world import Inbound, Number, World

_PATH = re.compile(r"/2010-04-01/Accounts/(AC[0-9A-Za-z]{1,64})/Messages\.json")
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
MAX_TEXT = 1600

# code → (HTTP status, message)
CODES: dict[int, tuple[int, str]] = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    21211: (400, "Invalid 'To' Phone Number"),
    21602: (400, "Message body is required."),
    21606: (400, "The 'From' phone number provided is not a valid message-capable Twilio phone number."),
    21609: (400, "Invalid 'StatusCallback'"),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (429, "This 'From' number has exceeded the maximum number of queued messages"),
    21614: (400, "'To' number is not a valid mobile number"),
    21620: (400, "Invalid media URL(s)"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
}
_PERMANENT, _UNDELIVERED = 21614, 30005
_STOP = frozenset(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"))
_START = frozenset(("START", "YES", "UNSTOP"))
_WORDS = {"sent": "sent", "delivered": "delivered", "read": "read", "failed": "undelivered"}


class Twilio:
    """Speaks for one world. Implements dialect.Twin."""

    batches: ClassVar[bool] = False
    example: ClassVar[Example] = Example(
        "+15005550006", {"account_sid": "AC" + "0" * 32, "auth_token": "sandbox-token"}
    )

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls: Calls | None = None
        self._account = "AC" + "0" * 32

    def serve(self, calls: Calls) -> None:
        """Take messages from now on."""
        self._calls = calls

    def route(self, head: Head) -> Handler | None:
        """The handler of this head, when the address is this provider's."""
        match = _PATH.fullmatch(head.path)
        calls = self._calls
        if match is None or calls is None:
            return None
        account = match[1]
        user, password = basic_login(head.headers.get("authorization", ""))
        if head.method != "POST":
            return lambda _: self.refused(Refusal(20404))
        if user != account and not user.startswith("SK"):
            return lambda _: calls.invalid(self, Refusal(20003))
        return lambda exchange: self._send(exchange, calls, account, password)

    def _send(self, exchange: Exchange, calls: Calls, account: str, password: str) -> bytes | None:
        form = dict(parse_qsl(exchange.body.decode("latin-1"), keep_blank_values=True))
        sender = form.get("MessagingServiceSid") or form.get("From") or ""
        number = self._world.number(sender, "twilio") if sender else None
        if password not in (number.keys if number else self._world.config.tokens):
            return calls.invalid(self, Refusal(20003))
        self._account = account
        to, reference = form.get("To", "").lstrip("+"), _reference(form.get("StatusCallback", ""))
        if number is None:
            return calls.invalid(self, Refusal(21606), to, reference)
        wrong = _wrong(form)
        if wrong:
            return calls.invalid(self, Refusal(wrong), to, reference, sender=number.sender)
        callback = form.get("StatusCallback", "")
        kind, shown = 0, form.get("Body", "")
        if file := form.get("MediaUrl"):
            kind, shown = MEDIA, f"[media {file}] {shown}".rstrip()
        return calls.submit(
            exchange, self, Submission(number, to, reference, kind, shown, form["To"], callback=callback)
        )

    # --- words

    def objection(self, submission: Submission, now: float, mono: float) -> Refusal | None:
        if self._stopped(submission.number, submission.to):
            return Refusal(21610)
        bucket = submission.number.bucket
        return Refusal(20429) if bucket is not None and not bucket.take(mono) else None

    def _stopped(self, number: Number, person: str) -> bool:
        """Whether this person's last word about it to this number was STOP."""
        for said in reversed(self._world.inbound):
            word = said.text.strip().upper()
            if (said.number, said.person) == (number.id, person) and word in _STOP | _START:
                return word in _STOP
        return False

    def throttled(self, retry_after: float | None) -> Refusal:
        return Refusal(20429, retry_after=retry_after)

    def not_processed(self, code: int) -> Refusal:
        """Of a 5xx Twilio never says that nothing was processed; of a full queue it does."""
        return Refusal(21611)

    def accepted(self, submission: Submission, wamid: str) -> bytes:
        service = submission.number.id.startswith("MG")
        document = {
            "account_sid": self._account,
            "api_version": "2010-04-01",
            "body": submission.text,
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": None if service else submission.number.id,
            "messaging_service_sid": submission.number.id if service else None,
            "num_media": "1" if submission.kind == MEDIA else "0",
            "num_segments": "0" if service else "1",
            "sid": _sid(wamid),
            "status": "accepted" if service else "queued",
            "to": submission.given,
        }
        return response(201, orjson.dumps(document))

    def refused(self, refusal: Refusal) -> bytes:
        code = refusal.code if refusal.code in CODES else _PERMANENT
        status, message = CODES[code]
        document = {
            "code": code,
            "message": refusal.details or message,
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        }
        headers = [] if refusal.retry_after is None else [("Retry-After", f"{refusal.retry_after:g}")]
        return response(status, orjson.dumps(document), headers=headers)

    def broken(self) -> bytes:
        return response(500, b'{"code":20500,"message":"Internal Server Error","status":500}')

    def malformed(self) -> bytes:
        return response(201, b'{"sid":"SM')

    # --- webhooks

    def statuses(self, number: Number, told: Sequence[Told]) -> Webhook | None:
        (one,) = told
        url = self._world.callbacks.get(one.row)
        if url is None:
            return None
        word = _WORDS[STATUSES[one.status]]
        sid = _sid(self._world.record.wamid(one.row))
        form = [
            ("SmsSid", sid), ("SmsStatus", word), ("MessageStatus", word), ("MessageSid", sid),
            ("To", f"+{self._world.record.entry(one.row).to}"), *_who("From", number),
            ("AccountSid", self._account), ("ApiVersion", "2010-04-01"),
        ]  # fmt: skip
        if one.status == FAILED:
            form.append(("ErrorCode", str(one.code if 21000 <= one.code < 70000 else _UNDELIVERED)))
        return _signed(number, url, form)

    def inbound(self, number: Number, messages: Sequence[Inbound]) -> Webhook | None:
        if number.callback_url is None:
            return None
        (said,) = messages
        sid = _sid(said.id)
        form = [
            ("MessageSid", sid), ("SmsSid", sid), ("SmsMessageSid", sid), ("SmsStatus", "received"),
            ("AccountSid", self._account), ("From", f"+{said.person}"), *_who("To", number),
            ("Body", said.text), ("NumMedia", "0"), ("NumSegments", "1"), ("ApiVersion", "2010-04-01"),
        ]  # fmt: skip
        return _signed(number, number.callback_url, form)


def _signed(number: Number, url: str, form: list[tuple[str, str]]) -> Webhook:
    """The auth token signs the address with each field's name and value, sorted by name."""
    text = url
    for name, value in sorted(form):
        text += name + value
    digest = hmac.new(number.keys[0].encode(), text.encode(), hashlib.sha1).digest()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "X-Twilio-Signature": base64.b64encode(digest).decode(),
    }
    return Webhook(url, headers, urlencode(form).encode())


def _who(field: str, number: Number) -> list[tuple[str, str]]:
    """The sending number; of a service, the service, and one of its numbers."""
    if not number.id.startswith("MG"):
        return [(field, number.id)]
    return [(field, f"+{number.display}"), ("MessagingServiceSid", number.id)]


def _wrong(form: dict[str, str]) -> int:
    """The code of what is wrong with a request, 0 for nothing."""
    if not _NUMBER.fullmatch(form.get("To", "")):
        return 21211
    if not form.get("Body") and not form.get("MediaUrl"):
        return 21602
    if len(form.get("Body", "")) > MAX_TEXT:
        return 21617
    if "MediaUrl" in form and not form["MediaUrl"].startswith(("http://", "https://")):
        return 21620
    callback = form.get("StatusCallback")
    if callback is None:
        return 0
    parts = urlsplit(callback)
    host = parts.hostname or ""
    return 0 if parts.scheme in ("http", "https") and host and "_" not in host else 21609


def _reference(callback: str) -> str:
    return (parse_qs(urlsplit(callback).query).get("ref") or [""])[0]


def _sid(identifier: str) -> str:
    """The record's identifier in Twilio's shape."""
    return "SM" + identifier[-18:].lower().rjust(32, "0")


TWIN = Twilio
