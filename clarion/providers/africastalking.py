"""Africa's Talking: SMS out, delivery reports and people's messages in.

Shapes, status codes and failure reasons follow Africa's Talking's public documentation (SMS: Sending,
Delivery reports, Notifications). One answer holds a status for each recipient; a request has one.

It keeps nothing of ours: no reference goes with a message, the address of its reports is one for the whole
account, and a report names its message by Africa's Talking's own identifier, by which it finds its try. A try
that was never answered has no such name, and is settled by a person. Calls are not signed; the
addresses given to its dashboard hold the channel's `hook_key`: `/hooks/<channel>?key=<hook_key>`, the same
for delivery reports and for incoming messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import orjson
from yarl import URL

from clarion.domain.limits import Limits
from clarion.errors import Misconfigured
from clarion.kit.http import Answer, Http, prepared
from clarion.providers.calling import FORM, asked, by_status, encoded, proves, text_only
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

_TAKEN = (100, 101, 102)  # processed, sent, queued
# statusCode → (how it ended, whose fault). RiskHold (401) is held, and nobody says for how long: unknown, as
# are the errors of its own (500) and of the gateway behind it (501).
_L, _R, _U = Answered.LATER, Answered.REFUSED, Answered.UNKNOWN
TABLE: dict[int, tuple[Answered, Fault]] = {
    401: (_U, Fault.PROVIDER),
    402: (_L, Fault.ACCOUNT),  # InvalidSenderId
    403: (_R, Fault.PERSON),  # InvalidPhoneNumber
    404: (_R, Fault.PERSON),  # UnsupportedNumberType
    405: (_L, Fault.ACCOUNT),  # InsufficientBalance
    406: (_R, Fault.OPTED_OUT),  # UserInBlacklist
    407: (_R, Fault.PERSON),  # CouldNotRoute
    409: (_R, Fault.PERSON),  # DoNotDisturbRejection
    500: (_U, Fault.PROVIDER),
    501: (_U, Fault.PROVIDER),
    502: (_R, Fault.PROVIDER),  # RejectedByGateway
}
# what the whole request was refused for, in words, without a recipient
_SENDER = "InvalidSenderId"

_EVIDENCE = {
    "Sent": Evidence.ACCEPTED,
    "Submitted": Evidence.ACCEPTED,
    "Buffered": Evidence.ACCEPTED,
    "Success": Evidence.DELIVERED,
    "Rejected": Evidence.FAILED,
    "Failed": Evidence.FAILED,
}
_REASONS = {
    "UserInBlackList": Fault.OPTED_OUT,
    "UserIsInactive": Fault.PERSON,
    "UserAccountSuspended": Fault.PERSON,
    "NotNetworkSubscriber": Fault.PERSON,
    "NotNetworkSubcriber": Fault.PERSON,  # as it is spelt there
    "UserDoesNotExist": Fault.PERSON,
    "InsufficientCredit": Fault.PERSON,  # the subscriber's own, not ours
}


class _Sender:
    def __init__(self, account: Account, http: Http) -> None:
        key = account.credentials.get("api_key")
        if not key or not account.credentials.get("username"):
            raise Misconfigured(
                "an Africa's Talking channel needs credentials.username and credentials.api_key",
                where="channel",
                hint="`clarion channel set NAME --credential username=… --credential api_key=…` writes them.",
            )
        self._url = URL(f"{account.base_url.rstrip('/')}/version1/messaging")
        self._headers = prepared({"apiKey": key, "Accept": "application/json", "Content-Type": FORM})
        self._account = account
        self._http = http

    async def send(self, parcel: Parcel) -> Told:
        if not isinstance(parcel.content, Text):
            return text_only("Africa's Talking")
        body = encoded(fields(self._account, parcel.address, parcel.content.body)).encode()
        answer = await asked(self._http, self._account, "POST", self._url, self._headers, body)
        return answer if isinstance(answer, Told) else told(answer)

    async def look_up(self, reference: str) -> Found | None:
        """Africa's Talking knows nothing of our reference."""
        return None


def fields(account: Account, to: str, text: str) -> list[tuple[str, str]]:
    """The request's form for one message. Without a sender, it is the account's usual one."""
    form = [("username", account.credentials["username"]), ("to", to), ("message", text)]
    return [*form, ("from", account.sender)] if account.sender else form


def told(answer: Answer) -> Told:
    """What an answer means. A 2xx without a recipient that can be read was not refused: unknown."""
    try:
        data = orjson.loads(answer.body)["SMSMessageData"]
        if not data["Recipients"] and data["Message"] == _SENDER:
            return Told(Answered.LATER, fault=Fault.ACCOUNT, code="402", detail=_SENDER)
        (recipient,) = data["Recipients"]
        code, status = int(recipient["statusCode"]), str(recipient.get("status") or "")[:100]
    except (ValueError, KeyError, TypeError):
        return by_status(answer)
    if code in _TAKEN:
        name = recipient.get("messageId")
        named = isinstance(name, str) and name not in ("", "None")
        return Told(Answered.ACCEPTED, provider_id=name) if named else by_status(answer)
    if code not in TABLE:
        return Told(Answered.UNKNOWN, fault=Fault.PROVIDER, code=str(code), detail=status)
    answered, fault = TABLE[code]
    return Told(answered, fault=fault, code=str(code), detail=status)


class AfricasTalking:
    """The provider. `sender` is a short code or an alphanumeric name; the sandbox of Africa's Talking is
    another base_url."""

    name: ClassVar[str] = "africastalking"
    base_url: ClassVar[str] = "https://api.africastalking.com"
    schemes: ClassVar[tuple[str, ...]] = ("tel",)
    can_look_up: ClassVar[bool] = False
    has_window: ClassVar[bool] = False
    text_limit: ClassVar[int] = 1530  # ten segments of GSM's alphabet
    kinds: ClassVar[frozenset[str]] = frozenset(("text",))
    credentials: ClassVar[dict[str, str]] = {
        "username": "the application's",
        "api_key": "messages are sent with it",
        "hook_key": "a word of ours in the addresses that it calls: without it no call is taken",
    }
    speaks_http: ClassVar[bool] = True
    limits: ClassVar[Limits] = Limits(rate=10)  # none is published
    counts_segments: ClassVar[bool] = True
    thanks: ClassVar[tuple[str, str]] = ("", "")
    by_its_own_names: ClassVar[bool] = True

    def sender(self, account: Account, http: Http) -> Sender:
        return _Sender(account, http)

    def verified(self, account: Account, call: Call) -> bool:
        return proves(account.credentials.get("hook_key", ""), call.query)

    def challenge(self, account: Account, call: Call) -> str | None:
        return None

    def read(self, account: Account, call: Call) -> Sequence[Receipt | Inbound]:
        said: dict[str, Any] = dict(call.form)
        if "id" in said and "status" in said:
            return _reported(said)
        if "id" in said and "from" in said:
            return [Inbound(said["id"], "tel", said["from"], said.get("text", ""), None)]
        if "phoneNumber" in said:
            return []  # news of a subscription, or of somebody who left: it names no message
        raise ValueError("this is nothing that Africa's Talking tells of a message")


def _reported(said: dict[str, Any]) -> list[Receipt]:
    evidence = _EVIDENCE.get(said["status"])
    if evidence is None:
        return []
    failed = evidence is Evidence.FAILED
    code = (said.get("failureReason") or said["status"]) if failed else None
    return [Receipt(evidence, None, None, said["id"], code, _REASONS.get(code or ""))]


provider = AfricasTalking()
