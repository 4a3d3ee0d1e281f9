"""Messenger (Meta): texts and files of a page to people who wrote to it, echoes, deliveries and messages in.

Shapes, codes and limits follow Meta's public reference (Messenger Platform: Send API, Error codes, Webhook
events, Rate limits). Decisions are made on `error.code` and its subcode. Code 1 is not in the table on
purpose: Meta says of it that messages were sent and the answer was lost.

Our reference is a message's `metadata`. It comes back in the echo of the message and nowhere else, so the
page must subscribe to `message_echoes`: an echo settles a try that was not answered. Deliveries name the
message by Meta's own identifier only, and not always; reads name none.

A page may write freely within 24 hours of the person's own message. Afterwards only with a tag, and which
tags there are changes: the channel's option `tag` is written into every message that has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote

import orjson
from yarl import URL

from clarion.domain.content import Form, MediaForm
from clarion.domain.limits import Limits
from clarion.domain.purpose import Purpose
from clarion.domain.refusal import Refusal
from clarion.errors import Misconfigured
from clarion.kit.http import Answer, Http, prepared
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
    Media,
    Parcel,
    Receipt,
    Sender,
    Text,
    Told,
)

VERSION = "v23.0"

# (code, subcode) or (code, None) → (how it ended, whose fault); the more exact goes first
_L, _R = Answered.LATER, Answered.REFUSED
TABLE: dict[tuple[int, int | None], tuple[Answered, Fault]] = {
    **dict.fromkeys(((4, None), (32, None), (613, None), (80006, None)), (_L, Fault.RATE)),
    **dict.fromkeys(((2, None), (1200, None)), (_L, Fault.PROVIDER)),
    # not there, or they take nothing from us: nobody to reach, blocked, outside the window
    **dict.fromkeys(((551, None), (100, 2018001), (200, 1545041)), (_R, Fault.PERSON)),
    **dict.fromkeys(((10, 2018278), (10, 2018065), (10, 2534022)), (_R, Fault.PERSON)),
    (100, None): (_L, Fault.CONTENT),
    **dict.fromkeys(((0, None), (3, None), (10, None), (102, None), (190, None), (368, None)),
                    (_L, Fault.ACCOUNT)),
    **{(code, None): (_L, Fault.ACCOUNT) for code in range(200, 300)},
}  # fmt: skip
_HUMAN = "HUMAN_AGENT"
_FILES = {"document": "file"}
_NO_CAPTION = Refusal(
    "not_carried",
    "a file has no caption on Messenger: one message is either a text or a file",
    "leave the caption out there; what is for other channels only names theirs as channel_kind",
)


class _Sender:
    def __init__(self, account: Account, http: Http) -> None:
        token = account.credentials.get("token")
        if not token or not account.sender:
            raise Misconfigured(
                "a Messenger channel needs credentials.token and sender (the page's id)",
                where="channel",
                hint="`clarion channel set NAME --credential token=… --set sender=…` writes them.",
            )
        version = str(account.options.get("api_version") or VERSION)
        self._url = URL(f"{account.base_url.rstrip('/')}/{version}/{quote(account.sender)}/messages")
        self._headers = prepared({"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        self._account = account
        self._http = http

    async def send(self, parcel: Parcel) -> Told:
        content = parcel.content
        if not isinstance(content, Text | Media) or (isinstance(content, Media) and content.caption):
            return other_than("Messenger", "text")
        body = orjson.dumps(payload(self._account, parcel, content))
        answer = await asked(self._http, self._account, "POST", self._url, self._headers, body)
        return answer if isinstance(answer, Told) else told(answer)

    async def look_up(self, reference: str) -> Found | None:
        """Meta has no such question."""
        return None


def payload(account: Account, parcel: Parcel, content: Text | Media) -> dict[str, Any]:
    """The request's body for one message."""
    tag = account.options.get("tag")
    kind = {"messaging_type": "MESSAGE_TAG", "tag": str(tag)} if tag else {"messaging_type": "UPDATE"}
    message: dict[str, Any] = {"metadata": parcel.reference}
    if isinstance(content, Text):
        message["text"] = content.body
    else:
        file = {"url": content.url, "is_reusable": False}
        message["attachment"] = {"type": _FILES.get(content.media, content.media), "payload": file}
    return {"recipient": {"id": parcel.address}, **kind, "message": message}


def told(answer: Answer) -> Told:
    """What an answer means. A 2xx that cannot be read, or without an id, was not refused: unknown."""
    try:
        document = orjson.loads(answer.body)
        error = document.get("error")
        if 200 <= answer.status < 300 and not error:
            return Told(Answered.ACCEPTED, provider_id=str(document["message_id"]))
        code, subcode = int(error["code"]), error.get("error_subcode")
    except (ValueError, KeyError, TypeError, AttributeError):
        return by_status(answer)
    name = f"{code}/{subcode}" if subcode else str(code)
    detail = str(error.get("message") or "")[:300]
    if code == 1:
        return Told(Answered.UNKNOWN, fault=Fault.PROVIDER, code=name, detail=detail)
    found = TABLE.get((code, subcode)) or TABLE.get((code, None))
    if found is None:
        return by_status(answer, name, detail)
    answered, fault = found
    wait = retry_after(answer.headers) if fault is Fault.RATE else None
    return Told(answered, fault=fault, code=name, detail=detail, retry_after=wait)


class Messenger:
    """The provider. Options: `tag`, `api_version`."""

    name: ClassVar[str] = "messenger"
    base_url: ClassVar[str] = "https://graph.facebook.com"
    schemes: ClassVar[tuple[str, ...]] = ("messenger",)
    can_look_up: ClassVar[bool] = False
    has_window: ClassVar[bool] = True
    text_limit: ClassVar[int] = 2000
    kinds: ClassVar[frozenset[str]] = frozenset(("text", "media"))
    credentials: ClassVar[Mapping[str, str]] = meta.CREDENTIALS
    speaks_http: ClassVar[bool] = True
    limits: ClassVar[Limits] = Limits(rate=300)
    counts_segments: ClassVar[bool] = False
    thanks: ClassVar[tuple[str, str]] = ("", "")
    by_its_own_names: ClassVar[bool] = True  # deliveries

    def sender(self, account: Account, http: Http) -> Sender:
        return _Sender(account, http)

    def by_options(self, options: Mapping[str, Any]) -> Messenger:
        """With a tag a page may write at any time (of HUMAN_AGENT, for seven days; then Meta refuses it)."""
        return _TAGGED if options.get("tag") else self

    def objection(self, form: Form) -> Refusal | None:
        return _NO_CAPTION if isinstance(form, MediaForm) and form.caption else None

    def unfit(self, options: Mapping[str, Any], purpose: Purpose) -> Refusal | None:
        """Tags are for what is not promotional, HUMAN_AGENT for a person's answer to a person."""
        tag = options.get("tag")
        if not tag or (purpose is Purpose.REPLY if tag == _HUMAN else purpose is Purpose.UTILITY):
            return None
        return Refusal(
            "not_carried",
            f"this channel writes with the tag {tag}, under which Messenger takes nothing that is {purpose}",
            "use a channel without a tag, which reaches who wrote within 24 hours",
        )

    def verified(self, account: Account, call: Call) -> bool:
        return meta.verified(account, call)

    def challenge(self, account: Account, call: Call) -> str | None:
        return meta.challenge(account, call)

    def read(self, account: Account, call: Call) -> Sequence[Receipt | Inbound]:
        try:
            entries = orjson.loads(call.body)["entry"]
            return [one for entry in entries for event in entry.get("messaging", ()) for one in _event(event)]
        except (LookupError, TypeError, AttributeError, ArithmeticError, OSError) as error:
            raise ValueError(f"this is not a Messenger webhook: {type(error).__name__} {error}") from error


def _event(event: Mapping[str, Any]) -> Iterator[Receipt | Inbound]:
    message, delivery, postback = event.get("message"), event.get("delivery"), event.get("postback")
    if delivery is not None:
        at = _moment(delivery["watermark"])
        yield from (Receipt(Evidence.DELIVERED, at, None, str(mid)) for mid in delivery.get("mids") or ())
    elif message is not None and message.get("is_echo"):
        reference = message.get("metadata")
        known = reference if isinstance(reference, str) else None
        yield Receipt(Evidence.ACCEPTED, _moment(event["timestamp"]), known, str(message["mid"]))
    elif message is not None:
        tapped = message.get("quick_reply") or {}
        words, payload = str(message.get("text") or ""), str(tapped.get("payload") or "")
        yield _inbound(event, str(message["mid"]), words, payload)
    elif postback is not None:
        name = str(postback.get("mid") or event["timestamp"])
        yield _inbound(event, name, str(postback.get("title") or ""), str(postback.get("payload") or ""))


def _inbound(event: Mapping[str, Any], name: str, text: str, payload: str) -> Inbound:
    sender, at = str(event["sender"]["id"]), _moment(event["timestamp"])
    return Inbound(name, "messenger", sender, text, at, payload=payload)


def _moment(milliseconds: Any) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


class _Tagged(Messenger):
    """As channels with a tag use it: no window binds them."""

    has_window: ClassVar[bool] = False


provider, _TAGGED = Messenger(), _Tagged()
