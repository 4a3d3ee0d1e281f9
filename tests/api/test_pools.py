"""Pools over HTTP: made, judged, changed, used by announcements, and a contact's own channel."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from clarion.flow import fire
from clarion.flow.services import Services
from tests.api.client import Api, Reply
from tests.api.people import given
from tests.flow.announcing import runs_of
from tests.store.people import ABEBE, AMINA, ROSA

PATH = "/api/v1/pools"
ANNOUNCEMENTS = "/api/v1/announcements"
EVERYONE = {"include": {"everyone": True}}
NOBODY = "01930000-0000-7000-8000-000000000000"


async def sms(api: Api, name: str) -> str:
    config = {"sender": "2020", "base_url": "https://sms.example.org"}
    reply = await api.post("/api/v1/channels", {"name": name, "provider": "kannel", "config": config})
    assert reply.status == 201, reply.json
    return str(reply.json["id"])


async def east_africa(api: Api) -> Reply:
    """Nairobi takes Kenya's numbers, Addis all others."""
    nairobi, addis = await sms(api, "nairobi"), await sms(api, "addis")
    channels = [{"channel_id": nairobi, "prefixes": ["+254"], "weight": 2}, {"channel_id": addis}]
    reply = await api.post(PATH, {"name": "East Africa", "channels": channels})
    assert reply.status == 201, reply.json
    return reply


def announcement(**more: Any) -> dict[str, Any]:
    return {"name": "Closed on Monday", "audience": EVERYONE, "text": "We are closed on Monday", **more}


async def test_a_pool_is_made_shown_changed_and_removed(selam: Api) -> None:
    made = (await east_africa(selam)).json
    assert [(one["name"], one["prefixes"], one["weight"]) for one in made["channels"]] == [
        ("nairobi", ["+254"], 2),
        ("addis", [], 1),
    ]
    path = f"{PATH}/{made['id']}"
    assert (await selam.get(path)).json == made
    assert (await selam.get(PATH)).json["items"] == [made]
    changed = await selam.patch(path, {"channels": made["channels"][1:], "skip_paused": True})
    assert changed.status == 422, "what is only shown is not taken"
    addis = {"channel_id": made["channels"][1]["channel_id"], "prefixes": ["+251 (9)"]}
    changed = await selam.patch(path, {"channels": [addis], "skip_paused": True})
    assert [one["prefixes"] for one in changed.json["channels"]] == [["+2519"]]
    assert (changed.json["name"], changed.json["skip_paused"]) == ("East Africa", True)
    assert (await selam.send("DELETE", path)).status == 204
    assert (await selam.get(path)).status == 404


async def test_what_makes_no_pool_is_told_by_its_place(selam: Api) -> None:
    nairobi = await sms(selam, "nairobi")
    wrong = await selam.post(PATH, {"name": "SMS", "channels": [{"channel_id": nairobi, "prefixes": ["07"]}]})
    assert (wrong.status, wrong.json["problems"][0]["where"]) == (422, "body.channels[0].prefixes[0]")
    twice = await selam.post(
        PATH, {"name": "SMS", "channels": [{"channel_id": nairobi}, {"channel_id": nairobi}]}
    )
    assert [one["where"] for one in twice.json["problems"]] == ["channels[1].channel_id"]
    unknown = await selam.post(PATH, {"name": "SMS", "channels": [{"channel_id": NOBODY}]})
    assert unknown.status == 422
    await selam.post(PATH, {"name": "SMS", "channels": [{"channel_id": nairobi}]})
    again = await selam.post(PATH, {"name": "SMS", "channels": [{"channel_id": nairobi}]})
    assert (again.status, again.json["where"]) == (409, "name")


async def test_another_workspaces_pool_is_not_there(selam: Api, nyota: Api) -> None:
    made = (await east_africa(selam)).json
    assert (await nyota.get(f"{PATH}/{made['id']}")).status == 404
    assert (await nyota.patch(f"{PATH}/{made['id']}", {"name": "mine"})).status == 404
    assert (await nyota.send("DELETE", f"{PATH}/{made['id']}")).status == 404
    assert (await nyota.get(PATH)).json["items"] == []
    stolen = [{"channel_id": made["channels"][0]["channel_id"]}]
    assert (await nyota.post(PATH, {"name": "mine", "channels": stolen})).status == 422
    refused = await nyota.post(ANNOUNCEMENTS, announcement(pool_id=made["id"]))
    assert [one["where"] for one in refused.json["problems"]] == ["pool_id"]


async def test_an_announcement_goes_over_a_pool(selam: Api, services: Services) -> None:
    pool = (await east_africa(selam)).json
    nairobi, addis = (one["channel_id"] for one in pool["channels"])
    await given(
        selam,
        {"external_id": "E-1", "name": "Amina", "addresses": [AMINA]},
        {"external_id": "E-2", "name": "Abebe", "addresses": [ABEBE]},
        {"external_id": "E-3", "name": "Rosa", "addresses": [ROSA], "channel": "Nairobi"},
    )
    made = await selam.post(ANNOUNCEMENTS, announcement(pool_id=pool["id"]))
    assert made.status == 201, made.json
    assert (made.json["pool_id"], made.json["channel_id"]) == (pool["id"], None)
    path = f"{ANNOUNCEMENTS}/{made.json['id']}"
    preview = (await selam.get(f"{path}/preview")).json
    assert {one["channel_id"]: one["people"] for one in preview["channels"]} == {nairobi: 2, addis: 1}
    assert preview["counts"]["no_route"] == 0
    assert (await selam.post(f"{path}/launch")).status == 200
    assert selam.workspace_id
    (run,) = await runs_of(services, selam.workspace_id, UUID(made.json["id"]))
    await fire.fire(services, selam.workspace_id, run["id"])
    told = (await selam.get(f"{path}/messages")).json["items"]
    assert {one["name"]: one["channel"] for one in told} == {
        "Amina": "nairobi", "Abebe": "addis", "Rosa": "nairobi",
    }  # fmt: skip
    assert (await selam.send("DELETE", f"{PATH}/{pool['id']}")).status == 409


async def test_either_a_channel_or_a_pool_is_named(selam: Api) -> None:
    pool = (await east_africa(selam)).json
    both = announcement(pool_id=pool["id"], channel_id=pool["channels"][0]["channel_id"])
    assert (await selam.post(ANNOUNCEMENTS, both)).json["where"] == "pool_id"
    neither = await selam.post(ANNOUNCEMENTS, announcement())
    assert (neither.status, neither.json["where"]) == (422, "channel_id")
    changed = await selam.patch("/api/v1/workspace", {"default_pool_id": pool["id"]})
    assert (changed.json["default_pool_id"], changed.json["default_channel_id"]) == (pool["id"], None)
    made = await selam.post(ANNOUNCEMENTS, announcement())
    assert (made.status, made.json["pool_id"]) == (201, pool["id"])
    path = f"{ANNOUNCEMENTS}/{made.json['id']}"
    addis = pool["channels"][1]["channel_id"]
    edited = await selam.patch(path, {"channel_id": addis})
    assert (edited.json["channel_id"], edited.json["pool_id"]) == (addis, None)
    edited = await selam.patch(path, {"pool_id": pool["id"]})
    assert (edited.json["channel_id"], edited.json["pool_id"]) == (None, pool["id"])
    untouched = await selam.patch("/api/v1/workspace", {"name": "Selam"})
    assert untouched.json["default_pool_id"] == pool["id"]
    cleared = await selam.patch("/api/v1/workspace", {"default_pool_id": None})
    assert cleared.json["default_pool_id"] is None
    assert (await selam.patch("/api/v1/workspace", {"default_channel_id": NOBODY})).status == 422


async def test_a_contact_gets_a_channel_of_their_own_and_loses_it(selam: Api) -> None:
    nairobi = await sms(selam, "nairobi")
    (amina,) = await given(selam, {"external_id": "E-1", "name": "Amina", "addresses": [AMINA]})
    path = f"/api/v1/contacts/{amina}"
    assert (await selam.patch(path, {"channel": "NAIROBI"})).json["channel_id"] == nairobi
    assert (await selam.patch(path, {"name": "Amina W"})).json["channel_id"] == nairobi
    refused = await selam.patch(path, {"channel": "mombasa"})
    assert refused.json["problems"][0]["where"] == "body.channel"
    assert (await selam.patch(path, {"channel": ""})).json["channel_id"] is None
    again = {"external_id": "E-1", "addresses": [AMINA], "channel": nairobi}
    await given(selam, again)
    assert (await selam.get(path)).json["channel_id"] == nairobi
