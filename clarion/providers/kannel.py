"""Kannel, the SMS gateway that many operators' connections end in: sendsms out, reports and replies in.

Shapes and answers follow Kannel's user guide (1.4.5: "SMS Push reply codes", "Delivery Reports",
"Parameters") and were tried against the real one. It keeps nothing that a message could be asked for by, so
there is no look-up: our reference travels in the dlr-url of each message.

Neither reports nor replies are signed. A report's address holds a proof that only we can make for its
reference; a person's message is brought by an `sms-service`, whose address in Kannel's own configuration
holds the channel's `hook_key`:

    group = sms-service
    keyword = default
    catch-all = true
    max-messages = 0     # nothing is answered
    get-url = "https://…/hooks/<channel>?key=<hook_key>&id=%I&from=%q&at=%T&charset=%C&text=%b"

The `sendsms-user` needs `max-messages = 10` and `concatenation = true`: by itself Kannel cuts a text off
after its first segment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import unquote_to_bytes

from yarl import URL

from clarion.domain.limits import Limits
from clarion.domain.segment import segments
from clarion.errors import Misconfigured
from clarion.kit.http import Answer, Http, prepared
from clarion.providers.calling import asked, by_status, called_back, encoded, proof, proves, text_only
from clarion.providers.contract import (
    Account,
    Answered,
    Call,
    Evidence,
    Fault,
    Found,
    Inbound,
    Parcel,
    Receipt,
    Sender,
    Text,
    Told,
)

PATH = "/cgi-bin/sendsms"
_ALL = 1 + 2 + 4 + 8 + 16  # delivered, not delivered, queued at the centre, taken by it, refused by it

# Kannel says in words what it means; (status, how they begin) → (how it ended, whose fault, our code).
_L, _R = Answered.LATER, Answered.REFUSED
TABLE: dict[tuple[int, str], tuple[Answered, Fault, str]] = {
    # a queue is full, or Kannel is stopping: not processed, and every other message would hear the same
    (503, "Temporal failure"): (_L, Fault.RATE, "temporal_failure"),
    (403, "Authorization failed"): (_L, Fault.ACCOUNT, "authorization_failed"),
    (404, "Unknown request"): (_L, Fault.ACCOUNT, "unknown_request"),
    (400, "Sender missing"): (_L, Fault.ACCOUNT, "sender_missing"),
    (400, "DLR-URL field misformed"): (_L, Fault.ACCOUNT, "dlr_url_misformed"),
    (400, "Priority field misformed"): (_L, Fault.ACCOUNT, "priority_misformed"),
    (400, "Charset or body misformed"): (_L, Fault.CONTENT, "body_misformed"),
    (403, "Not routable"): (_R, Fault.PERSON, "not_routable"),
    (400, "Number(s) has/have been denied"): (_R, Fault.PERSON, "denied"),
    (400, "Empty receiver number"): (_R, Fault.PERSON, "no_receiver"),
    (400, "Missing receiver number"): (_R, Fault.PERSON, "no_receiver"),
}
_WHY = re.compile(r"\b(?:err:|NACK/)(\w{1,20})")


class _Sender:
    def __init__(self, account: Account, http: Http) -> None:
        secrets = account.credentials
        if not (account.base_url and account.sender and secrets.get("username") and secrets.get("password")):
            raise Misconfigured(
                "a Kannel channel needs base_url, sender, credentials.username and credentials.password",
                where="channel",
                hint="`clarion channel set NAME --set base_url=https://… --set sender=… "
                "--credential username=… --credential password=…` writes them.",
            )
        path = str(account.options.get("path") or PATH)
        self._url = f"{account.base_url.rstrip('/')}/{path.lstrip('/')}"
        self._headers = prepared({})
        self._account = account
        self._http = http

    async def send(self, parcel: Parcel) -> Told:
        if not isinstance(parcel.content, Text):
            return text_only("Kannel")
        query = encoded(fields(self._account, parcel.address, parcel.content.body, parcel.reference))
        url = URL(f"{self._url}?{query}", encoded=True)
        answer = await asked(self._http, self._account, "GET", url, self._headers)
        return answer if isinstance(answer, Told) else told(answer)

    async def look_up(self, reference: str) -> Found | None:
        """Kannel cannot be asked."""
        return None


def fields(account: Account, to: str, text: str, reference: str) -> Iterator[tuple[str, str]]:
    """The request's query for one message. A text that GSM's alphabet lacks a character for is UCS-2."""
    yield "username", account.credentials["username"]
    yield "password", account.credentials["password"]
    yield "from", account.sender
    yield "to", to
    yield "charset", "UTF-8"
    yield "coding", "2" if segments(text).encoding == "ucs2" else "0"
    yield "text", text
    for name in ("smsc", "priority"):
        if name in account.options:
            yield name, str(account.options[name])
    key = account.credentials.get("hook_key")
    if account.hook and key:
        # what Kannel fills in: the report, its moment, the centre's identifier and its words
        ours = called_back(account.hook, ref=reference, proof=proof(key, reference))
        url = ours + "&status=%d&at=%T&id=%F&why=%A"
        yield "dlr-mask", str(_ALL)
        yield "dlr-url", url


def told(answer: Answer) -> Told:
    """What an answer means. Only Kannel's own words say that it took a message; it gives no identifier."""
    words = answer.body.decode(errors="replace").strip()
    if answer.status == 202 and words.startswith(("0: Accepted", "3: Queued")):
        return Told(Answered.ACCEPTED)
    for (status, beginning), (answered, fault, code) in TABLE.items():
        if answer.status == status and words.startswith(beginning):
            return Told(answered, fault=fault, code=code, detail=beginning)
    return by_status(answer)


class Kannel:
    """The provider. Options: `smsc` (which connection), `priority` (0 to 3), `path` of sendsms."""

    name: ClassVar[str] = "kannel"
    base_url: ClassVar[str] = ""  # everybody's own
    schemes: ClassVar[tuple[str, ...]] = ("tel",)
    can_look_up: ClassVar[bool] = False
    has_window: ClassVar[bool] = False
    text_limit: ClassVar[int] = 1530  # ten segments of GSM's alphabet
    kinds: ClassVar[frozenset[str]] = frozenset(("text",))
    credentials: ClassVar[dict[str, str]] = {
        "username": "of the sendsms-user",
        "password": "of the sendsms-user",
        "hook_key": "a word of ours that makes reports and replies genuine: without it none is taken",
    }
    speaks_http: ClassVar[bool] = True
    limits: ClassVar[Limits] = Limits(rate=10)  # Kannel has none; what one operator's connection takes
    counts_segments: ClassVar[bool] = True
    thanks: ClassVar[tuple[str, str]] = ("", "")

    def sender(self, account: Account, http: Http) -> Sender:
        return _Sender(account, http)

    def verified(self, account: Account, call: Call) -> bool:
        return proves(account.credentials.get("hook_key", ""), call.query)

    def challenge(self, account: Account, call: Call) -> str | None:
        return None

    def read(self, account: Account, call: Call) -> Sequence[Receipt | Inbound]:
        said = dict(call.query)
        try:
            at = datetime.fromtimestamp(int(said["at"]), UTC) if said.get("at") else None
            return _reported(said, at) if "ref" in said else [_heard(said, call.url, at)]
        except (LookupError, OverflowError, OSError, ValueError) as error:
            raise ValueError(f"this is not what Kannel tells: {type(error).__name__} {error}") from error


def _reported(said: Mapping[str, str], at: datetime | None) -> list[Receipt]:
    status = int(said["status"])
    if status & 1:
        evidence = Evidence.DELIVERED
    elif status & (2 | 16):
        evidence = Evidence.FAILED
    elif status & (4 | 8):
        evidence = Evidence.ACCEPTED
    else:
        return []
    code = None
    if evidence is Evidence.FAILED:
        why = _WHY.search(said.get("why", ""))
        code = why[1] if why else f"dlr_{status}"
    return [Receipt(evidence, at, said["ref"], said.get("id") or None, code)]


def _heard(said: Mapping[str, str], url: str, at: datetime | None) -> Inbound:
    number = said["from"]
    # some centres write numbers without their plus; a short code has fewer digits
    address = f"+{number}" if number.isdigit() and len(number) > 7 else number
    return Inbound(said["id"], "tel", address, _text(url, said.get("charset", "")), at)


def _text(url: str, charset: str) -> str:
    """A person's words: bytes in the charset that Kannel names, UTF-8 mostly; of a binary message none."""
    raw = next((part[5:] for part in url.partition("?")[2].split("&") if part.startswith("text=")), "")
    if charset.upper() == "8-BIT":
        return ""
    try:
        return unquote_to_bytes(raw.replace("+", " ")).decode(charset or "UTF-8", errors="replace")
    except LookupError:
        return unquote_to_bytes(raw.replace("+", " ")).decode(errors="replace")


provider = Kannel()
