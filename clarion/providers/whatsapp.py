"""WhatsApp Cloud API (Meta): messages out, status and message webhooks in.

Shapes and the table of errors follow Meta's public reference (Cloud API: Messages, Error codes,
Webhooks). Decisions are made on `error.code`, never on the HTTP status, which varies between versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote

import orjson
from yarl import URL

from clarion.domain.limits import Limits
from clarion.errors import Misconfigured
from clarion.kit.http import Answer, Http, NeverSent, Unanswered, prepared
from clarion.providers import meta
from clarion.providers.calling import asked, by_status, other_than, retry_after
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
    Template,
    Text,
    Told,
)

VERSION = "v23.0"

# code → (how it ended, whose fault). What is not here is decided by the HTTP status below.
_L, _R = Answered.LATER, Answered.REFUSED
TABLE: dict[int, tuple[Answered, Fault]] = {
    **dict.fromkeys((4, 80007, 130429, 131056, 131048, 133016), (_L, Fault.RATE)),
    **dict.fromkeys((1, 2, 131016, 131053, 131057, 133004), (_L, Fault.PROVIDER)),
    **dict.fromkeys((131026, 131051, 130472, 131049, 131047), (_R, Fault.PERSON)),
    131050: (_R, Fault.OPTED_OUT),
    **dict.fromkeys((100, 131008, 131009, 132000, 132001, 132005, 132007, 132012, 132015, 132016),
                    (_L, Fault.CONTENT)),
    **dict.fromkeys((0, 3, 10, 33, 190, 368, 131005, 131031, 131042, 133010), (_L, Fault.ACCOUNT)),
    **dict.fromkeys(range(200, 300), (_L, Fault.ACCOUNT)),
}  # fmt: skip

# "Object with ID … does not exist": code 100 is about a parameter, but with this subcode the parameter is
# the sending number in the address, so every message would fail.
_NO_SUCH_SENDER = 33

_EVIDENCE = {
    "sent": Evidence.ACCEPTED,
    "delivered": Evidence.DELIVERED,
    "read": Evidence.READ,
    "played": Evidence.READ,
    "failed": Evidence.FAILED,
}


class _Sender:
    def __init__(self, account: Account, http: Http) -> None:
        token = account.credentials.get("token")
        if not token or not account.sender:
            raise Misconfigured(
                "a WhatsApp channel needs credentials.token and sender (the phone number id)",
                where="channel",
                hint="`clarion channel set NAME --credential token=… --set sender=…` writes them.",
            )
        version = str(account.options.get("api_version") or VERSION)
        self._url = URL(f"{account.base_url.rstrip('/')}/{version}/{quote(account.sender)}/messages")
        self._headers = prepared({"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        self._account = account
        self._http = http

    async def send(self, parcel: Parcel) -> Told:
        if not isinstance(parcel.content, Text | Template):
            return other_than("WhatsApp", "text")
        body = orjson.dumps(payload(parcel, parcel.content))
        answer = await asked(self._http, self._account, "POST", self._url, self._headers, body)
        return answer if isinstance(answer, Told) else told(answer)

    async def look_up(self, reference: str) -> Found | None:
        """The sandbox answers this; Meta has no such question, so there `can_look_up` is off."""
        try:
            answer = await self._http.call(
                "GET", self._url.with_query(reference=reference), headers=self._headers, total_timeout=10.0
            )
            if answer.status != 200:
                return None
            known = orjson.loads(answer.body)["data"]
            if not known:
                return Found(False)
            return Found(True, known[0].get("id"), _EVIDENCE.get(known[0].get("status"), Evidence.ACCEPTED))
        except (NeverSent, Unanswered, ValueError, KeyError, TypeError, AttributeError):
            return None


def payload(parcel: Parcel, content: Text | Template) -> dict[str, Any]:
    """The request's body for one message."""
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "biz_opaque_callback_data": parcel.reference,
    }
    # A business-scoped user id (since 2026-04) is addressed by `recipient`; a number by `to`.
    if parcel.address.startswith("+"):
        body["to"] = parcel.address[1:]
    else:
        body["recipient"] = parcel.address
    if isinstance(content, Text):
        body |= {"type": "text", "text": {"body": content.body, "preview_url": False}}
        return body
    template: dict[str, Any] = {"name": content.name, "language": {"code": content.language}}
    if content.parameters:
        parameters = [{"type": "text", "text": value} for value in content.parameters]
        template["components"] = [{"type": "body", "parameters": parameters}]
    return body | {"type": "template", "template": template}


def told(answer: Answer) -> Told:
    """What an answer means. A 2xx that cannot be read, or without an id, was not refused: unknown."""
    try:
        document = orjson.loads(answer.body)
        error = document.get("error")
        if 200 <= answer.status < 300 and not error:
            return Told(Answered.ACCEPTED, provider_id=str(document["messages"][0]["id"]))
        code = int(error["code"])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return by_status(answer)
    detail = str((error.get("error_data") or {}).get("details") or error.get("message") or "")[:300]
    if code == 100 and error.get("error_subcode") == _NO_SUCH_SENDER:
        return Told(Answered.LATER, fault=Fault.ACCOUNT, code="100/33", detail=detail)
    if code not in TABLE:
        return by_status(answer, str(code), detail)
    answered, fault = TABLE[code]
    return Told(answered, fault=fault, code=str(code), detail=detail, retry_after=retry_after(answer.headers))


class WhatsApp:
    """The provider. Free text is allowed for 24 hours after the person wrote; a template always."""

    name: ClassVar[str] = "whatsapp"
    base_url: ClassVar[str] = "https://graph.facebook.com"
    schemes: ClassVar[tuple[str, ...]] = ("whatsapp", "tel")
    can_look_up: ClassVar[bool] = True  # where the account's option `look_up` says that its service has it
    has_window: ClassVar[bool] = True
    text_limit: ClassVar[int] = 4096
    kinds: ClassVar[frozenset[str]] = frozenset(("text", "template"))
    credentials: ClassVar[Mapping[str, str]] = meta.CREDENTIALS
    speaks_http: ClassVar[bool] = True
    limits: ClassVar[Limits] = Limits(rate=80, pair_interval=6.0, pair_burst=45)
    counts_segments: ClassVar[bool] = False
    thanks: ClassVar[tuple[str, str]] = ("", "")

    def sender(self, account: Account, http: Http) -> Sender:
        return _Sender(account, http)

    def verified(self, account: Account, call: Call) -> bool:
        return meta.verified(account, call)

    def challenge(self, account: Account, call: Call) -> str | None:
        return meta.challenge(account, call)

    def read(self, account: Account, call: Call) -> Sequence[Receipt | Inbound]:
        return list(_events(orjson.loads(call.body)))


def _events(document: Any) -> Iterator[Receipt | Inbound]:
    try:
        for entry in document["entry"]:
            for change in entry["changes"]:
                value = change["value"]
                yield from (_receipt(status) for status in value.get("statuses", ()) if _known(status))
                yield from (_inbound(said) for said in value.get("messages", ()))
    except (LookupError, TypeError, AttributeError, ArithmeticError, OSError) as error:
        raise ValueError(f"this is not a WhatsApp webhook: {type(error).__name__} {error}") from error


def _known(status: Mapping[str, Any]) -> bool:
    return status["status"] in _EVIDENCE


def _receipt(status: Mapping[str, Any]) -> Receipt:
    errors: Sequence[Mapping[str, Any]] = status.get("errors") or ({},)
    code = errors[0].get("code")
    return Receipt(
        evidence=_EVIDENCE[status["status"]],
        at=_moment(status["timestamp"]),
        reference=_text_or_none(status.get("biz_opaque_callback_data")),
        provider_id=_text_or_none(status["id"]),
        code=None if code is None else str(code),
        fault=TABLE[code][1] if code in TABLE else None,
    )


def _inbound(said: Mapping[str, Any]) -> Inbound:
    sender = said.get("from")
    return Inbound(
        provider_id=str(said["id"]),
        scheme="whatsapp",
        address=f"+{sender}" if sender else str(said["from_user_id"]),
        text=_words(said),
        at=_moment(said["timestamp"]),
    )


def _words(said: Mapping[str, Any]) -> str:
    """What a person wrote or chose: the text, the label of a button, the title of a choice."""
    answer = said.get("interactive") or {}
    chosen = answer.get("button_reply") or answer.get("list_reply") or {}
    words = (said.get("text") or {}).get("body") or (said.get("button") or {}).get("text")
    return str(words or chosen.get("title") or "")


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


provider = WhatsApp()
