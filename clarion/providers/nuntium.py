"""Nuntium (InSTEDD), a gateway in front of others: messages out, acknowledgements and replies in.

Shapes follow Nuntium's own source (ApiAoMessagesController, SendDeliveryAckJob, SendInterfaceCallbackJob).
Our reference is a message's `guid` and its `token`: the guid comes back in acknowledgements, and messages
can be asked for by their token, so a try that was not answered can be looked up (set the channel's option
`look_up`). Nuntium takes a guid once, so that even a repeated request is one message.

It takes a message before it knows whether it can send it: there is no refusal of a person, only a failure
later. `delivered` is its word for "handed to the channel"; `confirmed` is what the carrier says.

In Nuntium's application, both the delivery acknowledgement and the interface are HTTP callbacks to
`/hooks/<channel>`, with any user and the channel's `hook_key` as the password.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Any, ClassVar

import orjson
from yarl import URL

from clarion.domain.limits import Limits
from clarion.errors import Misconfigured
from clarion.kit.http import Answer, Http, prepared
from clarion.providers.calling import asked, by_status, encoded, text_only
from clarion.providers.contract import (
    Account,
    Answered,
    Call,
    Evidence,
    Found,
    Inbound,
    Parcel,
    Receipt,
    Sender,
    Text,
    Told,
)

_STATES = {
    "pending": Evidence.ACCEPTED,
    "queued": Evidence.ACCEPTED,
    "delayed": Evidence.ACCEPTED,
    "broadcasted": Evidence.ACCEPTED,
    "delivered": Evidence.ACCEPTED,
    "confirmed": Evidence.DELIVERED,
    "failed": Evidence.FAILED,
    "cancelled": Evidence.FAILED,
    "canceled": Evidence.FAILED,
}
_SMS = "sms://"


class _Sender:
    def __init__(self, account: Account, http: Http) -> None:
        user, password = account.credentials.get("username", ""), account.credentials.get("password")
        if not account.base_url or "/" not in user or not password:
            raise Misconfigured(
                "a Nuntium channel needs base_url, credentials.username (account/application) and "
                "credentials.password",
                where="channel",
                hint="`clarion channel set NAME --set base_url=https://… --credential username=… "
                "--credential password=…` writes them.",
            )
        self._url = f"{account.base_url.rstrip('/')}/api/ao_messages.json"
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = prepared({"Authorization": f"Basic {login}", "Content-Type": "application/json"})
        self._account = account
        self._http = http

    async def send(self, parcel: Parcel) -> Told:
        if not isinstance(parcel.content, Text):
            return text_only("Nuntium")
        body = orjson.dumps([message(self._account, parcel, parcel.content.body)])
        answer = await asked(self._http, self._account, "POST", URL(self._url), self._headers, body)
        return answer if isinstance(answer, Told) else told(answer)

    async def look_up(self, reference: str) -> Found | None:
        url = URL(f"{self._url}?{encoded([('token', reference)])}", encoded=True)
        answer = await asked(self._http, self._account, "GET", url, self._headers)
        if isinstance(answer, Told) or answer.status != 200:
            return None
        try:
            known = [one for one in orjson.loads(answer.body) if one["token"] == reference]
            if not known:
                return Found(False)
            return Found(True, evidence=_STATES.get(known[0]["state"], Evidence.ACCEPTED))
        except (ValueError, KeyError, TypeError):
            return None


def message(account: Account, parcel: Parcel, text: str) -> dict[str, Any]:
    """The request's one message. `channel` (an option) is Nuntium's own, where it shall not choose."""
    made = {
        "to": _SMS + parcel.address.removeprefix("+"),
        "body": text,
        "guid": parcel.reference,
        "token": parcel.reference,
    }
    if account.sender:
        made["from"] = _SMS + account.sender.removeprefix("+")
    if "channel" in account.options:
        made["channel"] = str(account.options["channel"])
    return made


def told(answer: Answer) -> Told:
    """What an answer means: it has no body, and its token says that it is Nuntium's own."""
    if answer.status == 200 and answer.headers.get("X-Nuntium-Token"):
        return Told(Answered.ACCEPTED)
    return by_status(answer)


class Nuntium:
    """The provider. Options: `channel` (Nuntium's), `look_up` (true: tries that were not answered are
    asked for)."""

    name: ClassVar[str] = "nuntium"
    base_url: ClassVar[str] = ""  # everybody's own
    schemes: ClassVar[tuple[str, ...]] = ("tel",)
    can_look_up: ClassVar[bool] = True
    has_window: ClassVar[bool] = False
    text_limit: ClassVar[int] = 1530  # ten segments of GSM's alphabet; its channels split a text
    kinds: ClassVar[frozenset[str]] = frozenset(("text",))
    credentials: ClassVar[dict[str, str]] = {
        "username": "the account and the application, with a slash between",
        "password": "the application's",
        "hook_key": "the password of Nuntium's callbacks: without it none is taken",
    }
    speaks_http: ClassVar[bool] = True
    limits: ClassVar[Limits] = Limits(rate=10)  # Nuntium queues; what is behind it is slower
    counts_segments: ClassVar[bool] = True
    thanks: ClassVar[tuple[str, str]] = ("", "")  # an answer with a body would be sent to the person

    def sender(self, account: Account, http: Http) -> Sender:
        return _Sender(account, http)

    def verified(self, account: Account, call: Call) -> bool:
        key = account.credentials.get("hook_key", "")
        kind, _, coded = call.headers.get("authorization", "").partition(" ")
        try:
            login = base64.b64decode(coded.encode(errors="replace"), validate=True)
        except binascii.Error:
            return False
        given = login.partition(b":")[2]
        return bool(key) and kind.lower() == "basic" and hmac.compare_digest(key.encode(), given)

    def challenge(self, account: Account, call: Call) -> str | None:
        return None

    def read(self, account: Account, call: Call) -> Sequence[Receipt | Inbound]:
        said = dict(call.form or call.query)
        if "guid" not in said or not said.keys() & {"state", "from"}:
            raise ValueError("this is neither an acknowledgement of Nuntium's nor a message")
        if "from" in said:
            number = said["from"].removeprefix(_SMS)
            # an address is the international number without its plus; a short code has fewer digits
            address = f"+{number}" if number.isdigit() and len(number) > 7 else number
            return [Inbound(said["guid"], "tel", address, said.get("body", ""), None)]
        evidence = _STATES.get(said["state"])
        return [] if evidence is None else [Receipt(evidence, None, said["guid"])]


provider = Nuntium()
