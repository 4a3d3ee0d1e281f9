"""The twin of a push service of Web Push, and of the browsers behind it.

Follows RFC 8030, 8188, 8291 and 8292. It takes only what one site may send: its VAPID key is derived from a
word, and so are the keys of every phone's browser, so that a subscription can be made without asking
(`subscription`; `GET /webpush/subscription/<digits>` gives the same as a browser would). What arrives is
decrypted as the browser does it; a payload that it could not read is refused. Endpoints are addresses of a
name that leads nowhere: a channel's base_url stands in for it.
A push service tells nothing of a message: what is told comes from the service worker, at the address that the
payload has as `receipt`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import orjson
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from clarion.sandbox.calls import Calls
from clarion.sandbox.dialect import Example, Refusal, Submission, Told, Webhook
from clarion.sandbox.head import Handler, Head, response
from clarion.sandbox.server import Exchange
from clarion.sandbox.twins.fcm import device_tells
from clarion.sandbox.world import Inbound, Number, World

ORIGIN = "https://push.sandbox.example"
_ENDPOINT = re.compile(r"/webpush/(\d{6,15})")
_SUBSCRIPTION = re.compile(r"/webpush/subscription/(\d{6,15})")
_VAPID = re.compile(r"vapid\s+t=([\w-]+\.[\w-]+\.[\w-]+)\s*,\s*k=([\w-]+)", re.IGNORECASE)
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
_URGENCIES = ("very-low", "low", "normal", "high")
_DAY, _LARGEST = 86_400, 4096
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

# HTTP status → Mozilla's errno, and its word
CODES: dict[int, tuple[int, str]] = {
    400: (110, "Bad Request"),
    401: (109, "Unauthorized"),
    404: (102, "Not Found"),
    410: (106, "Gone"),
    413: (104, "Payload Too Large"),
    429: (200, "Too Many Requests"),
    503: (201, "Service Unavailable"),
}


def _key(word: str) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(hashlib.sha256(f"sandbox {word}".encode()).digest())
    return ec.derive_private_key(number % (_P256_ORDER - 1) + 1, ec.SECP256R1())


def _point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _plain(coded: str) -> bytes:
    return base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))


SITE = _key("site")
VAPID_KEY = _coded(SITE.private_numbers().private_value.to_bytes(32))


@lru_cache(maxsize=65_536)
def _browser(person: str) -> tuple[ec.EllipticCurvePrivateKey, bytes, bytes]:
    """A phone's browser: its key, the public half, its secret."""
    key = _key(f"browser {person}")
    return key, _point(key), hashlib.sha256(f"sandbox secret {person}".encode()).digest()[:16]


def subscription(person: str) -> str:
    """What the browser of a phone gives its site, by the phone's number: JSON."""
    digits = person.lstrip("+")
    _, public, secret = _browser(digits)
    keys = {"p256dh": _coded(public), "auth": _coded(secret)}
    said = {"endpoint": f"{ORIGIN}/webpush/{digits}", "expirationTime": None, "keys": keys}
    return orjson.dumps(said).decode()


class WebPush:
    """Speaks for one world. Implements dialect.Twin."""

    batches: ClassVar[bool] = False
    example: ClassVar[Example] = Example(
        "push@selam.example",
        {"vapid_key": VAPID_KEY, "hook_key": "sandbox-secret"},
        never=frozenset(("malformed_json", "receipts_failed", "refuse_permanent", "write")),
    )

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls: Calls | None = None

    def serve(self, calls: Calls) -> None:
        """Take messages from now on."""
        self._calls = calls

    def route(self, head: Head) -> Handler | None:
        """The handler of this head, when the address is a browser's."""
        if known := _SUBSCRIPTION.fullmatch(head.path):
            return lambda _: response(200, subscription(known[1]).encode())
        match, calls = _ENDPOINT.fullmatch(head.path), self._calls
        if match is None or head.method != "POST" or calls is None:
            return None
        return lambda exchange: self._send(exchange, calls, match[1])

    def _send(self, exchange: Exchange, calls: Calls, person: str) -> bytes | None:
        headers = exchange.head.headers
        site = self._site(headers.get("authorization", ""))
        number = self._world.number(site, "webpush") if site else None
        if number is None:
            return calls.invalid(self, Refusal(401), person)
        if len(exchange.body) > _LARGEST:
            return calls.invalid(self, Refusal(413), person, sender=number.sender)
        well = headers.get("ttl", "").isdigit() and headers.get("content-encoding") == "aes128gcm"
        well &= headers.get("urgency", "normal") in _URGENCIES
        well &= _TOPIC.fullmatch(headers.get("topic", "-")) is not None
        try:
            said = orjson.loads(decrypted(person, exchange.body))["notification"]
            text, receipt = said["body"], said.get("data", {}).get("receipt", "")
            reference = (parse_qs(urlsplit(receipt).query).get("ref") or [""])[0]
        except (ValueError, KeyError, TypeError, InvalidTag):
            well, text, receipt, reference = False, "", "", ""
        if not well:
            return calls.invalid(self, Refusal(400), person, reference, text, number.sender)
        what = Submission(number, person, reference, 0, text, person, callback=receipt)
        return calls.submit(exchange, self, what)

    def _site(self, authorization: str) -> str:
        """The mail address of who signed this, "" where it is not our site's, or of another time or place."""
        found = _VAPID.fullmatch(authorization)
        try:
            if found is None or _plain(found[2]) != _point(SITE):
                return ""
            signed, _, coded = found[1].rpartition(".")
            raw = _plain(coded)
            if len(raw) != 64:
                return ""
            signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
            SITE.public_key().verify(signature, signed.encode(), ec.ECDSA(SHA256()))
            claims = orjson.loads(_plain(signed.partition(".")[2]))
            now = self._world.clock.now()
            if claims["aud"] != ORIGIN or not now < claims["exp"] <= now + _DAY:
                return ""
            return str(claims["sub"]).removeprefix("mailto:")
        except (ValueError, KeyError, TypeError, InvalidSignature):
            return ""

    # --- words

    def objection(self, submission: Submission, now: float, mono: float) -> Refusal | None:
        bucket = submission.number.bucket
        return Refusal(429) if bucket is not None and not bucket.take(mono) else None

    def throttled(self, retry_after: float | None) -> Refusal:
        return Refusal(429, retry_after=retry_after)

    def not_processed(self, code: int) -> Refusal:
        return Refusal(503, retry_after=1.0)

    def accepted(self, submission: Submission, wamid: str) -> bytes:
        location = f"{ORIGIN}/m/{wamid.rpartition('.')[2].lower()}"
        return response(201, b"", headers=[("Location", location), ("TTL", "60")])

    def refused(self, refusal: Refusal) -> bytes:
        status = refusal.code if refusal.code in CODES else 410
        number, word = CODES[status]
        said = {"code": status, "errno": number, "error": word, "message": "See the errors of autopush"}
        headers = [] if refusal.retry_after is None else [("Retry-After", f"{refusal.retry_after:g}")]
        return response(status, orjson.dumps(said), headers=headers)

    def broken(self) -> bytes:
        return response(500, b"<html>Sorry</html>", "text/html")

    def malformed(self) -> bytes:
        return response(201, b"")

    # --- what browsers tell

    def statuses(self, number: Number, told: Sequence[Told]) -> Webhook | None:
        (one,) = told
        return device_tells(self._world, one)

    def inbound(self, number: Number, messages: Sequence[Inbound]) -> Webhook | None:
        return None  # nobody answers a notification


def decrypted(person: str, body: bytes) -> bytes:
    """What this person's browser reads: one record of aes128gcm (RFC 8188 2, 8291 3.3 and 3.4). Raises
    ValueError or InvalidTag for what it cannot read."""
    salt, size, id_length = body[:16], int.from_bytes(body[16:20]), body[20] if len(body) > 20 else 0
    theirs, record = body[21 : 21 + id_length], body[21 + id_length :]
    if id_length != 65 or len(record) > size:
        raise ValueError("not one record under a key of P-256")
    key, ours, secret = _browser(person)
    shared = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
    input_key = _derived(secret, shared, b"WebPush: info\0" + ours + theirs, 32)
    content_key = _derived(salt, input_key, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(salt, input_key, b"Content-Encoding: nonce\0", 12)
    padded = AESGCM(content_key).decrypt(nonce, record, None).rstrip(b"\0")
    if padded[-1:] != b"\2":
        raise ValueError("it does not end as a last record does")
    return padded[:-1]


def _derived(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)


TWIN = WebPush
