"""Files, replies to tap and templates by the API: written, previewed, checked against what WhatsApp keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.api.client import Api
from tests.api.people import given
from tests.store.people import AMINA

PATH = "/api/v1/announcements"
BUSINESS = "100000000000001"
PAYDAY = {"name": "payday", "language": "en", "parameters": 1, "header": "IMAGE"}
PICTURE = {"media": "image", "url": "https://files.example/a.png"}
BUTTONS = {
    "kind": "interactive", "text": "Will you come, {{ contact.name }}?", "header": PICTURE, "footer": "Selam",
    "buttons": [{"id": "y", "title": "Yes"}, {"id": "n", "title": "No"}],
}  # fmt: skip
CALL = {
    "kind": "template", "name": "payday", "language": "en", "parameters": ["{{ contact.name }}"],
    "header": PICTURE,
}  # fmt: skip


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: SandboxProcess) -> SandboxProcess:
    running.reset(config=True)
    running.configure(templates=[PAYDAY])
    return running


async def channel(api: Api, sandbox: SandboxProcess, provider: str = "whatsapp", **options: Any) -> str:
    reply = await api.post(
        "/api/v1/channels",
        {
            "name": provider, "provider": provider, "credentials": {"token": "sandbox-token"},
            "config": {"base_url": sandbox.url, "sender": "1001", "options": options},
        },
    )  # fmt: skip
    assert reply.status == 201, reply.json
    return str(reply.json["id"])


def announcement(channel_id: str, **variant: Any) -> dict[str, Any]:
    return {
        "name": "Payday", "channel_id": channel_id, "audience": {"include": {"everyone": True}},
        "content": {"variants": [variant]},
    }  # fmt: skip


async def test_buttons_and_the_template_beside_them_are_written_and_previewed(
    selam: Api, sandbox: SandboxProcess
) -> None:
    await given(selam, {"name": "Amina", "addresses": [f"tel:{AMINA}"]})
    over = await channel(selam, sandbox, business_account_id=BUSINESS)
    made = await selam.post(PATH, announcement(over, inside=BUTTONS, outside=CALL))
    assert made.status == 201, made.json
    assert made.json["content"]["variants"][0]["inside"]["header"]["url"] == PICTURE["url"]
    assert made.json["warnings"] == []
    told = (await selam.get(f"{PATH}/{made.json['id']}/preview")).json
    assert told["warnings"] == []
    (example,) = told["examples"]
    assert (example["kind"], example["template"], example["text"], example["url"]) == (
        "template", "payday", "Amina", PICTURE["url"],
    )  # fmt: skip


async def test_a_picture_over_messenger_is_previewed_as_it_is(selam: Api, sandbox: SandboxProcess) -> None:
    await given(selam, {"name": "Amina", "addresses": ["messenger:1254477777772919"]})
    over = await channel(selam, sandbox, "messenger", tag="ACCOUNT_UPDATE")
    file = {"kind": "media", **PICTURE}
    made = await selam.post(PATH, announcement(over, content=file))
    assert made.status == 201, made.json
    captioned = await selam.post(PATH, announcement(over, content={**file, "caption": "The plan"}))
    assert captioned.status == 422
    assert "no caption on Messenger" in json.dumps(captioned.json)


@pytest.mark.parametrize(
    ("provider", "content", "what"),
    [
        ("messenger", BUTTONS, "does not carry content of the kind 'interactive'"),
        ("whatsapp", {**BUTTONS, "buttons": []}, "either buttons or a menu"),
        ("whatsapp", {"kind": "media", "media": "image", "url": "https://10.0.0.1/a.png"}, "loopback"),
        ("whatsapp", {"kind": "media", "media": "image", "url": "http://files.example/a.png"}, "pattern"),
        ("whatsapp", {"kind": "media", **PICTURE, "caption": "{{ contact.nme }}"}, "unknown variable"),
        ("whatsapp", {**CALL, "name": "pay_day"}, "Did you mean payday?"),
        ("whatsapp", {**CALL, "header": "July"}, "has an image in its header; given: text"),
    ],
)
async def test_what_could_not_be_sent_is_refused_when_it_is_written(
    selam: Api, sandbox: SandboxProcess, provider: str, content: dict[str, Any], what: str
) -> None:
    options = {"business_account_id": BUSINESS} if provider == "whatsapp" else {}
    over = await channel(selam, sandbox, provider, **options)
    refused = await selam.post(PATH, announcement(over, content=content), once="payday-1")
    assert refused.status == 422
    assert what in json.dumps(refused.json)


async def test_what_could_not_be_checked_is_told_with_what_was_written(
    selam: Api, sandbox: SandboxProcess
) -> None:
    over = await channel(selam, sandbox)
    made = await selam.post(PATH, announcement(over, content=CALL))
    warning = "The templates of whatsapp were not checked: its options name no business_account_id."
    assert (made.status, made.json["warnings"]) == (201, [warning])
    identifier = made.json["id"]
    assert (await selam.get(f"{PATH}/{identifier}/preview")).json["warnings"] == [warning]
    await selam.patch(f"/api/v1/channels/{over}", {"config": {"options": {"business_account_id": BUSINESS}}})
    changed = await selam.patch(f"{PATH}/{identifier}", {"name": "Payday in July"})
    assert (changed.status, changed.json["warnings"]) == (200, [])


async def test_the_templates_of_a_channel_are_listed(selam: Api, nyota: Api, sandbox: SandboxProcess) -> None:
    over = await channel(selam, sandbox, business_account_id=BUSINESS)
    path = f"/api/v1/channels/{over}/templates"
    told = await selam.get(path)
    assert told.status == 200, told.json
    (one,) = told.json["templates"]
    assert (one["name"], one["category"], one["status"]) == ("payday", "UTILITY", "APPROVED")
    assert one["shape"] == {
        "parameters": 1, "named": False, "header": "image", "header_parameters": 0, "buttons": [],
        "beyond": "",
    }  # fmt: skip
    sandbox.configure(templates=[])
    assert (await selam.get(path)).json == told.json
    assert (await selam.get(f"{path}?refresh=true")).json["templates"] == []
    assert (await nyota.get(path)).status == 404
    plain = await channel(selam, sandbox, "messenger")
    assert (await selam.get(f"/api/v1/channels/{plain}/templates")).status == 422


async def test_a_business_account_that_is_no_number_is_refused(selam: Api, sandbox: SandboxProcess) -> None:
    over = await channel(selam, sandbox)
    refused = await selam.patch(
        f"/api/v1/channels/{over}", {"config": {"options": {"business_account_id": "Selam"}}}
    )
    assert refused.status == 422
    assert refused.json["where"] == "config.options.business_account_id"
