"""Announcements over HTTP, as an employer's portal would call them."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from openpyxl import load_workbook

from clarion.domain.message import Outcome
from clarion.flow import fire
from clarion.flow.services import Services
from clarion.kit.db import rows
from tests.api.client import Api, Reply
from tests.flow.announcing import NOTICE, Dispatch, people, runs_of, saying
from tests.flow.following import work
from tests.store.people import AMINA, JOHN, person

PATH = "/api/v1/announcements"
EVERYONE = {"include": {"everyone": True}}


async def channel(api: Api) -> str:
    body = {"name": f"WhatsApp {uuid4()}", "provider": "whatsapp", "config": {"sender": "1001"}}
    reply = await api.post("/api/v1/channels", body)
    assert reply.status == 201, reply.json
    return str(reply.json["id"])


async def staff(api: Api, services: Services) -> None:
    """Amina, Abebe, Rosa and John work here."""
    assert api.workspace_id is not None
    await people(services, api.workspace_id)


def announcement(channel_id: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "Closed on Monday", "channel_id": channel_id, "audience": EVERYONE, "content": NOTICE, **more,
    }  # fmt: skip


async def written(api: Api, **more: Any) -> str:
    reply = await api.post(PATH, announcement(await channel(api), **more))
    assert reply.status == 201, reply.json
    return str(reply.json["id"])


async def fired(api: Api, services: Services, announcement_id: str) -> Dispatch:
    """It was launched and its messages wait; somebody to send them."""
    workspace = api.workspace_id
    assert workspace is not None
    assert (await api.post(f"{PATH}/{announcement_id}/launch")).status == 200
    (run,) = await runs_of(services, workspace, UUID(announcement_id))
    await fire.fire(services, workspace, run["id"])
    return Dispatch(services, workspace, UUID(announcement_id))


def problems(reply: Reply) -> dict[str, str]:
    return {one["where"]: one["what"] for one in reply.json["problems"]}


def hours(n: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=n)).isoformat()


# --- writing


async def test_an_announcement_is_written_and_read(selam: Api) -> None:
    channel_id, moment = await channel(selam), hours(2)
    made = await selam.post(PATH, announcement(channel_id, send_at=moment, expires_after=3600, weight=3))
    assert made.status == 201
    told = made.json
    assert (told["state"], told["expires_after"], told["one_per"], told["weight"]) == (
        "draft",
        3600,
        "person",
        3,
    )
    assert datetime.fromisoformat(told["send_at"]) == datetime.fromisoformat(moment)
    assert told["audience"]["include"]["everyone"] is True
    shown = await selam.get(f"{PATH}/{told['id']}")
    assert shown.json == told
    listed = await selam.get(PATH)
    assert [one["id"] for one in listed.json["items"]] == [told["id"]]


async def test_one_text_for_all_needs_no_variants(selam: Api) -> None:
    body = announcement(await channel(selam))
    del body["content"]
    made = await selam.post(PATH, {**body, "text": "Closed on Monday"})
    assert made.json["content"]["variants"][0]["content"]["text"] == "Closed on Monday"
    assert (await selam.post(PATH, body)).status == 422
    assert (await selam.post(PATH, {**body, "content": NOTICE, "text": "Hello"})).status == 422


async def test_a_wrong_form_is_told_once_and_no_variants_at_all_too(selam: Api) -> None:
    body = announcement(await channel(selam))
    wrong = {"variants": [{"content": {"kind": "text", "words": "Closed"}}]}
    told = problems(await selam.post(PATH, {**body, "content": wrong}))
    assert sorted(told) == [
        "body.content.variants[0].content.text.text",
        "body.content.variants[0].content.text.words",
    ]
    none = problems(await selam.post(PATH, {**body, "content": {"variants": []}}))
    assert list(none) == ["body.content.variants"]


async def test_what_is_wrong_is_told_by_its_place(selam: Api) -> None:
    body = announcement(await channel(selam), audience={"include": {"groups": [str(uuid4())]}})
    del body["content"]
    told = await selam.post(PATH, {**body, "text": "Hello {{ contact.nam }}"})
    assert told.status == 422
    assert problems(told) == {
        "audience.include.groups[0]": "no such group",
        "text, line 1 column 10": "unknown variable contact.nam",
    }
    late = await selam.post(PATH, announcement(await channel(selam), send_at=hours(-1)))
    assert (late.status, late.json["where"], late.json["reason"]) == (422, "send_at", "past")
    assert "Leave it out to send now" in late.json["hint"]
    no_zone = await selam.post(PATH, announcement(await channel(selam), send_at="2036-01-01T09:00:00"))
    assert (no_zone.status, list(problems(no_zone))) == (422, ["body.send_at"])


async def test_a_change_leaves_the_rest(selam: Api) -> None:
    announcement_id = await written(selam, send_at=hours(2))
    changed = await selam.patch(f"{PATH}/{announcement_id}", {"name": "Open after all", "send_at": None})
    assert (changed.status, changed.json["name"], changed.json["send_at"]) == (200, "Open after all", None)
    assert changed.json["content"]["variants"][0]["outside"]["name"] == "closed"
    assert (await selam.patch(f"{PATH}/{announcement_id}", {"text": "Hi"})).json["content"]["variants"]
    assert (await selam.patch(f"{PATH}/{announcement_id}", {"text": "{{ x }}"})).status == 422


async def test_it_may_speak_at_some_hours_only_and_that_can_be_changed_and_taken_back(
    selam: Api, services: Services
) -> None:
    await staff(selam, services)
    day = {"allowed": [{"from": "08:00", "to": "20:00"}]}
    path = f"{PATH}/{await written(selam, hours=day)}"
    assert (await selam.get(path)).json["hours"]["allowed"][0]["from"] == "08:00"
    never = {**day, "quiet": [{"from": "00:00", "to": "00:00"}]}
    refused = await selam.patch(path, {"hours": never})
    assert (refused.status, list(problems(refused))) == (422, ["body.hours"])
    moment = {"send_at": (services.clock.now() + timedelta(days=1)).isoformat()}
    assert (await selam.patch(path, moment)).status == 200
    assert (await selam.post(f"{path}/launch")).status == 200
    assert len(await _hours_of_lanes(selam, services)) == 1
    assert (await selam.patch(path, {"hours": None})).json["hours"] is None
    assert await _hours_of_lanes(selam, services) == [], "of what was launched and has not begun, too"


async def test_it_says_what_becomes_of_who_is_outside_the_window(selam: Api, services: Services) -> None:
    await staff(selam, services)
    path = f"{PATH}/{await written(selam, outside_window='template')}"
    assert (await selam.get(path)).json["outside_window"] == "template"
    assert (await selam.patch(path, {"name": "Closed"})).json["outside_window"] == "template"
    refused = await selam.patch(path, {"outside_window": "wait"})
    assert (refused.status, list(problems(refused))) == (422, ["content.variants[0].outside"])
    waits = {"text": "Hello", "outside_window": "wait"}
    assert (await selam.patch(path, waits)).json["outside_window"] == "wait"
    refused = await selam.patch(path, {"outside_window": "template"})
    assert "something must be said outside" in problems(refused)["content.variants[0].outside"]
    assert (await selam.patch(path, {"outside_window": None})).json["outside_window"] is None
    assert (await selam.patch(path, {"outside_window": "hope"})).status == 422


async def _hours_of_lanes(api: Api, services: Services) -> list[str]:
    assert api.workspace_id is not None
    async with services.db.tenant(api.workspace_id) as connection:
        found = await rows(
            connection,
            "SELECT hours FROM lane WHERE workspace_id = clarion_workspace() AND hours IS NOT NULL",
        )
    return [one["hours"] for one in found]


async def test_a_copy_is_a_draft(selam: Api) -> None:
    announcement_id = await written(selam)
    copy = await selam.post(f"{PATH}/{announcement_id}/duplicate", {"name": "Closed on Tuesday"})
    assert (copy.status, copy.json["name"], copy.json["state"]) == (201, "Closed on Tuesday", "draft")
    assert copy.json["id"] != announcement_id


# --- launching


async def test_it_is_written_and_launched_in_one_request(selam: Api, services: Services) -> None:
    await staff(selam, services)
    made = await selam.post(PATH, announcement(await channel(selam), launch=True), once="payday")
    assert (made.status, made.json["state"]) == (201, "scheduled")
    assert made.json["launched_at"] is not None


async def test_what_is_sent_now_is_asked_for_at_once_and_what_is_sent_later_by_the_ticks(
    selam: Api, services: Services
) -> None:
    await staff(selam, services)
    now, later = (
        await written(selam),
        await written(selam, name="Another day", text="Bring cake", content=None),
    )
    await selam.post(f"{PATH}/{now}/launch")
    await selam.post(f"{PATH}/{later}/launch", {"send_at": hours(30)})
    jobs = (await selam.get("/api/v1/jobs")).json["items"]

    assert [(job["task"], job["state"]) for job in jobs] == [("fire", "todo")]


async def test_a_request_that_is_repeated_launches_once(selam: Api, services: Services) -> None:
    await staff(selam, services)
    body = announcement(await channel(selam), launch=True)
    first, second = [await selam.post(PATH, body, once="closed-monday") for _ in range(2)]
    assert first.json == second.json
    assert len((await selam.get(PATH)).json["items"]) == 1


async def test_a_launch_that_is_refused_leaves_nothing_behind(selam: Api) -> None:
    refused = await selam.post(PATH, announcement(await channel(selam), launch=True))
    assert (refused.status, refused.json["reason"]) == (422, "empty_audience")
    assert (await selam.get(PATH)).json["items"] == []


async def test_a_similar_one_answers_with_what_it_found(selam: Api, services: Services) -> None:
    await staff(selam, services)
    first = await written(selam)
    await selam.post(f"{PATH}/{first}/launch")
    second = await written(selam, name="The same again")
    told = await selam.post(f"{PATH}/{second}/launch", {"send_at": hours(1)})
    assert (told.status, told.json["code"], told.json["reason"]) == (409, "conflict", "similar")
    (found,) = told.json["similar"]
    assert (found["id"], found["name"], found["people"], found["likeness"]) == (
        first, "Closed on Monday", 4, 1.0,
    )  # fmt: skip
    assert (await selam.get(f"{PATH}/{second}/preview")).json["similar"][0]["id"] == first
    confirmed = await selam.post(f"{PATH}/{second}/launch", {"send_at": hours(1), "confirm_similar": True})
    assert (confirmed.status, confirmed.json["state"]) == (200, "scheduled")
    again = await selam.post(f"{PATH}/{second}/launch", {"confirm_similar": True})
    assert (again.status, again.json["state"]) == (409, "scheduled")


async def test_it_is_paused_resumed_and_cancelled(selam: Api, services: Services) -> None:
    await staff(selam, services)
    announcement_id = await written(selam)
    await selam.post(f"{PATH}/{announcement_id}/launch", {"send_at": hours(1)})
    told = await selam.post(f"{PATH}/{announcement_id}/pause", {"reason": "wrong date"})
    assert (told.json["state"], told.json["reason"]) == ("paused", "wrong date")
    assert (await selam.post(f"{PATH}/{announcement_id}/resume")).json["state"] == "scheduled"
    assert (await selam.post(f"{PATH}/{announcement_id}/cancel")).json["state"] == "cancelled"
    refused = await selam.post(f"{PATH}/{announcement_id}/pause")
    assert (refused.status, refused.json["state"]) == (409, "cancelled")


# --- what became of it


async def test_a_preview_counts_and_shows(selam: Api, services: Services) -> None:
    await staff(selam, services)
    told = (await selam.get(f"{PATH}/{await written(selam)}/preview")).json
    assert (told["counts"]["people"], told["counts"]["reachable"], told["counts"]["outside_window"]) == (
        4,
        4,
        4,
    )
    assert {one["text"] for one in told["examples"]} <= {
        f"{name}\nMonday" for name in ("Amina", "Abebe", "Rosa", "John")
    }
    assert (told["sampled"], told["unsayable"], told["segments"]) == (4, {}, None)


async def test_a_test_goes_to_named_addresses(selam: Api, services: Services) -> None:
    await staff(selam, services)
    announcement_id = await written(selam)
    made = await selam.post(f"{PATH}/{announcement_id}/test", {"addresses": [AMINA]})
    assert made.status == 201
    (one,) = made.json["messages"]
    assert (one["address"], one["state"]) == (AMINA, "ready")
    progress = await selam.get(f"{PATH}/{made.json['id']}/progress")
    assert progress.json["counts"] == {"ready": 1}
    assert [one["id"] for one in (await selam.get(PATH)).json["items"]] == [announcement_id]
    nobody = await selam.post(f"{PATH}/{announcement_id}/test", {"addresses": ["+254712999999"]})
    assert (nobody.status, list(problems(nobody))) == (422, ["addresses[0]"])


async def test_progress_messages_and_retry(selam: Api, services: Services) -> None:
    await staff(selam, services)
    announcement_id = await written(selam)
    dispatch = await fired(selam, services, announcement_id)
    begun = await dispatch.begin()
    await dispatch.end(begun[:3], Outcome.ACCEPTED)
    await dispatch.end(begun[3:], Outcome.REFUSED, code="131026", detail="not on WhatsApp")
    far = (await selam.get(f"{PATH}/{announcement_id}/progress")).json
    assert (far["total"], far["done"], far["counts"]) == (4, 4, {"accepted": 3, "failed": 1})
    assert far["reasons"] == {"failed": {"refused": 1}}
    failed = (await selam.get(f"{PATH}/{announcement_id}/messages?state=failed&state=expired")).json
    (one,) = failed["items"]
    assert (one["name"], one["state"], one["reason"], one["code"]) == ("Rosa", "failed", "refused", "131026")
    assert one["explanation"] == "the provider refused it"
    assert (await selam.get(f"{PATH}/{announcement_id}/messages?reason=opted_out")).json["items"] == []
    assert (await selam.post(f"{PATH}/{announcement_id}/retry")).json == {"ready": 1, "judged": 0}
    in_full = (await selam.get(f"/api/v1/messages/{one['id']}")).json
    assert (in_full["state"], in_full["announcement"]) == ("ready", "Closed on Monday")
    assert [(a["state"], a["code"]) for a in in_full["attempts"]] == [("refused", "131026")]
    assert any("Try 1" in sentence and "not on WhatsApp" in sentence for sentence in in_full["story"])


async def test_messages_come_in_pages_without_gaps(selam: Api, services: Services) -> None:
    await staff(selam, services)
    announcement_id = await written(selam)
    await fired(selam, services, announcement_id)
    names, path = [], f"{PATH}/{announcement_id}/messages?limit=3"
    while path:
        page = (await selam.get(path)).json
        names += [one["name"] for one in page["items"]]
        path = page["next"]
    assert sorted(names) == ["Abebe", "Amina", "John", "Rosa"]


@pytest.mark.parametrize("format", ["csv", "xlsx"])
async def test_results_are_a_file(selam: Api, services: Services, format: str) -> None:
    workspace = selam.workspace_id
    assert workspace is not None
    await people(services, workspace, [person("አበበ", AMINA), person("John", JOHN, opted_out="yes")])
    announcement_id = await written(selam)
    await fired(selam, services, announcement_id)
    reply = await selam.get(f"{PATH}/{announcement_id}/results?format={format}")
    assert reply.status == 200
    assert reply.headers["content-disposition"].endswith(f".{format}")
    if format == "csv":
        rows = list(csv.reader(io.StringIO(reply.body.decode("utf-8-sig"))))
    else:
        sheet = load_workbook(io.BytesIO(reply.body)).worksheets[0]
        rows = [[str(cell.value or "") for cell in row] for row in sheet.iter_rows()]
    assert sorted((row[1], row[3], row[4]) for row in rows[1:]) == [
        ("John", "skipped", "opted_out"), ("አበበ", "ready", ""),
    ]  # fmt: skip


# --- unknowns


async def test_a_person_settles_what_nobody_knows(selam: Api, services: Services) -> None:
    await staff(selam, services)
    dispatch = await fired(selam, services, announcement_id := await written(selam))
    await dispatch.all(Outcome.UNKNOWN, code="unanswered", detail="time-out")
    found = (await selam.get("/api/v1/unknowns")).json["items"]
    assert {one["name"] for one in found} == {"Amina", "Abebe", "Rosa", "John"}
    assert {(one["announcement_id"], one["code"]) for one in found} == {(announcement_id, "unanswered")}
    first, second, *others = [one["id"] for one in found]
    assert (await selam.get(f"/api/v1/unknowns/{first}")).json["id"] == first
    assert (await selam.post(f"/api/v1/unknowns/{first}/settle", {"as": "sent"})).json == {"settled": 1}
    assert (await selam.post(f"/api/v1/unknowns/{first}/settle", {"as": "not-sent"})).status == 404
    assert (await selam.post(f"/api/v1/unknowns/{second}/settle", {"as": "perhaps"})).status == 422
    await selam.post(f"/api/v1/unknowns/{second}/settle", {"as": "send-again"})
    many = await selam.post("/api/v1/unknowns/settle", {"as": "not-sent", "ids": [first, *others]})
    assert many.json == {"settled": 2}
    far = (await selam.get(f"{PATH}/{announcement_id}/progress")).json
    assert far["counts"] == {"accepted": 1, "ready": 1, "failed": 2}
    message = (await selam.get(f"{PATH}/{announcement_id}/messages?state=accepted")).json["items"][0]
    (attempt,) = (await selam.get(f"/api/v1/messages/{message['id']}")).json["attempts"]
    assert attempt["detail"] == "settled as sent by first key; before: time-out"


async def test_of_many_unknowns_either_all_are_settled_or_none(selam: Api, services: Services) -> None:
    await staff(selam, services)
    dispatch = await fired(selam, services, announcement_id := await written(selam))
    await dispatch.end(await dispatch.begin(2), Outcome.UNKNOWN)
    await selam.post(f"{PATH}/{announcement_id}/cancel")
    ids = [one["id"] for one in (await selam.get("/api/v1/unknowns")).json["items"]]
    refused = await selam.post("/api/v1/unknowns/settle", {"as": "send-again", "ids": ids})
    assert refused.status == 409
    assert len((await selam.get("/api/v1/unknowns")).json["items"]) == 2


# --- who may


async def test_another_workspaces_announcement_answers_like_none(
    selam: Api, nyota: Api, services: Services
) -> None:
    await staff(selam, services)
    announcement_id = await written(selam)
    dispatch = await fired(selam, services, announcement_id)
    ((waiting, attempt_id), *_) = begun = await dispatch.begin()
    await dispatch.end(begun, Outcome.UNKNOWN)
    for path in ("", "/preview", "/progress", "/messages", "/results", "/results?format=xlsx"):
        assert (await nyota.get(f"{PATH}/{announcement_id}{path}")).status == 404, path
    for verb in ("launch", "pause", "resume", "cancel", "duplicate", "retry"):
        assert (await nyota.post(f"{PATH}/{announcement_id}/{verb}")).status == 404, verb
    assert (await nyota.post(f"{PATH}/{announcement_id}/test", {"addresses": [AMINA]})).status == 404
    assert (await nyota.patch(f"{PATH}/{announcement_id}", {"name": "Mine"})).status == 404
    assert (await nyota.get(f"/api/v1/messages/{waiting.message_id}")).status == 404
    assert (await nyota.get(f"/api/v1/unknowns/{attempt_id}")).status == 404
    assert (await nyota.post(f"/api/v1/unknowns/{attempt_id}/settle", {"as": "sent"})).status == 404
    assert (await nyota.get("/api/v1/unknowns")).json["items"] == []


async def test_a_key_that_may_only_read_launches_nothing(selam: Api) -> None:
    announcement_id = await written(selam)
    made = await selam.post("/api/v1/keys", {"name": "reader", "scopes": ["announcements:read"]})
    reader = Api(selam.base, made.json["key"])
    assert (await reader.get(f"{PATH}/{announcement_id}")).status == 200
    assert (await reader.post(f"{PATH}/{announcement_id}/launch")).status == 403
    assert (await reader.post(PATH, announcement(str(uuid4())))).status == 403
    assert (await reader.get("/api/v1/unknowns")).status == 403


async def test_a_filter_is_part_of_an_audience(selam: Api, services: Services) -> None:
    await staff(selam, services)
    one = {"include": {"filter": {"not": {"field": "name", "op": "equal", "value": "amina"}}}}
    announcement_id = await written(selam, audience=one, content=saying("Hello").model_dump(mode="json"))
    assert (await selam.get(f"{PATH}/{announcement_id}/preview")).json["counts"]["people"] == 3
    wrong = {"include": {"filter": {"field": "salary", "op": "gt", "value": 3}}}
    told = await selam.patch(f"{PATH}/{announcement_id}", {"audience": wrong})
    assert problems(told) == {"audience.include.filter.field": "no field 'salary'"}


WEEK = timedelta(days=7)
WEEKLY = {"steps": [{"number": 1}], "repeat": {"every": 7}}  # from the launch on


async def test_one_that_recurs_tells_each_time_that_it_spoke(selam: Api, services: Services) -> None:
    await staff(selam, services)
    recurring_id = await written(selam, schedule=WEEKLY, launch=True)
    assert selam.workspace_id is not None
    await work(services, selam.workspace_id, UUID(recurring_id))
    shown = (await selam.get(f"{PATH}/{recurring_id}")).json
    far = (await selam.get(f"{PATH}/{recurring_id}/progress")).json
    found = (await selam.get(f"{PATH}/{recurring_id}/occasions")).json
    first = (await selam.get(f"{PATH}/{recurring_id}/messages?occasion=1")).json["items"]
    assert (shown["state"], shown["schedule"]) == ("running", WEEKLY)
    assert "7 days" in shown["sentence"]
    assert [(one["number"], one["total"]) for one in found] == [(1, 4)]
    assert {one["due_at"] for one in first} == {found[0]["began_at"]}
    assert datetime.fromisoformat(far["next_at"]) - datetime.fromisoformat(found[0]["began_at"]) == WEEK
    lines = (await selam.get(f"{PATH}/{recurring_id}/results?occasion=1")).body.splitlines()
    assert len(lines) == 1 + 4
    assert (await selam.get(f"{PATH}/{recurring_id}/messages?occasion=2")).status == 404


async def test_a_schedule_that_is_wrong_is_refused_with_its_place(selam: Api) -> None:
    bad = {**WEEKLY, "steps": [{"number": 1}, {"number": 1}]}
    reply = await selam.post(PATH, announcement(await channel(selam), schedule=bad))
    assert reply.status == 422
    assert "schedule.steps[1].number" in str(reply.json)
