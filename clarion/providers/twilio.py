"""Twilio: text messages (SMS) and pictures (MMS) out, status callbacks and people's messages in.

Shapes, signature and codes follow Twilio's public reference (Messages resource; Status callbacks; Webhook
security; Error and Warning Dictionary). Decisions are made on the answer's `code`. Of a 429 Twilio says
that the request was never processed and may be made again; it says so of no 5xx.

Nothing that we could name a message by is kept by Twilio: there is no key by which a repeated request is
known again, and the list of messages (by To and DateSent) shows neither the callback address nor anything
else of ours. Two texts of the same words to one person could not be told apart, and no listing proves that
one is missing. So there is no look-up: our reference travels in the StatusCallback of each message, and
what was never answered is settled by its receipt. Without CLARION_PUBLIC_URL there is no such receipt.

STOP, START and HELP are heeded and answered by Twilio itself (its "opt-out keywords"): whoever wrote STOP
is answered there, and every message after that is refused (21610). So we keep what was said and answer
nothing. A Messaging Service with Advanced Opt-Out has other words, and says in OptOutType what it took one
for. An account whose words Twilio was asked to leave alone has the option `answers_words` false.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

import orjson
from yarl import URL

from clarion.domain.consent_words import Meaning
from clarion.domain.limits import Limits
from clarion.errors import Invalid, Misconfigured
from clarion.kit.http import Answer, Http, prepared
from clarion.providers.calling import FORM, asked, by_status, called_back, encoded, other_than, retry_after
from clarion.providers.contract import (
    Account,
    Answered,
    Call,
    Evidence,
    Fault,
    Found,
    Inbound,
    Media,
    Parcel,
    Receipt,
    Sender,
    Text,
    Told,
)

# code → (how it ended, whose fault). What is not here is decided by the HTTP status. Of a receipt, only
# the fault counts: the message has failed.
_L, _R = Answered.LATER, Answered.REFUSED
TABLE: dict[int, tuple[Answered, Fault]] = {
    # too fast, a full queue, a day's limit reached: not processed
    **dict.fromkeys((20429, 21611, 30001, 30022, 63017, 63018, 63038), (_L, Fault.RATE)),
    # no number, a short code, no mobile, a landline; not reachable from this sender or in a country that the
    # account does not send to; off, blocked, unknown; of WhatsApp, nobody there or outside the window
    **dict.fromkeys((21211, 21265, 21408, 21612, 21614, 21635), (_R, Fault.PERSON)),
    **dict.fromkeys((30003, 30004, 30005, 30006, 63016, 63024), (_R, Fault.PERSON)),
    21610: (_R, Fault.OPTED_OUT),  # they answered STOP
    # nothing to say, or too much; a file that is no address, or too large for whoever carries it
    **dict.fromkeys((21602, 21617, 21619, 21620, 21658, 11751), (_L, Fault.CONTENT)),
    # credentials, a suspended account, a trial, a sender that is not ours; a callback address that Twilio
    # does not take, which every message would have
    **dict.fromkeys((10001, 20003, 20005, 20404, 30002), (_L, Fault.ACCOUNT)),
    **dict.fromkeys((21601, 21606, 21608, 21609, 21659, 21660), (_L, Fault.ACCOUNT)),
}

_EVIDENCE = {
    "accepted": Evidence.ACCEPTED,
    "scheduled": Evidence.ACCEPTED,
    "queued": Evidence.ACCEPTED,
    "sending": Evidence.ACCEPTED,
    "sent": Evidence.ACCEPTED,
    "delivered": Evidence.DELIVERED,
    "read": Evidence.READ,
    "undelivered": Evidence.FAILED,
    "failed": Evidence.FAILED,
    "canceled": Evidence.FAILED,
}
# What Twilio takes for a wish by itself, as the whole message in any case.
WORDS = {
    **dict.fromkeys(
        ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"), Meaning.STOP
    ),
    **dict.fromkeys(("START", "UNSTOP"), Meaning.START),
    "YES": Meaning.YES,
    **dict.fromkeys(("HELP", "INFO"), Meaning.HELP),
}
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")


class _Sender:
    def __init__(self, account: Account, http: Http) -> None:
        secrets = account.credentials
        sid, user = secrets.get("account_sid"), secrets.get("api_key") or secrets.get("account_sid")
        password = secrets.get("api_secret") if secrets.get("api_key") else secrets.get("auth_token")
        if not sid or not password or not account.sender:
            raise Misconfigured(
                "a Twilio channel needs credentials.account_sid, credentials.auth_token and sender "
                "(a number, or a Messaging Service)",
                where="channel",
                hint="`clarion channel set NAME --credential account_sid=AC… --credential auth_token=… "
                "--set sender=+1…` writes them.",
            )
        base = account.base_url.rstrip("/")
        self._url = URL(f"{base}/2010-04-01/Accounts/{quote(sid, safe='')}/Messages.json", encoded=True)
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = prepared({"Authorization": f"Basic {login}", "Content-Type": FORM})
        self._account = account
        self._http = http

    async def send(self, parcel: Parcel) -> Told:
        if not isinstance(parcel.content, Text | Media):
            return other_than("Twilio", "text")
        body = encoded(fields(self._account, parcel.address, parcel.content, parcel.reference)).encode()
        answer = await asked(self._http, self._account, "POST", self._url, self._headers, body)
        return answer if isinstance(answer, Told) else told(answer)

    async def look_up(self, reference: str) -> Found | None:
        """Twilio cannot be asked by our reference."""
        return None


def fields(account: Account, to: str, said: Text | Media, reference: str) -> Iterator[tuple[str, str]]:
    """The request's form for one message."""
    yield "To", to
    yield ("MessagingServiceSid" if _SERVICE.fullmatch(account.sender) else "From"), account.sender
    if isinstance(said, Text):
        yield "Body", said.body
    else:
        if said.caption:
            yield "Body", said.caption
        yield "MediaUrl", said.url
    if account.hook:
        yield "StatusCallback", called_back(account.hook, ref=reference)


def told(answer: Answer) -> Told:
    """What an answer means. A 2xx that cannot be read, or without an id, was not refused: unknown."""
    try:
        document = orjson.loads(answer.body)
        if 200 <= answer.status < 300:
            return _created(answer, document)
        code, detail = int(document["code"]), str(document.get("message") or "")[:300]
    except (ValueError, KeyError, TypeError, AttributeError):
        return by_status(answer)
    if code not in TABLE:
        return by_status(answer, str(code), detail)
    answered, fault = TABLE[code]
    wait = retry_after(answer.headers) if fault is Fault.RATE else None
    return Told(answered, fault=fault, code=str(code), detail=detail, retry_after=wait)


def _created(answer: Answer, document: dict[str, object]) -> Told:
    """A message that was made. It may have failed at once (its status says so): nothing was sent then."""
    sid, code = document["sid"], document.get("error_code")
    if not isinstance(sid, str) or not sid:
        return by_status(answer)
    if document.get("status") in ("failed", "undelivered", "canceled"):
        number = int(str(code)) if str(code).isdigit() else 0
        answered, fault = TABLE.get(number, (Answered.REFUSED, Fault.PROVIDER))
        return Told(answered, provider_id=sid, fault=fault, code=str(code or document["status"]))
    return Told(Answered.ACCEPTED, provider_id=sid)


class Twilio:
    """The provider. `sender` is a number, a short code, an alphanumeric name or a Messaging Service. Option:
    `answers_words`, see above."""

    name: ClassVar[str] = "twilio"
    base_url: ClassVar[str] = "https://api.twilio.com"
    schemes: ClassVar[tuple[str, ...]] = ("tel",)
    can_look_up: ClassVar[bool] = False
    has_window: ClassVar[bool] = False
    text_limit: ClassVar[int] = 1600
    kinds: ClassVar[frozenset[str]] = frozenset(("text", "media"))
    credentials: ClassVar[dict[str, str]] = {
        "account_sid": "whose account it is (AC…)",
        "auth_token": "signs what Twilio tells us, and messages are sent with it where there is no API key",
        "api_key": "an API key (SK…) to send with instead of the auth token",
        "api_secret": "the API key's secret",
    }
    speaks_http: ClassVar[bool] = True
    limits: ClassVar[Limits] = Limits(rate=1)  # a long code of the USA; short codes carry 100 and more
    counts_segments: ClassVar[bool] = True
    thanks: ClassVar[tuple[str, str]] = ("text/xml", "<Response/>")  # TwiML that answers a person nothing

    def check_options(self, options: Mapping[str, Any]) -> None:
        if set(options) - {"answers_words"} or not isinstance(options.get("answers_words", True), bool):
            raise Invalid(
                "a Twilio channel has one option: answers_words, true or false",
                where="config.options",
                hint="False where Twilio was asked to leave STOP, START and HELP to us.",
            )

    def sender(self, account: Account, http: Http) -> Sender:
        return _Sender(account, http)

    def verified(self, account: Account, call: Call) -> bool:
        secret = account.credentials.get("auth_token", "")
        given = call.headers.get("x-twilio-signature", "").encode(errors="replace")
        genuine = [
            hmac.compare_digest(signature(secret, url, call.form).encode(), given)
            for url in spellings(call.url)
        ]
        return bool(secret) and any(genuine)

    def challenge(self, account: Account, call: Call) -> str | None:
        return None

    def read(self, account: Account, call: Call) -> Sequence[Receipt | Inbound]:
        said = dict(call.form or call.query)
        name = said.get("MessageSid") or said.get("SmsSid")
        if not name:
            raise ValueError("this is not a Twilio webhook: it names no message")
        status = said.get("MessageStatus") or said.get("SmsStatus") or ""
        if "Body" in said and status in ("", "received", "receiving"):
            meaning = _meaning(account, said)
            return [Inbound(name, "tel", said.get("From", ""), said["Body"], None, meaning)]
        if status not in _EVIDENCE:
            return []
        code = said.get("ErrorCode") or None
        fault = TABLE[int(code)][1] if code and code.isdigit() and int(code) in TABLE else None
        reference = dict(call.query).get("ref")
        return [Receipt(_EVIDENCE[status], None, reference, name, code, fault)]


def _meaning(account: Account, said: Mapping[str, str]) -> Meaning | None:
    """What Twilio took a person's message for, and answered."""
    if account.options.get("answers_words") is False:
        return None
    told = said.get("OptOutType", "").upper()
    return WORDS.get(told if told in ("STOP", "START", "HELP") else said["Body"].strip().upper())


def signature(secret: str, url: str, form: Sequence[tuple[str, str]]) -> str:
    """What Twilio signs: the address, then each field's name and value, by name; a repeated pair once."""
    text = url + "".join(name + value for name, value in sorted(set(form)))
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()


def spellings(url: str) -> tuple[str, str]:
    """The address with its port and without: Twilio signs either."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdigit():
        name, port = host, "443" if scheme == "https" else "80"
    return f"{scheme}://{name}{slash}{path}", f"{scheme}://{name}:{port}{slash}{path}"


provider = Twilio()
