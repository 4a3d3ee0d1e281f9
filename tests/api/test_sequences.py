"""Sequences over HTTP, as a health programme's own system would call them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from clarion.flow.services import Services
from tests.api.client import Api
from tests.api.people import given
from tests.flow.following import DAILY, content, work

PATH = "/api/v1/sequences"
EVERYONE = {"include": {"everyone": True}}
DATE = {"name": "Registration date", "type": "date"}


async def mothers(api: Api, services: Services) -> tuple[str, str]:
    """Abeba and Baraka, who register tomorrow and the day after; their ids."""
    assert (await api.post("/api/v1/fields", DATE)).status == 201
    today = services.clock.now().date()
    some = [
        {"external_id": name, "name": name, "addresses": [number], "timezone": "UTC",
         "fields": {"registration_date": (today + timedelta(days=days)).isoformat()}}
        for name, number, days in (("Abeba", "0712000001", 1), ("Baraka", "0712000002", 2))
    ]  # fmt: skip
    abeba, baraka = await given(api, *some)
    return abeba, baraka


async def body(api: Api, **more: Any) -> dict[str, Any]:
    channel = {"name": f"WhatsApp {uuid4()}", "provider": "whatsapp", "config": {"sender": "1001"}}
    reply = await api.post("/api/v1/channels", channel)
    assert reply.status == 201, reply.json
    contents = {"hello": content("hello"), "again": content("again")}
    return {
        "name": "Welcome", "channel_id": reply.json["id"], "audience": EVERYONE, "schedule": DAILY,
        "contents": contents, **more,
    }  # fmt: skip


async def running(api: Api, services: Services) -> tuple[str, str, str]:
    """(the sequence, Abeba, Baraka), who are both in it."""
    abeba, baraka = await mothers(api, services)
    reply = await api.post(PATH, await body(api, launch=True))
    assert reply.status == 201, reply.json
    sequence_id = str(reply.json["id"])
    assert api.workspace_id is not None
    await work(services, api.workspace_id, UUID(sequence_id))
    return sequence_id, abeba, baraka


async def test_a_sequence_is_written_launched_and_shown(selam: Api, services: Services) -> None:
    await mothers(selam, services)
    written = (await selam.post(PATH, await body(selam))).json
    launched = (await selam.post(f"{PATH}/{written['id']}/launch")).json
    assert (written["state"], launched["state"]) == ("draft", "running")
    assert launched["sentence"].startswith("It begins on the contact's registration_date")
    assert launched["schedule"]["repeat"] == {"every": 2, "count": 2}


async def test_what_becomes_of_who_is_outside_the_window_is_judged_for_each_content(
    selam: Api, services: Services
) -> None:
    await mothers(selam, services)
    texts = {
        "hello": {"variants": [{"content": {"kind": "text", "text": "Hello"}}]},
        "again": content("again"),
    }
    refused = await selam.post(PATH, await body(selam, contents=texts, outside_window="template"))
    assert [one["where"] for one in refused.json["problems"]] == ["contents.hello.variants[0].outside"]
    written = await selam.post(PATH, await body(selam, contents=texts, outside_window="wait"))
    assert (written.status, written.json["outside_window"]) == (201, "wait")
    path = f"{PATH}/{written.json['id']}"
    assert (await selam.patch(path, {"outside_window": None})).json["outside_window"] is None


async def test_everybody_in_it_is_shown_with_what_comes_next(selam: Api, services: Services) -> None:
    sequence_id, abeba, baraka = await running(selam, services)
    shown = (await selam.get(f"{PATH}/{sequence_id}")).json
    listed = (await selam.get(f"{PATH}/{sequence_id}/enrollments")).json["items"]
    one = (await selam.get(f"{PATH}/{sequence_id}/enrollments/{abeba}?count=3")).json
    assert shown["people"] == {"active": 2}
    assert [(each["contact_id"], each["status"]) for each in listed] == [
        (abeba, "active"),
        (baraka, "active"),
    ]
    assert [(each["step"], each["content"]) for each in one["next"]] == [
        (1, "hello"),
        (2, "again"),
        (1, "hello"),
    ]
    assert one["next_due"] == one["next"][0]["due_at"]


async def test_a_page_of_people_leads_to_the_next(selam: Api, services: Services) -> None:
    sequence_id, _, baraka = await running(selam, services)
    first = (await selam.get(f"{PATH}/{sequence_id}/enrollments?limit=1")).json
    second = (await selam.get(first["next"])).json
    assert [each["contact_id"] for each in second["items"]] == [baraka]


async def test_a_person_is_steered(selam: Api, services: Services) -> None:
    sequence_id, abeba, _ = await running(selam, services)
    where = f"{PATH}/{sequence_id}/enrollments"
    replies = [await selam.post(where, {"verb": "pause", "contacts": [abeba]}) for _ in range(2)]
    one = (await selam.get(f"{where}/{abeba}")).json
    assert [(each.json["done"], each.json["already"]) for each in replies] == [(1, 0), (0, 1)]
    assert one["status"] == "paused"


async def test_it_is_edited_while_it_runs(selam: Api, services: Services) -> None:
    sequence_id, abeba, _ = await running(selam, services)
    before = (await selam.get(f"{PATH}/{sequence_id}/enrollments/{abeba}")).json
    reply = await selam.patch(f"{PATH}/{sequence_id}", {"schedule": {**DAILY, "time": "10:00"}})
    assert reply.status == 200, reply.json
    assert selam.workspace_id is not None
    await work(services, selam.workspace_id, UUID(sequence_id))
    after = (await selam.get(f"{PATH}/{sequence_id}/enrollments/{abeba}")).json
    assert (before["next_due"][11:16], after["next_due"][11:16]) == ("09:00", "10:00")


async def test_a_bad_schedule_is_refused_with_its_place_before_anything_is_written(
    selam: Api, services: Services
) -> None:
    bad = {**DAILY, "steps": [{"number": 1, "content": "hello"}, {"number": 1, "content": "again"}]}
    reply = await selam.post(PATH, await body(selam, schedule=bad))
    assert reply.status == 422
    assert "schedule.steps[1].number" in str(reply.json)
    assert (await selam.get(PATH)).json["items"] == []


async def test_it_is_paused_resumed_and_ended(selam: Api, services: Services) -> None:
    sequence_id, *_ = await running(selam, services)
    states = [
        (await selam.post(f"{PATH}/{sequence_id}/{verb}")).json["state"]
        for verb in ("pause", "pause", "resume", "cancel", "cancel")
    ]
    assert states == ["paused", "paused", "running", "cancelled", "cancelled"]
    assert (await selam.post(f"{PATH}/{sequence_id}/launch")).status == 409


async def test_another_workspace_sees_none_of_it(selam: Api, nyota: Api, services: Services) -> None:
    sequence_id, abeba, _ = await running(selam, services)
    for path in ("", "/enrollments", f"/enrollments/{abeba}", "/progress"):
        assert (await nyota.get(f"{PATH}/{sequence_id}{path}")).status == 404
    assert (await nyota.get(PATH)).json["items"] == []


CHOSEN: dict[str, Any] = {**DAILY, "time": {"field": "best_time", "otherwise": "12:00"}}
TIME = {"name": "Best time", "type": "text"}


async def choosing(api: Api, services: Services, **more: Any) -> tuple[str, str, str]:
    """(the sequence, Abeba, Baraka), who may choose when they hear."""
    abeba, baraka = await mothers(api, services)
    assert (await api.post("/api/v1/fields", TIME)).status == 201
    reply = await api.post(PATH, await body(api, schedule=CHOSEN, launch=True, **more))
    assert reply.status == 201, reply.json
    assert api.workspace_id is not None
    await work(services, api.workspace_id, UUID(reply.json["id"]))
    return str(reply.json["id"]), abeba, baraka


async def test_the_time_of_one_person_is_set_and_taken_away(selam: Api, services: Services) -> None:
    sequence_id, abeba, baraka = await choosing(selam, services)
    where = f"{PATH}/{sequence_id}/enrollments"
    shown = []
    for time in ("18:30", "18:30", None):
        reply = await selam.post(where, {"verb": "choose", "contacts": [abeba], "time": time})
        assert reply.status == 200, reply.json
        assert selam.workspace_id is not None
        await work(services, selam.workspace_id, UUID(sequence_id))
        one = (await selam.get(f"{where}/{abeba}")).json
        shown.append((reply.json["done"], one["times"], one["next_due"][11:16]))
    assert shown == [
        (1, {"best_time": "18:30"}, "18:30"), (0, {"best_time": "18:30"}, "18:30"),
        (1, {"best_time": None}, "12:00"),
    ]  # fmt: skip
    assert (await selam.get(f"{where}/{baraka}")).json["next_due"][11:16] == "12:00"


async def test_the_time_of_a_whole_group_is_set(selam: Api, services: Services) -> None:
    sequence_id, abeba, baraka = await choosing(selam, services)
    group_id = (await selam.post("/api/v1/groups", {"name": "Early"})).json["id"]
    added = await selam.post(f"/api/v1/groups/{group_id}/members", {"add": [abeba, baraka]})
    assert added.status < 300, added.json
    where = f"{PATH}/{sequence_id}/enrollments"
    reply = await selam.post(where, {"verb": "choose", "group_id": group_id, "time": "06:00"})
    assert reply.json == {"done": 2, "already": 0, "refused": {}}
    fields = [(await selam.get(f"/api/v1/contacts/{one}")).json["fields"] for one in (abeba, baraka)]
    assert [one["best_time"] for one in fields] == ["06:00", "06:00"]


async def test_what_cannot_be_chosen_is_refused_with_its_place(selam: Api, services: Services) -> None:
    plain, abeba, _ = await running(selam, services)
    where = f"{PATH}/{plain}/enrollments"
    for asked, status, words in (
        ({"verb": "choose", "time": "18:30"}, 422, "no time of this sequence is chosen by its people"),
        ({"verb": "choose"}, 422, "give the time that is chosen"),
        ({"verb": "choose", "time": "6pm"}, 422, "write a time of day as 09:30"),
        ({"verb": "pause", "time": "18:30"}, 422, "only choose has a time"),
    ):
        reply = await selam.post(where, {**asked, "contacts": [abeba]})
        assert (reply.status, words in str(reply.json)) == (status, True), reply.json


async def test_times_by_reply_are_declared_changed_and_taken_away(selam: Api, services: Services) -> None:
    takes = {"time": {"field": "best_time", "confirm": {"swahili": "Saa {time}."}}}
    sequence_id, *_ = await choosing(selam, services, replies=takes)
    shown = (await selam.get(f"{PATH}/{sequence_id}")).json
    assert shown["replies"] == {"time": {"field": "best_time", "confirm": {"sw": "Saa {time}."}}}
    wrong = await selam.patch(f"{PATH}/{sequence_id}", {"replies": {"time": {"field": "hour"}}})
    assert (wrong.status, "no time of the schedule is kept in 'hour'" in str(wrong.json)) == (422, True)
    assert "replies.time.field" in str(wrong.json)
    gone = await selam.patch(f"{PATH}/{sequence_id}", {"replies": {}})
    assert gone.json["replies"] == {"time": None}


async def test_a_schedule_is_not_edited_away_from_under_its_replies(selam: Api, services: Services) -> None:
    sequence_id, *_ = await choosing(selam, services, replies={"time": {"field": "best_time"}})
    reply = await selam.patch(f"{PATH}/{sequence_id}", {"schedule": DAILY})
    assert (reply.status, "replies.time.field" in str(reply.json)) == (422, True)


async def test_what_an_edit_would_do_is_told_and_not_done(selam: Api, services: Services) -> None:
    sequence_id, abeba, _ = await running(selam, services)
    before = (await selam.get(f"{PATH}/{sequence_id}/enrollments/{abeba}")).json
    reply = await selam.post(f"{PATH}/{sequence_id}/dry-run", {"schedule": {**DAILY, "time": "10:00"}})
    assert (reply.status, reply.json) == (200, {"enter": 0, "leave": 0, "again": 0, "move": 2, "same": 0})
    assert (await selam.get(f"{PATH}/{sequence_id}/enrollments/{abeba}")).json == before
