"""WhatsApp's webhooks (Meta's public reference: Webhooks, messages)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from clarion.sandbox.cloud_api.codes import CODES, UNKNOWN
from clarion.sandbox.dialect import Told, Webhook
from clarion.sandbox.record import FAILED, STATUSES, Entry, Record
from clarion.sandbox.world import Inbound, Number


def of_statuses(number: Number, record: Record, told: Sequence[Told]) -> Webhook | None:
    """These statuses in one call; None where nobody listens."""
    entries = [record.entry(t.row) for t in told]
    statuses = [
        _status(number, record.wamid(t.row), entry, t) for t, entry in zip(told, entries, strict=True)
    ]
    return _webhook(number, {"contacts": _contacts(entry.to for entry in entries), "statuses": statuses})


def of_messages(number: Number, messages: Sequence[Inbound]) -> Webhook | None:
    """What people wrote and tapped, likewise."""
    said = [
        {
            **_identity("from", "from_user_id", m.person),
            "id": m.id,
            "timestamp": str(int(m.at)),
            **({"context": {"from": number.display, "id": m.answers}} if m.answers else {}),
            **_words(m),
        }
        for m in messages
    ]
    return _webhook(number, {"contacts": _contacts(m.person for m in messages), "messages": said})


def _words(said: Inbound) -> dict[str, Any]:
    match said.kind:
        case "button" | "list":
            kind = f"{said.kind}_reply"
            reply = {"id": said.payload, "title": said.text}
            reply |= {"description": said.description} if said.description else {}
            return {"type": "interactive", "interactive": {"type": kind, kind: reply}}
        case "template":
            return {"type": "button", "button": {"payload": said.payload, "text": said.text}}
        case _:
            return {"type": "text", "text": {"body": said.text}}


def _webhook(number: Number, value: dict[str, Any]) -> Webhook | None:
    if number.callback_url is None:
        return None
    metadata = {"display_phone_number": number.display, "phone_number_id": number.id}
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
    body = orjson.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": number.account, "changes": [change]}]}
    )
    digest = hmac.new(number.app_secret, body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}
    return Webhook(number.callback_url, headers, body)


def _contacts(people: Iterable[str]) -> list[dict[str, Any]]:
    """Those whom a webhook tells of, each once."""
    return [
        {"profile": {"name": f"Person {person[-4:]}"}, **_identity("wa_id", "user_id", person)}
        for person in dict.fromkeys(people)
    ]


def _identity(by_number: str, by_user: str, person: str) -> dict[str, str]:
    """A person is told by their user id, and by the number of those who show theirs (since 2026-04)."""
    if "." in person:
        return {by_user: person}
    return {by_number: person, by_user: f"US.{int(person) * 7 + 13}"}


def _status(number: Number, wamid: str, entry: Entry, told: Told) -> dict[str, Any]:
    name = STATUSES[told.status]
    status: dict[str, Any] = {
        "id": wamid,
        "status": name,
        "timestamp": str(int(told.at)),
        **_identity("recipient_id", "recipient_user_id", entry.to),
    }
    if entry.reference:
        status["biz_opaque_callback_data"] = entry.reference
    if told.status == FAILED:
        known = CODES.get(told.code, UNKNOWN)
        status["errors"] = [
            {"code": told.code, "title": known.title, "message": known.title,
             "error_data": {"details": known.details}}
        ]  # fmt: skip
    else:
        category = "utility" if entry.kind == "template" else "service"
        status["conversation"] = {"id": f"{number.id}-{entry.to}", "origin": {"type": category}}
        status["pricing"] = {"billable": category == "utility", "pricing_model": "PMP", "category": category}
    return status
