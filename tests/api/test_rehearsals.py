"""Rehearsals over HTTP: what a campaign would do, without anything written."""

from __future__ import annotations

import pytest

from clarion.api import rehearsal
from clarion.flow.services import Services
from tests.api.client import Api
from tests.api.test_sequences import EVERYONE, PATH, body, mothers, running
from tests.flow.announcing import NOTICE


async def test_a_draft_is_rehearsed_with_everybody_enrolled(selam: Api, services: Services) -> None:
    await mothers(selam, services)
    written = (await selam.post(PATH, await body(selam))).json
    reply = await selam.post(f"{PATH}/{written['id']}/rehearsal", {"days": 45})
    assert reply.status == 200, reply.json
    found = reply.json
    assert (found["people"], found["hear"], found["messages"], found["leave"]) == (2, 2, 8, 8)
    assert sum(one["due"] for one in found["days"]) == 8
    assert sum(one["leave"] for one in found["channels"][0]["hours"]) == 8
    assert (await selam.get(f"{PATH}/{written['id']}")).json["people"] == {}


async def test_a_running_one_is_rehearsed_as_it_is(selam: Api, services: Services) -> None:
    sequence_id, _, _ = await running(selam, services)
    found = (await selam.post(f"{PATH}/{sequence_id}/rehearsal")).json
    assert (found["state"], found["messages"]) == ("running", 8)


async def test_an_announcement_is_rehearsed_before_it_is_launched(selam: Api, services: Services) -> None:
    await mothers(selam, services)
    channel_id = (await body(selam))["channel_id"]
    given = {"name": "Closed", "channel_id": channel_id, "audience": EVERYONE, "content": NOTICE}
    written = await selam.post("/api/v1/announcements", given)
    assert written.status == 201, written.json
    found = (await selam.post(f"/api/v1/announcements/{written.json['id']}/rehearsal")).json
    assert (found["people"], found["messages"], found["kind"]) == (2, 2, "announcement")


async def test_another_workspaces_sequence_is_not_there(selam: Api, nyota: Api, services: Services) -> None:
    await mothers(selam, services)
    written = (await selam.post(PATH, await body(selam))).json
    assert (await nyota.post(f"{PATH}/{written['id']}/rehearsal")).status == 404


async def test_too_many_people_for_a_request_are_told_what_takes_them(
    selam: Api, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "MOST_PEOPLE", 1)
    await mothers(selam, services)
    written = (await selam.post(PATH, await body(selam))).json
    reply = await selam.post(f"{PATH}/{written['id']}/rehearsal")
    assert (reply.status, reply.json["most"]) == (413, 1)
    assert "clarion rehearse" in reply.json["hint"]
