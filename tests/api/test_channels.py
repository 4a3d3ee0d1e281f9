"""Channels: made, configured, paused; their credentials go in and never come out."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from clarion.api.app import create_app
from clarion.errors import Misconfigured
from clarion.flow.configure import open_credentials, rotate_credentials
from clarion.flow.services import Services
from clarion.kit.ids import uuid7
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings
from clarion.store import channel as channels
from clarion.store import notice as notices
from tests.api.client import Api, Reply, serving

TOKEN = "EAAG-canary-token"  # a made-up one
STAFF = {
    "name": "staff WhatsApp",
    "provider": "whatsapp",
    "config": {"base_url": "http://127.0.0.1:9/", "sender": "106540352242922"},
    "credentials": {"token": TOKEN},
    "rate": 12.5,
}


async def _made(api: Api, **changes: object) -> Reply:
    reply = await api.post("/api/v1/channels", {**STAFF, **changes})
    assert reply.status == 201, reply.json
    return reply


async def test_a_channel_is_made_and_shown_without_its_credentials(selam: Api) -> None:
    made = await _made(selam)
    shown = await selam.get(f"/api/v1/channels/{made.json['id']}")
    assert shown.json == made.json
    assert (shown.json["state"], shown.json["rate"], shown.json["has_credentials"]) == ("active", 12.5, True)
    listed = await selam.get("/api/v1/channels")
    for reply in (made, shown, listed):
        assert TOKEN not in reply.body.decode()


@pytest.mark.parametrize("way", ["made", "changed"])
async def test_a_misspelt_credential_is_refused_and_the_right_one_told(selam: Api, way: str) -> None:
    """Taken in silence it would be missed when the first message is sent."""
    if way == "made":
        refused = await selam.post("/api/v1/channels", {**STAFF, "credentials": {"tokn": TOKEN}})
    else:
        made = await _made(selam)
        refused = await selam.send(
            "PUT", f"/api/v1/channels/{made.json['id']}/credentials", json={"credentials": {"tokn": TOKEN}}
        )
    assert (refused.status, refused.json["where"]) == (422, "credentials.tokn")
    assert refused.json["hint"] == "Did you mean token?"
    assert TOKEN not in refused.body.decode()


async def test_credentials_are_sealed_in_the_database_and_open_for_dispatch(
    selam: Api, services: Services
) -> None:
    made = await _made(selam)
    assert selam.workspace_id
    async with services.db.tenant(selam.workspace_id) as connection:
        row = await channels.for_dispatch(connection, made.json["id"])
    assert TOKEN.encode() not in bytes(row["credentials"])
    opened = open_credentials(services, selam.workspace_id, row["id"], row["credentials"])
    assert opened == {"token": TOKEN}


async def test_credentials_copied_to_another_channel_do_not_open_there(
    selam: Api, services: Services
) -> None:
    one, two = await _made(selam), await _made(selam, name="another")
    assert selam.workspace_id
    async with services.db.tenant(selam.workspace_id) as connection:
        stolen = (await channels.for_dispatch(connection, one.json["id"]))["credentials"]
        row = await channels.for_dispatch(connection, two.json["id"])
    with pytest.raises(Misconfigured):
        open_credentials(services, selam.workspace_id, row["id"], stolen)


async def test_credentials_are_replaced_and_taken_away(selam: Api, services: Services) -> None:
    made = await _made(selam)
    path = f"/api/v1/channels/{made.json['id']}/credentials"
    assert (await selam.send("PUT", path, json={"credentials": {"token": "new"}})).status == 204
    assert selam.workspace_id
    async with services.db.tenant(selam.workspace_id) as connection:
        row = await channels.for_dispatch(connection, made.json["id"])
    opened = open_credentials(services, selam.workspace_id, row["id"], row["credentials"])
    assert opened == {"token": "new"}
    await selam.send("PUT", path, json={"credentials": None})
    assert (await selam.get(f"/api/v1/channels/{made.json['id']}")).json["has_credentials"] is False


async def test_a_new_key_seals_again_what_the_old_one_sealed(selam: Api, services: Services) -> None:
    made = await _made(selam)
    assert selam.workspace_id
    old = (services.settings.state_dir / "secret.key").read_text().strip()
    rotated = replace(services, box=SecretBox(["n" * 40, old]))
    assert await rotate_credentials(rotated, selam.workspace_id) == 1
    assert await rotate_credentials(rotated, selam.workspace_id) == 0
    async with services.db.tenant(selam.workspace_id) as connection:
        row = await channels.for_dispatch(connection, made.json["id"])
    only_new = replace(services, box=SecretBox(["n" * 40]))
    opened = open_credentials(only_new, selam.workspace_id, row["id"], row["credentials"])
    assert opened == {"token": TOKEN}
    with pytest.raises(Misconfigured):
        open_credentials(services, selam.workspace_id, row["id"], row["credentials"])


async def test_a_change_leaves_what_it_does_not_name(selam: Api) -> None:
    made = await _made(selam)
    path = f"/api/v1/channels/{made.json['id']}"
    changed = await selam.patch(path, {"config": {"attempts": 3}})
    assert changed.json["config"] == {**made.json["config"], "attempts": 3}
    assert (changed.json["rate"], changed.json["name"]) == (12.5, STAFF["name"])
    back = await selam.patch(path, {"config": {"attempts": None}, "rate": 20})
    assert (back.json["config"], back.json["rate"]) == (made.json["config"], 20)


async def test_a_wrong_configuration_is_refused_member_by_member(selam: Api) -> None:
    reply = await selam.post("/api/v1/channels", {**STAFF, "config": {"attempts": 0, "speed": 1}})
    assert reply.status == 422
    assert {problem["where"] for problem in reply.json["problems"]} == {"config.attempts", "config.speed"}


async def test_a_provider_that_nobody_speaks_is_refused(selam: Api) -> None:
    reply = await selam.post("/api/v1/channels", {**STAFF, "provider": "pigeons"})
    assert (reply.status, reply.json["where"]) == (422, "provider")
    assert "whatsapp" in reply.json["hint"]


async def test_a_described_interface_is_checked_when_its_channel_is_made_and_changed(selam: Api) -> None:
    options = {"request": {"path": "/sms", "form": {"to": "{to}", "text": "{text}"}}}
    described = {
        "name": "aggregator",
        "provider": "generic_http",
        "config": {"base_url": "https://sms.example.org", "sender": "SELAM", "options": options},
    }
    wrong = {"request": {"path": "/sms", "form": {"to": "{to}", "text": "{txt}"}}}
    refused = await selam.post("/api/v1/channels", {**described, "config": {"options": wrong}})
    places = {problem["where"] for problem in refused.json["problems"]}
    assert (refused.status, places) == (422, {"config.options.request.form.text", "config.options.request"})
    made = await selam.post("/api/v1/channels", described)
    assert (made.status, made.json["rate"]) == (201, 10), "what the provider usually allows"
    path = f"/api/v1/channels/{made.json['id']}"
    assert (await selam.patch(path, {"config": {"options": wrong}})).status == 422
    assert (await selam.patch(path, {"config": {"attempts": 3}})).json["config"]["options"] == options


async def test_private_addresses_are_for_development_only(selam: Api, services: Services) -> None:
    settings = Settings(state_dir=services.settings.state_dir, allow_private_addresses=False)
    async with serving(create_app(replace(services, settings=settings))) as base:
        there = replace(selam, base=base)
        refused = await there.post("/api/v1/channels", STAFF)
        public = await there.post(
            "/api/v1/channels", {**STAFF, "config": {"base_url": "https://graph.example.org"}}
        )
    assert (refused.status, refused.json["where"]) == (422, "config.base_url")
    assert public.status == 201


async def test_a_name_is_given_once(selam: Api, nyota: Api) -> None:
    await _made(selam)
    assert (await selam.post("/api/v1/channels", STAFF)).status == 409
    other = await _made(selam, name="other")
    taken = await selam.patch(f"/api/v1/channels/{other.json['id']}", {"name": STAFF["name"]})
    assert (taken.status, taken.json["where"]) == (409, "name")
    await _made(nyota)


async def test_a_channel_is_paused_and_resumed(selam: Api, services: Services) -> None:
    made = await _made(selam)
    path = f"/api/v1/channels/{made.json['id']}"
    assert selam.workspace_id
    async with services.db.tenant(selam.workspace_id) as connection:
        cause = f"channel:{made.json['id']}:authentication"
        now = services.clock.now()
        for fresh in (True, False):
            assert fresh is await notices.put(
                connection, selam.workspace_id, cause=cause, level="error", text="refused", now=now
            )
    [notice] = (await selam.get("/api/v1/notices")).json["items"]
    assert (notice["cause"], notice["times"], notice["cleared_at"]) == (cause, 2, None)
    paused = await selam.post(f"{path}/pause", {"reason": "number is being moved"})
    again = await selam.post(f"{path}/pause")
    assert paused.status == again.status == 200
    assert (again.json["state"], again.json["reason"]) == ("paused", "number is being moved")
    resumed = await selam.post(f"{path}/resume")
    assert (resumed.json["state"], resumed.json["reason"]) == ("active", "")
    async with services.db.tenant(selam.workspace_id) as connection:
        assert await notices.untold(connection) == []
    assert (await selam.get("/api/v1/notices")).json["items"][0]["cleared_at"]


async def test_another_workspaces_channel_answers_as_one_that_does_not_exist(
    selam: Api, nyota: Api, services: Services
) -> None:
    theirs = (await _made(nyota)).json["id"]
    nobodys = str(uuid7(services.clock.now()))
    for method, suffix, body in (
        ("GET", "", None),
        ("PATCH", "", {"rate": 1}),
        ("PUT", "/credentials", {"credentials": {}}),
        ("POST", "/pause", None),
        ("POST", "/resume", None),
    ):
        said = []
        for channel_id in (theirs, nobodys):
            reply = await selam.send(method, f"/api/v1/channels/{channel_id}{suffix}", json=body)
            told = {**json.loads(reply.body), "request_id": ""}
            said.append((reply.status, told, sorted(set(reply.headers) - {"date"})))
        assert said[0] == said[1], method
        assert said[0][0] == 404, method
    assert (await nyota.get(f"/api/v1/channels/{theirs}")).json["state"] == "active"
