"""Push messages by the API: devices and browsers as addresses, what is written, previewed and refused."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from clarion.flow.dispatch.account import load
from clarion.flow.services import Services
from clarion.kit.http import Http
from clarion.sandbox.twins.fcm import SERVICE_ACCOUNT, device
from clarion.sandbox.twins.webpush import subscription
from tests.api.client import Api
from tests.api.people import given
from tests.store.people import AMINA, ROSA

PATH = "/api/v1/announcements"
PUSH = {
    "kind": "push", "title": "Reminder, {{ contact.name }}", "body": "Come at nine",
    "url": "https://clinic.example/visit", "data": {"visit": "A-7"},
}  # fmt: skip


async def channel(api: Api, provider: str, **more: Any) -> str:
    reply = await api.post("/api/v1/channels", {"name": provider, "provider": provider, **more})
    assert reply.status == 201, reply.json
    return str(reply.json["id"])


def announcement(channel_id: str, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "Reminder", "channel_id": channel_id, "audience": {"include": {"everyone": True}},
        "content": {"variants": [{"content": content}]},
    }  # fmt: skip


async def test_devices_and_browsers_are_addresses_and_a_push_message_is_previewed(selam: Api) -> None:
    amina, rosa = await given(
        selam,
        {"name": "Amina", "addresses": [f"fcm:{device(AMINA)}"]},
        {"name": "Rosa", "addresses": [f"webpush:{subscription(ROSA)}"]},
    )
    (browser,) = (await selam.get(f"/api/v1/contacts/{rosa}")).json["addresses"]
    assert browser["urn"].startswith("webpush:https://push.sandbox.example/webpush/353850000003#p256dh=")
    assert (browser["status"], browser["reason"], browser["status_at"]) == ("active", "", None)

    app = await channel(selam, "fcm", credentials={"service_account": SERVICE_ACCOUNT})
    made = await selam.post(PATH, announcement(app, PUSH))
    assert made.status == 201, made.json
    told = (await selam.get(f"{PATH}/{made.json['id']}/preview")).json
    assert (told["counts"]["reachable"], told["counts"]["no_address"]) == (1, 1)
    (example,) = told["examples"]
    assert {key: example[key] for key in ("contact_id", "kind", "title", "text", "url", "subject")} == {
        "contact_id": amina, "kind": "push", "title": "Reminder, Amina", "text": "Come at nine",
        "url": "https://clinic.example/visit", "subject": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("provider", "content", "what"),
    [
        ("kannel", PUSH, "a channel of kannel does not carry content of the kind 'push'"),
        ("fcm", {"kind": "email", "subject": "x", "text": "y"}, "does not carry content of the kind 'email'"),
        ("fcm", {**PUSH, "body": "ሰ" * 1300}, "3,9"),
        ("webpush", {**PUSH, "body": "x" * 3401}, "3,401 characters; at most 3,400"),
        ("fcm", {**PUSH, "url": "clinic.example"}, "pattern"),
        ("fcm", {**PUSH, "data": {"from": "x"}}, "a name that push services, or we, use ourselves"),
    ],
)
async def test_what_could_not_be_sent_is_refused_when_it_is_written(
    selam: Api, provider: str, content: dict[str, Any], what: str
) -> None:
    config = {"config": {"base_url": "https://sms.example.org"}} if provider == "kannel" else {}
    refused = await selam.post(PATH, announcement(await channel(selam, provider, **config), content))
    assert refused.status == 422
    assert what in json.dumps(refused.json, ensure_ascii=False)


async def test_a_service_account_may_be_given_as_the_document_that_it_is(
    selam: Api, services: Services
) -> None:
    secrets = {"service_account": json.loads(SERVICE_ACCOUNT)}
    app = await channel(selam, "fcm", credentials=secrets)
    assert selam.workspace_id is not None
    loaded = await load(services, selam.workspace_id, UUID(app))
    assert loaded.provider.sender(loaded.account, Http())
    shown = await selam.get(f"/api/v1/channels/{app}")
    assert "PRIVATE KEY" not in shown.body.decode()
