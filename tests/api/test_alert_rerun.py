"""The re-run of an alert over HTTP: shown, refused, cancelled and begun again."""

from __future__ import annotations

from uuid import UUID

from clarion.flow.services import Services
from tests.api.client import Api
from tests.api.test_alerts import PATH, SOON, body, visits
from tests.flow.alerting import work


async def test_it_is_shown_locks_is_cancelled_and_begun_again(selam: Api, services: Services) -> None:
    await visits(selam, services)
    written = (await selam.post(PATH, await body(selam))).json
    path = f"{PATH}/{written['id']}"
    launched = (await selam.post(f"{path}/launch")).json
    refused = await selam.patch(path, {"criteria": SOON})
    renamed = await selam.patch(path, {"name": "Visits to come"})
    cancelled = (await selam.post(f"{path}/rerun/cancel")).json
    changed = await selam.patch(path, {"criteria": SOON})
    cancelled_again = (await selam.post(f"{path}/rerun/cancel")).json
    begun = (await selam.post(f"{path}/rerun")).json
    assert selam.workspace_id is not None
    await work(services, selam.workspace_id, UUID(written["id"]))
    shown = (await selam.get(path)).json
    assert written["rerun"] is None
    states = [one["rerun"]["state"] for one in (launched, cancelled, changed.json, cancelled_again, begun)]
    assert states == ["waiting", "cancelled", "waiting", "cancelled", "waiting"]
    assert (refused.status, refused.json["where"], renamed.status) == (409, "rerun", 200)
    assert "rerun/cancel" in refused.json["hint"]
    far = shown["rerun"]
    assert (far["state"], far["done"], far["cases"], far["eta"], far["error"]) == ("done", 2, 2, None, "")
    assert far["rate"] > 0
    assert far["since"] <= far["ended_at"]


async def test_only_what_has_cases_to_go_over_is_gone_over(
    selam: Api, nyota: Api, services: Services
) -> None:
    await visits(selam, services)
    path = f"{PATH}/{(await selam.post(PATH, await body(selam))).json['id']}"
    draft = await selam.post(f"{path}/rerun")
    stranger = await nyota.post(f"{path}/rerun/cancel")
    await selam.post(f"{path}/cancel")
    ended = await selam.post(f"{path}/rerun")
    assert (draft.status, stranger.status, ended.status) == (409, 404, 409)
