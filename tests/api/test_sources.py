"""Other systems post cases in shapes of their own, and CommCare's are pulled, by the API."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from clarion.flow.bring.commcare import pull_as_asked
from clarion.flow.services import Services
from clarion.sandbox.client import SandboxProcess
from tests.api.client import Api, Reply
from tests.kit.logged import captured
from tests.sandbox.commcare import AMINA, DOMAIN, KEY, USERNAME, Project

SOURCES = "/api/v1/sources"
MAPPING: dict[str, Any] = {
    "records": "visits[*]",
    "type": {"value": "visit"},
    "external_id": "id",
    "name": "patient.name",
    "modified_at": "updated",
    "closed": {"path": "status", "values": {"done": True, "*": False}},
    "properties": {"phone": "patient.phone", "appointment_date": "date"},
}
V1 = {
    "id": "V-1", "updated": "2026-03-02T08:00:00Z", "status": "planned", "date": "2026-03-04",
    "patient": {"name": "Amina", "phone": "0712000001"},
}  # fmt: skip
V2 = {**V1, "id": "V-2", "status": "done"}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("commcare")) as running:
        yield running


@pytest.fixture
def project(sandbox: SandboxProcess) -> Project:
    sandbox.reset(config=True)
    return Project(sandbox)


async def made(api: Api, name: str = "hmis", **settings: Any) -> dict[str, Any]:
    given = {"mapping": MAPPING, **settings}
    reply = await api.post(SOURCES, {"name": name, "kind": "inbound", "settings": given})
    assert reply.status == 201, reply.json
    return dict(reply.json)


async def post(api: Api, source: dict[str, Any], body: Any, **headers: str) -> Reply:
    """As the other system does: it has no key of ours."""
    headers = headers or {"Authorization": f"Bearer {source['secret']}"}
    return await Api(api.base).post(source["address"], body, headers=headers)


async def test_what_is_posted_becomes_cases_and_again_changes_nothing(selam: Api) -> None:
    source = await made(selam)
    assert source["address"] == f"/inbound/{selam.workspace_id}/hmis"
    first = await post(selam, source, {"visits": [V1, V2]})
    assert (first.status, first.json["created"]) == (200, 2)
    shown = (await selam.get("/api/v1/cases/V-1")).json
    assert (shown["type"], shown["name"], shown["state"]) == ("visit", "Amina", "open")
    assert shown["properties"] == {"phone": "0712000001", "appointment_date": "2026-03-04"}
    assert (await selam.get("/api/v1/cases/V-2")).json["state"] == "closed"
    again = await post(selam, source, {"visits": [V1, V2]})
    assert again.json["unchanged"] == 2
    old = {**V1, "updated": "2026-03-01T08:00:00Z", "date": "2026-04-01"}
    late = await post(selam, source, {"visits": [old]})
    assert late.json["stale"] == 1
    newer = await post(selam, source, {"visits": [{**V1, "updated": "2026-03-03T08:00:00Z", "date": None}]})
    assert newer.json["updated"] == 1
    assert (await selam.get("/api/v1/cases/V-1")).json["properties"] == {"phone": "0712000001"}
    (change,) = (await selam.get("/api/v1/cases/V-1/history")).json["items"]
    assert (change["how"], change["by"]) == ("inbound", "source hmis")


async def test_who_posts_proves_it_by_a_token_in_whatever_header(selam: Api) -> None:
    source, body = await made(selam), {"visits": [V1]}
    secret = source["secret"]
    for wrong in ({"Authorization": "Bearer nothing"}, {"Authorization": secret}, {"X-Token": secret}):
        refused = await post(selam, source, body, **wrong)
        assert (refused.status, "Authorization: Bearer" in refused.json["hint"]) == (401, True)
        assert secret not in refused.body.decode()
    basic = base64.b64encode(f"hmis:{secret}".encode()).decode()
    assert (await post(selam, source, body, Authorization=f"Basic {basic}")).status == 200
    other = await made(selam, "other", proof={"header": "X-Token"})
    assert (await post(selam, other, body, **{"X-Token": other["secret"]})).status == 200
    assert (await post(selam, other, body, Authorization=f"Bearer {other['secret']}")).status == 401


async def test_who_posts_may_sign_the_body(selam: Api) -> None:
    source = await made(selam, proof={"by": "signature", "header": "X-Hub-Signature-256"})
    body = json.dumps({"visits": [V1]}).encode()
    signature = hmac.new(source["secret"].encode(), body, hashlib.sha256).hexdigest()
    wrong = f"{signature[:-1]}g"
    for signed, status in ((f"sha256={signature}", 200), (signature.upper(), 200), (wrong, 401)):
        reply = await Api(selam.base).send(
            "POST", source["address"], data=body, headers={"X-Hub-Signature-256": signed}
        )
        assert reply.status == status, signed
    torn = await Api(selam.base).send(
        "POST", source["address"], data=body + b" ", headers={"X-Hub-Signature-256": signature}
    )
    assert torn.status == 401


async def test_a_source_of_another_workspace_answers_as_one_that_is_not_there(selam: Api, nyota: Api) -> None:
    source = await made(selam)
    for address in (
        f"/inbound/{nyota.workspace_id}/hmis", f"/inbound/{selam.workspace_id}/none", "/inbound/x/hmis",
        f"/inbound/{selam.workspace_id}/%F0%9F%92%89",
    ):  # fmt: skip
        reply = await post(selam, {**source, "address": address}, {"visits": [V1]})
        assert (reply.status, reply.json["detail"]) == (404, "there is no such source"), address


async def test_one_that_is_refused_stops_no_other_and_none_at_all_is_an_error(selam: Api) -> None:
    source = await made(selam)
    some = await post(selam, source, {"visits": [{"date": "2026-03-04"}, V1]})
    assert (some.status, some.json["created"], some.json["refused"]) == (200, 1, 1)
    assert some.json["results"][0]["problems"][0]["field"] == "external_id"
    none = await post(selam, source, {"visits": [{"date": "2026-03-04"}]})
    assert (none.status, none.json["problems"][0]["where"]) == (422, "[0].external_id")
    elsewhere = await post(selam, source, {"data": [V1]})
    assert (elsewhere.status, elsewhere.json["where"]) == (422, "mapping.records")
    assert "has data" in elsewhere.json["hint"]
    nothing = await post(selam, source, {"visits": []})
    assert (nothing.status, nothing.json["results"]) == (200, [])


async def test_what_is_no_json_or_too_much_is_refused(selam: Api) -> None:
    source = await made(selam)
    headers = {"Authorization": f"Bearer {source['secret']}"}
    torn = await Api(selam.base).send("POST", source["address"], data=b'{"visits": [', headers=headers)
    assert (torn.status, torn.json["where"]) == (422, "body")
    much = await Api(selam.base).send("POST", source["address"], data=b" " * 3_000_000, headers=headers)
    assert much.status == 413
    many = await post(selam, source, {"visits": [{"id": n} for n in range(10_001)]})
    assert (many.status, many.json["hint"]) == (422, "Send them in parts.")


async def test_types_that_are_not_known_may_be_refused(selam: Api) -> None:
    source = await made(selam, make_types=False)
    reply = await post(selam, source, {"visits": [V1]})
    assert reply.status == 422
    assert "there is no case type 'visit'" in reply.json["problems"][0]["what"]


async def test_a_body_is_tried_and_nothing_is_kept(selam: Api) -> None:
    tried = await selam.post(f"{SOURCES}/try", {"mapping": MAPPING, "body": {"visits": [V1, {}]}})
    good, bad = tried.json["records"]
    assert (good["taken"], good["problems"]) == (True, [])
    assert good["document"]["properties"]["appointment_date"] == "2026-03-04"
    assert (bad["taken"], bad["document"], bad["problems"][0]["field"]) == (False, None, "external_id")
    await made(selam)
    by_source = await selam.post(f"{SOURCES}/hmis/try", {"body": {"visits": [V1]}})
    assert by_source.json["records"][0]["document"] == good["document"]
    assert (await selam.get("/api/v1/cases")).json["items"] == []
    assert (await selam.get("/api/v1/case-types")).json["items"] == []


async def test_a_mapping_that_is_wrong_says_which_path(selam: Api) -> None:
    wrong = {**MAPPING, "properties": {"phone": "patient..phone"}}
    for path, body, where in (
        (SOURCES, {"name": "hmis", "kind": "inbound", "settings": {"mapping": wrong}}, "settings.mapping"),
        (f"{SOURCES}/try", {"mapping": wrong, "body": {}}, "mapping"),
    ):
        reply = await selam.post(path, body)
        assert reply.status == 422
        (error,) = reply.json["problems"]
        assert error["where"] == f"{where}.properties.phone"
        assert "'patient..phone' cannot be read at character 8" in error["what"]


async def test_a_source_is_changed_rotated_and_taken_away(selam: Api) -> None:
    source = await made(selam)
    assert "secret" not in (await selam.get(f"{SOURCES}/hmis")).json
    changed = await selam.patch(
        f"{SOURCES}/hmis", {"settings": {"mapping": {**MAPPING, "records": "all[*]"}}}
    )
    assert changed.json["settings"]["mapping"]["records"] == "all[*]"
    assert (await post(selam, source, {"all": [V1]})).status == 200
    rotated = (await selam.post(f"{SOURCES}/hmis/rotate")).json
    assert rotated["secret"] not in (None, source["secret"])
    assert (await post(selam, source, {"all": [V1]})).status == 401
    assert (await post(selam, rotated, {"all": [V1]})).status == 200
    twice = {"name": "hmis", "kind": "inbound", "settings": {"mapping": MAPPING}}
    assert (await selam.post(SOURCES, twice)).status == 409
    assert (await selam.send("DELETE", f"{SOURCES}/hmis")).status == 204
    assert (await post(selam, rotated, {"all": [V1]})).status == 404
    assert (await selam.get("/api/v1/cases/V-1")).status == 200


async def test_a_project_of_commcares_is_pulled_by_a_job(
    selam: Api, services: Services, project: Project
) -> None:
    project.save(AMINA, case_name="Amina Wanjiru")
    settings = {"base_url": project.sandbox.url, "project": DOMAIN, "username": USERNAME}
    body = {"name": "selam", "kind": "commcare", "settings": settings}
    assert (await selam.post(SOURCES, body)).json["where"] == "secret"
    with captured() as logged:
        source = (await selam.post(SOURCES, {**body, "secret": KEY})).json
        assert (source["pull"]["state"], source["secret"], source["address"]) == ("never", None, None)
        asked = await selam.post(f"{SOURCES}/selam/pull", {"anew": True})
        assert (asked.status, asked.json["pull"]["state"]) == (202, "waiting")
        jobs = (await selam.get("/api/v1/jobs")).json["items"]
        assert [one["task"] for one in jobs] == ["pull"]
        assert (await selam.send("DELETE", f"{SOURCES}/selam")).status == 409
        assert selam.workspace_id is not None
        await pull_as_asked(services, selam.workspace_id, await _id(selam))
    found = (await selam.get(f"{SOURCES}/selam")).json
    assert (found["pull"]["state"], found["pull"]["counts"]["created"]) == ("done", 1)
    assert (await selam.get(f"/api/v1/cases/{AMINA}")).json["name"] == "Amina Wanjiru"
    assert KEY not in f"{found}{logged.getvalue()}"
    stopped = await selam.post(f"{SOURCES}/selam/stop")
    assert stopped.json["pull"]["state"] == "done"
    assert (await selam.post(f"{SOURCES}/selam/rotate")).status == 404


async def _id(api: Api) -> UUID:
    return UUID((await api.get(f"{SOURCES}/selam")).json["id"])


async def test_a_wrong_key_fails_the_pull_and_says_what_to_do(
    selam: Api, services: Services, project: Project
) -> None:
    settings = {"base_url": project.sandbox.url, "project": DOMAIN, "username": USERNAME}
    body = {"name": "selam", "kind": "commcare", "settings": settings, "secret": "stolen-key"}
    assert (await selam.post(SOURCES, body)).status == 201
    await selam.post(f"{SOURCES}/selam/pull")
    assert selam.workspace_id is not None
    await pull_as_asked(services, selam.workspace_id, await _id(selam))
    pull = (await selam.get(f"{SOURCES}/selam")).json["pull"]
    assert pull["state"] == "failed"
    assert "does not know this user and key" in pull["error"]
    assert "stolen-key" not in str(pull)


async def test_only_who_may_does(selam: Api) -> None:
    await made(selam)
    key = (await selam.post("/api/v1/keys", {"name": "reader", "scopes": ["cases:write"]})).json["key"]
    writer = Api(selam.base, key, selam.workspace_id)
    assert (await writer.get(SOURCES)).status == 200
    assert (await writer.send("DELETE", f"{SOURCES}/hmis")).status == 403
    assert (await writer.post(f"{SOURCES}/hmis/rotate")).status == 403


async def test_many_that_post_at_once_end_in_the_newest(selam: Api) -> None:
    source = await made(selam)
    days = [f"2026-03-{day:02}" for day in range(1, 6)]
    bodies = [{"visits": [{**V1, "updated": f"{day}T08:00:00Z", "date": day}]} for day in days]
    replies = await asyncio.gather(*(post(selam, source, body) for body in [*bodies, *reversed(bodies)]))
    assert {reply.status for reply in replies} == {200}
    shown = (await selam.get("/api/v1/cases/V-1")).json
    assert shown["properties"]["appointment_date"] == days[-1]
