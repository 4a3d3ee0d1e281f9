"""WhatsApp Cloud API: what its webhooks tell. Shapes follow Meta's public reference (Webhooks: messages)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from clarion.providers.contract import Answered, Evidence, Fault, Inbound, Receipt

Table = Mapping[int, tuple[Answered, Fault]]

EVIDENCE = {
    "sent": Evidence.ACCEPTED,
    "delivered": Evidence.DELIVERED,
    "read": Evidence.READ,
    "played": Evidence.READ,
    "failed": Evidence.FAILED,
}


def events(document: Any, table: Table) -> Iterator[Receipt | Inbound]:
    """Statuses and messages, in their order; faults of failures by the table of codes. Raises ValueError."""
    try:
        for entry in document["entry"]:
            for change in entry["changes"]:
                value = change["value"]
                yield from (_receipt(one, table) for one in value.get("statuses", ()) if _known(one))
                yield from (_inbound(said) for said in value.get("messages", ()))
    except (LookupError, TypeError, AttributeError, ArithmeticError, OSError) as error:
        raise ValueError(f"this is not a WhatsApp webhook: {type(error).__name__} {error}") from error


def _known(status: Mapping[str, Any]) -> bool:
    return status["status"] in EVIDENCE


def _receipt(status: Mapping[str, Any], table: Table) -> Receipt:
    errors: Sequence[Mapping[str, Any]] = status.get("errors") or ({},)
    code: Any = errors[0].get("code")
    return Receipt(
        evidence=EVIDENCE[status["status"]],
        at=_moment(status["timestamp"]),
        reference=_text_or_none(status.get("biz_opaque_callback_data")),
        provider_id=_text_or_none(status["id"]),
        code=None if code is None else str(code),
        fault=table[code][1] if code in table else None,
    )


def _inbound(said: Mapping[str, Any]) -> Inbound:
    # by number where people show theirs, and since 2026-04 by a user id, of which either may be missing
    number, user = said.get("from"), said.get("from_user_id")
    text, payload = _words(said)
    return Inbound(
        provider_id=str(said["id"]),
        scheme="whatsapp",
        address=f"+{number}" if number else str(said["from_user_id"]),
        text=text,
        at=_moment(said["timestamp"]),
        payload=payload,
        also=str(user) if number and user else "",
    )


def _words(said: Mapping[str, Any]) -> tuple[str, str]:
    """What a person wrote, or the title of what they tapped; and what that brings back."""
    answer = said.get("interactive") or {}
    if chosen := answer.get("button_reply") or answer.get("list_reply"):
        return str(chosen.get("title") or ""), str(chosen.get("id") or "")
    if tapped := said.get("button"):  # of a template
        return str(tapped.get("text") or ""), str(tapped.get("payload") or "")
    written = (said.get("text") or {}).get("body")
    file = said.get(str(said.get("type"))) if said.get("type") in ("image", "video", "document") else None
    return str(written or (file or {}).get("caption") or ""), ""


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
