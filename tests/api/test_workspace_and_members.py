"""The tenant itself, and who runs it."""

from __future__ import annotations

import pytest

from clarion.errors import Invalid
from clarion.flow.configure import create_workspace
from clarion.flow.services import Services
from clarion.kit.ids import uuid7
from tests.api.client import Api

AMINA = {"name": "Amina", "email": "Amina@Selam.example", "role": "editor"}


async def test_a_workspace_is_changed_where_it_is_named(selam: Api) -> None:
    changed = await selam.patch(
        "/api/v1/workspace", {"country": "Ethiopia", "timezone": "africa/addis_ababa", "language": "am"}
    )
    assert changed.status == 200
    told = {name: changed.json[name] for name in ("name", "country", "timezone", "language")}
    assert told == {
        "name": "Selam Clinic",
        "country": "ET",
        "timezone": "Africa/Addis_Ababa",
        "language": "am",
    }


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"timezone": "Africa/Nairobbi"}, "timezone"),
        ({"country": "Atlantis"}, "country"),
        ({"language": "nonsense"}, "language"),
        ({"operator_address": "amina"}, "operator_address"),
        ({"name": "  "}, "name"),
    ],
)
async def test_what_does_not_exist_is_refused_and_nothing_changes(
    selam: Api, change: dict[str, str], where: str
) -> None:
    before = (await selam.get("/api/v1/workspace")).json
    reply = await selam.patch("/api/v1/workspace", {"name": "X", **change})
    assert (reply.status, reply.json["where"]) == (422, where)
    assert reply.json["hint"] or where == "name"
    assert (await selam.get("/api/v1/workspace")).json == before


async def test_the_operators_address_is_set_and_taken_away(selam: Api) -> None:
    set_ = await selam.patch("/api/v1/workspace", {"operator_address": "mailto:it@selam.example"})
    assert set_.json["operator_address"] == "mailto:it@selam.example"
    kept = await selam.patch("/api/v1/workspace", {"name": "Selam"})
    assert kept.json["operator_address"] == "mailto:it@selam.example"
    gone = await selam.patch("/api/v1/workspace", {"operator_address": ""})
    assert gone.json["operator_address"] is None


async def test_the_hours_of_its_campaigns_are_set_and_taken_away(selam: Api) -> None:
    by_day = {"allowed": [{"from": "08:00", "to": "20:00"}]}
    set_ = await selam.patch("/api/v1/workspace", {"hours": by_day})
    kept = await selam.patch("/api/v1/workspace", {"name": "Selam"})
    assert set_.json["hours"]["allowed"][0]["from"] == "08:00"
    assert kept.json["hours"] == set_.json["hours"]
    gone = await selam.patch("/api/v1/workspace", {"hours": None})
    assert gone.json["hours"] is None
    never = {"quiet": [{"from": "00:00", "to": "00:00"}]}
    assert (await selam.patch("/api/v1/workspace", {"hours": never})).status == 422


async def test_how_much_one_person_hears_is_set_and_taken_away(selam: Api) -> None:
    caps = {"gap": 120, "day": 3, "kinds": {"announcement": {"day": 1}, "sequence": {}}}
    set_ = await selam.patch("/api/v1/workspace", {"caps": caps})
    kept = await selam.patch("/api/v1/workspace", {"name": "Selam"})
    assert (set_.json["caps"]["gap"], set_.json["caps"]["kinds"]["announcement"]["day"]) == (120, 1)
    assert set(set_.json["caps"]["kinds"]) == {"announcement", "sequence"}
    assert kept.json["caps"] == set_.json["caps"]
    gone = await selam.patch("/api/v1/workspace", {"caps": None})
    assert gone.json["caps"] is None
    wrong = await selam.patch("/api/v1/workspace", {"caps": {"day": 3, "week": 2}})
    assert (wrong.status, "3 a day never come about" in wrong.body.decode()) == (422, True)


async def test_a_workspace_that_makes_no_sense_is_not_made(services: Services) -> None:
    for change in ({"name": " "}, {"country": "??"}, {"timezone": "EST"}, {"operator_address": "x"}):
        with pytest.raises(Invalid):
            await create_workspace(services, **{"name": "Selam", **change})


async def test_members_are_added_changed_and_removed(selam: Api) -> None:
    made = await selam.post("/api/v1/members", AMINA)
    assert (made.status, made.json["email"]) == (201, "amina@selam.example")
    path = f"/api/v1/members/{made.json['id']}"
    changed = await selam.patch(path, {"role": "owner"})
    assert (changed.json["role"], changed.json["name"]) == ("owner", "Amina")
    assert (await selam.send("DELETE", path)).status == 204
    for method in ("GET", "DELETE"):
        assert (await selam.send(method, path)).status == 404


async def test_an_address_is_one_members(selam: Api, nyota: Api) -> None:
    await selam.post("/api/v1/members", AMINA)
    again = await selam.post("/api/v1/members", {**AMINA, "email": AMINA["email"].upper()})
    assert (again.status, again.json["where"]) == (409, "email")
    assert (await nyota.post("/api/v1/members", AMINA)).status == 201


async def test_another_workspaces_member_and_key_answer_as_none(
    selam: Api, nyota: Api, services: Services
) -> None:
    member = (await nyota.post("/api/v1/members", AMINA)).json["id"]
    key = (await nyota.get("/api/v1/keys")).json["items"][0]["id"]
    nobody = uuid7(services.clock.now())
    for method, theirs, none in (
        ("GET", f"members/{member}", f"members/{nobody}"),
        ("DELETE", f"members/{member}", f"members/{nobody}"),
        ("GET", f"keys/{key}", f"keys/{nobody}"),
        ("DELETE", f"keys/{key}", f"keys/{nobody}"),
    ):
        one, other = [await selam.send(method, f"/api/v1/{path}") for path in (theirs, none)]
        assert one.status == 404
        assert {**one.json, "request_id": ""} == {**other.json, "request_id": ""}
    assert (await nyota.get("/api/v1/members")).json["items"]
    assert (await nyota.get("/api/v1/workspace")).status == 200
