"""The people whom these tests give to the API."""

from __future__ import annotations

from typing import Any

from tests.api.client import Api

ABEBA: dict[str, Any] = {
    "external_id": "E-1",
    "name": "Abeba Tesfaye",
    "addresses": ["0712000001"],
    "groups": ["Nurses"],
}
BARAKA: dict[str, Any] = {"external_id": "E-2", "name": "Baraka Otieno", "addresses": ["+254712000002"]}


async def given(api: Api, *people: dict[str, Any]) -> list[str]:
    """Give people to the API; their contacts' ids, in order."""
    reply = await api.post("/api/v1/contacts", {"contacts": list(people)})
    assert reply.status == 200, reply.json
    return [result["contact_id"] for result in reply.json["results"]]
