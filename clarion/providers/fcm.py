"""Firebase Cloud Messaging, HTTP v1: notifications on devices with an app.

Shapes, limits and error codes follow Firebase's public reference (projects.messages, FcmError and ErrorCode,
"Manage FCM registration tokens"). FCM tells nothing of a message that it took; `devices` says how an app may.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

import orjson
from yarl import URL

from clarion.domain.limits import Limits
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
from clarion.providers.service_accounts import ServiceAccount, Tokens, service_account

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
LARGEST = 4096  # bytes of what a message holds, keys and values

# FcmError's errorCode, or else the status of the error → (how it ended, whose fault). INTERNAL is not here:
# "while trying to process the request" something broke, and it may be tried again, but nothing says that it
# was not processed. So it is unknown, as every 5xx that says nothing.
_L, _R = Answered.LATER, Answered.REFUSED
TABLE: dict[str, tuple[Answered, Fault]] = {
    "UNREGISTERED": (_R, Fault.GONE),
    "SENDER_ID_MISMATCH": (_R, Fault.PERSON),  # a token of another project: that person's, not all
    "QUOTA_EXCEEDED": (_L, Fault.RATE),
    "RESOURCE_EXHAUSTED": (_L, Fault.RATE),
    "UNAVAILABLE": (_L, Fault.PROVIDER),  # overloaded: it did not process it
    "THIRD_PARTY_AUTH_ERROR": (_L, Fault.ACCOUNT),  # our key of Apple, or of Web Push, in the project
    "UNAUTHENTICATED": (_L, Fault.ACCOUNT),
    "PERMISSION_DENIED": (_L, Fault.ACCOUNT),
    "NOT_FOUND": (_L, Fault.ACCOUNT),  # the project; a token that is not found is UNREGISTERED
}
_OPTIONS = ("title", "ttl", "priority")
_PRIORITIES = {"high": ("10", "high"), "normal": ("5", "normal")}  # of Apple, and of Web Push


class _Sender:
    def __init__(self, account: Account, http: Http, own: bool, who: ServiceAccount, clock: Clock) -> None:
        project = account.sender or who.project
        if not project:
            raise Misconfigured(
                "an FCM channel needs a project",
                where="channel",
                hint="Its service account names none: `clarion channel set NAME --set sender=PROJECT_ID`.",
            )
        base = account.base_url.rstrip("/")
        self._url = URL(f"{base}/v1/projects/{quote(project, safe='')}/messages:send", encoded=True)
        self._tokens = Tokens(http, account, who, SCOPE, clock, stand_in="" if own else base)
        self._account, self._http, self._clock = account, http, clock

    async def send(self, parcel: Parcel) -> Told:
        push = devices.notification(parcel.content, self._account.options)
        if push is None:
            return other_than("FCM", "push")
        message = written(self._account, parcel, push, self._clock.now())
        if weight(message) > LARGEST:
            return Told(Answered.REFUSED, fault=Fault.CONTENT, code="too_large")
        token = await self._tokens.token()
        if isinstance(token, Told):
            return token
        headers = prepared({"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        body = orjson.dumps({"message": message})
        answer = await asked(self._http, self._account, "POST", self._url, headers, body)
        return answer if isinstance(answer, Told) else self._judged(answer, token, parcel)

    def _judged(self, answer: Answer, token: str, parcel: Parcel) -> Told:
        end = told(answer)
        if end.code == "UNAUTHENTICATED" and self._tokens.drop(token):
            end = Told(Answered.LATER, fault=Fault.PROVIDER, code=end.code, detail=end.detail)
        elif end.answered is Answered.ACCEPTED:
            self._tokens.took(token)
        if end.detail is not None:
            end.detail = end.detail.replace(parcel.address, "…")[:200]
        return end

    async def look_up(self, reference: str) -> Found | None:
        """FCM has no such question."""
        return None


def written(account: Account, parcel: Parcel, push: Push, now: datetime) -> dict[str, Any]:
    """The message (projects.messages, Message). Everything in `data` is text."""
    seconds = devices.life(parcel.lifetime, account.options)
    data = dict(push.data) | ({"url": push.url} if push.url else {})
    if receipt := devices.receipt_address(account, parcel.reference):
        data["receipt"] = receipt
    shown = {"title": push.title} if push.title else {}
    message: dict[str, Any] = {
        "token": parcel.address,
        "notification": {**shown, "body": push.body},
        "android": {"ttl": f"{seconds}s"},
        # Apple wants the moment; 0 means "now or never"
        "apns": {"headers": {"apns-expiration": str(int(now.timestamp()) + seconds if seconds else 0)}},
        "webpush": {"headers": {"TTL": str(seconds)}},
    }
    if data:
        message["data"] = data
    if push.url and push.url.startswith("https://"):  # FCM takes no other
        message["webpush"]["fcm_options"] = {"link": push.url}
    if priority := account.options.get("priority"):
        message["android"]["priority"] = priority
        message["apns"]["headers"]["apns-priority"], message["webpush"]["headers"]["Urgency"] = _PRIORITIES[
            priority
        ]
    return message


def weight(message: Mapping[str, Any]) -> int:
    """Bytes that count against FCM's limit: what is shown, and the data's keys and values."""
    pairs = (*message["notification"].items(), *message.get("data", {}).items())
    return sum(len(key.encode()) + len(value.encode()) for key, value in pairs)


def told(answer: Answer) -> Told:
    """What an answer means."""
    try:
        said = orjson.loads(answer.body)
        if answer.status == 200:
            return Told(Answered.ACCEPTED, provider_id=_name(said))
        code, detail = _code(said["error"]), str(said["error"].get("message") or "") or None
    except (ValueError, KeyError, TypeError, AttributeError):
        return by_status(answer)
    if code == "INVALID_ARGUMENT":
        # Of the token: no other try helps. Of anything else: what we wrote, for everybody.
        end = (_R, Fault.GONE) if _of_token(said["error"]) else (_L, Fault.CONTENT)
    elif code in TABLE and answer.status >= 400:
        end = TABLE[code]
    else:
        return by_status(answer, code, detail)
    answered, fault = end
    wait = retry_after(answer.headers) if fault in (Fault.RATE, Fault.PROVIDER) else None
    return Told(answered, fault=fault, code=code, detail=detail, retry_after=wait)


def _name(said: Any) -> str:
    name = said["name"]
    if not isinstance(name, str) or not name:
        raise ValueError("a message without its name")
    return name


def _code(error: Mapping[str, Any]) -> str:
    """FCM's own code; where there is none, Google's word for the status."""
    for detail in error.get("details") or ():
        if str(detail.get("@type", "")).endswith("google.firebase.fcm.v1.FcmError") and "errorCode" in detail:
            return str(detail["errorCode"])[:60]
    return str(error["status"])[:60]


def _of_token(error: Mapping[str, Any]) -> bool:
    """Whether an invalid argument is the token: by the field that is named, else by FCM's words."""
    fields = [
        str(violation.get("field", ""))
        for detail in error.get("details") or ()
        for violation in detail.get("fieldViolations") or ()
    ]
    if fields:
        return all(field.startswith("message.token") for field in fields)
    return "registration token" in str(error.get("message", "")).lower()


@dataclass(frozen=True)
class Fcm:
    """The provider. `sender` is the project's identifier; without one, the service account's own."""

    clock: Clock = field(default_factory=Clock)

    name: ClassVar[str] = "fcm"
    base_url: ClassVar[str] = "https://fcm.googleapis.com"
    schemes: ClassVar[tuple[str, ...]] = ("fcm",)
    can_look_up: ClassVar[bool] = False
    has_window: ClassVar[bool] = False
    text_limit: ClassVar[int] = 3_700
    byte_limit: ClassVar[int] = 3_700  # the rest of 4,096 is for our receipt's address and the names of parts
    kinds: ClassVar[frozenset[str]] = frozenset(("push", "text"))
    credentials: ClassVar[dict[str, str]] = {
        "service_account": "the JSON file of a Google service account that may send",
        "hook_key": devices.HOOK_KEY,
    }
    speaks_http: ClassVar[bool] = True
    limits: ClassVar[Limits] = Limits(rate=1000)  # of 600,000 a minute for a project, which rise slowly
    counts_segments: ClassVar[bool] = False
    thanks: ClassVar[tuple[str, str]] = ("", "")

    def sender(self, account: Account, http: Http) -> Sender:
        secret = account.credentials.get("service_account")
        if not secret:
            raise Misconfigured(
                "an FCM channel needs credentials.service_account",
                where="channel",
                hint="`clarion channel set NAME --credential service_account=@FILE` writes it.",
            )
        own = account.base_url.rstrip("/") == self.base_url
        return _Sender(account, http, own, service_account(secret), self.clock)

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raises Invalid with every problem."""
        problems = devices.problems(options, _OPTIONS)
        if options.get("priority", "high") not in _PRIORITIES:
            problems.append(Problem("config.options.priority", "write high or normal"))
        if problems:
            raise Invalid("the channel's options are not right", problems=tuple(problems))

    def verified(self, account: Account, call: Call) -> bool:
        return devices.told(account, call)

    def challenge(self, account: Account, call: Call) -> str | None:
        return None

    def read(self, account: Account, call: Call) -> Sequence[Receipt]:
        return devices.read(call)


provider = Fcm()
