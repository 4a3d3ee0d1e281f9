"""How messages, flow starts and broadcasts are told: identifiers from what the record calls them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID


def message_row(name: str, urn: str, text: str, at: str, direction: str) -> dict[str, Any]:
    return {
        "id": number_of(name), "type": "text", "channel": {"uuid": uuid_of("selam"), "name": "Selam"},
        "contact": {"uuid": uuid_of(urn), "name": "Amina"}, "urn": urn, "text": text, "attachments": [],
        "archived": False, "broadcast": None, "created_on": at, "direction": direction, "flow": None,
        "labels": [], "media": None, "modified_on": at, "sent_on": None, "status": "handled",
        "visibility": "visible",
    }  # fmt: skip


def number_of(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")


def uuid_of(name: str) -> str:
    return str(UUID(bytes=hashlib.sha256(name.encode()).digest()[:16], version=4))


def spelled(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
