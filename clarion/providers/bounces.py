"""Bounces: what mail servers and mail services tell of a letter afterwards, as receipts.

Two shapes are read. A delivery status notification (RFC 3464), as a mail server writes it: the whole
message (`message/rfc822`), its report (`multipart/report`) or the status alone
(`message/delivery-status`). And JSON, for services whose webhooks can be given a shape:

    {"message_id": "<…>", "action": "failed", "status": "5.1.1", "at": "2026-03-02T08:00:00Z"}

or a list of those; `envelope_id` may stand for `message_id`, `status` and `at` may be missing. The
actions are RFC 3464's: failed, delayed, delivered, relayed, expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from email import message_from_bytes, policy
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from clarion.providers.contract import Call, Evidence, Fault, Receipt
from clarion.providers.letters import reference_in

# What is only on its way, or was given on to several (expanded), says nothing yet.
ACTIONS = {
    "failed": Evidence.FAILED,
    "delivered": Evidence.DELIVERED,
    "relayed": Evidence.ACCEPTED,
    "delayed": None,
    "expanded": None,
}
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_STATUSES = "message/delivery-status"
_HEADERS = ("message/rfc822", "message/rfc822-headers", "text/rfc822-headers")


def read(call: Call) -> list[Receipt]:
    """The receipts of a call. Raises ValueError for what is neither shape."""
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return list(_of_json(orjson.loads(call.body)))
    head = b"" if kind not in (_STATUSES, "multipart/report") else _head(call)
    report = message_from_bytes(head + call.body, policy=policy.default)
    told = [part for part in report.walk() if part.get_content_type() == _STATUSES]
    if not told:
        raise ValueError("no delivery status in it")
    original = next((_id_of(part) for part in report.walk() if part.get_content_type() in _HEADERS), None)
    return [found for part in told for found in _of_status(part, original)]


def _head(call: Call) -> bytes:
    line = call.headers["content-type"].replace("\r", " ").replace("\n", " ")
    return f"Content-Type: {line}\r\n\r\n".encode("latin-1", "replace")


def _of_json(said: Any) -> Iterator[Receipt]:
    for one in said if isinstance(said, list) else [said]:
        if not isinstance(one, Mapping):
            raise ValueError("not a bounce")
        named = reference_in(_text(one, "message_id")) or _text(one, "envelope_id")
        moment = _text(one, "at")
        at = datetime.fromisoformat(moment) if moment else None
        found = _receipt(named, _text(one, "action"), _text(one, "status"), at)
        if found is not None:
            yield found


def _text(one: Mapping[str, Any], name: str) -> str:
    value = one.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text")
    return value


def _of_status(part: Message, original: str | None) -> Iterator[Receipt]:
    """One block of the whole letter's fields, then one for each recipient (RFC 3464 2.1)."""
    blocks = part.get_payload()
    if not isinstance(blocks, list) or not blocks:
        raise ValueError("an empty delivery status")
    first, *recipients = (block for block in blocks if isinstance(block, Message))
    # without DSN the server had no envelope's name from us, but it returns the letter's headers
    named = str(first.get("Original-Envelope-Id", "")).strip() or original
    for block in recipients:
        moment = block.get("Last-Attempt-Date") or first.get("Arrival-Date")
        found = _receipt(
            named, str(block.get("Action", "")), str(block.get("Status", "")), _moment(str(moment or ""))
        )
        if found is not None:
            yield found


def _id_of(part: Message) -> str | None:
    """Our reference in the letter that was returned, of which often the headers alone are."""
    inner = part.get_payload()
    if isinstance(inner, list) and inner and isinstance(inner[0], Message):
        return reference_in(str(inner[0].get("Message-ID", "")))
    body = part.get_payload(decode=True)
    if not isinstance(body, bytes):
        return None
    return reference_in(str(message_from_bytes(body).get("Message-ID", "")))


def _receipt(named: str | None, action: str, status: str, at: datetime | None) -> Receipt | None:
    action = action.strip().lower()
    if action not in ACTIONS:
        raise ValueError(f"an action that RFC 3464 does not know: {action[:40]!r}")
    evidence = ACTIONS[action]
    if evidence is None:
        return None
    code = _STATUS.search(status)
    failed = evidence is Evidence.FAILED
    if at is not None and at.tzinfo is None:
        at = None
    # One recipient's server told it, whatever the status: it must not stop the channel or the campaign.
    fault = Fault.PERSON if failed else None
    return Receipt(evidence, at, named, code=code[0] if code and failed else None, fault=fault)


def _moment(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
