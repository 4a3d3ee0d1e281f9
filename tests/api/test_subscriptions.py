"""Subscriptions: made, changed, paused, removed; their secrets are shown once and kept sealed."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from clarion.api.app import create_app
from clarion.domain.event import EventType
from clarion.flow import subscribe
from clarion.flow.services import Services
from clarion.kit.db import rows
from clarion.kit.secrets import SecretBox
from clarion.store import subscription as subscriptions
from clarion.store import telling
from tests.api.client import Api, Reply

PORTAL = {"name": "portal", "url": "http://127.0.0.1:9/hook", "types": ["message.delivered"]}
_NEW_KEY = "a new key, of thirty-two letters"
NOBODY = "01930000-0000-7000-8000-000000000000"


async def _made(api: Api, **changes: object) -> Reply:
    reply = await api.post("/api/v1/subscriptions", {**PORTAL, **changes})
    assert reply.status == 201, reply.json
    return reply


async def test_a_subscription_is_made_and_its_secret_shown_this_once(selam: Api) -> None:
    made = await _made(selam)
    secret = made.json.pop("secret")
    shown = await selam.get(f"/api/v1/subscriptions/{made.json['id']}")
    assert shown.json == made.json
    assert (shown.json["state"], shown.json["types"]) == ("active", ["message.delivered"])
    listed = await selam.get("/api/v1/subscriptions")
    assert [one["name"] for one in listed.json["items"]] == ["portal"]
    for reply in (shown, listed):
        assert secret not in reply.body.decode()


async def test_secrets_are_sealed_in_the_database_and_open_with_their_own_row_alone(
    selam: Api, services: Services
) -> None:
    one, two = await _made(selam), await _made(selam, name="another")
    assert selam.workspace_id
    async with services.db.tenant(selam.workspace_id) as connection:
        row = await subscriptions.for_telling(connection, UUID(one.json["id"]))
        stolen = await subscriptions.for_telling(connection, UUID(two.json["id"]))
    assert row is not None
    assert stolen is not None
    assert one.json["secret"].encode() not in bytes(row["secret"])
    now = services.clock.now()
    assert subscribe.open_secrets(services, row, now) == [one.json["secret"]]
    with pytest.raises(Exception, match="does not open here"):
        subscribe.open_secrets(services, {**row, "secret": stolen["secret"]}, now)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"url": "ftp://127.0.0.1/"}, "url"),
        ({"url": "http://user:secret@127.0.0.1/"}, "url"),
        ({"types": []}, "body.types"),
        ({"types": ["message.lost"]}, "body.types[0]"),
        ({"types": ["subscription.test"]}, "types"),
        ({"name": " "}, "name"),
    ],
)
async def test_what_is_wrong_is_refused_where_it_is(selam: Api, wrong: dict[str, object], where: str) -> None:
    refused = await selam.post("/api/v1/subscriptions", {**PORTAL, **wrong})
    assert refused.status == 422
    assert where in {refused.json["where"], *(one["where"] for one in refused.json["problems"])}


async def test_a_name_is_taken_once_and_free_when_its_subscription_is_removed(selam: Api) -> None:
    made = await _made(selam)
    assert (await selam.post("/api/v1/subscriptions", PORTAL)).status == 409
    other = await _made(selam, name="another")
    address = f"/api/v1/subscriptions/{other.json['id']}"
    assert (await selam.patch(address, {"name": "portal"})).status == 409
    assert (await selam.send("DELETE", f"/api/v1/subscriptions/{made.json['id']}")).status == 204
    assert (await selam.patch(address, {"name": "portal"})).status == 200
    assert (await selam.get(f"/api/v1/subscriptions/{made.json['id']}")).status == 404


async def test_a_workspace_has_so_many_and_no_more(selam: Api) -> None:
    for number in range(20):
        await _made(selam, name=f"portal {number}")
    refused = await selam.post("/api/v1/subscriptions", PORTAL)
    assert (refused.status, "at most 20" in refused.json["detail"]) == (409, True)


async def test_what_is_not_said_stays(selam: Api) -> None:
    made = await _made(selam)
    address = f"/api/v1/subscriptions/{made.json['id']}"
    changed = await selam.patch(address, {"types": ["channel.paused", "message.read"]})
    assert changed.json["types"] == ["message.read", "channel.paused"]
    assert changed.json["url"] == PORTAL["url"]


async def test_a_new_secret_is_shown_once_and_the_old_one_goes_on_for_a_day(
    selam: Api, services: Services
) -> None:
    made = await _made(selam)
    address = f"/api/v1/subscriptions/{made.json['id']}"
    rotated = await selam.post(f"{address}/rotate")
    assert rotated.json["secret"] != made.json["secret"]
    assert rotated.json["previous_until"] > rotated.json["modified_at"]
    assert selam.workspace_id
    async with services.db.tenant(selam.workspace_id) as connection:
        row = await subscriptions.for_telling(connection, UUID(made.json["id"]))
    assert row is not None
    both = subscribe.open_secrets(services, row, services.clock.now())
    assert both == [rotated.json["secret"], made.json["secret"]]
    at_once = await selam.post(f"{address}/rotate", {"keep_hours": 0})
    assert at_once.json["previous_until"] is None


async def test_secrets_are_sealed_again_when_the_key_is_changed(selam: Api, services: Services) -> None:
    made = await _made(selam)
    await selam.post(f"/api/v1/subscriptions/{made.json['id']}/rotate")
    assert selam.workspace_id
    before = (services.settings.state_dir / "secret.key").read_text(encoding="ascii").strip()
    again = replace(services, box=SecretBox([_NEW_KEY, before]))
    assert await subscribe.rotate_seals(again, selam.workspace_id) == 1
    assert await subscribe.rotate_seals(again, selam.workspace_id) == 0
    alone = replace(services, box=SecretBox([_NEW_KEY]))
    async with services.db.tenant(selam.workspace_id) as connection:
        row = await subscriptions.for_telling(connection, UUID(made.json["id"]))
    assert row is not None
    assert len(subscribe.open_secrets(alone, row, services.clock.now())) == 2


async def test_pausing_says_why_and_resuming_ends_it(selam: Api) -> None:
    made = await _made(selam)
    address = f"/api/v1/subscriptions/{made.json['id']}"
    paused = await selam.post(f"{address}/pause", {"reason": "being moved"})
    assert (paused.json["state"], paused.json["reason"]) == ("paused", "being moved")
    assert (await selam.post(f"{address}/pause")).json["reason"] == "being moved"
    assert (await selam.post(f"{address}/test")).status == 409
    assert (await selam.post(f"{address}/again")).status == 409
    resumed = await selam.post(f"{address}/resume")
    assert (resumed.json["state"], resumed.json["reason"]) == ("active", "")


async def test_events_are_listed_newest_first_in_pages_and_told_again(selam: Api, services: Services) -> None:
    made = await _made(selam)
    address = f"/api/v1/subscriptions/{made.json['id']}"
    ids = [(await selam.post(f"{address}/test")).json["id"] for _ in range(3)]
    first = await selam.get(f"{address}/events?limit=2")
    rest = await selam.get(first.json["next"])
    assert [one["id"] for one in first.json["items"] + rest.json["items"]] == ids[::-1]
    assert selam.workspace_id
    async with services.db.tenant(selam.workspace_id) as connection:
        ended = [telling.Told(UUID(ids[0]), False, "500")]
        await telling.settle(connection, UUID(made.json["id"]), ended, services.clock.now())
    given_up = await selam.get(f"{address}/events?state=given_up")
    (one,) = given_up.json["items"]
    assert (one["id"], one["answer"], one["due_at"], one["tries"]) == (ids[0], "500", None, 1)
    assert (await selam.get(address)).json["given_up"] == 1
    assert (await selam.post(f"{address}/again")).json == {"events": 1}
    assert (await selam.get(address)).json["waiting"] == 3


async def test_another_workspaces_subscription_does_not_exist(selam: Api, nyota: Api) -> None:
    made = await _made(selam)
    await selam.post(f"/api/v1/subscriptions/{made.json['id']}/test")
    for identifier in (made.json["id"], NOBODY):
        address = f"/api/v1/subscriptions/{identifier}"
        asked = [
            await nyota.get(address),
            await nyota.get(f"{address}/events"),
            await nyota.patch(address, {"url": "http://127.0.0.1:9/mine"}),
            await nyota.send("DELETE", address),
            *[
                await nyota.post(f"{address}/{verb}")
                for verb in ("rotate", "pause", "resume", "test", "again")
            ],
        ]
        assert {reply.status for reply in asked} == {404}
    assert (await nyota.get("/api/v1/subscriptions")).json["items"] == []
    assert (await _made(nyota)).json["name"] == "portal"


async def test_only_a_key_of_the_scope_may_subscribe(selam: Api) -> None:
    body = {"name": "reader", "scopes": ["messages:read", "channels:write"]}
    key = (await selam.post("/api/v1/keys", body)).json["key"]
    reader = Api(selam.base, key)
    assert (await reader.post("/api/v1/subscriptions", PORTAL)).status == 403
    assert (await reader.get("/api/v1/subscriptions")).status == 403


async def test_the_document_tells_receivers_what_they_get(services: Services) -> None:
    document = create_app(services).openapi()
    assert set(document["webhooks"]) == {kind.value for kind in EventType}
    for told in document["webhooks"].values():
        body = told["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert body.rpartition("/")[2] in document["components"]["schemas"]
        assert set(told["post"]["responses"]) == {"204", "410", "default"}


async def test_a_removed_subscription_keeps_neither_address_nor_secret(
    selam: Api, services: Services
) -> None:
    made = await _made(selam)
    await selam.send("DELETE", f"/api/v1/subscriptions/{made.json['id']}")
    assert selam.workspace_id
    async with services.db.tenant(selam.workspace_id) as connection:
        (left,) = await rows(connection, "SELECT url, secret, previous_secret FROM subscription")
    assert left == {"url": "", "secret": None, "previous_secret": None}
