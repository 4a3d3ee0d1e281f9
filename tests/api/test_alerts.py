"""Alerts over HTTP, as a clinic's own system would call them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from clarion.flow.services import Services
from tests.api.client import Api
from tests.flow.alerting import SCHEDULED, work
from tests.flow.following import content

PATH = "/api/v1/alerts"
BEFORE = {
    "start": {"from": "property", "key": "appointment_date", "days": -2}, "time": "09:00",
    "steps": [{"number": 1}],
}  # fmt: skip
SOON = {
    "property": "appointment_date", "op": "between",
    "value": [{"days_from_today": 0}, {"days_from_today": 400}],
}  # fmt: skip


async def visits(api: Api, services: Services, many: int = 2) -> list[str]:
    """So many visits, a week from now; their ids."""
    properties = [
        {"key": "phone", "kind": "address"}, {"key": "appointment_date", "kind": "date"},
    ]  # fmt: skip
    assert (await api.post("/api/v1/case-types", {"name": "visit", "properties": properties})).status == 201
    day = (services.clock.now() + timedelta(days=7)).date().isoformat()
    words = [
        {"type": "visit", "external_id": f"V{n}", "name": f"Amina {n}",
         "properties": {"status": "scheduled", "appointment_date": day, "phone": f"+25471212{n:04d}"}}
        for n in range(1, many + 1)
    ]  # fmt: skip
    reply = await api.post("/api/v1/cases", {"cases": words})
    assert reply.status == 200, reply.json
    return [one["case_id"] for one in reply.json["results"]]


async def body(api: Api, **more: Any) -> dict[str, Any]:
    channel = {"name": f"WhatsApp {uuid4()}", "provider": "whatsapp", "config": {"sender": "1001"}}
    reply = await api.post("/api/v1/channels", channel)
    assert reply.status == 201, reply.json
    return {
        "name": "Visits", "channel_id": reply.json["id"], "case_type": "visit", "criteria": SCHEDULED,
        "recipients": [{"to": "role", "role": "phone"}], "schedule": BEFORE,
        "contents": {"reminder": content("{{ case.name }}, see you on {{ case.appointment_date }}")}, **more,
    }  # fmt: skip


async def test_an_alert_is_written_launched_and_shows_who_hears_of_which_case(
    selam: Api, services: Services
) -> None:
    first, second = await visits(selam, services)
    written = (await selam.post(PATH, await body(selam))).json
    launched = (await selam.post(f"{PATH}/{written['id']}/launch")).json
    assert selam.workspace_id is not None
    await work(services, selam.workspace_id, UUID(written["id"]))
    listed = (await selam.get(f"{PATH}/{written['id']}/recipients?limit=1")).json
    rest = (await selam.get(listed["next"])).json
    shown = (await selam.get(f"{PATH}/{written['id']}")).json
    assert (written["state"], launched["state"], shown["people"]) == ("draft", "running", {"active": 2})
    assert {one["case_id"] for one in (*listed["items"], *rest["items"])} == {first, second}
    assert [one["step"] for one in listed["items"][0]["next"]] == [1]


async def test_an_alert_is_edited_paused_resumed_and_ended(selam: Api, services: Services) -> None:
    await visits(selam, services)
    alert_id = (await selam.post(PATH, await body(selam, launch=True))).json["id"]
    path = f"{PATH}/{alert_id}"
    assert selam.workspace_id is not None
    await work(services, selam.workspace_id, UUID(alert_id))
    edited = (await selam.patch(path, {"reentry": {"not_within_days": 3}, "criteria": SOON})).json
    states = [(await selam.post(f"{path}/{verb}")).json["state"] for verb in ("pause", "resume", "cancel")]
    assert edited["reentry"] == {"not_within_days": 3}
    assert edited["criteria"]["value"] == SOON["value"]
    assert states == ["paused", "running", "cancelled"]
    assert (await selam.post(f"{path}/pause")).status == 409


async def test_all_that_is_wrong_with_it_is_told_at_once(selam: Api, services: Services) -> None:
    await visits(selam, services)
    criteria = {
        "all": [
            {"property": "code", "op": "matches", "value": "(a+)+\\1"},
            {"property": "appointment_date", "op": "gt", "value": "soon"},
            {"in_group": str(uuid4()), "of": "owner"},
        ]
    }
    wrong = await body(
        selam, criteria=criteria, recipients=[{"to": "group", "group_id": str(uuid4())}], only={"ward": ["3"]}
    )
    reply = await selam.post(PATH, wrong)
    assert reply.status == 422
    assert sorted(one["where"] for one in reply.json["problems"]) == [
        "criteria.all[0].value", "criteria.all[1].value", "criteria.all[2].in_group", "only.ward",
        "recipients[0].group_id",
    ]  # fmt: skip


async def test_a_rule_that_all_of_many_cases_meet_asks_whether_that_is_meant(
    selam: Api, services: Services
) -> None:
    await visits(selam, services, many=12)
    refused = await selam.post(PATH, await body(selam, launch=True))
    meant = await selam.post(PATH, await body(selam, launch=True, confirm_all=True))
    assert (refused.status, refused.json["cases"]) == (409, 12)
    assert (meant.status, meant.json["state"]) == (201, "running")
    assert [one["name"] for one in (await selam.get(PATH)).json["items"]] == ["Visits"]


async def test_nobody_sees_an_alert_of_another_workspace(selam: Api, nyota: Api, services: Services) -> None:
    await visits(selam, services)
    path = f"{PATH}/{(await selam.post(PATH, await body(selam))).json['id']}"
    assert (await nyota.get(path)).status == 404
    assert (await nyota.post(f"{path}/launch")).status == 404
