"""The twin of Firebase Cloud Messaging, and of Google's token server: projects, and devices that answer.

Shapes and codes follow Firebase's public reference (projects.messages.send, ErrorCode) and Google's OAuth 2.0
for service accounts. There is one service account, whose file lies beside this module, with a key that opens
nothing else. A project is a sending number; a phone's device has the token `<digits>:APA91b-sandbox-device`.
FCM tells nothing of a message: what is told comes from the device, at the address that the message's data has
as `receipt`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, parse_qsl, urlsplit

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from clarion.sandbox.calls import Calls
from clarion.sandbox.dialect import Example, Refusal, Submission, Told, Webhook
from clarion.sandbox.head import Handler, Head, response
from clarion.sandbox.record import STATUSES
from clarion.sandbox.server import Exchange
from clarion.sandbox.world import Inbound, Number, World

SERVICE_ACCOUNT = Path(__file__).with_name("fcm_service_account.json").read_text(encoding="utf-8")
_WHO: dict[str, str] = orjson.loads(SERVICE_ACCOUNT)
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SCOPES = {
    "https://www.googleapis.com/auth/firebase.messaging", "https://www.googleapis.com/auth/cloud-platform",
}  # fmt: skip
_PATH = re.compile(r"/v1/projects/([^/]{1,64})/messages:send")
_DEVICE = re.compile(r"(\d{6,15}):APA91b[A-Za-z0-9_-]+")
_LARGEST = 4096
_STATES = {"delivered": "delivered", "read": "read"}

# our numbers for what FCM has words for → (HTTP status, status, errorCode, message)
CODES: dict[int, tuple[int, str, str, str]] = {
    400: (400, "INVALID_ARGUMENT", "", "Request contains an invalid argument."),
    401: (401, "UNAUTHENTICATED", "", "Request had invalid authentication credentials."),
    403: (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", "SenderId mismatch"),
    404: (404, "NOT_FOUND", "UNREGISTERED", "Requested entity was not found."),
    411: (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT",
          "The registration token is not a valid FCM registration token"),
    429: (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "Quota exceeded for quota metric 'Send requests'"),
    500: (500, "INTERNAL", "INTERNAL", "Internal error encountered."),
    503: (503, "UNAVAILABLE", "UNAVAILABLE", "The service is currently unavailable."),
}  # fmt: skip
_PERMANENT, _BAD_TOKEN, _NOBODY, _BUSY, _DOWN = 403, 411, 401, 429, 503


def device(person: str) -> str:
    """The registration token of a phone's device, by its number."""
    return f"{person.lstrip('+')}:APA91b-sandbox-device"


class Fcm:
    """Speaks for one world. Implements dialect.Twin."""

    batches: ClassVar[bool] = False
    example: ClassVar[Example] = Example(
        _WHO["project_id"],
        {"service_account": SERVICE_ACCOUNT, "hook_key": "sandbox-secret"},
        never=frozenset(("receipts_failed", "write")),
    )

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls: Calls | None = None
        key = load_pem_private_key(_WHO["private_key"].encode(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        self._key = key.public_key()

    def serve(self, calls: Calls) -> None:
        """Take messages from now on."""
        self._calls = calls

    def route(self, head: Head) -> Handler | None:
        """The handler of this head, when the address is Google's."""
        calls, match = self._calls, _PATH.fullmatch(head.path)
        if head.path == urlsplit(_WHO["token_uri"]).path and head.method == "POST":
            return self._token
        if match is None or calls is None:
            return None
        number = self._world.number(match[1], "fcm")
        if number is None or head.headers.get("authorization", "") not in number.tokens:
            return lambda _: calls.invalid(self, Refusal(_NOBODY))
        return lambda exchange: self._send(exchange, calls, number)

    def _token(self, exchange: Exchange) -> bytes:
        """A token for whoever asserts, signed by the account's key, that it is the account, now and here."""
        form = dict(parse_qsl(exchange.body.decode("latin-1")))
        try:
            signed, _, signature = form["assertion"].rpartition(".")
            self._key.verify(_plain(signature), signed.encode(), padding.PKCS1v15(), SHA256())
            claims = orjson.loads(_plain(signed.partition(".")[2]))
            now = self._world.clock.now()
            fresh = claims["iat"] <= now + 60 and now < claims["exp"] <= claims["iat"] + 3600
            ours = claims["iss"] == _WHO["client_email"] and claims["aud"] == _WHO["token_uri"]
            if form["grant_type"] != _GRANT or not fresh or not ours or claims["scope"] not in _SCOPES:
                raise ValueError("not for us")
        except (KeyError, ValueError, TypeError, InvalidSignature):
            error = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            return response(400, orjson.dumps(error))
        token = {"access_token": self._world.config.tokens[0], "expires_in": 3599, "token_type": "Bearer"}
        return response(200, orjson.dumps(token))

    def _send(self, exchange: Exchange, calls: Calls, number: Number) -> bytes | None:
        try:
            message = orjson.loads(exchange.body)["message"]
            token, shown, data = message["token"], message["notification"], message.get("data", {})
            texts = [*shown.values(), *data.keys(), *data.values()]
            size = sum(len(part.encode()) for part in (*texts, *shown.keys()))
            text = shown["body"]
        except (ValueError, KeyError, TypeError, AttributeError):
            return calls.invalid(self, Refusal(400), sender=number.sender)
        known = _DEVICE.fullmatch(token)
        receipt = data.get("receipt", "")
        reference = (parse_qs(urlsplit(receipt).query).get("ref") or [""])[0]
        if known is None or size > _LARGEST:
            refusal = Refusal(_BAD_TOKEN if known is None else 400)
            return calls.invalid(self, refusal, "", reference, text, number.sender)
        what = Submission(number, known[1], reference, 0, text, token, callback=receipt)
        return calls.submit(exchange, self, what)

    # --- words

    def objection(self, submission: Submission, now: float, mono: float) -> Refusal | None:
        bucket = submission.number.bucket
        return Refusal(_BUSY) if bucket is not None and not bucket.take(mono) else None

    def throttled(self, retry_after: float | None) -> Refusal:
        return Refusal(_BUSY, retry_after=retry_after)

    def not_processed(self, code: int) -> Refusal:
        return Refusal(_DOWN, retry_after=1.0)

    def accepted(self, submission: Submission, wamid: str) -> bytes:
        name = f"projects/{submission.number.id}/messages/{wamid.rpartition('.')[2].lower()}"
        return response(200, orjson.dumps({"name": name}))

    def refused(self, refusal: Refusal) -> bytes:
        status, word, code, message = CODES[refusal.code if refusal.code in CODES else _PERMANENT]
        error: dict[str, Any] = {"code": status, "message": message, "status": word}
        if code:
            kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
            error["details"] = [{"@type": kind, "errorCode": code}]
        headers = [] if refusal.retry_after is None else [("Retry-After", f"{refusal.retry_after:g}")]
        return response(status, orjson.dumps({"error": error}), headers=headers)

    def broken(self) -> bytes:
        return response(500, b"<html><title>Error 500 (Server Error)!!1</title></html>", "text/html")

    def malformed(self) -> bytes:
        return response(200, b'{"name":"projects/selam')

    # --- what devices tell

    def statuses(self, number: Number, told: Sequence[Told]) -> Webhook | None:
        (one,) = told
        return device_tells(self._world, one)

    def inbound(self, number: Number, messages: Sequence[Inbound]) -> Webhook | None:
        return None  # nobody answers a notification


def device_tells(world: World, one: Told) -> Webhook | None:
    """What an app or a service worker calls when it shows a message, and when somebody opens it."""
    url, state = world.callbacks.get(one.row), _STATES.get(STATUSES[one.status])
    return None if url is None or state is None else Webhook(f"{url}&state={state}", {})


def _plain(coded: str) -> bytes:
    return base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))


TWIN = Fcm
