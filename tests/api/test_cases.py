"""Cases by the API: declared, told by thousands, found, changed by hand, and their history."""

from __future__ import annotations

from typing import Any

from tests.api.client import Api
from tests.api.people import ABEBA, given

CASES = "/api/v1/cases"
TYPES = "/api/v1/case-types"
PREGNANCY = {
    "name": "pregnancy",
    "properties": [{"key": "edd", "kind": "date"}, {"key": "phone", "kind": "address"}],
}
AMINA: dict[str, Any] = {
    "type": "pregnancy",
    "external_id": "P-17",
    "name": "Amina W.",
    "modified_at": "2026-03-02T08:00:00Z",
    "properties": {"edd": "2026-09-14", "phone": "0712000001"},
}


async def ready(api: Api) -> None:
    made = await api.post(TYPES, PREGNANCY)
    assert made.status == 201, made.json


async def said(api: Api, *cases: dict[str, Any]) -> list[Any]:
    reply = await api.post(CASES, {"cases": list(cases)})
    assert reply.status == 200, reply.json
    results: list[Any] = reply.json["results"]
    return results


async def test_a_type_is_made_edited_and_shown(selam: Api) -> None:
    await ready(selam)
    assert (await selam.post(TYPES, PREGNANCY)).status == 409
    changed = await selam.patch(
        f"{TYPES}/pregnancy",
        {"label": "Pregnancies", "add": [{"key": "risk", "kind": "number"}], "remove": ["edd"]},
    )
    assert [one["key"] for one in changed.json["properties"]] == ["phone", "risk"]
    assert changed.json["properties"][0]["scheme"] == "tel"
    assert (await selam.get(f"{TYPES}/pregnancy")).json == changed.json
    assert [one["name"] for one in (await selam.get(TYPES)).json["items"]] == ["pregnancy"]
    missing = await selam.get(f"{TYPES}/pregnacy")
    assert (missing.status, "did you mean pregnancy?" in missing.json["hint"]) == (404, True)


async def test_a_wrong_kind_is_told_with_what_may_be_meant(selam: Api) -> None:
    wrong = [
        {"key": "edd", "kind": "dates"},
        {"key": "state"},
        {"key": "p", "kind": "address", "scheme": "sms"},
    ]
    reply = await selam.post(TYPES, {"name": "pregnancy", "properties": wrong})
    assert reply.status == 422
    told = {one["where"]: one for one in reply.json["problems"]}
    assert set(told) == {"properties[0].kind", "properties[1].key", "properties[2].scheme"}
    assert "did you mean date?" in told["properties[0].kind"]["hint"]


async def test_every_case_has_an_answer_in_order(selam: Api) -> None:
    await ready(selam)
    late = {**AMINA, "modified_at": "2026-03-01T08:00:00Z", "name": "Old"}
    odd = {"type": "pregnancy", "external_id": "P-18", "properties": {"edd": "soon"}}
    results = await said(selam, AMINA, AMINA, late, odd, {"type": "pregnacy"}, {"type": "pregnancy", "x": 1})
    assert [one["outcome"] for one in results] == [
        "created", "unchanged", "stale", "created", "refused", "refused",
    ]  # fmt: skip
    assert results[3]["problems"][0]["field"] == "properties.edd"
    assert results[3]["problems"][0]["severity"] == "warning"
    assert "there is no case type 'pregnacy'; did you mean pregnancy?" in results[4]["problems"][0]["reason"]
    assert results[5]["problems"] == [
        {
            "field": "x",
            "reason": "no member of a case; what is yours belongs into properties",
            "severity": "refused",
        }
    ]
    kept = (await selam.get(f"{CASES}/P-18")).json
    assert kept["properties"] == {"edd": "soon"}


async def test_one_case_alone_is_taken_too_and_the_same_request_once(selam: Api) -> None:
    await ready(selam)
    nameless = {"type": "pregnancy", "properties": {"edd": "2026-09-14"}}
    first = await selam.post(CASES, nameless, once="birth-1")
    again = await selam.post(CASES, nameless, once="birth-1")
    assert first.json == again.json
    assert first.json["created"] == 1
    assert len((await selam.get(CASES)).json["items"]) == 1


async def test_an_address_is_linked_to_a_contact(selam: Api) -> None:
    await ready(selam)
    (abeba,) = await given(selam, ABEBA)
    (taken,) = await said(selam, AMINA)
    kept = (await selam.get(f"{CASES}/{taken['case_id']}")).json
    assert kept["contacts"] == {"phone": [{"id": abeba, "external_id": "E-1", "name": "Abeba Tesfaye"}]}
    found = await selam.get(f"{CASES}?contact_id={abeba}")
    assert [one["external_id"] for one in found.json["items"]] == ["P-17"]


async def test_a_case_is_changed_by_hand(selam: Api) -> None:
    await ready(selam)
    await said(selam, AMINA)
    changed = await selam.patch(f"{CASES}/P-17", {"owner": "CHW-4", "properties": {"edd": "2026-09-21"}})
    assert (changed.status, changed.json["owner"]) == (200, "CHW-4")
    assert set(changed.json["changed"]) == {"edd"}
    wrong = await selam.patch(f"{CASES}/P-17", {"name": "Nobody", "properties": {"phone": "call"}})
    assert (wrong.status, wrong.json["problems"][0]["where"]) == (422, "body.properties.phone")
    late = await selam.patch(f"{CASES}/P-17", {"name": "Old", "modified_at": "2026-03-01T08:00:00Z"})
    assert late.status == 409
    assert (await selam.patch(f"{CASES}/P-17", {"external_id": "P-99"})).status == 422
    kept = (await selam.get(f"{CASES}/P-17")).json
    assert (kept["name"], kept["properties"]["phone"]) == ("Amina W.", "0712000001")
    history = (await selam.get(f"{CASES}/P-17/history")).json["items"]
    assert [one["changes"] for one in history] == [
        {"owner": [None, "CHW-4"], "edd": ["2026-09-14", "2026-09-21"]}
    ]


async def test_a_case_is_closed_opened_and_deleted(selam: Api) -> None:
    await ready(selam)
    await said(selam, AMINA)
    assert (await selam.post(f"{CASES}/P-17/close")).json["state"] == "closed"
    assert (await selam.post(f"{CASES}/P-17/close")).json["state"] == "closed"
    assert (await selam.post(f"{CASES}/P-17/reopen")).json["state"] == "open"
    assert (await selam.send("DELETE", f"{CASES}/P-17")).status == 204
    assert (await selam.get(CASES)).json["items"] == []
    assert (await selam.patch(f"{CASES}/P-17", {"name": "A"})).status == 409
    assert (await selam.post(f"{CASES}/P-17/close")).status == 409
    (stale,) = await said(selam, AMINA)
    assert stale["outcome"] == "stale"
    assert (await selam.post(f"{CASES}/P-17/reopen")).json["state"] == "open"
    history = (await selam.get(f"{CASES}/P-17/history?limit=2")).json
    assert [one["changes"]["state"] for one in history["items"]] == [["deleted", "open"], ["open", "deleted"]]
    assert len((await selam.get(history["next"])).json["items"]) == 2


async def test_cases_are_found_page_by_page(selam: Api) -> None:
    await ready(selam)
    words = [{**AMINA, "external_id": f"P-{n}", "properties": {"village": f"V{n % 2}"}} for n in range(5)]
    await said(selam, *words)
    first = (await selam.get(f"{CASES}?type=pregnancy&property=village=V0&limit=2")).json
    rest = (await selam.get(first["next"])).json
    assert [one["external_id"] for one in first["items"] + rest["items"]] == ["P-0", "P-2", "P-4"]
    assert (await selam.get(f"{CASES}?modified_since=2026-03-02T08:00:01Z")).json["items"] == []
    assert (await selam.get(f"{CASES}?type=birth")).status == 404
    assert (await selam.get(f"{CASES}?property=village")).status == 422


async def test_cases_of_another_workspace_and_without_the_scope_are_not_shown(selam: Api, nyota: Api) -> None:
    await ready(selam)
    (taken,) = await said(selam, AMINA)
    for case in ("P-17", taken["case_id"]):
        assert (await nyota.get(f"{CASES}/{case}")).status == 404
    key = (await selam.post("/api/v1/keys", {"name": "portal", "scopes": ["contacts:write"]})).json
    portal = Api(selam.base, key["key"])
    assert (await portal.get(CASES)).status == 403
    assert (await portal.post(CASES, AMINA)).status == 403


async def test_what_no_request_should_be_is_refused(selam: Api) -> None:
    await ready(selam)
    wrong: list[Any] = [
        [], {"cases": []}, {"cases": [1]}, {"cases": [AMINA], "type": "pregnancy"}, {"cases": AMINA},
    ]  # fmt: skip
    for body in wrong:
        assert (await selam.post(CASES, body)).status == 422, body
    many = await selam.post(CASES, {"cases": [{}] * 10_001})
    assert (many.status, "10,000" in str(many.json)) == (422, True)
