"""Why a case is told of, what an edit would do, and what a reply does, over HTTP."""

from __future__ import annotations

from uuid import UUID

from clarion.flow.services import Services
from tests.api.client import Api
from tests.api.test_alerts import PATH, SOON, body, visits
from tests.flow.alerting import SCHEDULED, work


async def _running(api: Api, services: Services, **more: object) -> str:
    written = (await api.post(PATH, await body(api, launch=True, **more))).json
    assert api.workspace_id is not None
    await work(services, api.workspace_id, UUID(written["id"]))
    return str(written["id"])


async def test_a_case_is_explained_by_its_external_id_and_by_its_id(selam: Api, services: Services) -> None:
    first, _ = await visits(selam, services)
    criteria = {"all": [SCHEDULED, {"not": {"property": "risk", "op": "has_value"}}, SOON]}
    recipients = [{"to": "role", "role": "phone"}, {"to": "owner"}]
    path = f"{PATH}/{await _running(selam, services, criteria=criteria, recipients=recipients)}/explain"
    found, same = [(await selam.get(f"{path}?case={case}")).json for case in ("V1", first)]
    assert found == same
    assert (found["case"]["external_id"], found["meets"], found["in_step"]) == ("V1", True, True)
    scheduled, risk, soon = found["criteria"]["of"]
    assert (scheduled["condition"], scheduled["holds"], scheduled["saw"][0]["value"]) == (
        SCHEDULED, True, "scheduled",
    )  # fmt: skip
    assert (risk["kind"], risk["of"][0]["saw"][0]["value"]) == ("not", None)
    assert (soon["saw"][0]["compared_as"], soon["turns_on"] is not None) == ("date", True)
    assert found["stands"]["phase"] == "on"
    assert [one["nobody"] for one in found["recipients"]] == ["", "the case has no owner"]
    (amina,) = found["people"]
    assert (amina["address"], amina["status"], amina["silent"]) == ("tel:+254712120001", "active", "")
    (coming,) = amina["next"]
    assert coming["local"][11:] == "09:00:00+03:00"
    assert found["story"][0].startswith("Case V1 (Amina 1) meets the criteria of 'Visits'")


async def test_a_case_that_is_not_there_is_not_explained(selam: Api, nyota: Api, services: Services) -> None:
    await visits(selam, services)
    path = f"{PATH}/{await _running(selam, services)}/explain"
    assert (await selam.get(f"{path}?case=V9")).status == 404
    assert (await nyota.get(f"{path}?case=V1")).status == 404
    assert (await selam.get(path)).status == 422


async def test_what_the_launch_and_an_edit_would_do_is_told(selam: Api, services: Services) -> None:
    await visits(selam, services)
    written = (await selam.post(PATH, await body(selam))).json
    path = f"{PATH}/{written['id']}"
    launch = (await selam.post(f"{path}/dry-run")).json
    assert (launch["gone_over"], launch["cases"]["enter"], launch["people"]["enter"]) == (2, 2, 2)
    assert {one["case"] for one in launch["sample"]} == {"V1", "V2"}
    assert (await selam.get(path)).json["state"] == "draft"
    await selam.post(f"{path}/launch")
    assert selam.workspace_id is not None
    await work(services, selam.workspace_id, UUID(written["id"]))
    none = {"criteria": {"property": "status", "op": "equal", "value": "done"}}
    edit = (await selam.post(f"{path}/dry-run", none)).json
    assert (edit["cases"]["leave"], edit["people"]["leave"], edit["people"]["same"]) == (2, 2, 0)
    assert (await selam.get(path)).json["people"] == {"active": 2}


async def test_what_a_reply_does_is_declared_and_taken_back(selam: Api, services: Services) -> None:
    await visits(selam, services)
    written = await selam.post(PATH, await body(selam, replies={"stop": "case"}))
    path = f"{PATH}/{written.json['id']}"
    edited = await selam.patch(path, {"replies": {}})
    wrong = await selam.patch(path, {"replies": {"stop": "all"}})
    assert (written.json["replies"], edited.json["replies"]) == ({"stop": "case"}, {"stop": None})
    assert (wrong.status, wrong.json["problems"][0]["where"]) == (422, "body.replies.stop")
