"""WhatsApp Cloud API (Meta): messages out, status and message webhooks in.

Shapes and the table of errors follow Meta's public reference (Cloud API: Messages, Error codes,
Webhooks). Decisions are made on `error.code`, never on the HTTP status, which varies between versions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

import orjson
from yarl import URL

from clarion.domain.catalogue import Kept
from clarion.domain.limits import Limits
from clarion.errors import Invalid, Misconfigured
from clarion.kit.http import Answer, Http, NeverSent, Unanswered, prepared
from clarion.providers import meta
from clarion.providers.calling import asked, by_status, other_than, retry_after
from clarion.providers.cloud_messages import Carried, payload
from clarion.providers.cloud_templates import OPTION, listed
from clarion.providers.cloud_webhooks import EVIDENCE, events
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

_BUSINESS = re.compile(r"\d{1,32}")


class _Sender:
    def __init__(self, account: Account, http: Http) -> None:
        token = account.credentials.get("token")
        if not token or not account.sender:
            raise Misconfigured(
                "a WhatsApp channel needs credentials.token and sender (the phone number id)",
                where="channel",
                hint="`clarion channel set NAME --credential token=… --set sender=…` writes them.",
            )
        self._url = URL(
            f"{account.base_url.rstrip('/')}/{_version(account)}/{quote(account.sender)}/messages"
        )
        self._headers = prepared({"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        self._account = account
        self._http = http

    async def send(self, parcel: Parcel) -> Told:
        if not isinstance(parcel.content, Carried):
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
            return Found(True, known[0].get("id"), EVIDENCE.get(known[0].get("status"), Evidence.ACCEPTED))
        except (NeverSent, Unanswered, ValueError, KeyError, TypeError, AttributeError):
            return None


def _version(account: Account) -> str:
    return str(account.options.get("api_version") or VERSION)


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
    """The provider. Free text, files and replies to tap are allowed for 24 hours after the person wrote; a
    template always. Options: `business_account_id`, whose templates are then checked when they are called;
    `look_up`."""

    name: ClassVar[str] = "whatsapp"
    base_url: ClassVar[str] = "https://graph.facebook.com"
    schemes: ClassVar[tuple[str, ...]] = ("whatsapp", "tel")
    can_look_up: ClassVar[bool] = True  # where the account's option `look_up` says that its service has it
    has_window: ClassVar[bool] = True
    text_limit: ClassVar[int] = 4096
    kinds: ClassVar[frozenset[str]] = frozenset(("text", "template", "media", "interactive"))
    credentials: ClassVar[Mapping[str, str]] = meta.CREDENTIALS
    speaks_http: ClassVar[bool] = True
    limits: ClassVar[Limits] = Limits(rate=80, pair_interval=6.0, pair_burst=45)
    counts_segments: ClassVar[bool] = False
    counts_inbound: ClassVar[bool] = True
    thanks: ClassVar[tuple[str, str]] = ("", "")

    def sender(self, account: Account, http: Http) -> Sender:
        return _Sender(account, http)

    def verified(self, account: Account, call: Call) -> bool:
        return meta.verified(account, call)

    def challenge(self, account: Account, call: Call) -> str | None:
        return meta.challenge(account, call)

    def read(self, account: Account, call: Call) -> Sequence[Receipt | Inbound]:
        return list(events(orjson.loads(call.body), TABLE))

    def check_options(self, options: Mapping[str, Any]) -> None:
        business = options.get(OPTION)
        if business is not None and not _BUSINESS.fullmatch(str(business)):
            raise Invalid(
                "a business account is known by its number",
                where=f"config.options.{OPTION}",
                hint="It stands beside the phone number id in the account's API set-up.",
            )

    def catalogue(self, options: Mapping[str, Any]) -> str | None:
        business = options.get(OPTION)
        return None if business is None else str(business)

    async def templates(self, account: Account, http: Http) -> Sequence[Kept]:
        return await listed(account, http, _version(account))


provider = WhatsApp()
