"""Schedules over HTTP: described, checked, and foreseen for somebody."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp
from icalendar import Calendar

from clarion.domain.schedule.model import Schedule
from clarion.flow.services import Services
from tests.api.client import Api
from tests.api.people import given
from tests.store.people import AMINA

PATH = "/api/v1/schedules"
EXAMPLE = Path(__file__).parents[2] / "examples" / "schedule.csv"
CSV = {"Content-Type": "text/csv"}
REGISTERED = {
    "start": {"from": "field", "key": "registration_date"}, "time": "09:00",
    "steps": [{"number": 1, "content": "hello"}, {"number": 2, "days": 3}],
    "repeat": {"every": 12, "count": 2},
}  # fmt: skip
NAIROBI = {"zone": "Africa/Nairobi", "fields": {"registration_date": "2026-03-01"}}
BEFORE = "2026-02-20T10:00:00Z"


async def test_a_schedule_is_told_in_words_and_by_its_moments(selam: Api) -> None:
    reply = await selam.post(
        f"{PATH}/preview", {"schedule": REGISTERED, "now": BEFORE, "count": 3, **NAIROBI}
    )
    assert reply.status == 200, reply.json
    assert reply.json["sentence"].startswith("It begins on the contact's registration_date. Every 12 days")
    assert reply.json["zone"] == "Africa/Nairobi"
    assert reply.json["occurrences"][0] == {
        "iteration": 1, "step": 1, "content": "hello", "due_at": "2026-03-01T06:00:00Z",
        "local": "2026-03-01T09:00:00+03:00", "moved": [], "skip": None,
    }  # fmt: skip
    assert [one["due_at"][:10] for one in reply.json["occurrences"]] == [
        "2026-03-01",
        "2026-03-04",
        "2026-03-13",
    ]


async def test_a_contacts_own_date_and_zone_count(selam: Api) -> None:
    made = await selam.post("/api/v1/fields", {"name": "Registration date", "type": "date"})
    assert made.json["key"] == "registration_date"
    who = {"name": "Amina", "timezone": "Asia/Kolkata", "addresses": [AMINA]}
    (amina,) = await given(selam, {**who, "fields": {"registration_date": "2026-05-01"}})
    body = {"schedule": REGISTERED, "now": BEFORE, "contact_id": amina}
    reply = await selam.post(f"{PATH}/preview", body)
    assert reply.json["occurrences"][0]["local"] == "2026-05-01T09:00:00+05:30"
    other = await selam.post(f"{PATH}/preview", {**body, "fields": {"registration_date": "2026-06-01"}})
    assert other.json["occurrences"][0]["local"] == "2026-06-01T09:00:00+05:30"


async def test_what_is_sent_is_a_calendar_too(selam: Api) -> None:
    reply = await selam.post(
        f"{PATH}/preview",
        {"schedule": REGISTERED, "now": BEFORE, **NAIROBI},
        headers={"Accept": "text/calendar"},
    )
    events = Calendar.from_ical(reply.body).walk("VEVENT")
    assert [str(event["summary"]) for event in events] == ["hello", "step 2"] * 2
    assert f"{events[0].decoded('dtstart'):%Y-%m-%d %H:%M %Z}" == "2026-03-01 06:00 UTC"
    assert len({str(event["uid"]) for event in events}) == 4


async def test_a_schedule_that_is_wrong_is_refused_with_the_place(selam: Api) -> None:
    wrong = {**REGISTERED, "repeat": {"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}}
    reply = await selam.post(f"{PATH}/preview", {"schedule": wrong})
    assert (reply.status, reply.json["problems"][0]["where"]) == (422, "schedule.repeat.rrule")
    nowhere = await selam.post(f"{PATH}/preview", {"schedule": REGISTERED, "zone": "Nairoby"})
    assert (nowhere.status, nowhere.json["where"]) == (422, "zone")
    nobody = {"schedule": REGISTERED, "contact_id": "01930000-0000-7000-8000-000000000000"}
    assert (await selam.post(f"{PATH}/preview", nobody)).status == 404


async def test_the_json_schema_is_there_for_editors(selam: Api) -> None:
    schema = (await selam.get(f"{PATH}/schema")).json
    assert set(schema["properties"]) == set(Schedule.model_fields)


async def test_a_spreadsheet_becomes_a_document_and_no_file_stays(selam: Api, services: Services) -> None:
    reply = await selam.send(
        "POST", f"{PATH}/import?start=field:registration_date", data=EXAMPLE.read_bytes(), headers=CSV
    )
    assert reply.status == 200, reply.json
    assert set(reply.json["document"]) == {"schedule", "contents", "sheet"}
    assert reply.json["sentence"].startswith("It begins on the contact's registration_date. Once: message-1")
    assert (reply.json["counts"]["rows"], reply.json["notes"]) == (7, [])
    assert list((services.settings.state_dir / "schedules").iterdir()) == []


async def test_a_form_says_how_and_brings_what_the_table_was_before(selam: Api) -> None:
    def form(text: str, **said: str) -> aiohttp.FormData:
        found = aiohttp.FormData()
        found.add_field("file", text.encode(), filename="plan.csv", content_type="text/csv")
        for name, value in said.items():
            found.add_field(name, value)
        return found

    first = await selam.send("POST", f"{PATH}/import", data=form("day,text\n0,a\n1,b\n", time="9:00"))
    assert first.status == 200, first.json
    update = json.dumps(first.json["document"])
    after = await selam.send("POST", f"{PATH}/import", data=form("day,text\n1,b\n2,c\n", update=update))
    schedule = after.json["document"]["schedule"]
    assert ([step["number"] for step in schedule["steps"]], schedule["retired"]) == ([2, 3], [1])
    wrong = await selam.send(
        "POST", f"{PATH}/import", data=form("day,text\n1,b\n", update="[]", week="never")
    )
    assert (wrong.status, wrong.json["problems"][0]["where"]) == (422, "body.week")
    broken = await selam.send("POST", f"{PATH}/import", data=form("day,text\n1,b\n", update="{"))
    assert (broken.status, broken.json["where"]) == (422, "body.update")


async def test_what_is_wrong_with_a_spreadsheet_is_told_by_line(selam: Api, services: Services) -> None:
    text = "day,time,text\nsoon,9:00,a\n1,9:00,{{ contact.shoe }}\n"
    reply = await selam.send("POST", f"{PATH}/import", data=text.encode(), headers=CSV)
    assert reply.status == 422
    assert [one["where"] for one in reply.json["problems"]] == [
        "line 2, day",
        "line 3, text, line 1 column 4",
    ]
    assert list((services.settings.state_dir / "schedules").iterdir()) == []
    none = await selam.send("POST", f"{PATH}/import", data=b"", headers=CSV)
    assert none.status == 422
