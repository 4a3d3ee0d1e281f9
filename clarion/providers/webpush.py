"""Web Push: notifications in browsers, by whichever push service each browser has.

Follows RFC 8030 (the protocol), 8188 and 8291 (encryption, aes128gcm), 8292 (VAPID: who we are). The payload
has the shape of declarative Web Push (W3C Push API), which browsers that know it show by themselves; in all
others the site's service worker reads it. `devices` says how they may tell what became of a message.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from yarl import URL

from clarion.domain.address import parse_address
from clarion.domain.browser import Browser, read_browser
from clarion.domain.limits import Limits
from clarion.domain.refusal import Refusal
from clarion.errors import Invalid, Misconfigured, Problem
from clarion.kit.clock import Clock
from clarion.kit.http import Answer, Http, prepared
from clarion.providers import devices
from clarion.providers.calling import asked, by_status, other_than, retry_after
from clarion.providers.contract import (
    Account,
    Answered,
    Call,
    Fault,
    Found,
    Parcel,
    Push,
    Receipt,
    Sender,
    Told,
)

if TYPE_CHECKING:  # slow to load, and for who has such a channel only
    from py_vapid import Vapid02

# RFC 8291 4: 4,096 bytes in all, of which the header takes 86, the delimiter 1 and the tag 16.
LARGEST = 4096 - 103
VALID = timedelta(hours=12)  # of a VAPID token; 24 at most (RFC 8292 2)
RENEWED = timedelta(hours=11)
_SERVICES = 256  # push services whose tokens are kept; there are a handful
_URGENCIES = ("very-low", "low", "normal", "high")
_OPTIONS = ("title", "ttl", "urgency", "topic")
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")  # RFC 8030 5.4
_REASON = re.compile(r"[A-Za-z0-9 _.-]{1,80}")


@dataclass(slots=True)
class Vapid:
    """Who we are, as push services read it: one signed token for each of them, until it is old."""

    key: Vapid02
    subject: str
    clock: Clock
    _made: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def header(self, endpoint: URL) -> str:
        """The Authorization header for a push service."""
        origin, now = str(endpoint.origin()), self.clock.now()
        made = self._made.get(origin)
        if made is None or made[1] <= now:
            if len(self._made) >= _SERVICES:
                self._made.clear()
            claims = {"aud": origin, "exp": int((now + VALID).timestamp()), "sub": self.subject}
            made = self._made[origin] = str(self.key.sign(claims)["Authorization"]), now + RENEWED
        return made[0]


class _Sender:
    def __init__(self, account: Account, http: Http, vapid: Vapid) -> None:
        self._account, self._http, self._vapid = account, http, vapid
        self._stand_in = account.base_url.rstrip("/")
        fixed = {"Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream"}
        for option in ("urgency", "topic"):
            if account.options.get(option):
                fixed[option.capitalize()] = str(account.options[option])
        self._fixed = fixed

    async def send(self, parcel: Parcel) -> Told:
        push = devices.notification(parcel.content, self._account.options)
        if push is None:
            return other_than("Web Push", "push")
        browser = read_browser(parcel.address)
        if isinstance(browser, Refusal):  # of an older version's making
            return Told(Answered.REFUSED, fault=Fault.PERSON, code=browser.reason)
        shown = payload(push, devices.receipt_address(self._account, parcel.reference))
        if len(shown) > LARGEST:
            return Told(Answered.REFUSED, fault=Fault.CONTENT, code="too_large")
        endpoint = url = URL(browser.endpoint, encoded=True)
        if self._stand_in:
            url = URL(self._stand_in + endpoint.raw_path_qs, encoded=True)
        seconds = devices.life(parcel.lifetime, self._account.options)
        headers = prepared(
            {"Authorization": self._vapid.header(endpoint), "TTL": str(seconds), **self._fixed}
        )
        body = encrypted(browser, shown)
        answer = await asked(self._http, self._account, "POST", url, headers, body)
        return answer if isinstance(answer, Told) else told(answer)

    async def look_up(self, reference: str) -> Found | None:
        """Push services know nothing of our reference."""
        return None


def payload(push: Push, receipt: str) -> bytes:
    """What the browser, or the site's service worker, reads: JSON (declarative Web Push)."""
    said: dict[str, Any] = {"title": push.title, "body": push.body}
    if push.url:
        said["navigate"] = push.url
    if data := dict(push.data) | ({"receipt": receipt} if receipt else {}):
        said["data"] = data
    return orjson.dumps({"web_push": 8030, "notification": said})


def encrypted(browser: Browser, plain: bytes) -> bytes:
    """For this browser alone, under a key of this message's own (RFC 8291)."""
    import http_ece
    from cryptography.hazmat.primitives.asymmetric import ec

    ours = ec.generate_private_key(ec.SECP256R1())
    return bytes(
        http_ece.encrypt(
            plain, private_key=ours, dh=browser.p256dh, auth_secret=browser.auth, version="aes128gcm"
        )
    )


def told(answer: Answer) -> Told:
    """What an answer means, by its status alone; services have words of their own beside it."""
    status, code, wait = answer.status, f"http_{answer.status}", retry_after(answer.headers)
    if status in (200, 201, 202):  # RFC 8030 5 and 5.1; Mozilla speaks of any
        return Told(Answered.ACCEPTED, provider_id=answer.headers.get("Location", "")[:500] or None)
    detail = _reason(answer)
    if status in (404, 410):  # RFC 8030 7.3: the subscription is no more
        return Told(Answered.REFUSED, fault=Fault.GONE, code=code, detail=detail)
    if status == 413:
        return Told(Answered.REFUSED, fault=Fault.CONTENT, code=code, detail=detail)
    # RFC 9110 15.6.4 and 10.2.3: unable to handle it now; and whoever says when to come again
    if status == 503 or (status >= 500 and wait is not None):
        return Told(Answered.LATER, fault=Fault.PROVIDER, code=code, detail=detail, retry_after=wait)
    return by_status(answer, code, detail)


def _reason(answer: Answer) -> str | None:
    """A word of Apple's (`reason`) or Mozilla's number (`errno`); nothing else, which may hold an address."""
    try:
        said = orjson.loads(answer.body)
        reason = str(said["reason"]) if "reason" in said else f"errno {int(said['errno'])}"
    except (ValueError, KeyError, TypeError):
        return None
    return reason if _REASON.fullmatch(reason) else None


def vapid_key(text: str) -> Vapid02:
    """The private key, in any spelling that tools write: PEM, DER or raw in base64. Raises Misconfigured."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from py_vapid import Vapid02, VapidException

    try:
        if "-----BEGIN" in text:
            key = Vapid02.from_pem(text.strip().encode())
        else:
            key = Vapid02.from_string(text.strip())
        if isinstance(key.private_key, ec.EllipticCurvePrivateKey) and key.private_key.key_size == 256:
            return key
    except (ValueError, TypeError, binascii.Error, VapidException):
        pass
    raise Misconfigured(
        "credentials.vapid_key is not a private key for VAPID",
        where="channel",
        hint="It is a key on the curve P-256, whose public half the site gives to pushManager.subscribe().",
    ) from None


@dataclass(frozen=True)
class WebPush:
    """The provider. `sender` is the mail address at which push services reach whoever runs the channel; a
    `base_url` stands in for every push service (the sandbox)."""

    clock: Clock = field(default_factory=Clock)

    name: ClassVar[str] = "webpush"
    base_url: ClassVar[str] = ""  # each browser's own service
    schemes: ClassVar[tuple[str, ...]] = ("webpush",)
    can_look_up: ClassVar[bool] = False
    has_window: ClassVar[bool] = False
    text_limit: ClassVar[int] = 3_400
    byte_limit: ClassVar[int] = 3_400  # the rest is for our receipt's address and the names of parts
    kinds: ClassVar[frozenset[str]] = frozenset(("push", "text"))
    credentials: ClassVar[dict[str, str]] = {
        "vapid_key": "the private key that push services know us by",
        "hook_key": devices.HOOK_KEY,
    }
    speaks_http: ClassVar[bool] = True
    limits: ClassVar[Limits] = Limits(rate=100)  # none is published
    counts_segments: ClassVar[bool] = False
    thanks: ClassVar[tuple[str, str]] = ("", "")

    def sender(self, account: Account, http: Http) -> Sender:
        secret = account.credentials.get("vapid_key")
        contact = parse_address(account.sender, "mailto")
        if not secret or isinstance(contact, Refusal) or contact.scheme != "mailto":
            raise Misconfigured(
                "a Web Push channel needs credentials.vapid_key and a mail address as sender",
                where="channel",
                hint="`clarion channel set NAME --set sender=ops@example.org --credential vapid_key=@FILE`",
            )
        return _Sender(account, http, Vapid(vapid_key(secret), f"mailto:{contact.path}", self.clock))

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raises Invalid with every problem."""
        problems = devices.problems(options, _OPTIONS)
        if options.get("urgency", "normal") not in _URGENCIES:
            problems.append(Problem("config.options.urgency", "write one of " + ", ".join(_URGENCIES)))
        if "topic" in options and not _TOPIC.fullmatch(str(options["topic"])):
            what = "a topic is 1 to 32 letters, digits, - and _"
            problems.append(Problem("config.options.topic", what))
        if problems:
            raise Invalid("the channel's options are not right", problems=tuple(problems))

    def verified(self, account: Account, call: Call) -> bool:
        return devices.told(account, call)

    def challenge(self, account: Account, call: Call) -> str | None:
        return None

    def read(self, account: Account, call: Call) -> Sequence[Receipt]:
        return devices.read(call)


provider = WebPush()
