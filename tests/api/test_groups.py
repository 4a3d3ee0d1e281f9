"""Groups by the API: nested, named once, their members by the thousand."""

from __future__ import annotations

from tests.api.client import Api
from tests.api.people import ABEBA, BARAKA, given

GROUPS = "/api/v1/groups"


async def _made(api: Api, name: str, parent: str | None = None) -> str:
    reply = await api.post(GROUPS, {"name": name, "parent_id": parent})
    assert reply.status == 201, reply.json
    return str(reply.json["id"])


async def test_a_group_is_renamed_and_moved_but_never_below_itself(selam: Api) -> None:
    staff = await _made(selam, "Staff")
    nurses = await _made(selam, "Nurses", staff)
    night = await _made(selam, "Night nurses", nurses)
    below = await selam.patch(f"{GROUPS}/{staff}", {"parent_id": night, "name": "All staff"})
    assert (below.status, below.json["where"]) == (409, "parent_id")
    assert (await selam.get(f"{GROUPS}/{staff}")).json["name"] == "Staff"
    moved = await selam.patch(f"{GROUPS}/{night}", {"parent_id": None})
    assert moved.json["parent_id"] is None
    renamed = await selam.patch(f"{GROUPS}/{night}", {"name": "Night shift"})
    assert (renamed.json["name"], renamed.json["parent_id"]) == ("Night shift", None)
    assert (await selam.post(GROUPS, {"name": "night SHIFT"})).status == 409


async def test_members_come_and_go_in_bulk_and_who_is_unknown_is_told(selam: Api, nyota: Api) -> None:
    abeba, baraka = await given(selam, ABEBA, BARAKA)
    [stranger] = await given(nyota, ABEBA)
    staff = await _made(selam, "Staff")
    night = await _made(selam, "Night", staff)
    put = await selam.post(f"{GROUPS}/{night}/members", {"add": [abeba, baraka, stranger]})
    assert put.json == {"added": 2, "removed": 0, "unknown": [stranger]}
    out = await selam.post(f"{GROUPS}/{night}/members", {"remove": [baraka], "add": [abeba]})
    assert out.json == {"added": 0, "removed": 1, "unknown": []}
    deep = (await selam.get(f"{GROUPS}/{staff}/members")).json["items"]
    own = (await selam.get(f"{GROUPS}/{staff}/members?deep=false")).json["items"]
    assert ([one["id"] for one in deep], own) == ([abeba], [])
    assert (await selam.get(f"{GROUPS}/{night}")).json["members"] == 1


async def test_the_members_of_a_group_come_page_by_page(selam: Api) -> None:
    ids = await given(selam, ABEBA, BARAKA)
    staff = await _made(selam, "Staff")
    await selam.post(f"{GROUPS}/{staff}/members", {"add": ids})
    first = (await selam.get(f"{GROUPS}/{staff}/members?limit=1")).json
    rest = (await selam.get(first["next"])).json
    assert [one["id"] for one in first["items"] + rest["items"]] == sorted(ids)


async def test_a_group_taken_away_leaves_its_people_and_what_lay_below_it(selam: Api) -> None:
    staff = await _made(selam, "Staff")
    nurses = await _made(selam, "Ward", staff)
    night = await _made(selam, "Night", nurses)
    [abeba] = await given(selam, {**ABEBA, "groups": ["Ward"]})
    assert (await selam.send("DELETE", f"{GROUPS}/{nurses}")).status == 204
    assert (await selam.get(f"{GROUPS}/{nurses}")).status == 404
    assert (await selam.get(f"{GROUPS}/{night}")).json["parent_id"] == staff
    assert (await selam.get(f"/api/v1/contacts/{abeba}")).json["groups"] == []


async def test_another_workspaces_group_answers_as_one_that_does_not_exist(selam: Api, nyota: Api) -> None:
    staff = await _made(selam, "Staff")
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "Ours"}),
        ("DELETE", "", None),
        ("GET", "/members", None),
        ("POST", "/members", {"add": []}),
    ):
        assert (await nyota.send(method, f"{GROUPS}/{staff}{path}", json=body)).status == 404, (method, path)
    assert (await nyota.post(GROUPS, {"name": "Below", "parent_id": staff})).status == 404


async def test_a_group_has_an_external_id_of_its_own(selam: Api, nyota: Api) -> None:
    body = {"name": "East", "external_id": "L-17"}
    east = (await selam.post(GROUPS, body)).json
    assert east["external_id"] == "L-17"
    assert (await nyota.post(GROUPS, body)).status == 201
    twice = await selam.post(GROUPS, {"name": "West", "external_id": "L-17"})
    assert (twice.status, twice.json["where"]) == (409, "external_id")
    west = (await selam.post(GROUPS, {"name": "West"})).json
    assert (await selam.patch(f"{GROUPS}/{west['id']}", {"external_id": "L-17"})).status == 409
    found = await selam.get(f"{GROUPS}?external_id=L-17")
    assert [one["name"] for one in found.json["items"]] == ["East"]
    gone = await selam.patch(f"{GROUPS}/{east['id']}", {"external_id": None})
    assert (gone.json["external_id"], gone.json["name"]) == (None, "East")
