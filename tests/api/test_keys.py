"""Keys: who may call, and what they may do."""

from __future__ import annotations

from dataclasses import replace

from clarion.domain.scope import Scope
from clarion.flow.access import create_key
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from tests.api.client import Api


async def _key(api: Api, *scopes: str) -> Api:
    made = await api.post("/api/v1/keys", {"name": "a key", "scopes": list(scopes)})
    assert made.status == 201, made.json
    return replace(api, key=made.json["key"])


async def test_without_a_key_nothing_is_shown(stranger: Api) -> None:
    reply = await stranger.get("/api/v1/workspace")
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert reply.json["code"] == "unauthorized"


async def test_a_key_opens_its_own_workspace(selam: Api) -> None:
    reply = await selam.get("/api/v1/workspace")
    assert (reply.status, reply.json["name"], reply.json["country"]) == (200, "Selam Clinic", "KE")
    assert reply.json["id"] == str(selam.workspace_id)


async def test_a_wrong_secret_a_wrong_workspace_and_nonsense_are_refused_alike(
    selam: Api, nyota: Api
) -> None:
    assert selam.key
    assert nyota.key
    head, _, secret = selam.key.rpartition("_")
    swapped = head[:8] + nyota.key[8:40] + head[40:] + "_" + secret
    answers = []
    for key in (head + "_" + "A" * 43, swapped, "clarion_", "nonsense", selam.key + "x", selam.key.upper()):
        reply = await replace(selam, key=key).get("/api/v1/workspace")
        answers.append((reply.status, {**reply.json, "request_id": ""}))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 401


async def test_a_key_is_shown_once_and_stored_as_a_hash(selam: Api, services: Services) -> None:
    made = await selam.post("/api/v1/keys", {"name": "portal", "scopes": ["announcements:write"]})
    shown = await selam.get(f"/api/v1/keys/{made.json['id']}")
    listed = await selam.get("/api/v1/keys")
    assert "key" not in shown.json
    assert made.json["key"] not in listed.body.decode()
    assert selam.workspace_id
    async with services.db.tenant(selam.workspace_id) as connection:
        stored = await (await connection.execute("SELECT k::text FROM api_key k")).fetchall()
    secret = made.json["key"].split("_", 2)[2]  # it may have such a sign of its own
    assert stored
    assert all(secret not in text for (text,) in stored)


async def test_a_key_does_what_its_scopes_cover_and_no_more(selam: Api) -> None:
    reader = await _key(selam, "announcements:read")
    assert (await reader.get("/api/v1/channels")).status == 200
    refused = await reader.post("/api/v1/channels", {"name": "x", "provider": "whatsapp"})
    assert (refused.status, refused.json["scopes_needed"]) == (403, ["channels:write"])
    assert (await reader.get("/api/v1/keys")).status == 403


async def test_a_scope_that_nobody_knows_is_refused(selam: Api) -> None:
    reply = await selam.post("/api/v1/keys", {"name": "x", "scopes": ["everything"]})
    assert reply.status == 422
    assert reply.json["problems"][0]["where"].startswith("body.scopes")


async def test_a_revoked_key_is_refused_at_once(selam: Api) -> None:
    made = await selam.post("/api/v1/keys", {"name": "lost", "scopes": ["contacts:read"]})
    lost = replace(selam, key=made.json["key"])
    assert (await lost.get("/api/v1/workspace")).status == 200
    for _ in range(2):
        assert (await selam.send("DELETE", f"/api/v1/keys/{made.json['id']}")).status == 204
    assert (await lost.get("/api/v1/workspace")).status == 401
    assert (await selam.get(f"/api/v1/keys/{made.json['id']}")).json["revoked_at"]


async def test_an_expired_key_is_refused(selam: Api, services: Services) -> None:
    assert selam.workspace_id
    past = FakeClock(services.clock.now())
    past.advance(-7200)
    async with services.db.tenant(selam.workspace_id) as connection:
        key = await create_key(
            connection,
            selam.workspace_id,
            name="for an hour",
            scopes=[Scope.ADMIN],
            now=past.now(),
            expires_at=services.clock.now(),
        )
    assert (await replace(selam, key=key.shown()).get("/api/v1/workspace")).status == 401


async def test_use_of_a_key_is_remembered(selam: Api) -> None:
    await selam.get("/api/v1/workspace")
    listed = await selam.get("/api/v1/keys")
    assert listed.json["items"][0]["last_used_at"]
