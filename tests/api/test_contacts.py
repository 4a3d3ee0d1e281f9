"""People by the API: taken in, found, merged, forgotten, and what they agreed to."""

from __future__ import annotations

from tests.api.client import Api
from tests.api.people import ABEBA, BARAKA, given

NOBODY = "01930000-0000-7000-8000-000000000000"


async def test_every_person_given_has_an_answer_with_a_reason(selam: Api) -> None:
    people = [ABEBA, {"name": "Nobody knows"}, {**BARAKA, "addresses": ["12"], "fields": {"shoe": 43}}]
    first = (await selam.post("/api/v1/contacts", {"contacts": people})).json
    assert [one["outcome"] for one in first["results"]] == ["created", "refused", "created"]
    assert [first[name] for name in ("created", "updated", "unchanged", "refused")] == [2, 0, 0, 1]
    [refusal] = first["results"][1]["problems"]
    assert refusal["severity"] == "refused"
    assert "external id" in refusal["reason"]
    assert {one["field"] for one in first["results"][2]["problems"]} == {"addresses[0]", "fields.shoe"}
    again = (await selam.post("/api/v1/contacts", {"contacts": people[:1]})).json
    assert again["results"] == [{**first["results"][0], "outcome": "unchanged"}]


async def test_ten_thousand_people_come_at_once_and_one_more_is_refused(selam: Api) -> None:
    people = [{"external_id": f"E-{n}", "addresses": [f"+2547{n:08}"]} for n in range(10_001)]
    most = await selam.post("/api/v1/contacts", {"contacts": people[:10_000]})
    assert (most.status, most.json["created"]) == (200, 10_000)
    more = await selam.post("/api/v1/contacts", {"contacts": people})
    assert (more.status, more.json["problems"][0]["where"]) == (422, "body.contacts")


async def test_a_person_is_found_by_name_by_number_and_by_external_id(selam: Api) -> None:
    abeba, _ = await given(selam, ABEBA, BARAKA)
    for words in ("tesfaye abeba", "0712 000 001", "E-1"):
        found = await selam.get("/api/v1/contacts/search", params={"q": words})
        assert [one["id"] for one in found.json["items"]] == [abeba], words
    shown = (await selam.get(f"/api/v1/contacts/{abeba}")).json
    assert shown["addresses"][0]["urn"] == "tel:+254712000001"
    assert [group["name"] for group in shown["groups"]] == ["Nurses"]


async def test_people_are_listed_page_by_page(selam: Api) -> None:
    ids = await given(selam, ABEBA, BARAKA)
    first = (await selam.get("/api/v1/contacts?limit=1")).json
    rest = (await selam.get(first["next"])).json
    assert [one["id"] for one in first["items"] + rest["items"]] == sorted(ids)
    assert rest["next"] is None


async def test_an_edit_says_only_what_is_different(selam: Api) -> None:
    abeba, _ = await given(selam, ABEBA, BARAKA)
    path = f"/api/v1/contacts/{abeba}"
    changed = await selam.patch(path, {"name": "Abeba Bekele", "addresses": ["+254712000009"]})
    assert changed.status == 200, changed.json
    assert (changed.json["name"], changed.json["external_id"]) == ("Abeba Bekele", "E-1")
    assert {one["urn"]: one["status"] for one in changed.json["addresses"]} == {
        "tel:+254712000009": "active",
        "tel:+254712000001": "retired",
    }
    # she is known by what she is called now: the same row from a file is she, and not a second person
    again = await given(selam, {"name": "Abeba Bekele", "addresses": ["+254712000009"]})
    assert again == [abeba]


async def test_an_external_id_that_somebody_has_is_not_given_to_another(selam: Api) -> None:
    abeba, _ = await given(selam, ABEBA, BARAKA)
    taken = await selam.patch(f"/api/v1/contacts/{abeba}", {"external_id": "E-2"})
    assert (taken.status, taken.json["where"]) == (409, "external_id")
    unread = await selam.patch(f"/api/v1/contacts/{abeba}", {"name": "X", "addresses": ["12"]})
    assert (unread.status, unread.json["problems"][0]["where"]) == (422, "body.addresses[0]")
    assert (await selam.get(f"/api/v1/contacts/{abeba}")).json["name"] == "Abeba Tesfaye"


async def test_two_who_are_one_are_merged(selam: Api) -> None:
    abeba, baraka = await given(selam, ABEBA, BARAKA)
    kept = await selam.post(f"/api/v1/contacts/{abeba}/merge", {"contact_id": baraka})
    assert kept.status == 200, kept.json
    assert {one["urn"] for one in kept.json["addresses"]} == {"tel:+254712000001", "tel:+254712000002"}
    other = (await selam.get(f"/api/v1/contacts/{baraka}")).json
    assert (other["status"], other["merged_into"]) == ("merged", abeba)
    assert (await selam.post(f"/api/v1/contacts/{abeba}/merge", {"contact_id": baraka})).status == 409


async def test_who_is_erased_leaves_nothing_to_read_and_is_the_same_when_they_come_back(selam: Api) -> None:
    [abeba] = await given(selam, ABEBA)
    assert (await selam.send("DELETE", f"/api/v1/contacts/{abeba}")).json == {"skipped": 0}
    left = await selam.get(f"/api/v1/contacts/{abeba}")
    assert left.json["status"] == "erased"
    assert "Tesfaye" not in left.body.decode()
    assert "254712" not in left.body.decode()
    assert await given(selam, ABEBA) == [abeba]


async def test_opting_a_person_out_covers_who_shares_the_number_and_is_kept_with_its_reason(
    selam: Api,
) -> None:
    shared = {**BARAKA, "addresses": ["whatsapp:+254712000001"]}
    abeba, baraka = await given(selam, ABEBA, shared)
    asked = await selam.post(f"/api/v1/contacts/{abeba}/opt-out", {"note": "by telephone"})
    assert asked.json == {"changed": True}
    assert (await selam.post(f"/api/v1/contacts/{abeba}/opt-out")).json == {"changed": False}
    assert (await selam.get(f"/api/v1/contacts/{baraka}")).json["addresses"][0]["opted_out"] is True
    back = await selam.post("/api/v1/contacts/opt-in", {"address": "0712000001"})
    assert back.json == {"changed": True}
    said = (await selam.get(f"/api/v1/contacts/{baraka}/consent")).json["items"]
    assert [(one["state"], one["how"], one["note"]) for one in said] == [
        ("in", "api", ""),
        ("out", "api", "by telephone"),
    ]
    assert said[0]["addresses"] == ["whatsapp:+254712000001"]
    told = (await selam.get(f"/api/v1/contacts/{abeba}/messages")).json
    assert told["items"] == []
    assert "tel:+254712000001 can be written to." in told["story"]


async def test_who_has_no_address_cannot_opt_out_of_one(selam: Api) -> None:
    [nobody] = await given(selam, {"external_id": "E-9"})
    assert (await selam.post(f"/api/v1/contacts/{nobody}/opt-out")).status == 409
    wrong = await selam.post("/api/v1/contacts/opt-out", {"address": "12"})
    assert (wrong.status, wrong.json["where"]) == (422, "address")


async def test_another_workspaces_people_answer_as_if_they_did_not_exist(selam: Api, nyota: Api) -> None:
    [abeba] = await given(selam, ABEBA)
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "X"}),
        ("DELETE", "", None),
        ("GET", "/consent", None),
        ("GET", "/messages", None),
        ("POST", "/opt-out", {}),
        ("POST", "/merge", {"contact_id": NOBODY.replace("0000-7", "0001-7")}),
    ):
        there = await nyota.send(method, f"/api/v1/contacts/{abeba}{path}", json=body)
        nowhere = await nyota.send(method, f"/api/v1/contacts/{NOBODY}{path}", json=body)
        assert (there.status, there.json["detail"]) == (nowhere.status, nowhere.json["detail"])
        assert there.status == 404, (method, path)
    assert (await nyota.get("/api/v1/contacts/search?q=Abeba")).json["items"] == []


async def test_a_key_that_may_read_people_may_not_change_them(selam: Api) -> None:
    made = await selam.post("/api/v1/keys", {"name": "reader", "scopes": ["contacts:read"]})
    reader = Api(selam.base, made.json["key"])
    assert (await reader.get("/api/v1/contacts")).status == 200
    assert (await reader.post("/api/v1/contacts", {"contacts": [ABEBA]})).status == 403
